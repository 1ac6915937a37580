# SPDX-License-Identifier: GPL-3.0-or-later
"""``stamping: managed``: writers know nothing of stamps, and both sides end equal all the same."""

import json

import pytest
import yaml

from dynabridge.clock import issued
from dynabridge.stamps import StampNames, read_stamp
from tests.faults.scenarios import kept, waiting
from tests.integration.mixed_writers import content, write_on_both_sides
from tests.integration.support import SENDER, Bridge, eventually
from tests.integration.test_deploy import deploy
from tests.local_pair import REPOSITORY, started_pair

WRITES, PAIR = 2500, "user-cn|user-sg"


@pytest.fixture(scope="module")
def managed(tmp_path_factory):
    """A pair of its own, whose table has ``stamping: managed``."""
    directory = tmp_path_factory.mktemp("managed")
    inventory = yaml.safe_load((REPOSITORY / "inventories/group_vars/all/tables.yml").read_text(encoding="utf-8"))
    (table,) = inventory["dynabridge_tables"]
    variables = directory / "managed.json"
    variables.write_text(json.dumps({"dynabridge_tables": [table | {"stamping": "managed"}]}))
    with started_pair(directory / "local") as pair:
        deploy(pair, "-e", f"@{variables}", "--skip-tags", "backup,alarms")
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
