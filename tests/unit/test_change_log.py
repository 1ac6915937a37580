# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the change log: the same batch gives the same objects, and their names say what they hold and sort by it."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.change_lines import read_change
from dynabridge.change_log import LogObject, key_of, object_of, objects_of

HOUR = 3600
START = 1_795_280_400  # a full hour


def record(number, seconds):
    keys = {"PK": {"S": f"k{number}"}}
    data = {"ApproximateCreationDateTime": float(seconds), "SequenceNumber": f"{10**20 + number}", "Keys": keys}
    return {"eventID": f"e{number}", "eventName": "INSERT", "dynamodb": data | {"NewImage": keys}}


def lines_in(body):
    return [read_change(line) for line in gzip.decompress(body).splitlines()]


batches = st.lists(st.integers(0, 3 * HOUR), min_size=1, max_size=30).map(
    lambda offsets: [record(number, START + offset) for number, offset in enumerate(sorted(offsets))]
)


@given(batches)
def test_every_record_is_in_the_object_of_its_hour(batch):
    """GIVEN a batch over several hours THEN each record is in one object, and the object's name tells hour and numbers."""
    found = []
    for key, body in objects_of("user-cn", batch):
        named = object_of(key)
        lines = lines_in(body)
        assert named.table == "user-cn"
        assert all(named.hour <= line.micros / 1e6 < named.hour + HOUR for line in lines)
        assert (named.first, named.last) == (lines[0].sequence, lines[-1].sequence)
        found += [line.sequence for line in lines]
    assert found == [int(one["dynamodb"]["SequenceNumber"]) for one in batch]


@given(batches)
def test_a_batch_that_comes_again_writes_the_same(batch):
    assert list(objects_of("user-cn", batch)) == list(objects_of("user-cn", batch))


def test_names_sort_by_sequence_number_whatever_their_length():
    names = [key_of("t", START, number, number) for number in (9 * 10**20, 10**21, 5 * 10**30)]
    assert names == sorted(names)


@pytest.mark.parametrize(
    "key",
    [
        "changes/user-cn/watermark.json",
        "changes/user-cn/2026/13/01/00/" + "0" * 40 + "-" + "0" * 40 + ".json.gz",
        "other/user-cn/2026/11/21/17/" + "0" * 40 + "-" + "0" * 40 + ".json.gz",
        "",
    ],
)
def test_what_is_no_object_of_the_log(key):
    assert object_of(key) is None


def test_a_key_and_back():
    assert object_of(key_of("orders.v2", START, 7, 9)) == LogObject("orders.v2", START, 7, 9)


def test_a_record_without_its_number_is_refused():
    broken = record(1, START)
    del broken["dynamodb"]["SequenceNumber"]
    with pytest.raises(KeyError):
        list(objects_of("user-cn", [broken]))
