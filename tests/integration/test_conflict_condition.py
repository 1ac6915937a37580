# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule as functions and the rule as DynamoDB evaluates it are one rule."""

import itertools

import pytest

from dynabridge.attributes import to_boto
from dynabridge.aws.apply import Applier
from dynabridge.aws.memory import Memory
from dynabridge.aws.stamper import Stamper
from dynabridge.aws.writes import Write, Writer
from dynabridge.changes import DELETE, PUT, Change, identity
from dynabridge.conflict import NOWHERE, Lift, Place, exact_condition, wins
from dynabridge.stamps import NO_TIME, NUMBER_TIME, StampNames, read_stamp
from dynabridge.tombstones import Remember

NAMES = StampNames()
TABLE, TOMBSTONES = "condition-contract", "condition-contract-tombstones"
TIMES = [None, {"NULL": True}, {"S": "1"}, {"S": "é"}, {"N": "-1"}, {"N": "1"}, {"N": "1.5"},
         {"N": "12345678901234567890123456789012345677"}, {"N": "12345678901234567890123456789012345678"}]  # fmt: skip
REGIONS = [None, {"N": "1"}, {"S": "ap-southeast-1"}, {"S": "cn-north-1"}]


def images():
    for time, region in itertools.product(TIMES, REGIONS):
        stamp = zip(NAMES, (time, region), strict=True)
        yield {name: value for name, value in stamp if value is not None}


def stamps():
    return sorted({read_stamp(image, NAMES) for image in images()})


def key(number):
    return {"PK": {"S": f"case-{number}"}}


@pytest.fixture
def table(empty_pair):
    client = empty_pair.client("sg", "dynamodb")
    for name in (TABLE, TOMBSTONES):
        client.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}])  # fmt: skip
    yield client
    for name in (TABLE, TOMBSTONES):
        client.delete_table(TableName=name)


def store(client, rows):
    """Rows by number; None = no such row."""
    for number, row in rows.items():
        if row is not None:
            client.put_item(TableName=TABLE, Item=key(number) | row)


def test_every_pair_of_stamps_is_decided_alike(table):
    """GIVEN any stored stamp (or no item) and any change WHEN it is applied THEN DynamoDB decides as ``wins`` does.

    One item a pair, all changes applied at once: what a transaction refuses and what it writes are both seen.
    """
    cases = {}
    for number, (old, new, operation) in enumerate(itertools.product([None, *images()], images(), (PUT, DELETE))):
        image = new if operation == DELETE else key(number) | new
        cases[number] = (
            Change(operation, TABLE, key(number), image),
            None if old is None else to_boto(key(number) | old),
        )
    store(table, {number: old for number, (_change, old) in cases.items()})
    memory = Memory(table, TOMBSTONES, NAMES)
    outcome = Applier(table, NAMES, memory).apply([change for change, _old in cases.values()])
    assert not outcome.poison and not outcome.unsettled and not outcome.late
    expected = {change.identity for change, old in cases.values() if wins(change, old, NAMES)}
    wrong = {change.identity for change in outcome.applied} ^ expected
    assert [(change, old) for change, old in cases.values() if change.identity in wrong] == []
    assert len(outcome.refused) == len(cases) - len(expected)


def test_a_row_is_lifted_where_it_is_not_later_than_the_floor(table):
    """GIVEN any row and any floor WHEN the row is lifted THEN DynamoDB decides by the order of places."""
    cases = dict(enumerate(itertools.product(images(), stamps())))
    store(table, {number: row for number, (row, _floor) in cases.items()})
    lifts = {number: Lift(TABLE, key(number), "a|b", Place(floor)) for number, (_row, floor) in cases.items()}
    outcome = Stamper(table, NAMES, "cn-north-1").lift(list(lifts.values()))
    assert not outcome.gone and not outcome.unsettled
    assert {lift.floor.stamp for lift, _reason in outcome.poison} == {floor for floor in stamps() if _is_top(floor)}
    lifted = {lift.keys["PK"]["S"] for lift, _stamp in outcome.lifted}
    for number, (row, floor) in cases.items():
        if not _is_top(floor):
            assert (f"case-{number}" in lifted) == (read_stamp(row, NAMES) <= floor), (row, floor)


def test_a_stamp_beyond_the_bound_is_replaced_only_where_it_still_stands(table):
    """GIVEN a lift that names the stamp it saw THEN that row is lifted though later, and no other later row."""
    seen = read_stamp({NAMES.timestamp: {"N": "1.5"}, NAMES.region: {"S": "cn-north-1"}}, NAMES)
    rows = dict(enumerate(images()))
    store(table, rows)
    lifts = [Lift(TABLE, key(number), "a|b", NOWHERE, seen) for number in rows]
    outcome = Stamper(table, NAMES, "cn-north-1").lift(lifts)
    lifted = {lift.keys["PK"]["S"] for lift, _stamp in outcome.lifted}
    found = {f"case-{number}": read_stamp(row, NAMES) for number, row in rows.items()}
    assert lifted == {name for name, stamp in found.items() if stamp.kind == NO_TIME or stamp == seen}
    assert len(outcome.later) == len(rows) - len(lifted)


def test_only_the_exact_stamp_is_taken_back(table):
    """GIVEN any row and any stamp WHEN just that version is deleted THEN no other is."""
    cases = dict(enumerate(itertools.product(images(), [stamp for stamp in stamps() if stamp.kind != NO_TIME])))
    store(table, {number: row for number, (row, _stamp) in cases.items()})
    settled = Writer(table).write(
        Write(number, "Delete", {"TableName": TABLE, "Key": key(number)} | exact_condition(stamp, key(number), NAMES))
        for number, (_row, stamp) in cases.items()
    )
    same = {number for number, (row, stamp) in cases.items() if read_stamp(row, NAMES) == stamp}
    assert set(settled.applied) == same


def test_memory_moves_only_up(table):
    """GIVEN any two places WHEN both are remembered, in this order THEN the greater one is what is remembered."""
    places = [Place(stamp, deleted) for stamp in stamps() for deleted in (False, True)][1:]
    memory = Memory(table, TOMBSTONES, NAMES)
    cases = dict(enumerate(itertools.product(places, places)))
    for order in (0, 1):
        settled = memory.remember([Remember(TABLE, key(n), pair[order], bool(order)) for n, pair in cases.items()])
        assert not settled.poison and not settled.unsettled
    known = memory.places([(TABLE, key(number)) for number in cases])
    for number, (first, second) in cases.items():
        remembered = known[identity(TABLE, key(number))]
        assert remembered.place == max(first, second), (first, second)
        assert remembered.from_peer == (second > first), "the same place twice: the first stands"


def _is_top(stamp):
    """No number of 38 digits with the clock's decimals is later."""
    return stamp.kind == NUMBER_TIME and stamp.time > 10**23
