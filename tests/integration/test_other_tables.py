# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables unlike the inventory's: with ``stamping: managed``, whose writers know nothing of stamps; with other keys; alone."""

import json

import pytest

from dynabridge.clock import issued
from dynabridge.stamps import StampNames, read_stamp
from tests.faults.scenarios import kept, waiting
from tests.integration.mixed_writers import content, write_on_both_sides
from tests.integration.support import SENDER, Bridge, eventually
from tests.integration.test_deploy import changed, deploy
from tests.integration.test_replication import EVERY_TYPE, get, stamp
from tests.local_pair import started_pair

WRITES, PAIR = 2500, "user-cn|user-sg"
TABLES = [
    {"name": "user", "names": {"cn": "user-cn", "sg": "user-sg"}, "key_schema": {"hash": {"name": "PK", "type": "S"}},
     "replicate": True, "stamping": "managed"},
    {"name": "orders", "names": {"cn": "orders-cn", "sg": "orders-sg"}, "replicate": True,
     "key_schema": {"hash": {"name": "customer", "type": "N"}, "range": {"name": "order", "type": "B"}},
     "indexes": [{"name": "by-day", "type": "global_all", "hash_key_name": "day", "hash_key_type": "STRING"}],
     "point_in_time_recovery": True, "ttl_attribute": "expires"},
    {"name": "notes", "names": {"cn": "notes", "sg": "notes"}, "replicate": False,
     "key_schema": {"hash": {"name": "id", "type": "S"}, "range": {"name": "at", "type": "N"}}},
]  # fmt: skip


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "tables.json"
    path.write_text(json.dumps({"dynabridge_tables": TABLES}))
    return "-e", f"@{path}"


@pytest.fixture(scope="module")
def managed(tmp_path_factory, variables):
    """A pair with these tables."""
    with started_pair(tmp_path_factory.mktemp("managed") / "local") as pair:
        deploy(pair, *variables, "--skip-tags", "backup,alarms,dashboard")
        yield Bridge.of(pair)


@pytest.fixture
def key(managed):
    with managed.own_key() as name:
        yield name


def bears_a_stamp_of_the_bridge(item: dict) -> bool:
    return issued(read_stamp(item, StampNames()), PAIR, {"PK": item["PK"]})


@pytest.mark.parametrize("seed", [1])
def test_5000_mixed_operations_by_writers_that_never_stamp_converge(managed, seed):
    """GIVEN plain clients on both sides WHEN they write 2,500 times each, of every kind THEN both end equal, nothing is lost."""
    writers = write_on_both_sides(managed, WRITES, seed)
    assert sum(writer.written for writer in writers) >= 2 * WRITES
    rows = managed.at_rest()
    assert not [item for item in rows.values() if not bears_a_stamp_of_the_bridge(item)]
    lost = {
        key: (state, content(rows.get(key)))
        for writer in writers
        for key, state in writer.expected.items()
        if content(rows.get(key)) != state
    }
    assert not lost, "key: (acknowledged last, stands)"
    for side in (managed.cn, managed.sg):
        assert side.metric("Stamped_count") > 0
        assert side.metric("Unstamped_count") == 0
        assert (kept(side), waiting(side)) == ([], 0)


def test_a_copy_of_the_peers_item_onto_a_key_just_deleted_stays(managed, key):
    """GIVEN an item of the peer's, older than another WHEN that is deleted and made again as its copy THEN the copy replicates.

    Its stamp looks as if an older change of the peer's had slipped in behind the delete.
    """
    cn, sg, source = managed.cn, managed.sg, f"{key}-source"
    sg.client("dynamodb").put_item(TableName=sg.table, Item={"PK": {"S": source}, "v": {"S": "copied"}})
    copied = eventually(lambda: cn.item(source))
    cn.touch(key)
    eventually(lambda: sg.item(key))
    with cn.mapping_off(SENDER):
        cn.remove(key)
        cn.client("dynamodb").put_item(TableName=cn.table, Item=copied | {"PK": {"S": key}})
    rows = managed.at_rest()
    assert content(rows.get(key)) == {"v": {"S": "copied"}}
    assert bears_a_stamp_of_the_bridge(rows[key])
    sg.remove(source)
    managed.at_rest()


def test_many_tables_with_composite_numeric_and_binary_keys(managed, variables):
    """GIVEN three tables, two of them replicated THEN changes reach the twin of their own table, the third stays alone, and
    a second run finds all as it should be."""
    pair = managed.cn.pair
    assert set(changed(deploy(pair, *variables, "--tags", "tables")).values()) == {0}
    key = {"customer": {"N": "12345678901234567890"}, "order": {"B": b"\0\xff"}}
    cn, sg = pair.client("cn", "dynamodb"), pair.client("sg", "dynamodb")
    cn.put_item(TableName="orders-cn", Item=key | EVERY_TYPE | stamp("cn"))
    cn.put_item(TableName="notes", Item={"id": {"S": "a"}, "at": {"N": "1"}} | stamp("cn"))
    assert eventually(lambda: get(pair, "sg", key, "orders-sg"))["m"] == EVERY_TYPE["m"]
    sg.delete_item(TableName="orders-sg", Key=key)
    eventually(lambda: get(pair, "cn", key, "orders-cn") is None)
    sg.put_item(TableName="user-sg", Item={"PK": {"S": "u"}} | stamp("sg"))
    eventually(lambda: get(pair, "cn", {"PK": {"S": "u"}}))
    assert sg.scan(TableName="notes")["Count"] == 0
    settings = cn.describe_continuous_backups(TableName="orders-cn")["ContinuousBackupsDescription"]
    assert settings["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert cn.describe_time_to_live(TableName="orders-cn")["TimeToLiveDescription"]["AttributeName"] == "expires"
