# SPDX-License-Identifier: MIT
"""Binary is decoded once, at the edge; everything else passes untouched."""

import pytest
from hypothesis import given

from dynabridge.attributes import to_boto, to_json
from dynabridge.errors import MalformedRecord
from tests.strategies import boto_items


@given(boto_items)
def test_round_trip_keeps_every_type(item):
    """GIVEN an item of any types WHEN it goes to JSON form and back THEN it is the same."""
    assert to_boto(to_json(item)) == item


def test_binary_of_all_depths_is_decoded():
    """GIVEN base64 in B, BS, L and M, also AA== and the empty value (hazard 9)."""
    item = {
        "b": {"B": "AA=="},
        "e": {"B": ""},
        "s": {"BS": ["AA==", "/w=="]},
        "l": {"L": [{"M": {"x": {"B": "AQ=="}}}]},
    }
    assert to_boto(item) == {
        "b": {"B": b"\0"},
        "e": {"B": b""},
        "s": {"BS": [b"\0", b"\xff"]},
        "l": {"L": [{"M": {"x": {"B": b"\1"}}}]},
    }


@pytest.mark.parametrize("value", [{"B": "not base64!"}, {"B": 7}, {"S": "a", "N": "1"}, {}, "text"])
def test_what_is_no_attribute_value_is_named(value):
    with pytest.raises(MalformedRecord):
        to_boto({"a": value})


def test_numbers_keep_their_text():
    item = {"n": {"N": "1E125"}, "d": {"N": "12345678901234567890123456789012345678"}}
    assert to_boto(item) == item
