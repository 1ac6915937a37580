# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender, batch by batch: what travels, in which order, and what happens when the peer does not take it."""

import json
import os

import pytest

from dynabridge.aws.memory import Memory
from dynabridge.aws.own_side import OwnSide
from dynabridge.aws.peer import PeerStream, read_key_pair
from dynabridge.aws.quarantine import Quarantine
from dynabridge.aws.sender import Sender
from dynabridge.aws.stamper import Stamper
from dynabridge.clock import issue
from dynabridge.conflict import Place
from dynabridge.errors import PeerKeyMissing, PeerRefused, SettingsError
from dynabridge.settings import sender_settings
from dynabridge.stamps import UNSTAMPED, StampNames, read_stamp, stamp_attributes
from dynabridge.tombstones import Remember
from dynabridge.wire import decode
from tests.dynamodb import FakeDynamoDB
from tests.events import image, stream_record
from tests.fakes import FakeCloudWatch, FakeKinesis, FakeS3, FakeSsm, client_error

PATH = "/DDBReplication/TableSG/"
ENV = {
    "SIDE": "cn",
    "PARAMETER_STORE_PATH_PREFIX": PATH,
    "TARGET_REGION": "ap-southeast-1",
    "TARGET_STREAM": "stream",
    "TARGET_TABLE": "user-sg",
    "QUARANTINE_BUCKET": "quarantine",
    "AWS_REGION": "cn-north-1",
    "TOMBSTONES_TABLE": "tombstones",
}
NOW = 1700000001.0


class Bench:
    """A sender with everything around it faked."""

    def __init__(self, *script, env=None, s3=None):
        self.kinesis, self.s3, self.cloudwatch = FakeKinesis(*script), s3 or FakeS3(), FakeCloudWatch()
        self.ssm = FakeSsm(**{PATH + "AccessKey": "AKIDOLD", PATH + "SecretKey": "secret"})
        self.keys = []
        settings = sender_settings(ENV | (env or {}))
        peer = PeerStream("stream", lambda: read_key_pair(self.ssm, PATH), self.connect, pause=lambda seconds: None)
        self.dynamodb = FakeDynamoDB()
        self.memory = Memory(self.dynamodb, "tombstones", settings.names, now=lambda: NOW, pause=lambda seconds: None)
        stamper = Stamper(self.dynamodb, settings.names, "cn-north-1", now=lambda: NOW, pause=lambda seconds: None)
        own_side = OwnSide(self.dynamodb, settings.names, self.memory, stamper)
        quarantine = Quarantine(self.s3, "quarantine", "cn", "ddb_send_to_kinesis")
        self.sender = Sender(settings, peer, quarantine, own_side, self.cloudwatch)

    def connect(self, access_key, secret_key):
        self.keys.append(access_key)
        return self.kinesis

    def handle(self, *records):
        return self.sender.handle({"Records": list(records)})["batchItemFailures"]

    def row(self, key):
        return self.dynamodb.get("user-cn", PK={"S": key})

    def arrived(self):
        return [change for record in self.kinesis.arrived for change in decode(record["Data"])[1]]


def test_changes_travel_and_echoes_stay():
    bench = Bench()
    failures = bench.handle(
        stream_record(1, new=image("a")),
        stream_record(2, new=image("b", region="ap-southeast-1")),
        stream_record(3, "REMOVE", old=image("c")),
    )
    assert failures == []
    assert sorted((change.operation, change.keys["PK"]["S"]) for change in bench.arrived()) == [
        ("delete", "c"),
        ("put", "a"),
    ]
    assert {change.table for change in bench.arrived()} == {"user-sg"}


def test_last_change_of_an_item_stands_for_all():
    bench = Bench()
    bench.handle(*(stream_record(n, "MODIFY", image("a", str(n + 1)), image("a", str(n))) for n in range(1, 6)))
    (change,) = bench.arrived()
    assert change.image["last_update_timestamp"] == {"N": "6"} and change.count == 5


def test_only_what_failed_is_sent_again():
    """GIVEN PutRecords takes one lane and refuses the other WHEN tried again THEN only the refused one travels."""
    bench = Bench()
    records = [stream_record(n, new=image(str(n))) for n in range(40)]
    lanes = sorted({record["PartitionKey"] for record in arrivals_of(records)})
    bench.kinesis.script = [{lanes[0]: "ProvisionedThroughputExceededException"}]
    assert bench.handle(*records) == []
    assert bench.kinesis.calls[1] == [lanes[0]]
    assert len(bench.arrived()) == 40


def arrivals_of(records):
    bench = Bench()
    bench.handle(*records)
    return bench.kinesis.arrived


def test_a_lane_waits_for_its_own_failure():
    """GIVEN a lane of several records whose first one fails THEN the later ones are not sent before it (hazard 11)."""
    big = [stream_record(n, new=image(str(n), data={"S": os.urandom(150_000).hex()})) for n in range(8)]
    bench = Bench({"lane-000": "InternalFailure"}, env={"WIRE_LANES": "1"})
    assert bench.handle(*big) == []
    assert all(len(call) == 1 for call in bench.kinesis.calls), "one record of a lane at a time"
    assert [change.keys["PK"]["S"] for change in bench.arrived()] == [str(n) for n in range(8)]


def test_what_stays_unsent_is_reported_from_its_first_record():
    """GIVEN the peer throttles for good THEN the mapping begins again at the first record of what was not sent."""
    bench = Bench(*[{"lane-000": "ProvisionedThroughputExceededException"}] * 20, env={"WIRE_LANES": "1"})
    failures = bench.handle(
        stream_record(1, new=image("e", region="ap-southeast-1")),
        stream_record(2, new=image("a")),
        stream_record(3, new=image("b")),
    )
    assert failures == [{"itemIdentifier": f"{2:030d}"}]
    assert bench.cloudwatch.metrics["DDB-Replicator/Unsent_count"] == [2]


def test_refused_key_is_read_again():
    """GIVEN a rotated key WHEN the old one is refused THEN the new one is read and used, within the same batch."""
    bench = Bench()
    bench.handle(stream_record(1, new=image("a")))
    bench.ssm.parameters[PATH + "AccessKey"] = "AKIDNEW"
    bench.kinesis.script = [client_error("UnrecognizedClientException")]
    assert bench.handle(stream_record(2, new=image("b"))) == []
    assert bench.keys == ["AKIDOLD", "AKIDNEW"] and bench.ssm.reads == 2


def test_key_is_cached():
    bench = Bench()
    for number in range(5):
        bench.handle(stream_record(number, new=image(str(number))))
    assert bench.ssm.reads == 1


def test_key_refused_for_good_is_one_clear_error():
    bench = Bench(*[client_error("InvalidSignatureException")] * 9)
    with pytest.raises(PeerRefused, match="refused the key pair"):
        bench.handle(stream_record(1, new=image("a")))
    with pytest.raises(PeerRefused):
        bench.handle(stream_record(1, new=image("a")))
    assert bench.keys == ["AKIDOLD"] * 2, "every batch tries the key that is stored then, and no batch tries it twice"


def test_missing_permission_on_the_peer_is_one_clear_error():
    bench = Bench(client_error("AccessDeniedException", "not authorized to perform: kinesis:PutRecords"))
    with pytest.raises(PeerRefused, match="kinesis:PutRecords"):
        bench.handle(stream_record(1, new=image("a")))


def test_missing_secret_names_the_parameter():
    bench = Bench()
    del bench.ssm.parameters[PATH + "SecretKey"]
    with pytest.raises(PeerKeyMissing, match="/DDBReplication/TableSG/SecretKey not found"):
        bench.handle(stream_record(1, new=image("a")))


def test_unreadable_record_is_kept_and_the_rest_travels():
    """GIVEN a record without image (wrong view type) THEN it is in the quarantine whole, with its reason (hazard 12)."""
    bench = Bench()
    broken = stream_record(1, new=image("a"))
    del broken["dynamodb"]["NewImage"]
    assert bench.handle(broken, stream_record(2, new=image("b"))) == []
    assert [change.keys["PK"]["S"] for change in bench.arrived()] == ["b"]
    (((bucket, key), body),) = bench.s3.objects.items()
    kept = json.loads(body)
    assert bucket == "quarantine" and key.startswith("quarantine/ddb_send_to_kinesis/2023/11/14/")
    assert kept["record"] == broken and "NEW_AND_OLD_IMAGES" in kept["reason"] and kept["sequence_number"] in key
    assert bench.cloudwatch.metrics["DDB-Replicator/Quarantined_count"] == [1]


def test_item_too_large_for_the_wire_is_kept():
    bench = Bench()
    huge = stream_record(1, new=image("a", data={"S": os.urandom(2_200_000).hex()}))
    assert bench.handle(huge, stream_record(2, new=image("b"))) == []
    assert len(bench.s3.objects) == 1 and [change.keys["PK"]["S"] for change in bench.arrived()] == ["b"]


def test_quarantine_that_fails_stops_the_batch():
    """GIVEN the quarantine cannot be written THEN nothing is dropped: the batch fails and comes again."""
    bench = Bench(s3=FakeS3(client_error("AccessDenied", "s3:PutObject")))
    broken = stream_record(1, new=image("a"))
    del broken["dynamodb"]["NewImage"]
    with pytest.raises(Exception, match="AccessDenied"):
        bench.handle(broken)


def test_write_that_does_not_stamp_is_counted_and_named(capsys):
    bench = Bench()
    bench.handle(stream_record(1, "MODIFY", image("a", x={"S": "2"}), image("a", x={"S": "1"})))
    assert bench.arrived() == []
    assert bench.cloudwatch.metrics["DDB-Replicator/Unstamped_count"] == [1]
    assert '"keys": {"PK": {"S": "a"}}' in capsys.readouterr().out


def test_write_with_an_older_stamp_than_it_replaced_is_lifted_and_named(capsys):
    """GIVEN a writer whose clock is behind THEN its row gets a stamp after what it replaced; that record travels then."""
    bench = Bench()
    bench.dynamodb.put("user-cn", image("a", "5"))
    bench.handle(stream_record(1, "MODIFY", image("a", "5"), image("a", "6", "ap-southeast-1")))
    assert bench.arrived() == []
    assert float(bench.row("a")["last_update_timestamp"]["N"]) >= NOW
    assert bench.cloudwatch.metrics["DDB-Replicator/Lifted_count"] == [1]
    assert "older stamp" in capsys.readouterr().out


def test_a_managed_table_stamps_what_its_writers_do_not():
    """GIVEN stamping: managed WHEN a row is written without stamp, by a put and by an update THEN both get one."""
    bench = Bench(env={"MANAGED_TABLES": "user-cn"})
    bare = {"PK": {"S": "new"}}
    bench.dynamodb.put("user-cn", bare)
    bench.dynamodb.put("user-cn", image("old", x={"S": "2"}))
    assert (
        bench.handle(stream_record(1, new=bare), stream_record(2, "MODIFY", image("old", x={"S": "2"}), image("old")))
        == []
    )
    assert bench.arrived() == [], "the stamped rows come by the stream again, and travel then"
    for key in ("new", "old"):
        assert bench.row(key)["last_updater_region"] == {"S": "cn-north-1"}
        assert float(bench.row(key)["last_update_timestamp"]["N"]) >= NOW
    assert bench.cloudwatch.metrics["DDB-Replicator/Stamped_count"] == [2]
    assert "DDB-Replicator/Unstamped_count" not in bench.cloudwatch.metrics


def test_a_stamp_beyond_the_bound_is_brought_back():
    """GIVEN milliseconds where seconds belong THEN the row is brought back to what clocks may be ahead, and said."""
    bench = Bench()
    ahead = image("a", "1700000000000")
    bench.dynamodb.put("user-cn", ahead)
    bench.handle(stream_record(1, new=ahead))
    assert bench.arrived() == []
    assert NOW + 900 <= float(bench.row("a")["last_update_timestamp"]["N"]) < NOW + 901
    assert bench.cloudwatch.metrics["DDB-Replicator/Ahead_count"] == [1]


def test_a_local_delete_is_remembered_and_what_slipped_in_behind_it_is_taken_back():
    """GIVEN an older version of the peer's that came in after the delete and before the sender saw it THEN it goes."""
    bench = Bench()
    bench.dynamodb.put("user-cn", image("a", "4", "ap-southeast-1"))
    bench.handle(stream_record(1, "REMOVE", old=image("a", "5")))
    assert bench.row("a") is None and [change.operation for change in bench.arrived()] == ["delete"]


def test_a_sender_that_died_after_remembering_a_delete_still_takes_back():
    """GIVEN the function dies between the tombstone and the look for older rows WHEN its batch comes again THEN it looks."""
    bench = Bench()
    bench.dynamodb.put("user-cn", image("a", "4", "ap-southeast-1"))
    deleted = stream_record(1, "REMOVE", old=image("a", "5"))

    def die(operation, arguments):
        if operation == "batch_get_item" and "user-cn" in arguments:
            raise TimeoutError

    bench.dynamodb.before = die
    with pytest.raises(TimeoutError):
        bench.handle(deleted)
    assert bench.cloudwatch.metrics["DDB-Replicator/Unsent_count"] == [1], "an outage is no silence"
    bench.dynamodb.before = None
    bench.handle(deleted)
    assert bench.row("a") is None


def test_an_older_version_that_slipped_in_is_taken_back_in_the_same_batch_too():
    """GIVEN a delete, and then an older version of the peer's, in one batch THEN it is not taken for a new write."""
    bench = Bench()
    late = image("a", "4", "ap-southeast-1")
    bench.dynamodb.put("user-cn", late)
    bench.handle(stream_record(1, "REMOVE", old=image("a", "5")), stream_record(2, new=late))
    assert bench.row("a") is None and [change.operation for change in bench.arrived()] == ["delete"]


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize(("stamped_for", "stays"), [("a", False), ("another", True)])
def test_a_managed_copy_of_the_peers_item_behind_a_delete_stays(batches, stamped_for, stays):
    """GIVEN a delete, and then a version with an older stamp of the peer's THEN it goes, unless the bridge made that stamp
    for another item: a writer copied it."""
    bench = Bench(env={"MANAGED_TABLES": "user-cn"})
    stamp = issue(4.0, UNSTAMPED, "user-cn|user-sg", {"PK": {"S": stamped_for}}, "ap-southeast-1")
    new = {"PK": {"S": "a"}} | stamp_attributes(stamp, StampNames())
    bench.dynamodb.put("user-cn", new)
    records = [stream_record(1, "REMOVE", old=image("a", "5")), stream_record(2, new=new)]
    for batch in [records] if batches == 1 else [[record] for record in records]:
        bench.handle(*batch)
    assert (bench.row("a") is not None) == stays
    if stays:
        assert float(bench.row("a")["last_update_timestamp"]["N"]) >= NOW


def test_a_local_insert_behind_a_delete_is_not_taken_for_a_late_write():
    """GIVEN a row deleted at 5 and inserted again by a writer whose clock says 4 THEN the insert stands, lifted."""
    bench = Bench()
    bench.dynamodb.put("user-cn", image("a", "4"))
    bench.handle(stream_record(1, "REMOVE", old=image("a", "5")))
    bench.handle(stream_record(2, new=image("a", "4")))
    assert float(bench.row("a")["last_update_timestamp"]["N"]) >= NOW


def test_the_peers_delete_is_not_sent_back():
    """GIVEN the receiver deleted a row WHEN its record comes THEN it stays here (hazard 7)."""
    bench = Bench()
    place = Place(read_stamp(image("a", "5"), StampNames()), True)
    bench.memory.remember([Remember("user-cn", {"PK": {"S": "a"}}, place, from_peer=True)])
    bench.handle(stream_record(1, "REMOVE", old=image("a", "5")))
    assert bench.arrived() == []


def test_a_row_that_cannot_be_stamped_now_comes_again():
    bench = Bench(env={"MANAGED_TABLES": "user-cn"})
    bench.dynamodb.put("user-cn", {"PK": {"S": "a"}})
    bench.dynamodb.fate["a"] = ["ThrottlingException"] * 50
    failures = bench.handle(
        stream_record(1, "MODIFY", image("b", "2"), image("b", "1")), stream_record(2, new={"PK": {"S": "a"}})
    )
    assert failures == [{"itemIdentifier": f"{2:030d}"}]


def test_a_row_that_can_never_be_stamped_is_kept():
    """GIVEN a table whose index wants the timestamp as text THEN the write is in the quarantine with the reason."""
    bench = Bench(env={"MANAGED_TABLES": "user-cn"})
    bench.dynamodb.put("user-cn", {"PK": {"S": "a"}})
    bench.dynamodb.fate["a"] = ["ValidationException"]
    assert bench.handle(stream_record(2, new={"PK": {"S": "a"}})) == []
    assert len(bench.s3.objects) == 1


def test_table_without_twin_stops_with_its_name():
    bench = Bench(env={"TARGET_TABLE": "orders-cn=orders-sg"})
    with pytest.raises(SettingsError, match="no twin for table user-cn"):
        bench.handle(stream_record(1, new=image("a")))


def test_secret_is_never_printed(capsys):
    bench = Bench(*[client_error("InvalidSignatureException")] * 2)
    with pytest.raises(PeerRefused) as caught:
        bench.handle(stream_record(1, new=image("a")))
    assert "secret" not in capsys.readouterr().out + str(caught.value).replace("secret key", "")
