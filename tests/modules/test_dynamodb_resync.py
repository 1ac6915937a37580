# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_resync on two DynamoDBs in memory: looks, mends, goes on where it was, and refuses what makes no sense."""

from __future__ import annotations

import json
import zlib
from types import SimpleNamespace

import pytest
from ansible.modules import dynamodb_resync
from botocore.exceptions import EndpointConnectionError

from dynabridge.aws.memory import Memory
from dynabridge.changes import identity
from dynabridge.conflict import Place
from dynabridge.stamps import StampNames, read_stamp
from dynabridge.tombstones import Remember, Remembered
from tests.dynamodb import FakeDynamoDB
from tests.fakes import client_error

NAMES = StampNames()
PAGE = 7
MEMORY = "replicator_tombstones"
TABLES = {"left": "user-cn", "right": "user-sg"}


class Table(FakeDynamoDB):
    """A side: scans in pages, describes its tables."""

    def __init__(self, table, schema=(("PK", "S"),)):
        super().__init__(keys={table: tuple(name for name, _kind in schema)})
        self.table, self.schema, self.missing, self.down = table, schema, set(), False
        self.meta = SimpleNamespace(region_name=f"region-of-{table}", endpoint_url="http://127.0.0.1:1")

    def describe_table(self, TableName):
        if self.down:
            raise EndpointConnectionError(endpoint_url=self.meta.endpoint_url)
        if TableName in self.missing:
            raise client_error("ResourceNotFoundException")
        schema = self.schema if TableName == self.table else (("PK", "S"),)
        return {
            "Table": {
                "TableArn": TableName,
                "CreationDateTime": "then",
                "KeySchema": [
                    {"AttributeName": name, "KeyType": kind}
                    for (name, _type), kind in zip(schema, ("HASH", "RANGE"), strict=False)
                ],
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in schema],
            }
        }

    def scan(self, TableName, Segment, TotalSegments, ConsistentRead, ExclusiveStartKey=None, Limit=PAGE):
        self._begin("scan", ExclusiveStartKey)
        mine = sorted(
            (name, item)
            for name, item in self.rows(TableName).items()
            if zlib.crc32(repr(name).encode()) % TotalSegments == Segment
        )
        if ExclusiveStartKey:
            mine = [entry for entry in mine if entry[0] > self._key_name(TableName, ExclusiveStartKey)]
        page = {"Items": [item for _name, item in mine[:PAGE]]}
        if len(mine) > PAGE:
            page["LastEvaluatedKey"] = {name: page["Items"][-1][name] for name, _kind in self.schema}
        return page

    def content(self):
        return {json.dumps(item, sort_keys=True, default=repr) for item in self.items(self.table)}


def row(key, time=None, region="cn-north-1", **attributes):
    stamp = {"last_update_timestamp": {"N": str(time)}, "last_updater_region": {"S": region}}
    return {"PK": {"S": key}, **attributes, **(stamp if time is not None else {})}


def rows(count):
    return [row(f"k{index:03}", 100 + index, n={"N": str(index)}) for index in range(count)]


@pytest.fixture
def sides(monkeypatch):
    """Both sides by 'left' and 'right'; connecting leads to them."""
    made = {which: Table(table) for which, table in TABLES.items()}
    by_table = {side.table: side for side in made.values()}
    monkeypatch.setattr(dynamodb_resync, "connect", lambda side, *_more: by_table[side["table"]])
    return SimpleNamespace(**made)


@pytest.fixture
def resync(run_module, sides):
    """resync(**params) runs the module; check=True is a dry run."""

    def run(**params):
        left = {"name": "cn", "table": "user-cn", "region": "cn-north-1"}
        right = {"name": "sg", "table": "user-sg", "region": "ap-southeast-1"}
        return run_module(dynamodb_resync, **{"name": "user", "left": left, "right": right, "settle": 0} | params)

    return run


def put(side, *items):
    for item in items:
        side.put(side.table, item)


def remember_delete(side, item, from_peer=False):
    where = Place(read_stamp(item, NAMES), True)
    Memory(side, MEMORY, NAMES).remember([Remember(side.table, {"PK": item["PK"]}, where, from_peer)])


def remembered(side, key):
    places = Memory(side, MEMORY, NAMES).places([(side.table, {"PK": {"S": key}})])
    return places[identity(side.table, {"PK": {"S": key}})]._replace(at=0.0)


def test_a_dry_run_counts_and_writes_nothing(resync, sides, tmp_path):
    # GIVEN differences of every kind WHEN looked at THEN each is counted and named, nothing is written, no state is kept
    put(sides.left, *rows(20), row("tie", 7, v={"S": "a"}), row("dead", 5))
    put(sides.right, *rows(19)[1:], row("k005", 900, "ap-southeast-1"), row("tie", 7, v={"S": "b"}), row("only", 3))
    remember_delete(sides.right, row("dead", 5))
    before = sides.left.content(), sides.right.content()
    result = resync(check=True, state_dir=str(tmp_path))
    assert (sides.left.content(), sides.right.content()) == before
    assert result["items"] == {"cn": 22, "sg": 20}
    assert result["only"] == {"cn": 2, "sg": 1}
    assert result["newer"] == {"cn": 0, "sg": 1}
    assert (result["ties"], result["deleted"], result["equal"], result["differing"]) == (1, 1, 17, 6)
    assert (result["to_copy"], result["to_delete"], result["left_alone"], result["changed"]) == (5, 1, 0, True)
    assert "PK=tie: equal stamps, other content: copy" in result["summary"]
    assert "Mend it with -e dry_run=false" in result["summary"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize("write_batch", [1, 100])
def test_both_sides_are_equal_afterwards(resync, sides, segments, write_batch):
    # GIVEN differences on both sides WHEN mended THEN the later rows are on both, and a second run finds nothing
    put(sides.left, *rows(30), row("a", 9), row("b", 1))
    put(sides.right, *rows(10), row("b", 2, "ap-southeast-1"), row("c", 1, "ap-southeast-1"))
    result = resync(segments=segments, write_batch=write_batch)
    assert (result["repaired"], result["changed"], result["only"]) == (23, True, {"cn": 21, "sg": 1})
    assert sides.left.content() == sides.right.content()
    assert sides.left.get("user-cn", PK={"S": "b"})["last_update_timestamp"] == {"N": "2"}
    assert "Verify it: ansible-playbook compare.yml -e table=user" in result["summary"]
    again = resync()
    assert (again["differing"], again["changed"], again["equal"]) == (0, False, 33)
    assert again["summary"] == "user: user-cn (33 items) and user-sg (33 items), direction both: equal"


def test_ties_get_a_new_stamp_on_both_sides(resync, sides):
    # GIVEN equal stamps with other contents, and rows without any WHEN mended THEN one content with one later stamp
    put(sides.left, row("a", 5, "ap-southeast-1", v={"S": "cn"}), row("b", v={"S": "cn"}))
    put(sides.right, row("a", 5, "ap-southeast-1", v={"S": "sg"}), row("b", v={"S": "sg"}))
    result = resync()
    assert (result["ties"], result["lifted"], result["repaired"]) == (2, 2, 2)
    assert sides.left.content() == sides.right.content()
    winner = sides.left.get("user-cn", PK={"S": "a"})
    assert winner["v"] == {"S": "sg"}
    assert float(winner["last_update_timestamp"]["N"]) > 5
    assert "last_update_timestamp" in sides.left.get("user-cn", PK={"S": "b"})


def test_two_local_writes_without_stamps_in_a_managed_table(resync, sides):
    # GIVEN a managed table, a stamp of somebody's own and none WHEN mended THEN both sides hold one of the two, stamped
    put(sides.left, row("a", v={"S": "cn"}), row("only"))
    put(sides.right, row("a", 5, "elsewhere", v={"S": "sg"}))
    assert resync(stamping="managed")["lifted"] == 2
    assert sides.left.content() == sides.right.content()
    assert sides.left.get("user-cn", PK={"S": "a"})["last_updater_region"] == {"S": "ap-southeast-1"}


def test_one_direction_leaves_what_is_newer_and_what_only_the_target_has(resync, sides):
    put(sides.left, row("a", 1), row("b", 5))
    put(sides.right, row("a", 2, "ap-southeast-1"), row("c", 1))
    before = sides.left.content()
    result = resync(direction="cn_to_sg")
    assert (result["left_alone"], result["repaired"]) == (2, 1)
    assert sides.left.content() == before
    assert len(sides.right.content()) == 3


def test_rows_that_the_source_lacks_are_deleted_and_do_not_come_back(resync, sides):
    # GIVEN missing=delete, confirmed WHEN mended THEN they are gone, remembered on the target as the peer's delete
    put(sides.left, *rows(3))
    put(sides.right, *rows(5))
    result = resync(direction="cn_to_sg", missing="delete", confirm_delete="user")
    assert (result["to_delete"], result["repaired"]) == (2, 2)
    assert sides.left.content() == sides.right.content()
    where = Place(read_stamp(rows(5)[4], NAMES), True)
    assert remembered(sides.right, "k004") == Remembered(where, True)
    assert remembered(sides.left, "k004") == Remembered(where, False)


def test_a_remembered_delete_deletes_what_is_older(resync, sides):
    put(sides.left, row("a", 5), row("b", 6))
    for key in "ab":
        remember_delete(sides.right, row(key, 5))
    assert resync()["deleted"] == 1
    assert sides.left.content() == sides.right.content()
    assert remembered(sides.left, "a").from_peer
    assert sides.right.get("user-sg", PK={"S": "b"})


def test_a_change_on_its_way_is_no_difference(resync, sides, monkeypatch):
    # GIVEN a row that arrives while the grace runs WHEN looked at again THEN it is not counted
    put(sides.left, *rows(5))
    put(sides.right, *rows(4))
    made = dynamodb_resync.Resync
    monkeypatch.setattr(
        dynamodb_resync, "Resync", lambda *args: made(*args, sleep=lambda _s: put(sides.right, *rows(5)))
    )
    result = resync(settle=3, check=True)
    assert (result["differing"], result["equal"]) == (0, 5)


def test_a_write_between_look_and_repair_stands(resync, sides):
    # GIVEN a later write to the target right before the repair WHEN mended THEN it stands, and is counted as overtaken
    put(sides.left, row("a", 5))
    put(sides.right, row("a", 4))

    def write_first(operation, _arguments):
        if operation == "put_item":
            sides.right.before = None
            put(sides.right, row("a", 9, v={"S": "mine"}))

    sides.right.before = write_first
    result = resync()
    assert (result["overtaken"], result["repaired"]) == (1, 0)
    assert sides.right.get("user-sg", PK={"S": "a"})["v"] == {"S": "mine"}
    assert "1 written by others meanwhile" in result["summary"]


def test_a_run_that_was_stopped_goes_on(resync, sides, tmp_path):
    # GIVEN a run that fails in its second page WHEN it is run again THEN it reads on from there, and both are equal
    put(sides.left, *rows(40))
    put(sides.right, *rows(2))
    scans = []

    def fail_later(operation, start):
        if operation == "scan":
            scans.append(start)
            if len(scans) == 9:  # six pages of the first pass, and two of the second
                raise client_error("InternalServerError", "for a test")

    sides.left.before = fail_later
    params = {"segments": 1, "state_dir": str(tmp_path / "state" / "resync")}
    result = resync(**params)
    assert result["failed"]
    assert "for a test" in result["msg"] and "Run it again: it goes on where it was" in result["msg"]
    mended = len(sides.right.content())
    assert 2 < mended < 40
    scans.clear()
    sides.left.before = lambda operation, start: scans.append(start) if operation == "scan" else None
    result = resync(**params)
    assert result["resumed"] and scans[0] is not None, "the first pass is not repeated, nor the pages that are settled"
    assert (result["repaired"], result["differing"]) == (38, 38), "of both runs together"
    assert sides.left.content() == sides.right.content()
    assert list(tmp_path.iterdir()) == [], "nothing is left of the state"


@pytest.mark.parametrize(
    "change", [{"restart": True}, {"direction": "both", "buckets": 64}], ids=["restart", "other parameters"]
)
def test_a_run_begins_anew_when_asked_or_asked_otherwise(resync, sides, tmp_path, change):
    put(sides.left, *rows(3))
    sides.right.errors["transact_write_items"] = client_error("ValidationException", "for a test")
    sides.right.errors["put_item"] = client_error("UnknownError", "for a test")
    params = {"state_dir": str(tmp_path)}
    assert resync(**params)["failed"]
    sides.right.errors.clear()
    assert resync(**params | change)["resumed"] is False


def test_a_state_that_cannot_be_read_is_named(resync, sides, tmp_path):
    (tmp_path / "user-both.json").write_text("{half")
    result = resync(state_dir=str(tmp_path))
    assert "user-both.json cannot be read" in result["msg"] and "restart=true" in result["msg"]
    assert not resync(state_dir=str(tmp_path), restart=True).get("failed")


def test_a_row_that_dynamodb_refuses_is_named_and_the_others_are_mended(resync, sides):
    put(sides.left, *rows(3))
    sides.right.fate["k001"] = ["ValidationError"] * 4
    result = resync()
    assert result["failed"]
    assert (result["repaired"], result["poison"]) == (2, 1)
    assert "PK=k001: refused: " in result["msg"]


def test_lines_of_progress(resync, sides, tmp_path, monkeypatch):
    monkeypatch.setattr("ansible.module_utils.dynabridge.resync_report.LINE_EVERY", 0.0)
    path = tmp_path / "lines"
    path.touch()
    put(sides.left, *rows(20))
    resync(progress_file=str(path), segments=1)
    lines = path.read_text().splitlines()
    assert lines[0].startswith("user: pass 1 of 2, items read: cn ")
    assert lines[-1].startswith(
        "user: pass 2 of 2, cn: 20 of 20 (100%, 0 of 1 segments done), 20 looked at, 20 differing, 20 repaired, "
    )


# -- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"direction": "sg_to_eu"}, "There is no direction 'sg_to_eu': it must be one of both, cn_to_sg, sg_to_cn."),
        (
            {"missing": "delete"},
            "missing=delete does not go with direction=both: name the one to follow (cn_to_sg, sg_to",
        ),
        (
            {"missing": "delete", "direction": "cn_to_sg", "confirm_delete": "yes"},
            "missing=delete deletes every row of user-sg that the other side does not have: "
            "confirm it with resync_confirm_delete=user.",
        ),
        ({"segments": 0}, "segments is 0: it must be from 1 to 64."),
        ({"max_wcu": -1}, "max_wcu is -1: it must be from 0"),
        ({"buckets": 0}, "buckets is 0"),
        ({"settle": -1}, "settle is -1"),
    ],
)
def test_parameters_without_sense_are_refused(resync, sides, params, message):
    result = resync(**params)
    assert result["failed"] and result["msg"].startswith(message) and "Nothing was changed." in result["msg"]
    assert sides.left.calls == sides.right.calls == []


def test_other_keys_are_refused(resync, sides):
    sides.right.schema = (("PK", "S"), ("SK", "N"))
    assert resync()["msg"] == (
        "The tables cannot be resynced, their keys differ: user-cn has PK (S), user-sg has PK (S) + SK (N). "
        "Nothing was changed."
    )


@pytest.mark.parametrize("table", ["user-sg", MEMORY])
def test_a_missing_table_is_named(resync, sides, table):
    put(sides.left, *rows(3))
    sides.right.missing.add(table)
    assert resync()["msg"].startswith(f"There is no table {table} in region-of-user-sg of this account")
    assert sides.right.content() == set()


def test_a_side_that_is_down_is_named(resync, sides):
    sides.right.down = True
    message = resync()["msg"]
    assert message.startswith("Side sg cannot be reached (http://127.0.0.1:1): Could not connect to the endpoint URL")
    assert "Nothing was changed." in message


# -- putting back ----------------------------------------------------------------------------


def test_deleted_rows_are_put_back_from_a_restored_table(resync, sides):
    # GIVEN a table as it was, and the live one in which rows were deleted, and remembered so, and one was changed WHEN what
    # is missing is put back THEN the deleted rows stand with new stamps, and the changed one is left
    put(sides.left, *rows(10))
    put(sides.right, *rows(8), row("own", 500))
    sides.right.put(sides.right.table, row("k000", 900, n={"S": "changed"}))
    for gone in rows(10)[8:]:
        remember_delete(sides.right, gone)
    result = resync(direction="cn_to_sg", put_back="missing", twins=["user-cn", "user-tokyo"])
    assert (result["repaired"], result["lifted"], result["left_alone"]) == (2, 2, 2)
    held = {item["PK"]["S"]: item for item in sides.right.items(sides.right.table)}
    assert held["k009"]["n"] == {"N": "9"} and held["k000"]["n"] == {"S": "changed"} and "own" in held
    assert float(held["k009"]["last_update_timestamp"]["N"]) > 1_000_000_000
    assert resync(direction="cn_to_sg", put_back="missing")["repaired"] == 0, "once is enough"


def test_changed_rows_are_put_back_up_to_a_moment(resync, sides):
    # GIVEN rows that were spoilt, and one that was written afterwards THEN what is wrong is put back, the later row stays
    put(sides.left, *rows(5))
    put(sides.right, *(item | {"n": {"S": "spoilt"}} for item in rows(4)), row("k004", 2_000_000_000, n={"S": "later"}))
    result = resync(direction="cn_to_sg", put_back="changed", written_before="2026-11-20T10:00:00Z")
    assert (result["repaired"], result["left_alone"]) == (4, 1)
    held = {item["PK"]["S"]: item["n"] for item in sides.right.items(sides.right.table)}
    assert held == {f"k{index:03}": {"N": str(index)} for index in range(4)} | {"k004": {"S": "later"}}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"put_back": "missing"}, "put_back goes with one direction"),
        ({"put_back": "changed", "direction": "cn_to_sg", "missing": "delete", "confirm_delete": "user"}, "not with"),
        ({"written_before": "2026-11-20T10:00:00Z"}, "written_before goes with put_back=changed"),
        ({"put_back": "changed", "direction": "cn_to_sg", "written_before": "2026-11-20"}, "a time with its zone"),
    ],
)
def test_what_cannot_be_put_back_is_refused(resync, sides, params, words):
    # GIVEN parameters that make no sense THEN one sentence says so, and nothing is written
    put(sides.left, *rows(2))
    result = resync(**params)
    assert result["failed"] and words in result["msg"] and "Nothing was changed" in result["msg"]
    assert not sides.right.content()
