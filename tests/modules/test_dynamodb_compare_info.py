# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_compare_info reads both tables to their ends and names what differs."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import pytest
from ansible.modules import dynamodb_compare_info
from ansible.modules.dynamodb_compare_info import Side, connect

from tests.modules.aws_fakes import aws_error, fake_client

PAGE = 3


class FakeTable:
    """One table: scans by segment in pages of three items; ``scans`` counts the calls."""

    def __init__(self, items, keys=(("PK", "S"),)):
        self.items, self.keys, self.scans, self.error = list(items), keys, 0, None
        self.consistent = set()

    def describe_table(self, TableName):
        if self.error:
            raise self.error
        kinds = ["HASH", "RANGE"]
        return {
            "Table": {
                # the range key first: the order is not promised
                "KeySchema": [
                    {"AttributeName": name, "KeyType": kind}
                    for (name, _type), kind in reversed(list(zip(self.keys, kinds, strict=False)))
                ],
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in self.keys],
            }
        }

    def _place(self, item):
        return repr([item[name] for name, _kind in self.keys])

    def scan(self, TableName, Segment, TotalSegments, ConsistentRead, ExclusiveStartKey=None):
        self.scans += 1
        self.consistent.add(ConsistentRead)
        mine = [item for item in self.items if zlib.crc32(self._place(item).encode()) % TotalSegments == Segment]
        if ExclusiveStartKey:
            places = [self._place(item) for item in mine]
            mine = mine[places.index(self._place(ExclusiveStartKey)) + 1 :]
        page = {"Items": mine[:PAGE]}
        if len(mine) > PAGE:
            page["LastEvaluatedKey"] = {name: mine[PAGE - 1][name] for name, _kind in self.keys}
        return page

    def get_item(self, TableName, Key, ConsistentRead):
        found = [item for item in self.items if all(item[name] == value for name, value in Key.items())]
        return {"Item": found[0]} if found else {}


def rows(count, **attributes):
    return [{"PK": {"S": f"k{index:03}"}, "n": {"N": str(index)}, **attributes} for index in range(count)]


@pytest.fixture
def compare(run_module, monkeypatch):
    """compare(left, right, **params) runs the module on two fake tables."""

    def run(left, right, **params):
        fakes = {"user-cn": left, "user-sg": right}

        def connect_fake(side, segments):
            client = fake_client("dynamodb", fakes[side["table"]])
            client.meta = SimpleNamespace(region_name=side["region"], endpoint_url="http://fake")
            return Side(side["table"], client)

        monkeypatch.setattr(dynamodb_compare_info, "connect", connect_fake)
        sides = {
            "left": {"table": "user-cn", "region": "cn-north-1"},
            "right": {"table": "user-sg", "region": "ap-southeast-1"},
        }
        return run_module(dynamodb_compare_info, **sides, **params)

    return run


@pytest.mark.parametrize("segments", [1, 4])
def test_equal_tables_are_equal_in_one_pass(compare, segments):
    # GIVEN the same rows in another order and spelling WHEN compared THEN equal, and each table was read once
    left = FakeTable(rows(20, tags={"SS": ["a", "b"]}))
    right = FakeTable(
        reversed([{**row, "n": {"N": row["n"]["N"] + ".0"}} for row in rows(20, tags={"SS": ["b", "a"]})])
    )
    result = compare(left, right, segments=segments)
    assert (result["equal"], result["differing"], result["differences"], result["capped"]) == (True, 0, [], False)
    assert result["left"] == {"table": "user-cn", "item_count": 20}
    assert result["summary"] == "user-cn (20 items) and user-sg (20 items) are equal"
    assert result["changed"] is False
    assert left.consistent == right.consistent == {True}
    if segments == 1:
        assert left.scans == 7, "20 items in pages of three"


def test_each_kind_of_difference_is_named(compare):
    # GIVEN a row missing on each side and one that differs WHEN compared THEN all three are named, with the attributes
    left, right = rows(10), rows(11)
    del right[2]
    right[4] = {**right[4], "n": {"N": "-1"}, "more": {"BOOL": True}}
    result = compare(FakeTable(left), FakeTable(right))
    assert result["equal"] is False
    assert result["differing"] == 3
    assert result["differences"] == [
        {"key": {"PK": {"S": "k002"}}, "state": "missing_right", "attributes": []},
        {"key": {"PK": {"S": "k005"}}, "state": "different", "attributes": ["more", "n"]},
        {"key": {"PK": {"S": "k010"}}, "state": "missing_left", "attributes": []},
    ]
    assert result["summary"].splitlines() == [
        "user-cn (10 items) and user-sg (10 items) differ in 3 keys",
        "  PK=k002 is missing in user-sg",
        "  PK=k005 is different in more, n",
        "  PK=k010 is missing in user-cn",
    ]


def test_only_as_many_as_asked_are_shown(compare):
    result = compare(FakeTable(rows(9)), FakeTable([]), show=2)
    assert (result["differing"], len(result["differences"])) == (9, 2)


def test_a_cap_is_told(compare):
    # GIVEN more differing keys than the second pass may hold WHEN compared THEN unequal, and the count is a lower bound
    result = compare(FakeTable(rows(50)), FakeTable([]), max_differences=5)
    assert (result["equal"], result["capped"]) == (False, True)
    assert 1 <= result["differing"] <= 5
    assert "differ in at least" in result["summary"]


def test_what_settles_between_the_passes_is_equal(compare):
    # GIVEN a row that reaches the right table after the first scan WHEN compared THEN equal
    left, right = FakeTable(rows(1)), FakeTable([])
    scan = right.scan

    def scan_then_arrive(**request):
        page = scan(**request)
        right.items = rows(1)
        return page

    right.scan = scan_then_arrive
    assert compare(left, right, segments=1)["equal"] is True


@pytest.mark.parametrize(("wait", "equal"), [(0, False), (3, False), (10, True)])
def test_tables_that_differ_are_compared_again_for_a_while(compare, monkeypatch, wait, equal):
    # GIVEN a row that arrives after 5 s WHEN waited for it THEN equal; when not, or not long enough, it is missing
    clock = [0.0]
    left, right = FakeTable(rows(1)), FakeTable([])

    def sleep(seconds):
        clock[0] += seconds
        right.items = rows(1) if clock[0] >= 5 else []

    monkeypatch.setattr(dynamodb_compare_info, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    assert compare(left, right, wait=wait)["equal"] is equal
    assert clock[0] <= wait


def test_ignored_attributes_may_differ(compare):
    left, right = FakeTable(rows(3, seen={"N": "1"})), FakeTable(rows(3, seen={"N": "2"}))
    assert compare(left, right, ignore_attributes=["seen"])["equal"] is True
    assert compare(left, right)["differences"][0]["attributes"] == ["seen"]


def test_binary_and_composite_keys_are_printable(compare):
    keys = (("id", "B"), ("at", "N"))
    left = FakeTable([{"id": {"B": b"\x00\xff"}, "at": {"N": "7"}}], keys)
    result = compare(left, FakeTable([], keys))
    assert result["differences"][0]["key"] == {"id": {"B": "AP8="}, "at": {"N": "7"}}


def test_other_keys_are_refused(compare):
    result = compare(FakeTable([]), FakeTable([], (("PK", "S"), ("SK", "N"))))
    assert result["failed"]
    assert result["msg"] == (
        "The tables cannot be compared, their keys differ: user-cn has PK (S), user-sg has PK (S) + SK (N)."
    )


def test_a_missing_table_is_named_with_its_region(compare):
    right = FakeTable([])
    right.error = aws_error("ResourceNotFoundException")
    result = compare(FakeTable([]), right)
    assert result["failed"]
    assert result["msg"].startswith("There is no table user-sg in ap-southeast-1 of this account")


def test_a_refusal_by_aws_names_the_tables(compare):
    right = FakeTable([])
    right.error = aws_error("AccessDeniedException", "not authorized to perform: dynamodb:DescribeTable")
    result = compare(FakeTable([]), right)
    assert result["msg"].startswith("Cannot compare user-cn and user-sg: ")
    assert "dynamodb:DescribeTable" in result["msg"]


def test_a_segment_that_fails_fails_the_comparison(compare):
    # GIVEN a scan that is refused in one segment WHEN compared THEN no result is made of the others
    left = FakeTable(rows(50))
    scan = left.scan

    def refuse_segment_one(**request):
        if request["Segment"] == 1:
            raise aws_error("ValidationException", "no")
        return scan(**request)

    left.scan = refuse_segment_one
    assert compare(left, FakeTable(rows(50)))["msg"].startswith("Cannot compare")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"segments": 0}, "segments is 0: it must be from 1 to 256"),
        ({"buckets": 0}, "buckets is 0"),
        ({"show": -1}, "show is -1"),
        ({"max_differences": 0}, "max_differences is 0"),
        ({"wait": -1}, "wait is -1"),
        ({"ignore_attributes": ["PK"]}, "a key cannot be ignored"),
    ],
)
def test_parameters_without_sense_are_refused(compare, params, message):
    assert message in compare(FakeTable([]), FakeTable([]), **params)["msg"]


def test_each_side_is_reached_by_its_own_profile(tmp_path, monkeypatch):
    # GIVEN profiles of two sides and another one in the environment WHEN a side is connected THEN by its own profile
    config = tmp_path / "config"
    config.write_text(
        "[profile cn]\nregion = cn-north-1\naws_access_key_id = CN\naws_secret_access_key = x\n"
        "[profile sg]\nregion = ap-southeast-1\naws_access_key_id = SG\naws_secret_access_key = x\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "sg")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    side = {"table": "user-cn", "profile": "cn", "region": "", "endpoint_url": ""}
    client = connect(side, 2).client
    assert client.meta.endpoint_url == "https://dynamodb.cn-north-1.amazonaws.com.cn"
    assert client._request_signer._credentials.access_key == "CN"


def test_an_unknown_profile_is_a_clear_failure(run_module, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    side = {"table": "t", "profile": "nobody", "region": "cn-north-1"}
    result = run_module(dynamodb_compare_info, left=side, right=side)
    assert result["msg"] == "Cannot compare t and t: The config profile (nobody) could not be found"
