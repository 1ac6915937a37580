# SPDX-License-Identifier: GPL-3.0-or-later
"""replay.yml: what the functions could not handle is shown, goes through when its cause is mended, or is put away."""

import base64
import contextlib
import json
import time
import uuid

import pytest

from dynabridge.changes import PUT, Change
from dynabridge.replays import DISCARDED, GAPS, QUARANTINE, REPLAYED, entry_id
from dynabridge.wire import encode
from tests.integration.support import RECEIVER, SENDER, Side, eventually
from tests.integration.test_policies import policy_of
from tests.integration.test_replication import EVERY_TYPE
from tests.local_pair import run_playbook

SENDERS_QUEUE, RECEIVERS_QUEUE = "ddbstream{}", "ddbreplicator{}"


@pytest.fixture(autouse=True)
def nothing_waits(bridge):
    """Quarantines and queues are empty before a test, so that what it counts is its own; and empty after it."""
    yield empty(bridge)
    empty(bridge)


def empty(bridge):
    for side in (bridge.cn, bridge.sg):
        for prefix in (QUARANTINE, GAPS, REPLAYED, DISCARDED):
            for key in objects(side, prefix):
                side.client("s3").delete_object(Bucket=side.bucket, Key=key)
        for queue in (SENDERS_QUEUE, RECEIVERS_QUEUE):
            side.client("sqs").purge_queue(QueueUrl=url_of(side, queue))


def objects(side: Side, prefix: str) -> list[str]:
    pages = side.client("s3").get_paginator("list_objects_v2").paginate(Bucket=side.bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def content(side: Side, key: str) -> dict:
    return json.loads(side.client("s3").get_object(Bucket=side.bucket, Key=key)["Body"].read())


def url_of(side: Side, queue: str) -> str:
    return side.client("sqs").get_queue_url(QueueName=queue.format(side.name))["QueueUrl"]


def messages(side: Side, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = side.client("sqs").get_queue_attributes(QueueUrl=url_of(side, queue), AttributeNames=names)
    return sum(int(number) for number in answer["Attributes"].values())


def replay(side: Side, *arguments: str, fails: bool = False, limit: bool = True) -> str:
    """The output of replay.yml for the side as running text."""
    only = ("--limit", side.region) if limit else ()
    result = run_playbook(side.pair, "replay.yml", *arguments, *only)
    assert (result.returncode != 0) == fails, result.stdout + result.stderr
    return " ".join(result.stdout.split()).replace("''", "'")


def change(key: str, table: str = "user-sg", number: str = "1", **attributes) -> Change:
    """A change as cn sends it, with a stamp of the past."""
    stamp = {"last_update_timestamp": {"N": number}, "last_updater_region": {"S": "cn-north-1"}}
    keys = {"PK": {"S": key}}
    return Change(PUT, table, keys, keys | attributes | stamp, at=time.time())


def put_on_stream(side: Side, *payloads: bytes) -> list[str]:
    """Records of one lane; gives their sequence numbers."""
    records = [{"Data": data, "PartitionKey": "one lane"} for data in payloads]
    answer = side.client("kinesis").put_records(StreamName=side.stream, Records=records)
    return [record["SequenceNumber"] for record in answer["Records"]]


def test_a_poison_record_is_kept_whole_shown_and_discarded(bridge, key):
    """GIVEN garbage between good records THEN the shard goes on, the garbage is kept whole, and no replay mends it."""
    side, garbage = bridge.sg, b"\0 not a record of the bridge"
    good = [change(key, number=number) for number in ("1", "2")]
    _first, number, _last = put_on_stream(side, encode(good[:1], "cn"), garbage, encode(good[1:], "cn"))
    eventually(lambda: side.item(key) == good[1].image)
    (kept,) = eventually(lambda: objects(side, QUARANTINE))
    body, name = content(side, kept), entry_id(kept)
    assert base64.b64decode(body["record"]["kinesis"]["data"]) == garbage
    assert (body["side"], body["function"], body["sequence_number"]) == ("sg", RECEIVER, number)

    shown = replay(side, limit=False)
    assert f"{name} record {RECEIVER} - " in shown and "not a dynabridge record" in shown
    assert "side sg: entries: 1 record" in shown and "side cn: entries: none" in shown
    assert "kept again: not a dynabridge record" in replay(side, "-e", "action=replay", fails=True)
    assert objects(side, QUARANTINE) == [kept]

    refused = replay(side, "-e", "action=discard", "-e", f"id={name}", "-e", "confirm=all", fails=True)
    assert f"pass -e confirm={name}" in refused and objects(side, QUARANTINE) == [kept]
    replay(side, "-e", "action=discard", "-e", f"id={name}", "-e", f"confirm={name}")
    assert objects(side, QUARANTINE) == [] and objects(side, DISCARDED) == [DISCARDED + kept]
    assert content(side, DISCARDED + kept)["record"] == body["record"]

    unknown = replay(side, "-e", "action=replay", "-e", f"id={name}", fails=True, limit=False)
    assert f"There is no entry {name} in the quarantine of cn, sg" in unknown and "changed=1" not in unknown
    side.remove(key)


@contextlib.contextmanager
def receiver_may(side: Side, document: dict):
    """The receiver's role with another policy, for the length of the block."""
    policy, whole = {"RoleName": f"{RECEIVER}_role", "PolicyName": RECEIVER}, policy_of(side, RECEIVER)
    side.client("iam").put_role_policy(**policy, PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        side.client("iam").put_role_policy(**policy, PolicyDocument=json.dumps(whole))


def without(document: dict, sid: str) -> dict:
    return document | {"Statement": [statement for statement in document["Statement"] if statement["Sid"] != sid]}


@contextlib.contextmanager
def also_replicated(side: Side, table: str):
    """One more table on the side, which its receiver may write to, for the length of the block."""
    dynamodb = side.client("dynamodb")
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
    )
    wider = json.loads(json.dumps(policy_of(side, RECEIVER)).replace(f"table/{side.table}", "table/*"))
    variables = side.client("lambda").get_function_configuration(FunctionName=RECEIVER)["Environment"]["Variables"]
    more = {"Variables": variables | {"TARGET_TABLE": f"{variables['TARGET_TABLE']},{table}"}}
    try:
        with receiver_may(side, wider), side.function_changed(RECEIVER, Environment=more):
            yield
    finally:
        dynamodb.delete_table(TableName=table)


def test_changes_of_a_table_that_is_replicated_later_go_through_with_every_type(bridge):
    """GIVEN changes for a table unknown here WHEN it is known and they are replayed THEN they stand there byte for byte."""
    side, table = bridge.sg, f"later-{uuid.uuid4().hex[:8]}"
    json_types = json.loads(
        json.dumps(EVERY_TYPE, default=lambda binary: base64.b64encode(binary).decode())
    )  # as the wire carries them
    changes = [change(name, table, **json_types) for name in ("a", "b", "c")]
    put_on_stream(side, encode(changes[:2], "cn"), encode(changes[2:], "cn"))
    eventually(lambda: len(objects(side, QUARANTINE)) == 3)
    shown = replay(side, "-e", f"table={table}")
    assert shown.count(f" change {RECEIVER} {table} ") == 3 and "PK=a" in shown and "is not replicated" in shown

    with also_replicated(side, table):
        would = replay(side, "-e", "action=replay", "-e", f"table={table}", "--check")
        assert "would be replayed: 3" in would and len(objects(side, QUARANTINE)) == 3
        assert "replayed: 3" in replay(side, "-e", "action=replay", "-e", f"table={table}")
        assert objects(side, QUARANTINE) == [] and len(objects(side, REPLAYED)) == 3
        rows = side.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
        reference = as_stored(side, table, EVERY_TYPE)
        assert sorted(row["PK"]["S"] for row in rows) == ["a", "b", "c"]
        for row in rows:
            for name in EVERY_TYPE:
                assert in_order(row[name]) == in_order(reference[name]), name

        # once more, by hand: the rule refuses what is there
        for name in objects(side, REPLAYED):
            source = {"Bucket": side.bucket, "Key": name}
            side.client("s3").copy_object(Bucket=side.bucket, Key=name.removeprefix(REPLAYED), CopySource=source)
        before = replicated_count(side)
        assert "replayed: 3" in replay(side, "-e", "action=replay")
        assert side.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"] == rows
        assert replicated_count(side) == before


def as_stored(side: Side, table: str, attributes: dict) -> dict:
    """What DynamoDB makes of the attributes: it spells numbers its own way."""
    dynamodb, key = side.client("dynamodb"), {"PK": {"S": "reference"}}
    dynamodb.put_item(TableName=table, Item=key | attributes)
    item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    dynamodb.delete_item(TableName=table, Key=key)
    return item


def in_order(value: dict) -> dict:
    """Sets have no order."""
    return {kind: sorted(content) if kind in ("SS", "NS", "BS") else content for kind, content in value.items()}


def replicated_count(side: Side) -> str:
    key = {"PK": {"S": "replicated_count"}}
    answer = side.client("dynamodb").get_item(TableName="replicator_stats", Key=key, ConsistentRead=True)
    return answer["Item"]["cnt"]["N"]


def test_batches_that_the_receiver_gave_up_are_replayed_from_the_stream(bridge, key):
    """GIVEN a right taken away until the batch is given up WHEN it is given back THEN a replay applies its records."""
    side = bridge.sg
    less = without(policy_of(side, RECEIVER), "WriteTables")
    with receiver_may(side, less), side.mapping_changed(RECEIVER, MaximumRetryAttempts=0):
        written = bridge.cn.write(key, **EVERY_TYPE)
        eventually(lambda: messages(side, RECEIVERS_QUEUE))
    assert side.item(key) is None

    assert f"{messages(side, RECEIVERS_QUEUE)} in ddbreplicatorsg" in replay(side, "--check")
    assert messages(side, RECEIVERS_QUEUE), "check mode leaves the messages where they are"
    shown = replay(side)
    assert "was given up (RetryAttemptsExhausted)" in shown and f" record {RECEIVER} user-sg " in shown
    assert "taken in: 1 messages" in shown and messages(side, RECEIVERS_QUEUE) == 0
    replay(side, "-e", "action=replay", "-e", "table=user")
    arrived, left = side.item(key), bridge.cn.item(key)
    assert set(arrived) == set(left) == set(written)
    assert all(in_order(arrived[name]) == in_order(left[name]) for name in left)
    assert objects(side, QUARANTINE) == objects(side, GAPS) == []


def test_batches_that_the_sender_gave_up_are_replayed_from_the_stream(bridge, key):
    """GIVEN a sender that fails until the batch is given up WHEN it is mended THEN a replay sends its records."""
    side = bridge.cn
    with (
        side.function_changed(SENDER, Handler="handler.missing"),
        side.mapping_changed(SENDER, MaximumRetryAttempts=0),
    ):
        written = side.write(key, text={"S": "é"}, data={"B": b"\0\xff"})
        eventually(lambda: messages(side, SENDERS_QUEUE))
        # the function that fails fails here as well, and the record stays
        assert f"{SENDER} failed: " in replay(side, "-e", "action=replay", fails=True)
        assert len(objects(side, QUARANTINE)) == 1 and messages(side, SENDERS_QUEUE) == 0
    assert "replayed: 1" in replay(side, "-e", "action=replay")
    eventually(lambda: bridge.sg.item(key) == written)
    assert objects(side, QUARANTINE) == [] and len(objects(side, REPLAYED)) == 1


def message(side: Side, first: str, last: str, **info) -> dict:
    """A message of the receiver's mapping, as AWS writes it."""
    stream = side.client("kinesis").describe_stream_summary(StreamName=side.stream)["StreamDescriptionSummary"]
    return {
        "requestContext": {"requestId": str(uuid.uuid4()), "condition": "RetryAttemptsExhausted"},
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": first,
            "endSequenceNumber": last,
            "approximateArrivalOfFirstRecord": "2026-11-20T10:00:00.000Z",
            "approximateArrivalOfLastRecord": "2026-11-20T10:00:01.000Z",
            "batchSize": 7,
            "streamArn": stream["StreamARN"],
        }
        | info,
    }


def test_what_the_stream_has_forgotten_becomes_a_gap(bridge, key):
    """GIVEN messages about records that are gone, all or the first of them THEN gaps name them, and a replay says resync."""
    side = bridge.sg
    (number,) = put_on_stream(side, encode([change(key)], "cn"))
    eventually(lambda: side.item(key))
    first, before = "1".zfill(len(number)), "2".zfill(len(number))
    just_before = str(int(number) - 1).zfill(len(number))
    gone = side.client("kinesis").describe_stream_summary(StreamName=side.stream)["StreamDescriptionSummary"]
    bodies = [
        json.dumps(message(side, first, before)),
        json.dumps(message(side, just_before, number)),
        json.dumps(message(side, first, before, streamArn=gone["StreamARN"] + "-gone")),
        "not of a mapping",
    ]
    for body in bodies:
        side.client("sqs").send_message(QueueUrl=url_of(side, RECEIVERS_QUEUE), MessageBody=body)

    shown = replay(side)
    assert messages(side, RECEIVERS_QUEUE) == 0
    gaps = [content(side, name) for name in objects(side, GAPS)]
    assert sorted(gap["reason"] for gap in gaps) == [
        "RetryAttemptsExhausted; the stream has forgotten its records",
        "RetryAttemptsExhausted; the stream has forgotten the first of its records",
        "RetryAttemptsExhausted; the stream or its shard is gone (ResourceNotFoundException)",
        next(gap["reason"] for gap in gaps if gap["reason"].startswith("not a message of a mapping")),
    ]
    whole = next(gap for gap in gaps if gap["reason"].endswith("forgotten its records"))
    assert (whole["shard"], whole["first_sequence_number"], whole["last_sequence_number"], whole["batch_size"]) == (
        "shardId-000000000000", first, before, 7,
    )  # fmt: skip
    assert "4 gap, 1 record" in shown and "the stream has forgotten its records" in shown

    refused = replay(side, "-e", "action=replay", fails=True)
    for name in objects(side, GAPS):
        advice = "compare the tables" if "/message/" in name else "run resync.yml"
        assert f"{entry_id(name)}: a gap cannot be replayed: {advice}" in refused
    assert len(objects(side, GAPS)) == 4
    replay(side, "-e", "action=discard", "-e", "confirm=all")
    assert objects(side, GAPS) == [] and len(objects(side, DISCARDED + GAPS)) == 4
    side.remove(key)


def test_old_puts_wait_for_a_word(bridge, key):
    """GIVEN a put older than the memory of deletes WHEN replayed THEN resync is advised; told to, it is replayed."""
    side = bridge.sg
    sequence = uuid.uuid4().int % 10**20
    body = {
        "version": 1, "side": "sg", "function": RECEIVER, "reason": "a test", "source": "arn:aws:kinesis:x:1:stream/s",
        "sequence_number": f"{sequence}-0", "arrived": 1.0,
        "record": {"operation": PUT, "table": "user-sg", "keys": {"PK": {"S": key}}, "image": change(key).image,
                   "count": 1, "at": 1.0, "position": 0},
    }  # fmt: skip
    name = f"{QUARANTINE}{RECEIVER}/1970/01/01/stream-s/{sequence}-0.json"
    side.client("s3").put_object(Bucket=side.bucket, Key=name, Body=json.dumps(body).encode())
    refused = replay(side, "-e", "action=replay", fails=True)
    assert f"{entry_id(name)}: it is older than the memory of deletes" in refused and side.item(key) is None
    replay(side, "-e", "action=replay", "-e", "replay_old=true")
    assert side.item(key) == change(key).image
    side.remove(key)


def test_a_stream_record_that_the_sender_cannot_read_is_of_its_table(bridge):
    """GIVEN a record without its image WHEN it is replayed THEN the sender keeps it again; its table chooses it."""
    side, name = bridge.cn, uuid.uuid4().hex
    record = {
        "eventID": name,
        "eventName": "INSERT",
        "eventSourceARN": side.mapping(SENDER)["EventSourceArn"],
        "dynamodb": {
            "Keys": {"PK": {"S": name}},
            "SequenceNumber": name,
            "ApproximateCreationDateTime": int(time.time()),
        },
    }
    side.client("lambda").invoke(FunctionName=SENDER, Payload=json.dumps({"Records": [record]}))
    (kept,) = objects(side, QUARANTINE)
    refused = replay(side, "-e", "action=replay", "-e", "table=user", fails=True)
    assert f"{entry_id(kept)}: kept again: stream record without its image" in refused
    assert f" record {SENDER} user-cn " in refused and f"PK={name}" in refused
    assert content(side, kept)["record"] == record
    replay(side, "-e", "action=discard", "-e", "table=user", "-e", "confirm=user")
    assert objects(side, QUARANTINE) == [] and objects(side, DISCARDED) == [DISCARDED + kept]
