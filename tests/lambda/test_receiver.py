# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver, batch by batch: what is written, refused, kept and tried again, and what is counted."""

import json

import pytest

from dynabridge.aws.apply import Applier
from dynabridge.aws.memory import Memory
from dynabridge.aws.quarantine import Quarantine
from dynabridge.aws.receiver import Receiver
from dynabridge.changes import DELETE, PUT, Change
from dynabridge.conflict import place
from dynabridge.errors import TableUnavailable
from dynabridge.settings import receiver_settings
from dynabridge.stamps import StampNames
from dynabridge.tombstones import Remember, row_key
from dynabridge.wire import encode
from tests.dynamodb import FakeDynamoDB
from tests.events import image, kinesis_record
from tests.fakes import FakeCloudWatch, FakeS3, client_error

ENV = {
    "SIDE": "sg",
    "TARGET_TABLE": "user-sg",
    "STATS_TABLE": "replicator_stats",
    "QUARANTINE_BUCKET": "quarantine",
    "TOMBSTONES_TABLE": "tombstones",
}

NAMES = StampNames()


class Bench:
    def __init__(self, dynamodb=None, **env):
        self.dynamodb, self.s3, self.cloudwatch = dynamodb or FakeDynamoDB(), FakeS3(), FakeCloudWatch()
        settings = receiver_settings(ENV | env)
        self.memory = Memory(self.dynamodb, "tombstones", settings.names, pause=lambda seconds: None)
        applier = Applier(self.dynamodb, settings.names, self.memory, settings.write_batch, pause=lambda seconds: None)
        quarantine = Quarantine(self.s3, "quarantine", "sg", "replicator_kinesis")
        self.receiver = Receiver(
            settings, applier, quarantine, self.dynamodb, self.cloudwatch, now=lambda: 1700000002.0
        )

    def handle(self, *records):
        return self.receiver.handle({"Records": list(records)})["batchItemFailures"]

    def written(self):
        return sorted(item["PK"]["S"] for item in self.dynamodb.items("user-sg"))

    def count(self):
        return self.dynamodb.get("replicator_stats", PK={"S": "replicated_count"})["cnt"]["N"]


def put(key, time="5", count=1, table="user-sg", **more):
    return Change(PUT, table, {"PK": {"S": key}}, image(key, time, **more), count, 1700000000.0)


def record(number, *changes):
    return kinesis_record(number, encode(list(changes), "cn"))


def test_a_batch_is_one_call_for_100_changes():
    bench = Bench()
    assert bench.handle(record(1, *(put(str(n)) for n in range(250)))) == []
    assert bench.dynamodb.calls == [100, 100, 50] and len(bench.written()) == 250


def test_counts_and_metrics_follow_what_was_applied():
    bench = Bench(FakeDynamoDB({"old": ["ConditionalCheckFailed"]}))
    bench.handle(record(1, put("a", count=3), put("b"), put("old", count=7)))
    assert bench.count() == "4"
    assert bench.cloudwatch.metrics["DDB-Replicator/Total_replicated"] == [4]
    assert bench.cloudwatch.metrics["DDB-Replicator/Updated_count"] == [4]
    assert bench.cloudwatch.metrics["DDB-Replicator/Replication_lag"] == [2.0]


def test_refused_writes_do_not_hold_up_the_others():
    """GIVEN stale changes in a transaction THEN it is sent again without them, not item by item."""
    bench = Bench(FakeDynamoDB({"2": ["ConditionalCheckFailed"], "5": ["ConditionalCheckFailed"]}))
    assert bench.handle(record(1, *(put(str(n)) for n in range(9)))) == []
    assert bench.dynamodb.calls == [9, 7] and bench.written() == list("0134678")


def test_hot_item_is_written_singly():
    """GIVEN another writer holds an item (TransactionConflict) THEN only that item goes alone, and is tried again."""
    bench = Bench(FakeDynamoDB({"hot": ["TransactionConflict", "TransactionConflict", "TransactionConflict"]}))
    assert bench.handle(record(1, put("a"), put("hot"), put("b"))) == []
    assert bench.dynamodb.calls == [3, 2, 1, 1, 1] and bench.written() == ["a", "b", "hot"]


def test_invalid_write_is_kept_and_the_rest_goes_on():
    bench = Bench(FakeDynamoDB({"bad": ["ValidationError", "ValidationError"]}))
    assert bench.handle(record(7, put("a"), put("bad"))) == []
    (body,) = bench.s3.objects.values()
    kept = json.loads(body)
    assert bench.written() == ["a"] and kept["record"]["keys"] == {"PK": {"S": "bad"}} and "because" in kept["reason"]


def test_throttled_write_comes_again_from_its_record():
    """GIVEN an item that stays throttled THEN the batch is reported from the Kinesis record that holds it."""
    bench = Bench(FakeDynamoDB({"slow": ["ThrottlingError"] + ["ThrottlingException"] * 50}))
    failures = bench.handle(record(1, put("a")), record(2, put("slow")), record(3, put("b")))
    assert failures == [{"itemIdentifier": f"{2:056d}"}]
    assert bench.written() == ["a", "b"]
    assert bench.cloudwatch.metrics["DDB-Replicator/Unsettled_count"] == [1]


def original(number, name, item):
    """A record as the source documents' sender writes it."""
    image_name = "old_image" if name == "REMOVE" else "new_image"
    return kinesis_record(number, str({"event_name": name, image_name: item}).encode(), item["PK"]["S"])


def test_records_of_the_original_sender_are_applied_among_others(capsys):
    """GIVEN a batch from a peer that changes over: the old format, then the new one THEN the rule decides over all of it."""
    bench = Bench()
    batch = [
        original(1, "INSERT", image("a", "5")),
        original(2, "INSERT", image("b", "5")),
        original(3, "REMOVE", image("b", "5")),
        original(4, "INSERT", image("c", "5")),
        record(5, put("c", "6"), put("d", "6")),
        original(6, "MODIFY", image("c", "5.5")),
    ]
    assert bench.handle(*batch) == [] and not bench.s3.objects
    assert bench.written() == ["a", "c", "d"]
    assert bench.dynamodb.get("user-sg", PK={"S": "c"})["last_update_timestamp"] == {"N": "6"}
    assert bench.cloudwatch.metrics["DDB-Replicator/Replication_lag"] == [2.0]
    assert '"original_records": 5' in capsys.readouterr().out


def test_a_delete_of_the_original_sender_is_remembered():
    bench = Bench()
    bench.handle(original(1, "REMOVE", image("a", "5")))
    bench.handle(original(2, "INSERT", image("a", "4")), record(3, put("b")))
    assert bench.written() == ["b"]


def test_a_record_of_the_original_sender_is_kept_where_its_table_is_not_certain():
    """GIVEN several replicated tables THEN a record that names none is kept, with what to do; the rest goes on."""
    bench = Bench(TARGET_TABLE="user-sg,orders-sg")
    assert bench.handle(original(1, "INSERT", image("a")), record(2, put("b"))) == []
    (body,) = bench.s3.objects.values()
    assert bench.written() == ["b"] and "names no table" in json.loads(body)["reason"]


def test_malformed_record_is_kept_and_the_rest_goes_on():
    bench = Bench()
    poison = kinesis_record(1, b"not ours")
    assert bench.handle(poison, record(2, put("a"))) == []
    (((bucket, key), body),) = bench.s3.objects.items()
    assert json.loads(body)["record"] == poison and "DBR" in json.loads(body)["reason"]
    assert (
        bucket == "quarantine"
        and key == f"quarantine/replicator_kinesis/2023/11/14/stream-ddb_replication_stream_sg/{1:056d}.json"
    )
    assert bench.written() == ["a"]


def test_binary_that_is_not_base64_is_kept():
    bench = Bench()
    assert bench.handle(record(1, put("bad", data={"B": "!"}), put("a"))) == []
    assert len(bench.s3.objects) == 1 and bench.written() == ["a"]


def test_table_of_no_replication_is_kept_not_written():
    bench = Bench()
    assert bench.handle(record(1, put("a", table="secrets"), put("b"))) == []
    assert len(bench.s3.objects) == 1 and bench.written() == ["b"]


def test_second_delivery_writes_the_same_quarantine_object():
    bench = Bench()
    for _delivery in range(2):
        bench.handle(kinesis_record(1, b"not ours"))
    assert len(bench.s3.objects) == 1


def delete(key, time):
    stamp = {name: value for name, value in image(key, time).items() if name != "PK"}
    return Change(DELETE, "user-sg", {"PK": {"S": key}}, stamp, 1, 0.0)


def test_several_changes_of_an_item_become_one_write():
    """GIVEN an item's older and newer change in different records THEN the newer is written, once."""
    bench = Bench()
    bench.handle(record(1, put("a", "5")), record(2, delete("a", "6")), record(3, put("a", "7", count=2)))
    (item,) = bench.dynamodb.items("user-sg")
    assert item["last_update_timestamp"] == {"N": "7"} and bench.dynamodb.calls == [1]
    assert bench.count() == "4"


def test_a_delete_is_remembered_and_an_older_write_that_comes_late_stays_out():
    """GIVEN a version 6 that was deleted WHEN 5 and 6 arrive late THEN neither comes back; 7 does (hazard 1)."""
    bench = Bench()
    bench.handle(record(1, put("a", "6")))
    bench.handle(record(2, delete("a", "6")))
    assert bench.written() == []
    bench.handle(record(3, put("a", "5")))
    bench.handle(record(4, put("a", "6")))
    assert bench.written() == [] and bench.cloudwatch.metrics["DDB-Replicator/Late_count"] == [1, 1]
    bench.handle(record(5, put("a", "7")))
    assert bench.written() == ["a"]


def test_a_delete_that_overtakes_its_write_keeps_it_out():
    bench = Bench()
    bench.handle(record(1, delete("a", "6")))
    bench.handle(record(2, put("a", "6")))
    assert bench.written() == []


def test_a_delete_remembered_between_the_look_and_the_write_takes_the_write_back():
    """GIVEN the sender remembers a local delete while the receiver writes an older version THEN the delete stands."""
    bench = Bench()
    entry = Remember("user-sg", {"PK": {"S": "a"}}, place(delete("a", "6"), NAMES))

    def act(operation, arguments):
        if operation == "put_item" and arguments["TableName"] == "user-sg":
            bench.dynamodb.before = None
            bench.memory.remember([entry])

    bench.dynamodb.before = act
    bench.handle(record(1, put("a", "5")))
    assert bench.written() == []


def test_a_tombstone_that_cannot_be_written_leaves_its_row_and_comes_again():
    """GIVEN the memory is throttled THEN nothing is deleted without being remembered."""
    bench = Bench()
    bench.handle(record(1, put("a", "6")))
    key = row_key("user-sg", {"PK": {"S": "a"}})["PK"]["S"]
    bench.dynamodb.fate[key] = ["ThrottlingException"] * 50
    assert bench.handle(record(2, delete("a", "6"))) == [{"itemIdentifier": f"{2:056d}"}]
    assert bench.written() == ["a"]


def test_a_replay_is_told_what_went_back_to_the_quarantine():
    bench = Bench()
    event = {"Records": [kinesis_record(1, b"not ours")], "replay": True}
    answer = bench.receiver.handle(event)
    assert answer["kept"] == [key for _bucket, key in bench.s3.objects] != []


def test_missing_table_is_one_clear_error():
    missing = client_error("ResourceNotFoundException", "Requested resource not found")
    bench = Bench(FakeDynamoDB(errors={"transact_write_items": missing}))
    with pytest.raises(
        TableUnavailable, match=r"table user-sg cannot be read or written .ResourceNotFoundException.*run deploy.yml"
    ):
        bench.handle(record(1, put("a"), put("b")))


def test_count_that_fails_is_said_and_does_not_send_the_batch_again(capsys):
    bench = Bench(FakeDynamoDB(errors={"count": client_error("AccessDeniedException", "dynamodb:UpdateItem")}))
    assert bench.handle(record(1, put("a"))) == []
    assert "dynamodb:UpdateItem" in capsys.readouterr().out


def test_write_batch_1_pays_no_transactions():
    bench = Bench(WRITE_BATCH="1")
    bench.handle(record(1, put("a"), put("b")))
    assert bench.dynamodb.calls == [1, 1] and bench.written() == ["a", "b"]
