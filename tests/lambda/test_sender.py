# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender, batch by batch: what travels, in which order, and what happens when the peer does not take it."""

import json
import os

import pytest

from dynabridge.aws.peer import PeerStream, read_key_pair
from dynabridge.aws.quarantine import Quarantine
from dynabridge.aws.sender import Sender
from dynabridge.errors import PeerKeyMissing, PeerRefused, SettingsError
from dynabridge.settings import sender_settings
from dynabridge.wire import decode
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
}


class Bench:
    """A sender with everything around it faked."""

    def __init__(self, *script, env=None, s3=None):
        self.kinesis, self.s3, self.cloudwatch = FakeKinesis(*script), s3 or FakeS3(), FakeCloudWatch()
        self.ssm = FakeSsm(**{PATH + "AccessKey": "AKIDOLD", PATH + "SecretKey": "secret"})
        self.keys = []
        settings = sender_settings(ENV | (env or {}))
        peer = PeerStream("stream", lambda: read_key_pair(self.ssm, PATH), self.connect, pause=lambda seconds: None)
        self.sender = Sender(
            settings, peer, Quarantine(self.s3, "quarantine", "cn", "ddb_send_to_kinesis"), self.cloudwatch
        )

    def connect(self, access_key, secret_key):
        self.keys.append(access_key)
        return self.kinesis

    def handle(self, *records):
        return self.sender.handle({"Records": list(records)})["batchItemFailures"]

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
    assert bench.ssm.reads == 2, "every batch tries the key that is stored then"


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


def test_write_with_an_older_stamp_than_it_replaced_is_counted_and_named(capsys):
    """GIVEN a writer whose clock is behind THEN its write travels (the peer decides), and is not silent."""
    bench = Bench()
    bench.handle(stream_record(1, "MODIFY", image("a", "5"), image("a", "6", "ap-southeast-1")))
    assert len(bench.arrived()) == 1
    assert bench.cloudwatch.metrics["DDB-Replicator/Stale_stamp_count"] == [1]
    assert "older stamp" in capsys.readouterr().out


def test_table_without_twin_stops_with_its_name():
    bench = Bench(env={"TARGET_TABLE": "orders-cn=orders-sg"})
    with pytest.raises(SettingsError, match="no twin for table user-cn"):
        bench.handle(stream_record(1, new=image("a")))


def test_secret_is_never_printed(capsys):
    bench = Bench(*[client_error("InvalidSignatureException")] * 2)
    with pytest.raises(PeerRefused) as caught:
        bench.handle(stream_record(1, new=image("a")))
    assert "secret" not in capsys.readouterr().out + str(caught.value).replace("secret key", "")
