# SPDX-License-Identifier: MIT
"""The records of the source documents' functions: what they hold comes out as a change, whatever its types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.changes import DELETE, PUT, Change
from dynabridge.errors import MalformedRecord
from dynabridge.original_wire import is_original, read_original
from dynabridge.stamps import StampNames
from dynabridge.wire import encode
from tests.strategies import json_values

NAMES = StampNames()
STAMP = {"last_update_timestamp": {"N": "1587892514.3271"}, "last_updater_region": {"S": "cn-north-1"}}
KEYS = {"PK": {"S": "6fe4b1d1"}}
# As they lie in the stream: what Python prints of a stream record's image.
INSERT = (
    b"{'event_name': 'INSERT', 'new_image': {'PK': {'S': '6fe4b1d1'}, 'city': {'S': \"Xi'an \xe8\xa5\xbf\xe5\xae\x89\"}, "
    b"'last_update_timestamp': {'N': '1587892514.3271'}, 'last_updater_region': {'S': 'cn-north-1'}}}"
)
MODIFY = (
    b"{'event_name': 'MODIFY', 'new_image': {'last_updater_region': {'S': 'cn-north-1'}, 'tags': {'SS': ['a', 'b']}, "
    b"'photo': {'B': 'AAECAw=='}, 'PK': {'S': '6fe4b1d1'}, 'last_update_timestamp': {'N': '1587892514.3271'}, "
    b"'more': {'M': {'list': {'L': [{'BOOL': True}, {'NULL': True}, {'N': '-1E-130'}]}}}}}"
)
REMOVE = (
    b"{'event_name': 'REMOVE', 'old_image': {'PK': {'S': '6fe4b1d1'}, 'city': {'S': 'Beijing'}, "
    b"'last_update_timestamp': {'N': '1587892514.3271'}, 'last_updater_region': {'S': 'cn-north-1'}}}"
)


def read(data, position=3):
    return read_original(data, "user-sg", NAMES, 1587892515.25, position)


def test_a_put_is_the_whole_item():
    image = KEYS | {"city": {"S": "Xi'an 西安"}} | STAMP
    assert read(INSERT) == Change(PUT, "user-sg", KEYS, image, 1, 1587892515.25, 3)


def test_values_of_all_types_come_as_the_stream_had_them():
    more = {"M": {"list": {"L": [{"BOOL": True}, {"NULL": True}, {"N": "-1E-130"}]}}}
    assert read(MODIFY).image == KEYS | STAMP | {"tags": {"SS": ["a", "b"]}, "photo": {"B": "AAECAw=="}, "more": more}


def test_a_delete_bears_the_stamp_of_what_it_deleted():
    assert read(REMOVE) == Change(DELETE, "user-sg", KEYS, STAMP, 1, 1587892515.25, 3)


def test_both_formats_are_told_apart():
    assert all(map(is_original, (INSERT, MODIFY, REMOVE)))
    assert not is_original(encode([read(INSERT)], "cn")) and not is_original(b"")


@given(st.dictionaries(st.text(), json_values, max_size=6))
def test_what_python_printed_is_read_back(values):
    """GIVEN items of any names and values WHEN they are written as the original sender wrote them THEN they come out."""
    image = values | KEYS | STAMP
    change = read(bytes(str({"event_name": "MODIFY", "new_image": image}), "utf-8", "surrogatepass"))
    assert change.image == image and change.keys == KEYS


DAMAGED = {
    "cut": INSERT[:-5],
    "JSON": b'{"event_name": "INSERT", "new_image": {"PK": {"S": "a"}, "x": {"BOOL": true}}}',
    "no text": b"{\xff",
    "a call": b"{'event_name': 'INSERT', 'new_image': dict(PK=1)}",
    "deep": b"{" + b"[" * 100_000,
    "a set": b"{'event_name', 'INSERT'}",
    "another event": b"{'event_name': 'EXPIRE', 'old_image': {'PK': {'S': 'a'}}}",
    "no image": b"{'event_name': 'INSERT', 'old_image': {'PK': {'S': 'a'}}}",
    "image is no item": b"{'event_name': 'INSERT', 'new_image': ['PK']}",
    "values are none": b"{'event_name': 'INSERT', 'new_image': {'PK': 'a'}}",
    "another key": b"{'event_name': 'INSERT', 'new_image': {'id': {'S': 'a'}}}",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_record_is_named(name):
    with pytest.raises(MalformedRecord, match="original functions"):
        read(DAMAGED[name])


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(noise):
    for data in (noise, b"{" + noise):
        with pytest.raises(MalformedRecord):
            read(data)
