# SPDX-License-Identifier: GPL-3.0-or-later
"""``deploy.yml`` over a deployment by hand: what is there is taken over in place, while both sides are written."""

import json
import time
import uuid

import pytest
import yaml

from tests.faults.load import Load
from tests.faults.scenarios import kept, waiting
from tests.integration import original
from tests.integration.support import RECEIVER, SENDER, Bridge, Side, eventually
from tests.integration.test_deploy import changed, deploy
from tests.local_pair import REPOSITORY, run_playbook, started_pair

NO_ALARMS = ("--skip-tags", "alarms,dashboard")
NO_SENDER = ("--skip-tags", "alarms,dashboard,sender")
LONG = 120.0
PEER = {"cn": "sg", "sg": "cn"}


@pytest.fixture
def pair(tmp_path):
    """A pair of its own, deployed by hand."""
    with started_pair(tmp_path / "local") as made:
        original.deploy(made)
        yield made


@pytest.fixture
def quickly(tmp_path):
    """Options that leave out what has no part in it: backups."""
    inventory = yaml.safe_load((REPOSITORY / "inventories/group_vars/all/tables.yml").read_text(encoding="utf-8"))
    tables = [table | {"backup": False, "capture": False} for table in inventory["dynabridge_tables"]]
    variables = tmp_path / "quickly.json"
    variables.write_text(json.dumps({"dynabridge_tables": tables}))
    return ("-e", f"@{variables}")


def identity(side: Side) -> dict:
    """What stays the same where something is taken over in place, and not made anew."""
    table = side.client("dynamodb").describe_table(TableName=side.table)["Table"]
    stream = side.client("kinesis").describe_stream_summary(StreamName=side.stream)["StreamDescriptionSummary"]
    return {
        "table": [table[name] for name in ("TableArn", "TableId", "CreationDateTime", "LatestStreamArn")],
        "stream": [stream["StreamARN"], stream["StreamCreationTimestamp"]],
        "mappings": [side.mapping(function)["UUID"] for function in (SENDER, RECEIVER)],
        "roles": [
            side.client("iam").get_role(RoleName=f"{function}_role")["Role"]["RoleId"]
            for function in (SENDER, RECEIVER)
        ],
    }


def handlers(side: Side) -> list[str]:
    look = side.client("lambda").get_function_configuration
    return [look(FunctionName=function)["Handler"] for function in (SENDER, RECEIVER)]


def replicated(side: Side) -> int:
    row = {"PK": {"S": "replicated_count"}}
    return int(side.client("dynamodb").get_item(TableName="replicator_stats", Key=row)["Item"]["cnt"]["N"])


def crosses(bridge: Bridge) -> None:
    """An item goes there and back by put, update and delete, with values of all types that the originals can carry."""
    key, more = f"crossing-{uuid.uuid4().hex[:8]}", {"more": {"M": {"list": {"L": [{"BOOL": True}, {"N": "1"}]}}}}
    written = bridge.cn.write(key, quote={"S": 'it\'s "西安"'}, **more)
    eventually(lambda: bridge.sg.item(key) == written)
    answered = bridge.sg.write(key, answer={"S": "back"})
    eventually(lambda: bridge.cn.item(key) == answered)
    bridge.cn.remove(key)
    eventually(lambda: bridge.sg.item(key) is None)


def nothing_is_lost(bridge: Bridge, load: Load) -> None:
    held = bridge.at_rest()
    assert load.acknowledged > 0
    assert load.lost(held.values()) == []
    for side in (bridge.cn, bridge.sg):
        assert (kept(side), waiting(side)) == ([], 0)


def taken_over(bridge: Bridge, before: dict) -> None:
    """Everything is where it was, and ours."""
    for side in (bridge.cn, bridge.sg):
        assert identity(side) == before[side.name]
        assert handlers(side) == ["handler.lambda_handler"] * 2
        assert side.mapping(SENDER)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        user = f"dynabridge-peer-{PEER[side.name]}"
        (key,) = side.client("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]
        peer = getattr(bridge, PEER[side.name])
        stored = f"/DDBReplication/Table{side.name.upper()}/AccessKey"
        assert peer.client("ssm").get_parameter(Name=stored)["Parameter"]["Value"] == key["AccessKeyId"]


def side_by_side(pair, options, hold):
    """One side is taken over, and the other one a while later; both are written all the time."""
    bridge = Bridge.of(pair)
    crosses(bridge)
    before = {side.name: identity(side) for side in (bridge.cn, bridge.sg)}
    counted = replicated(bridge.sg)
    with Load(bridge, seed=7, own_share=1.0, rate=10) as load:
        refused = run_playbook(pair, "deploy.yml", "--limit", "cn", *options)
        assert refused.returncode != 0 and "sender_peer_reads=true" in refused.stdout + refused.stderr
        assert {handler for side in (bridge.cn, bridge.sg) for handler in handlers(side)} == {
            "send_to_kinesis.lambda_handler",
            "replicator_kinesis.lambda_handler",
        }

        read_since = {"cn": time.time()}
        deploy(pair, "--limit", "cn", *NO_SENDER, *options)
        time.sleep(hold)
        crosses(bridge)  # cn reads what the old sender of sg writes, and its own old sender works on
        read_since["sg"] = time.time()
        deploy(pair, "--limit", "sg", *NO_ALARMS, "-e", "sender_peer_reads=true", *options)
        time.sleep(hold)
        crosses(bridge)  # cn reads the new format, sg the old one
        deploy(pair, *NO_ALARMS, *options)
        crosses(bridge)
    nothing_is_lost(bridge, load)
    taken_over(bridge, before)
    assert replicated(bridge.sg) > counted > 0
    # A log tells its first 10,000 events here: those of the originals before would be all.
    assert all(side.logged(RECEIVER, read_since[side.name], "original_records") for side in (bridge.cn, bridge.sg))
    return bridge


@pytest.mark.long
def test_one_side_after_the_other(pair, quickly):
    """GIVEN a deployment by the documents' steps, in use on both sides WHEN deploy.yml runs for one side, then for the other
    THEN tables, streams and mappings are those that were there, nothing is lost, and the next run changes nothing."""
    side_by_side(pair, quickly, 1.0)
    again = deploy(pair, *NO_ALARMS, *quickly)
    assert set(changed(again).values()) == {0}


@pytest.mark.long
def test_two_minutes_of_double_running(pair):
    """GIVEN the same WHEN each step is held for two minutes, and everything is deployed that belongs to a side THEN the same."""
    side_by_side(pair, (), LONG)


@pytest.mark.long
def test_both_sides_in_one_run(pair, quickly):
    """GIVEN the same, in use WHEN both sides are taken over in one run THEN the receivers come first, and nothing is lost."""
    bridge = Bridge.of(pair)
    crosses(bridge)
    before = {side.name: identity(side) for side in (bridge.cn, bridge.sg)}
    with Load(bridge, seed=9, own_share=1.0) as load:
        deploy(pair, *quickly)
        crosses(bridge)
    nothing_is_lost(bridge, load)
    taken_over(bridge, before)


@pytest.mark.long
def test_what_the_originals_left_different_is_mended(pair, quickly):
    """GIVEN an item that both sides wrote with one stamp, which the originals leave different for ever WHEN both sides are taken
    over THEN resync.yml finds it, and mends it by the rule."""
    bridge = Bridge.of(pair)
    stamp = {"last_update_timestamp": {"N": "1587892514.5"}}
    for side in (bridge.cn, bridge.sg):
        item = {"PK": {"S": "alike"}, "of": {"S": side.name}, "last_updater_region": {"S": side.region}} | stamp
        side.client("dynamodb").put_item(TableName=side.table, Item=item)
    crosses(bridge)
    deploy(pair, *NO_ALARMS, *quickly)
    assert bridge.cn.item("alike") != bridge.sg.item("alike")
    result = run_playbook(pair, "resync.yml", "-e", "dry_run=false", *quickly)
    assert result.returncode == 0, result.stdout + result.stderr
    assert bridge.at_rest()["alike"]["of"] == {"S": "cn"}
