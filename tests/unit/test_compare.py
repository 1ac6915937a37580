# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparison in two passes: equal tables are equal in any order, and every difference is found and named."""

from hypothesis import given
from hypothesis import strategies as st

from dynabridge.compare import (
    DIFFERENT,
    MISSING_LEFT,
    MISSING_RIGHT,
    BucketDigests,
    KeyDigests,
    Rows,
    choose_buckets,
    differences,
    differing_attributes,
)

ROWS = Rows(("PK",), buckets=8)
tables = st.dictionaries(st.text(max_size=3), st.integers(0, 2), max_size=30)


def items_of(table):
    return [{"PK": {"S": key}, "n": {"N": str(number)}} for key, number in table.items()]


def reduced(reducer, items, parts=1):
    """The items read as that many segments."""
    first, *others = [type(reducer)(*_arguments(reducer)) for _ in range(parts)]
    for index, part in enumerate([first, *others]):
        part.add(items[index::parts])
    for other in others:
        first.merge(other)
    return first


def _arguments(reducer):
    return (reducer.rows,) if isinstance(reducer, BucketDigests) else (reducer.rows, reducer.buckets)


def compared(left, right, max_keys=10**6, rows=ROWS):
    first = [reduced(BucketDigests(rows), items_of(table)) for table in (left, right)]
    chosen, left_out = choose_buckets(*first, max_keys)
    second = [reduced(KeyDigests(rows, chosen), items_of(table)) for table in (left, right)]
    return {(found.key["PK"]["S"], found.state) for found in differences(*second)}, left_out


def expected(left, right):
    states = {}
    for key in left.keys() | right.keys():
        if key not in left:
            states[key] = MISSING_LEFT
        elif key not in right:
            states[key] = MISSING_RIGHT
        elif left[key] != right[key]:
            states[key] = DIFFERENT
    return set(states.items())


@given(tables, st.randoms(use_true_random=False), st.integers(1, 4))
def test_order_and_segments_do_not_matter(table, random, segments):
    # GIVEN a table WHEN it is read in another order and in segments THEN its buckets are the same
    items = items_of(table)
    shuffled = random.sample(items, len(items))
    one, other = reduced(BucketDigests(ROWS), items), reduced(BucketDigests(ROWS), shuffled, segments)
    assert one.differing(other) == []
    assert other.items == len(table)


@given(tables, tables)
def test_exactly_the_differences_are_found(left, right):
    # GIVEN two tables WHEN both passes have run THEN they name every differing key with its state, and no other
    assert compared(left, right) == (expected(left, right), 0)


@given(tables, tables, st.integers(1, 20))
def test_a_cap_bounds_the_keys_and_is_told(left, right, max_keys):
    # GIVEN a cap WHEN more keys than that are in differing buckets THEN what is found is true, and the rest is told
    found, left_out = compared(left, right, max_keys)
    every = expected(left, right)
    assert found <= every
    assert left_out or found == every
    assert found or not every, "one bucket at least is looked at"


@given(tables, tables, st.integers(1, 20))
def test_the_second_pass_holds_no_more_than_the_cap(left, right, max_keys):
    first = [reduced(BucketDigests(ROWS), items_of(table)) for table in (left, right)]
    chosen, _left_out = choose_buckets(*first, max_keys)
    held = sum(first[side].counts[bucket] for side in (0, 1) for bucket in chosen)
    assert held <= max_keys or len(chosen) == 1


def test_key_digests_of_segments_come_together():
    items = items_of({"a": 1, "b": 2, "c": 0})
    one = reduced(KeyDigests(ROWS, range(8)), items)
    assert reduced(KeyDigests(ROWS, range(8)), items, 3).found == one.found


def test_swapped_contents_are_seen():
    # GIVEN two items of one bucket that swapped their contents WHEN sums are compared THEN they differ
    one_bucket = Rows(("PK",), buckets=1)
    found, _left_out = compared({"a": 1, "b": 2}, {"a": 2, "b": 1}, rows=one_bucket)
    assert found == {("a", DIFFERENT), ("b", DIFFERENT)}


def test_composite_keys_do_not_run_together():
    # GIVEN keys whose parts joined would read the same WHEN compared THEN they are two keys
    rows = Rows(("PK", "SK"))
    sides = []
    for parts in (("a", "bc"), ("ab", "c")):
        side = KeyDigests(rows, range(rows.buckets))
        side.add([{"PK": {"S": parts[0]}, "SK": {"S": parts[1]}}])
        sides.append(side)
    assert {found.state for found in differences(*sides)} == {MISSING_LEFT, MISSING_RIGHT}


def test_ignored_attributes_make_no_difference():
    rows = Rows(("PK",), frozenset({"n"}), 8)
    assert compared({"a": 1}, {"a": 2}, rows=rows) == (set(), 0)


def test_differing_attributes_are_named():
    # GIVEN two items WHEN an attribute is missing, one differs, one is spelled otherwise, one is ignored THEN two are named
    left = {"a": {"N": "1"}, "b": {"S": "x"}, "c": {"SS": ["1", "2"]}, "d": {"S": "l"}}
    right = {"a": {"N": "1.0"}, "c": {"SS": ["2", "3"]}, "d": {"S": "r"}}
    assert differing_attributes(left, right, {"d"}) == ["b", "c"]
