# SPDX-License-Identifier: GPL-3.0-or-later
"""stream_to_s3: batches become objects, whatever is in them; what is given up is made up for, or named in the watermark."""

import gzip
import json
import random

import pytest

from dynabridge.change_lines import read_change
from dynabridge.change_log import object_of
from dynabridge.errors import BackupError, SettingsError
from dynabridge.watermark import REPLACED, Hole
from tests.capture_fakes import NOW, capture_cloud
from tests.events import STREAM, image, stream_record
from tests.modules.aws_fakes import aws_error

TABLE = "user-cn"
SHARD = "shardId-00000000000000000000-00000001"
EVERYTHING = {
    "S": {"S": "雪 ünï"}, "N": {"N": "123456789012345678901234567890.12345678"}, "B": {"B": "AP8="},
    "SS": {"SS": ["a", "b"]}, "NS": {"NS": ["1", "2.5"]}, "BS": {"BS": ["AA==", "AQ=="]}, "BOOL": {"BOOL": True},
    "NULL": {"NULL": True}, "L": {"L": [{"M": {"x": {"N": "1"}}}]}, "M": {"M": {"y": {"L": []}}},
}  # fmt: skip


@pytest.fixture
def cloud():
    return capture_cloud()


def record(number, seconds=NOW, **more):
    made = stream_record(number, new=image(f"k{number}", **more))
    made["dynamodb"]["ApproximateCreationDateTime"] = float(seconds)
    return made


def batch(*records):
    return {"Records": list(records)}


def lines(cloud):
    """The lines of the log, in the order of its keys."""
    keys = [key for key in cloud.s3.names() if object_of(key)]
    return [
        read_change(line) for key in keys for line in gzip.decompress(cloud.s3.objects["backups", key]).splitlines()
    ]


def look(cloud, minutes=1):
    """Minutes pass, and each is looked at."""
    for _minute in range(minutes):
        cloud.clock += 60
        answer = cloud.tend.handle()
    return answer


def mark_of(cloud):
    return cloud.marks.read(TABLE)[0]


class TestBatches:
    def test_a_record_of_every_type_is_a_line(self, cloud):
        """GIVEN an insert with every type, an update and a delete WHEN handled THEN each is a line with keys, images, order."""
        inserted = record(1, **EVERYTHING)
        updated = stream_record(2, "MODIFY", new=image("k2"), old=image("k2", "1"))
        deleted = stream_record(3, "REMOVE", old=image("k3"))
        assert cloud.capture.handle(batch(inserted, updated, deleted)) == {"batchItemFailures": []}
        second, third, first = lines(cloud)  # by the hour
        assert first.new == inserted["dynamodb"]["NewImage"] and first.old is None and first.sequence == 1
        assert (second.old, second.new) == (image("k2", "1"), image("k2"))
        assert third.new is None and third.old == image("k3") and third.keys == {"PK": {"S": "k3"}}
        assert cloud.cloudwatch.values("Captured_count") == [3]

    def test_a_batch_that_comes_again_writes_the_same_objects(self, cloud):
        """GIVEN a batch over two hours WHEN it is delivered twice THEN the second time changes nothing."""
        event = batch(*[record(number, NOW + 600 * number) for number in range(1, 9)])
        cloud.capture.handle(event)
        before = dict(cloud.s3.objects)
        cloud.capture.handle(event)
        assert cloud.s3.objects == before and len(before) == 2
        assert len(cloud.s3.puts) == 4

    def test_the_bucket_is_who_it_should_be(self):
        """GIVEN another account's bucket with a key WHEN written THEN its owner is expected, and the key is named."""
        cloud = capture_cloud(BACKUP_BUCKET_OWNER="300000000003", BACKUP_KMS_KEY_ARN="arn:key")
        cloud.capture.handle(batch(record(1)))
        (asked,) = cloud.s3.asked
        assert asked["ExpectedBucketOwner"] == "300000000003"
        assert (asked["ServerSideEncryption"], asked["SSEKMSKeyId"]) == ("aws:kms", "arn:key")

    @pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "NoSuchBucket"])
    def test_what_s3_refuses_comes_again(self, cloud, code):
        """GIVEN a bucket that takes nothing WHEN handled THEN the function fails, so that Lambda brings all of it again."""
        cloud.s3.error = aws_error(code, "no")
        with pytest.raises(BackupError):
            cloud.capture.handle(batch(record(1), {"eventID": "poison"}))
        assert cloud.s3.objects == {} and cloud.sqs.messages == []


POISON = [
    {"eventID": "e", "eventSourceARN": STREAM},
    record(2) | {"eventName": "TRUNCATE"},
    record(2) | {"eventID": None},
    record(2) | {"eventSourceARN": "arn:of:nothing"},
    record(2) | {"dynamodb": record(2)["dynamodb"] | {"SequenceNumber": "x"}},
    record(2) | {"dynamodb": record(2)["dynamodb"] | {"SequenceNumber": "1" * 41}},
    record(2) | {"dynamodb": record(2)["dynamodb"] | {"ApproximateCreationDateTime": "now"}},
    record(2) | {"dynamodb": record(2)["dynamodb"] | {"ApproximateCreationDateTime": 1e18}},
    record(2) | {"dynamodb": {name: value for name, value in record(2)["dynamodb"].items() if name != "NewImage"}},
]


class TestPoison:
    @pytest.mark.parametrize("poison", POISON, ids=range(len(POISON)))
    def test_it_is_kept_named_and_passed_by(self, cloud, poison):
        """GIVEN a record that cannot be read THEN it lies whole in the quarantine, the shard goes on, and the watermark has a
        hole that covers it."""
        cloud.tend.handle()
        assert cloud.capture.handle(batch(record(1), poison, record(3))) == {"batchItemFailures": []}
        assert [line.sequence for line in lines(cloud)] == [1, 3]
        (kept,) = cloud.s3.names("quarantine")
        assert json.loads(cloud.s3.objects["quarantine", kept])["record"] == poison
        look(cloud)
        (hole,) = mark_of(cloud).holes
        assert hole.start <= NOW < hole.end <= NOW + 1 and "quarantine" in hole.why
        assert cloud.sqs.messages == [] and cloud.cloudwatch.values("Hole_count") == [1]

    def test_a_hole_that_cannot_be_told_of_fails_the_batch(self, cloud):
        cloud.sqs.error = aws_error("AccessDenied")
        with pytest.raises(Exception, match="AccessDenied"):
            cloud.capture.handle(batch(record(1), POISON[0]))


def given_up(first, last, size, arrived=NOW, arrived_last=None):
    """What Lambda sends to the on-failure queue."""
    iso = "2026-11-21T17:{:02d}:00Z".format
    minute = int((arrived - NOW) // 60)
    last_minute = minute if arrived_last is None else int((arrived_last - NOW) // 60)
    info = {
        "streamArn": STREAM, "shardId": SHARD, "startSequenceNumber": first, "endSequenceNumber": last,
        "batchSize": size, "approximateArrivalOfFirstRecord": iso(minute), "approximateArrivalOfLastRecord": iso(last_minute),
    }  # fmt: skip
    return json.dumps({"requestContext": {"condition": "RetryAttemptsExhausted"}, "DDBStreamBatchInfo": info})


def number(value):
    return f"{value:030d}"


class TestGivenUp:
    def test_what_the_stream_still_has_is_written(self, cloud):
        """GIVEN a batch that was given up WHEN looked at THEN its records are in the log, there is no hole, no message."""
        look(cloud)
        cloud.streams.records = [record(1), record(2), record(3), record(4)]
        cloud.sqs.messages = [given_up(number(2), number(3), 2)]
        look(cloud)
        assert [line.sequence for line in lines(cloud)] == [2, 3]
        assert cloud.sqs.messages == [] and mark_of(cloud).holes == ()

    def test_what_it_has_forgotten_is_a_hole(self, cloud):
        """GIVEN a stream that has forgotten the first records, or all, of a batch THEN just these are a hole, by shard."""
        look(cloud)
        cloud.streams.records, cloud.streams.trimmed = [record(3, NOW + 120)], 3
        cloud.sqs.messages = [given_up(number(2), number(3), 2, NOW, NOW + 120)]
        look(cloud)
        assert [line.sequence for line in lines(cloud)] == [3]
        (hole,) = mark_of(cloud).holes
        assert (hole.start, hole.end) == (NOW, NOW + 121)
        assert f"2 records of shard {SHARD} was given up (RetryAttemptsExhausted)" in hole.why
        assert "has forgotten the first of its records" in hole.why
        cloud.streams.trimmed, cloud.streams.records = 9, []
        cloud.sqs.messages = [given_up(number(5), number(6), 2, NOW + 600, NOW + 660)]
        assert look(cloud) == {"messages": 1, "holes": {TABLE: 1}}
        assert [(hole.start, hole.end) for hole in mark_of(cloud).holes][1] == (NOW + 600, NOW + 661)

    def test_no_hole_is_lost_before_it_is_stored(self, cloud):
        """GIVEN a bucket that takes nothing WHEN looked at THEN the message stays, and the watermark does not advance."""
        look(cloud, 10)
        before = mark_of(cloud)
        cloud.streams.trimmed = 9
        cloud.sqs.messages = [given_up(number(5), number(6), 2)]
        cloud.s3.error = aws_error("SlowDown")
        with pytest.raises(BackupError, match="was left there"):
            look(cloud)
        assert len(cloud.sqs.messages) == 1 and mark_of(cloud) == before
        cloud.s3.error = None
        look(cloud)
        assert len(mark_of(cloud).holes) == 1 and cloud.sqs.messages == []

    def test_of_a_message_that_nobody_can_read_a_day_is_in_doubt(self, cloud):
        look(cloud)
        cloud.sqs.messages = ["hello"]
        look(cloud)
        (hole,) = mark_of(cloud).holes
        assert (hole.start, hole.end) == (NOW - 86400, NOW + 1) and cloud.sqs.messages == []

    def test_a_hole_before_there_is_a_watermark(self, cloud):
        """GIVEN a first batch that is poison WHEN looked at for the first time THEN the first watermark has the hole."""
        cloud.capture.handle(batch(POISON[1]))
        look(cloud)
        assert len(mark_of(cloud).holes) == 1

    def test_a_queue_that_cannot_be_read_lets_nothing_be_claimed(self, cloud):
        look(cloud, 10)
        before = mark_of(cloud)
        cloud.sqs.error = aws_error("AccessDenied", "no")
        with pytest.raises(BackupError, match="queue ddbcapturecn cannot be emptied"):
            look(cloud)
        assert mark_of(cloud).until == before.until and mark_of(cloud).well_since == 0

    def test_two_looks_at_once_lose_no_hole(self, cloud):
        """GIVEN a watermark that another writes between reading and writing THEN the later writer gives way, and tells."""
        look(cloud)
        read = cloud.marks.read

        def read_then_overtaken(table):
            found = read(table)
            cloud.marks.read = read
            cloud.marks.write(found[0].with_holes([Hole(NOW, NOW + 9, "other")]), found[1])
            return found

        cloud.marks.read = read_then_overtaken
        look(cloud)
        assert [hole.why for hole in mark_of(cloud).holes] == ["other"]
        look(cloud)
        assert [hole.why for hole in mark_of(cloud).holes] == ["other"]


class TestWatermark:
    def test_an_idle_table_is_recoverable_up_to_the_margin(self, cloud):
        """GIVEN nothing written WHEN looked at each minute THEN until follows, and its age is published for the table."""
        look(cloud, 10)
        mark = mark_of(cloud)
        assert mark.until == cloud.clock - 120 and mark.holes == () and mark.stream_arn == STREAM
        assert cloud.cloudwatch.values("Recoverable_age_seconds")[-1] == 120

    def test_it_begins_with_a_young_stream(self):
        """GIVEN a stream made an hour ago, read from its begin WHEN first looked at THEN all of it is claimed."""
        cloud = capture_cloud()
        cloud.clock = 1795172400.0
        cloud.tend.handle()
        assert mark_of(cloud).since == 1795168800.0
        later = capture_cloud()
        later.functions.mapping["StartingPosition"] = "LATEST"
        later.clock = 1795172400.0
        later.tend.handle()
        assert mark_of(later).since == 1795172400.0

    def test_it_stays_behind_what_was_handed_over_late(self, cloud):
        cloud.cloudwatch.ages = [1000.0, 400_000.0]
        look(cloud, 10)
        first = mark_of(cloud).until
        assert first <= cloud.clock - 520
        assert set(cloud.cloudwatch.windows) == {301.0}

    @pytest.mark.parametrize(
        "trouble",
        [
            lambda cloud: cloud.functions.mapping.update(State="Disabled"),
            lambda cloud: cloud.functions.mapping.update(State="Enabling"),
            lambda cloud: cloud.functions.mapping.update(LastProcessingResult="PROBLEM: internal error"),
            lambda cloud: cloud.functions.mapping.update(FilterCriteria={"Filters": []}),
            lambda cloud: setattr(cloud.functions, "mapping", None),
            lambda cloud: setattr(cloud.dynamodb, "error", aws_error("AccessDeniedException")),
            lambda cloud: setattr(cloud.cloudwatch, "error", aws_error("AccessDenied")),
            lambda cloud: cloud.cloudwatch.throttles.append(3.0),
        ],
    )
    def test_it_stands_while_something_is_wrong(self, cloud, trouble, capsys):
        """GIVEN any trouble WHEN looked at THEN nothing new is claimed, its age grows, and the log says why; nothing raises."""
        look(cloud, 10)
        before = mark_of(cloud)
        trouble(cloud)
        look(cloud, 3)
        assert mark_of(cloud).until == before.until
        assert cloud.cloudwatch.values("Recoverable_age_seconds")[-1] == 300
        assert "the watermark stands" in capsys.readouterr().out

    def test_a_batch_that_was_given_up_does_not_hold_it_for_ever(self, cloud):
        """GIVEN a mapping that says of its last batch that it failed WHEN it has handed over nothing for a quarter of an hour
        THEN that batch was given up, the table is idle, and the watermark goes on; while it is tried it stands."""
        look(cloud, 10)
        before = mark_of(cloud)
        cloud.functions.mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
        cloud.cloudwatch.earlier_ages = [1000.0]
        look(cloud, 10)
        assert mark_of(cloud).until == before.until
        cloud.cloudwatch.earlier_ages = []
        look(cloud, 10)
        assert mark_of(cloud).until == cloud.clock - 120

    def test_another_stream_is_a_hole(self, cloud):
        look(cloud, 10)
        before = mark_of(cloud)
        other = STREAM.replace("2026-11-20T10:00:00.000", "2026-11-21T17:10:30.000")
        cloud.dynamodb.stream = other
        cloud.functions.mapping["EventSourceArn"] = other
        look(cloud, 10)
        after = mark_of(cloud)
        assert after.holes == (Hole(before.until, NOW + 630, REPLACED),)
        assert after.stream_arn == other and after.until == cloud.clock - 120

    def test_a_deleted_table_is_captured_to_its_end(self, cloud):
        """GIVEN a table that somebody deletes WHEN its stream, which lives on, is read to its end THEN all is claimed: it can be
        brought back to the second before."""
        look(cloud, 10)
        cloud.dynamodb.error = aws_error("ResourceNotFoundException")
        deleted = cloud.clock
        look(cloud, 10)
        assert mark_of(cloud).until > deleted and mark_of(cloud).holes == ()
        cloud.functions.mapping["LastProcessingResult"] = "PROBLEM: stream not found"
        stood = mark_of(cloud).until
        look(cloud, 3)
        assert mark_of(cloud).until == stood

    def test_a_watermark_that_is_none_is_told(self, cloud):
        cloud.s3.objects["backups", "changes/user-cn/watermark.json"] = b"{}"
        with pytest.raises(BackupError, match="is no watermark"):
            look(cloud)

    def test_before_all_is_well_there_is_none(self, cloud):
        cloud.functions.mapping["State"] = "Creating"
        look(cloud)
        assert cloud.s3.names() == [] and cloud.cloudwatch.values("Recoverable_age_seconds") == []


@pytest.mark.parametrize(
    "wrong", [{"CAPTURE_TABLES": " , "}, {"CAPTURE_QUEUE": ""}, {"CAPTURE_MARGIN_SECONDS": "0"}, {"CAPTURE_PREFIX": ""}]
)
def test_an_environment_that_is_not_whole_is_named(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        capture_cloud(**wrong)


def test_batches_cut_anyhow_hold_all(cloud):
    """GIVEN records that are delivered in any cuts, some again THEN the log holds each, and its keys sort by number."""
    records, chance = [record(number, NOW + number) for number in range(1, 200)], random.Random(5)
    place = 0
    while place < len(records):
        end = place + chance.randint(1, 30)
        cloud.capture.handle(batch(*records[place:end]))
        place = max(0, end - chance.choice([0, 0, 5]))
        if end >= len(records):
            break
    assert {line.sequence for line in lines(cloud)} == set(range(1, 200))
    firsts = [object_of(key).first for key in cloud.s3.names()]
    assert firsts == sorted(firsts)
