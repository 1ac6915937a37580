# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of the on-failure queues, the gaps they leave, and stream records in the form in which Lambda has them."""

import json
from datetime import UTC, datetime

import pytest

from dynabridge.changes import TTL_IDENTITY, is_expiry
from dynabridge.errors import MalformedRecord
from dynabridge.lost_batches import arrived, gap, kinesis_event, read_message, stray_message, table_event
from tests.events import KINESIS, STREAM

INFO = {
    "shardId": "shardId-000000000000",
    "startSequenceNumber": "000010",
    "endSequenceNumber": "000020",
    "approximateArrivalOfFirstRecord": "2026-11-20T10:00:00.500Z",
    "approximateArrivalOfLastRecord": "2026-11-20T10:00:01Z",
    "batchSize": 7,
    "streamArn": KINESIS,
}


def message(kind="KinesisBatchInfo", **info):
    return json.dumps({"requestContext": {"condition": "RecordAgeExceeded"}, kind: INFO | info})


@pytest.mark.parametrize(
    ("kind", "arn"), [("KinesisBatchInfo", KINESIS), ("DDBStreamBatchInfo", STREAM)], ids=["Kinesis", "table"]
)
def test_a_message_tells_where_the_batch_lies(kind, arn):
    batch = read_message(message(kind, streamArn=arn))
    assert (batch.source, batch.shard, batch.first, batch.last) == (arn, INFO["shardId"], "000010", "000020")
    assert (batch.size, batch.condition, batch.is_kinesis) == (7, "RecordAgeExceeded", arn == KINESIS)
    assert batch.first_arrived == datetime(2026, 11, 20, 10, 0, 0, 500000, UTC).timestamp()


def test_sequence_numbers_are_numbers():
    batch = read_message(message(startSequenceNumber="9", endSequenceNumber="100"))
    assert [batch.holds(number) for number in ("8", "9", "10", "100", "101")] == [False, True, True, True, False]
    assert batch.ends_before("101") and not batch.ends_before("100") and not batch.ends_before("20")


@pytest.mark.parametrize(
    "text", ["", "hello", "[]", "null", "{}", '{"KinesisBatchInfo": {}}', message(startSequenceNumber="x")]
)
def test_anything_else_is_no_message(text):
    with pytest.raises(MalformedRecord, match="not a message of a mapping's on-failure destination"):
        read_message(text)


def test_a_gap_names_what_is_missing_and_has_one_key():
    key, content = gap(read_message(message()), "sg", "replicator_kinesis", "forgotten", until="000015")
    assert key == (
        "gaps/replicator_kinesis/2026/11/20/stream-ddb_replication_stream_sg/shardId-000000000000-000010-000020.json"
    )
    assert (content["first_sequence_number"], content["lost_before"], content["batch_size"]) == ("000010", "000015", 7)
    assert content["reason"] == "RecordAgeExceeded; forgotten" and "each table" in content["advice"]
    assert gap(read_message(message()), "sg", "replicator_kinesis", "forgotten")[0] == key
    _key, of_table = gap(read_message(message(streamArn=STREAM)), "cn", "ddb_send_to_kinesis", "forgotten")
    assert of_table["tables"] == ["user-cn"] and "for user-cn" in of_table["advice"]


def test_a_message_that_nobody_reads_is_kept():
    key, content = stray_message("hello", "sg", "replicator_kinesis", "why", 1700000000.0)
    assert key.startswith("gaps/replicator_kinesis/2023/11/14/message/") and content["message"] == "hello"
    assert stray_message("hello", "sg", "replicator_kinesis", "why", 1700000000.0)[0] == key


def test_a_kinesis_record_as_lambda_has_it():
    moment = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    record = {
        "SequenceNumber": "12", "Data": b"\0\xff", "PartitionKey": "lane-000", "ApproximateArrivalTimestamp": moment,
    }  # fmt: skip
    event = kinesis_event(record, read_message(message()))
    assert event["kinesis"]["data"] == "AP8=" and event["eventSourceARN"] == KINESIS
    assert event["eventID"] == "shardId-000000000000:12" and event["awsRegion"] == "ap-southeast-1"
    assert arrived(event) == moment.timestamp() and json.dumps(event)


def test_a_tables_record_as_lambda_has_it():
    """GIVEN boto3's bytes, times and capital letters THEN base64, numbers and a TTL delete that is known for one."""
    record = {
        "eventID": "1",
        "eventName": "REMOVE",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
            "Keys": {"id": {"B": b"\0\xff"}},
            "OldImage": {"id": {"B": b"\0\xff"}, "l": {"L": [{"BS": [b"", b"\1"]}]}, "n": {"N": "1E125"}},
            "SequenceNumber": "12",
        },
        "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
    }
    event = table_event(record, read_message(message(streamArn=STREAM)))
    assert event["dynamodb"]["Keys"] == {"id": {"B": "AP8="}}
    assert event["dynamodb"]["OldImage"]["l"] == {"L": [{"BS": ["", "AQ=="]}]}
    assert event["userIdentity"] == TTL_IDENTITY and is_expiry(event)
    assert arrived(event) == datetime(2026, 11, 20, 10, 0, tzinfo=UTC).timestamp() and json.dumps(event)
