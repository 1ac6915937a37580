# SPDX-License-Identifier: MIT
"""The wire: what goes in comes out, within Kinesis's limits, each item's changes in one lane and in order."""

import os
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.changes import DELETE, PUT, Change
from dynabridge.errors import MalformedRecord
from dynabridge.wire import MAGIC, READERS, RECORD_LIMIT, VERSION, decode, encode, lane_of, pack
from tests.strategies import changes, json_values


def change(key="a", image=None, operation=PUT):
    return Change(operation, "user-sg", {"PK": {"S": key}}, image or {"PK": {"S": key}})


@given(st.lists(changes(), max_size=20), st.dictionaries(st.text(), json_values, max_size=4))
def test_what_goes_in_comes_out(batch, extra):
    """GIVEN changes with values of any type THEN decode(encode(...)) gives them back."""
    batch = [replace(one, image=one.image | extra) for one in batch]
    side, found = decode(encode(batch, "cn"))
    assert side == "cn"
    assert found == [replace(one, position=0) for one in batch]


@given(st.lists(changes(keys=tuple("abcdefgh")), max_size=60), st.integers(1, 32))
def test_packing_keeps_each_items_order_and_loses_nothing(batch, lanes):
    records, too_large = pack(batch, "cn", lanes)
    assert not too_large
    assert sum(len(record.changes) for record in records) == len(batch)
    for key in "abcdefgh":
        sent = [one for record in records for one in record.changes if one.keys["PK"]["S"] == key]
        assert sent == [one for one in batch if one.keys["PK"]["S"] == key]
        assert len({record.lane for record in records for one in record.changes if one.keys["PK"]["S"] == key}) <= 1


def test_500_changes_travel_in_few_records():
    """GIVEN a full batch THEN at most an eighth as many Kinesis records as changes."""
    records, _too_large = pack([change(str(number)) for number in range(500)], "cn")
    assert len(records) <= 500 / 8


def test_composite_and_numeric_keys_have_a_stable_lane():
    one = Change(PUT, "t", {"a": {"N": "1"}, "b": {"B": "AA=="}}, {})
    assert lane_of(one) == lane_of(replace(one, keys=dict(reversed(one.keys.items()))))


def test_records_stay_within_the_limit():
    """GIVEN items of 400 KB that do not compress THEN they are spread over records of less than 1 MB."""
    batch = [
        change(str(number), {"PK": {"S": str(number)}, "b": {"S": os.urandom(200_000).hex()}}) for number in range(20)
    ]
    records, too_large = pack(batch, "cn", lanes=2)
    assert not too_large
    assert all(len(record.data) <= RECORD_LIMIT for record in records)
    assert sorted(one.keys["PK"]["S"] for record in records for one in decode(record.data)[1]) == sorted(
        map(str, range(20))
    )


def test_change_beyond_the_limit_is_given_back():
    """GIVEN a change that does not fit even alone THEN it is handed to the caller, and the others travel."""
    huge = change("huge", {"b": {"S": os.urandom(RECORD_LIMIT).hex() + os.urandom(RECORD_LIMIT).hex()}})
    records, too_large = pack([change("a"), huge, change("b")], "cn", lanes=1)
    assert too_large == [huge]
    assert [one.keys["PK"]["S"] for record in records for one in record.changes] == ["a", "b"]


def test_delete_carries_keys_and_stamp_only():
    deleted = change("a", {"last_update_timestamp": {"N": "1"}}, DELETE)
    assert decode(encode([deleted], "cn"))[1] == [deleted]


DAMAGED = {
    "not ours": (b'{"json": true}', "does not begin with DBR"),
    "empty": (b"", "does not begin with DBR"),
    "newer version": (MAGIC + bytes([VERSION + 1]) + zlib.compress(b"{}"), "deploy both sides"),
    "not compressed": (MAGIC + bytes([VERSION]) + b"plain", "damaged"),
    "cut short": (encode([change()], "cn")[:-8], "cut short"),
    "bomb": (MAGIC + bytes([VERSION]) + zlib.compress(bytes(65 * 1024 * 1024)), "larger than 64 MiB"),
    "no changes": (MAGIC + bytes([VERSION]) + zlib.compress(b'{"from":"cn"}'), "KeyError"),
    "not JSON": (MAGIC + bytes([VERSION]) + zlib.compress(b"{"), "not readable"),
    "wrong shape": (
        MAGIC + bytes([VERSION]) + zlib.compress(b'{"from":"cn","changes":[["put",1,{},{},1,0]]}'),
        "shape",
    ),
    "a list": (MAGIC + bytes([VERSION]) + zlib.compress(b"[]"), "not readable"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_record_is_named(name):
    data, reason = DAMAGED[name]
    with pytest.raises(MalformedRecord, match=reason):
        decode(data)


def test_the_version_before_is_read_too():
    """GIVEN sides that are upgraded one after the other THEN a receiver reads what either sender writes."""
    assert set(READERS) == {version for version in (VERSION - 1, VERSION) if version > 0}


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(noise):
    for data in (noise, MAGIC + bytes([VERSION]) + noise, MAGIC + bytes([VERSION]) + zlib.compress(noise)):
        with pytest.raises(MalformedRecord):
            decode(data)
