# SPDX-License-Identifier: MIT
"""The conflict rule: total, the same in any order, a delete right after the version it deleted."""

from hypothesis import given
from hypothesis import strategies as st

from dynabridge.changes import DELETE, PUT, Change
from dynabridge.conflict import condition, fold, place, wins
from dynabridge.stamps import UNSTAMPED, read_stamp
from tests.strategies import NAMES, changes, stamped_images


def put(time, region="cn-north-1", content="x"):
    image = {"PK": {"S": "a"}, "content": {"S": content}, NAMES.timestamp: {"N": time}, NAMES.region: {"S": region}}
    return Change(PUT, "t", {"PK": {"S": "a"}}, image)


def delete_of(change):
    return Change(DELETE, "t", change.keys, {name: change.image[name] for name in NAMES})


@given(stamped_images(), stamped_images())
def test_any_two_stamps_compare(one, other):
    """GIVEN any two items THEN exactly one of <, ==, > holds: a stamp never diverges for want of an order."""
    a, b = read_stamp(one, NAMES), read_stamp(other, NAMES)
    assert (a < b) + (a == b) + (a > b) == 1


@given(stamped_images(), stamped_images(), stamped_images())
def test_order_is_transitive(one, two, three):
    a, b, c = sorted(read_stamp(image, NAMES) for image in (one, two, three))
    assert a <= b <= c and a <= c


def test_equal_times_are_decided_by_region():
    """GIVEN the same time in both regions THEN one of them wins, the same on both sides (hazard 3)."""
    cn, sg = put("5", "cn-north-1"), put("5", "ap-southeast-1")
    assert wins(cn, sg.image, NAMES) and not wins(sg, cn.image, NAMES)


def test_numbers_compare_by_value_with_all_digits():
    """GIVEN times that differ in the 38th digit THEN the later wins; 1 and 1.0 are equal."""
    early, late = "17000000000000000000000000000000000001", "17000000000000000000000000000000000002"
    assert wins(put(late), put(early).image, NAMES)
    assert not wins(put("1.0"), put("1").image, NAMES)


def test_delete_beats_its_version_and_older_and_nothing_newer():
    deleted = delete_of(put("5"))
    assert wins(deleted, put("5").image, NAMES)
    assert wins(deleted, put("4").image, NAMES)
    assert not wins(deleted, put("6").image, NAMES)
    assert not wins(deleted, None, NAMES), "nothing to delete is no write"


def test_stamped_write_beats_unstamped_item_and_unstamped_write_only_fills_a_gap():
    bare = Change(PUT, "t", {"PK": {"S": "a"}}, {"PK": {"S": "a"}})
    assert read_stamp(bare.image, NAMES) == UNSTAMPED
    assert wins(put("1"), bare.image, NAMES)
    assert wins(bare, None, NAMES) and not wins(bare, bare.image, NAMES)


def apply_all(arrivals, start=None):
    """What a table with memory of deletes would hold: fold is that memory within a batch."""
    winners = fold(list(arrivals), NAMES)
    return {change.identity: place(change, NAMES) for change in winners}


@given(st.lists(changes(), max_size=12), st.randoms())
def test_fold_does_not_depend_on_order_or_repetition(arrivals, random):
    """GIVEN the same changes shuffled and delivered twice THEN the same places win."""
    shuffled = arrivals + arrivals
    random.shuffle(shuffled)
    assert apply_all(shuffled) == apply_all(arrivals)


@given(st.lists(changes(keys=("a",)), min_size=1, max_size=8))
def test_fold_winner_beats_or_equals_every_other(arrivals):
    (winner,) = fold(arrivals, NAMES)
    assert all(place(change, NAMES) <= place(winner, NAMES) for change in arrivals)


@given(changes())
def test_condition_declares_just_what_it_uses(change):
    """DynamoDB refuses a request whose names or values are declared and not used, or used and not declared."""
    arguments = condition(change, NAMES)
    expression = arguments["ConditionExpression"]
    tokens = set(expression.replace("(", " ").replace(")", " ").replace(",", " ").split())
    assert {token for token in tokens if token.startswith("#")} == set(arguments["ExpressionAttributeNames"])
    assert {token for token in tokens if token.startswith(":")} == set(arguments.get("ExpressionAttributeValues", {}))
