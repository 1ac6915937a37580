# SPDX-License-Identifier: MIT
"""The hybrid clock: later than what was seen, not before now, and its stamps are known again, for their item only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.clock import at_most, is_ahead, issue, issued
from dynabridge.errors import MalformedRecord
from dynabridge.stamps import NUMBER_TIME, read_stamp, stamp_attributes
from tests.strategies import NAMES, stamped_images

PAIR, KEYS, REGION = "user-cn|user-sg", {"PK": {"S": "a"}}, "cn-north-1"
seconds = st.floats(1e9, 4e9)


@given(seconds, stamped_images())
def test_a_stamp_is_later_than_what_was_seen_and_not_before_now(now, seen):
    after = read_stamp(seen, NAMES)
    stamp = issue(now, after, PAIR, KEYS, REGION)
    assert stamp > after and stamp.kind == NUMBER_TIME
    assert float(stamp.time) >= now - 1e-6


@given(seconds, st.integers(1, 5))
def test_stamps_follow_each_other_while_the_clock_stands(now, number):
    stamps = [issue(now, read_stamp({}, NAMES), PAIR, KEYS, REGION)]
    for _more in range(number):
        stamps.append(issue(now, stamps[-1], PAIR, KEYS, REGION))
    assert stamps == sorted(set(stamps))


@given(seconds)
def test_a_stamp_is_known_again_after_dynamodb_had_it(now):
    stamp = issue(now, read_stamp({}, NAMES), PAIR, KEYS, REGION)
    attributes = stamp_attributes(stamp, NAMES)
    attributes[NAMES.timestamp]["N"] = attributes[NAMES.timestamp]["N"].rstrip("0")  # as DynamoDB gives it back
    assert issued(read_stamp(attributes, NAMES), PAIR, KEYS)
    assert len(attributes[NAMES.timestamp]["N"].replace(".", "")) <= 38


@given(seconds)
def test_no_other_item_table_region_or_time_has_the_same_stamp(now):
    stamp = issue(now, read_stamp({}, NAMES), PAIR, KEYS, REGION)
    assert not issued(stamp, PAIR, {"PK": {"S": "b"}})
    assert not issued(stamp, PAIR, {"SK": {"S": "a"}})
    assert not issued(stamp, "orders-cn|orders-sg", KEYS)
    assert not issued(stamp._replace(region=b"ap-southeast-1"), PAIR, KEYS)
    assert not issued(stamp._replace(time=stamp.time + 1), PAIR, KEYS)


@given(stamped_images())
def test_writers_stamps_are_not_taken_for_the_bridges(image):
    assert not issued(read_stamp(image, NAMES), PAIR, KEYS)


def test_a_number_that_nothing_can_follow_is_said():
    with pytest.raises(MalformedRecord, match="correct the item's timestamp attribute"):
        issue(1.7e9, read_stamp({NAMES.timestamp: {"N": "9E125"}}, NAMES), PAIR, KEYS, REGION)


def test_the_bound_is_for_numbers_and_can_be_off():
    far = read_stamp({NAMES.timestamp: {"N": "1700000000000"}}, NAMES)
    text = read_stamp({NAMES.timestamp: {"S": "9999"}}, NAMES)
    assert is_ahead(far, 1.7e9) and not is_ahead(far, 0) and not is_ahead(text, 1.7e9)
    assert float(at_most(far, 1.7e9).time) == 1.7e9 and at_most(text, 1.7e9) == text
