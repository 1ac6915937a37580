# SPDX-License-Identifier: GPL-3.0-or-later
"""``stamping: application``: writes whose stamps are missing, behind or ahead; and older writes that arrive after a delete."""

import time

import pytest

from dynabridge.changes import PUT, Change
from dynabridge.clock import issued
from dynabridge.stamps import StampNames, read_stamp
from dynabridge.wire import encode
from tests.integration.support import SENDER, Side, eventually

PAIR, BOUND = "user-cn|user-sg", 900.0


def stamped(side: Side, when: float | str) -> dict:
    return {"last_update_timestamp": {"N": str(when)}, "last_updater_region": {"S": side.region}}


def put(side: Side, key: str, when: float | str, **attributes) -> None:
    item = {"PK": {"S": key}} | attributes | stamped(side, when)
    side.client("dynamodb").put_item(TableName=side.table, Item=item)


def time_of(item: dict) -> float:
    return float(item["last_update_timestamp"]["N"])


def test_a_write_without_a_new_stamp_is_counted_alarmed_and_named_and_stays(bridge, key):
    """GIVEN an item WHEN it is changed without a new stamp THEN the peer never hears of it, an operator does; the next
    stamped write carries the whole item."""
    cn, sg, since = bridge.cn, bridge.sg, time.time()
    bridge.replicates(key)
    before = cn.metric("Unstamped_count")
    cn.touch(key)
    eventually(lambda: cn.logged(SENDER, since, "does not replicate", cn.table, key))
    eventually(lambda: cn.metric("Unstamped_count") == before + 1)

    def rings():
        found = cn.client("cloudwatch").describe_alarms(AlarmNames=["dynabridge-cn-Unstamped_count"])
        return found["MetricAlarms"][0]["StateValue"] == "ALARM"

    eventually(rings)
    with bridge.own_key() as later:
        bridge.replicates(later)  # so whatever was to travel has arrived by now
    assert "touched" not in sg.item(key)
    cn.client("dynamodb").update_item(
        TableName=cn.table,
        Key={"PK": {"S": key}},
        UpdateExpression="SET last_update_timestamp = :t",
        ExpressionAttributeValues={":t": {"N": f"{time.time():.6f}"}},
    )
    eventually(lambda: "touched" in sg.item(key) and sg.item(key) == cn.item(key))


def test_a_write_by_a_clock_that_is_behind_is_lifted_and_replicates(bridge, key):
    """GIVEN an item of sg's WHEN cn overwrites it by a clock that is 5 minutes behind THEN the write wins on both sides."""
    cn, sg, before = bridge.cn, bridge.sg, bridge.cn.metric("Lifted_count")
    theirs = sg.write(key)
    eventually(lambda: cn.item(key) == theirs)
    put(cn, key, f"{time.time() - 300:.6f}", who={"S": "slow"})
    eventually(lambda: "who" in sg.item(key) and sg.item(key) == cn.item(key))
    stamp = read_stamp(cn.item(key), StampNames())
    assert issued(stamp, PAIR, {"PK": {"S": key}})
    assert stamp.region == cn.region.encode()
    assert float(stamp.time) > time_of(theirs)
    assert cn.metric("Lifted_count") == before + 1


def test_milliseconds_are_brought_back_and_do_not_win_for_ever(bridge, key):
    """GIVEN a writer of milliseconds WHEN it writes THEN the stamp comes back to the bound, and the peer can write again."""
    cn, sg, before = bridge.cn, bridge.sg, bridge.cn.metric("Ahead_count")
    put(cn, key, int(time.time() * 1000), who={"S": "milliseconds"})
    arrived = eventually(lambda: sg.item(key))
    assert time_of(arrived) <= time.time() + BOUND + 60
    eventually(lambda: cn.item(key) == arrived)
    assert cn.metric("Ahead_count") == before + 1
    sg.write(key, who={"S": "seconds"})
    eventually(lambda: cn.item(key)["who"] == {"S": "seconds"} and cn.item(key) == sg.item(key))


@pytest.mark.parametrize("at", ["sg", "cn"])
def test_an_older_write_that_arrives_after_the_delete_does_not_come_back(bridge, key, at):
    """GIVEN an item that cn deleted WHEN an older change of it arrives late, on the peer or where it was deleted THEN it is
    refused; a later one is not."""
    here, there = (bridge.sg, bridge.cn) if at == "sg" else (bridge.cn, bridge.sg)
    bridge.replicates(key)
    written = time_of(bridge.cn.item(key))
    bridge.cn.remove(key)
    eventually(lambda: bridge.sg.item(key) is None)
    before = here.metric("Late_count")
    arrives(here, key, stamped(there, f"{written - 1:.6f}"))
    eventually(lambda: here.metric("Late_count") == before + 1)
    assert (here.item(key), there.item(key)) == (None, None)
    arrives(here, key, stamped(there, f"{time.time():.6f}"))
    eventually(lambda: here.item(key))
    here.remove(key)


def arrives(side: Side, key: str, stamp: dict) -> None:
    """A change of the peer's comes in, as its sender would have sent it."""
    keys = {"PK": {"S": key}}
    change = Change(PUT, side.table, keys, keys | {"late": {"BOOL": True}} | stamp, at=time.time())
    peer = "cn" if side.name == "sg" else "sg"
    data = encode([change], peer)
    side.client("kinesis").put_record(StreamName=side.stream, PartitionKey="lane-000", Data=data)
