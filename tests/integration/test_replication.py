# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication as a user sees it: write on one side, read on the other, both ways at once, every type, any key."""

import json
import time
import uuid

import pytest

from tests.integration.support import eventually
from tests.local_pair import run_playbook

TABLES = {"cn": "user-cn", "sg": "user-sg"}
REGIONS = {"cn": "cn-north-1", "sg": "ap-southeast-1"}


def stamp(side, when=None):
    return {"last_update_timestamp": {"N": f"{when or time.time():.6f}"}, "last_updater_region": {"S": REGIONS[side]}}


def get(pair, side, key, table=None):
    return (
        pair.client(side, "dynamodb")
        .get_item(TableName=table or TABLES[side], Key=key, ConsistentRead=True)
        .get("Item")
    )


EVERY_TYPE = {
    "s": {"S": "text é 中文"}, "empty_s": {"S": ""}, "n": {"N": "12345678901234567890123456789012345678"},
    "small": {"N": "-0.0000000000000000000000000000000000000000123456789"}, "big": {"N": "1E125"},
    "b": {"B": b"\0\xff\x80"}, "zero_b": {"B": b"\0"}, "empty_b": {"B": b""}, "yes": {"BOOL": True}, "no": {"BOOL": False},
    "null": {"NULL": True}, "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2.5", "-3"]}, "bs": {"BS": [b"\0", b"\xff"]},
    "empty_l": {"L": []}, "empty_m": {"M": {}},
    "l": {"L": [{"S": "x"}, {"N": "1"}, {"B": b"\1"}, {"L": [{"M": {"deep": {"BS": [b"\2"]}}}]}, {"NULL": True}]},
    "m": {"M": {"": {"S": "empty name"}, "b": {"B": b"\3"}, "m": {"M": {"ns": {"NS": ["1"]}}}}},
}  # fmt: skip


@pytest.mark.parametrize(("here", "there"), [("cn", "sg"), ("sg", "cn")])
def test_every_type_arrives_as_it_left(deployed_pair, here, there):
    key = {"PK": {"S": f"types-{uuid.uuid4()}"}}
    deployed_pair.client(here, "dynamodb").put_item(TableName=TABLES[here], Item=key | EVERY_TYPE | stamp(here))
    arrived = eventually(lambda: get(deployed_pair, there, key))
    left = get(deployed_pair, here, key)
    for name in ("ss", "ns", "bs"):
        assert sorted(next(iter(arrived[name].values()))) == sorted(next(iter(left.pop(name).values())))
        arrived.pop(name)
    assert arrived == left


def test_update_and_delete_follow(deployed_pair):
    """GIVEN an item of one side WHEN the other side updates and then deletes it THEN both agree each time."""
    key = {"PK": {"S": f"follow-{uuid.uuid4()}"}}
    cn, sg = deployed_pair.client("cn", "dynamodb"), deployed_pair.client("sg", "dynamodb")
    cn.put_item(TableName="user-cn", Item=key | {"v": {"N": "1"}} | stamp("cn"))
    eventually(lambda: get(deployed_pair, "sg", key))
    sg.put_item(TableName="user-sg", Item=key | {"w": {"N": "2"}} | stamp("sg"))
    eventually(lambda: "w" in (get(deployed_pair, "cn", key) or {}))
    assert "v" not in get(deployed_pair, "cn", key), "the whole item is replaced"
    cn.delete_item(TableName="user-cn", Key=key)
    eventually(lambda: get(deployed_pair, "sg", key) is None)


def test_last_writer_wins_on_both_sides(deployed_pair):
    """GIVEN both sides write one key at once THEN the later stamp stands on both, whichever change arrives first."""
    cn, sg = deployed_pair.client("cn", "dynamodb"), deployed_pair.client("sg", "dynamodb")
    keys = [{"PK": {"S": f"race-{uuid.uuid4()}"}} for _number in range(20)]
    for key in keys:
        now = time.time()
        sg.put_item(TableName="user-sg", Item=key | {"who": {"S": "sg"}} | stamp("sg", now))
        cn.put_item(TableName="user-cn", Item=key | {"who": {"S": "cn"}} | stamp("cn", now + 0.5))
    for key in keys:
        eventually(lambda key=key: (get(deployed_pair, "sg", key) or {}).get("who") == {"S": "cn"})
        assert get(deployed_pair, "cn", key)["who"] == {"S": "cn"}


def test_equal_stamps_are_decided_the_same_way(deployed_pair):
    """GIVEN the same time in both regions THEN both sides keep the item of the greater region name (hazard 3)."""
    key, now = {"PK": {"S": f"tie-{uuid.uuid4()}"}}, time.time()
    clients = {side: deployed_pair.client(side, "dynamodb") for side in TABLES}
    for side in ("sg", "cn"):
        item = key | {"who": {"S": side}} | stamp(side, now)
        clients[side].put_item(TableName=TABLES[side], Item=item)
    eventually(lambda: [get(deployed_pair, side, key)["who"]["S"] for side in TABLES] == ["cn", "cn"])


def test_2000_items_a_side_with_updates_and_deletes_end_equal(deployed_pair, tmp_path):
    """GIVEN 2,000 items written on each side at once, then a share updated and deleted THEN the tables are equal."""
    run = [
        "load_test.yml",
        "-e",
        "load_test_items=1000",
        "-e",
        "load_test_processes=2",
        "-e",
        f"load_test_run_id={uuid.uuid4()}",
    ]
    reports = tmp_path / "reports"
    for phase in ([], ["update", "0.3"], ["delete", "0.2"]):
        options = ["-e", f"load_test_operation={phase[0]}", "-e", f"load_test_share={phase[1]}"] if phase else []
        options += ["-e", f"load_test_report_dir={'' if phase else reports}"]
        result = run_playbook(deployed_pair, *run, *options)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "are equal" in result.stdout and "lag p99" in result.stdout
    (figures,) = (json.loads(path.read_text()) for path in reports.glob("load-*.json"))
    assert figures["ok"] and [way["samples"][-1][1:] for way in figures["directions"]] == [[2000, 2000]] * 2
    assert sorted(path.suffix for path in reports.iterdir()) == [".html", ".json", ".png", ".png", ".png"]
    assert metric_names(deployed_pair, "cn") >= {"Total_loaded", "Total_replicated", "Updated_count", "Replication_lag"}


def metric_names(pair, side):
    cloudwatch = pair.client(side, "cloudwatch")
    spaces = ("DDB-Loader", "DDB-Replicator")
    return {metric["MetricName"] for space in spaces for metric in cloudwatch.list_metrics(Namespace=space)["Metrics"]}


def test_500_changes_make_few_kinesis_records(deployed_pair):
    """GIVEN 4,000 changes waiting in the stream WHEN sent in batches of 500 THEN they make at most an eighth as many records."""
    functions, dynamodb = deployed_pair.client("cn", "lambda"), deployed_pair.client("cn", "dynamodb")
    (mapping,) = functions.list_event_source_mappings(FunctionName="ddb_send_to_kinesis")["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    run, before = uuid.uuid4(), count_wire(deployed_pair, "sg")
    for start in range(0, 4000, 25):
        items = [
            {"PK": {"S": f"{run}-{number}"}, "v": {"S": "x" * 200}} | stamp("cn") for number in range(start, start + 25)
        ]
        dynamodb.batch_write_item(RequestItems={"user-cn": [{"PutRequest": {"Item": item}} for item in items]})
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    eventually(lambda: all(get(deployed_pair, "sg", {"PK": {"S": f"{run}-{n}"}}) for n in (0, 1999, 3999)))
    assert count_wire(deployed_pair, "sg") - before <= 4000 / 8


def count_wire(pair, side):
    """Kinesis records of the side's stream from its beginning."""
    kinesis, name = pair.client(side, "kinesis"), f"ddb_replication_stream_{side}"
    (shard,) = kinesis.list_shards(StreamName=name)["Shards"]
    start = kinesis.get_shard_iterator(StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    iterator, total = start["ShardIterator"], 0
    while (page := kinesis.get_records(ShardIterator=iterator, Limit=10000))["Records"]:
        total, iterator = total + len(page["Records"]), page["NextShardIterator"]
    return total
