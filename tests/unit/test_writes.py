# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of conditional writes: in one moment or not at all, whatever meets them; the first says what became of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.aws.writes import SINGLE_ATTEMPTS, Write, Writer
from tests.dynamodb import FakeDynamoDB

REFUSED, CONFLICT, INVALID = "ConditionalCheckFailed", "TransactionConflict", "ValidationError"


def delete_with_note(number):
    return [
        Write(number, "Delete", {"TableName": "rows", "Key": {"PK": {"S": f"row-{number}"}}}),
        Write(f"note-{number}", "Put", {"TableName": "notes", "Item": {"PK": {"S": f"note-{number}"}}}),
    ]


def world(fates):
    dynamodb = FakeDynamoDB(fate={name: list(codes) for name, codes in fates.items()})
    for number in range(3):
        dynamodb.put("rows", {"PK": {"S": f"row-{number}"}})
    return dynamodb


def settle(dynamodb, write_batch):
    return Writer(dynamodb, write_batch, lambda _seconds: None).write_together(map(delete_with_note, range(3)))


fates = st.lists(st.sampled_from([None, REFUSED, CONFLICT, INVALID]), max_size=SINGLE_ATTEMPTS + 4)


@given(
    st.dictionaries(st.sampled_from([f"{of}-{n}" for of in ("row", "note") for n in range(3)]), fates),
    st.integers(1, 5),
)
def test_a_row_is_never_gone_without_its_note(given_fates, write_batch):
    """GIVEN writes that are refused, held up or invalid WHEN groups are settled THEN each has one outcome, and it is true."""
    dynamodb = world(given_fates)
    settled = settle(dynamodb, write_batch)
    poison, unsettled = ([subject for subject, _reason in found] for found in (settled.poison, settled.unsettled))
    assert sorted([*settled.applied, *settled.refused, *poison, *unsettled]) == [0, 1, 2]
    for number in range(3):
        row = dynamodb.get("rows", PK={"S": f"row-{number}"})
        note = dynamodb.get("notes", PK={"S": f"note-{number}"})
        refused_note = REFUSED in given_fates.get(f"note-{number}", [])
        assert (row is None) == (number in settled.applied)
        if number in settled.applied + settled.refused:
            assert note or refused_note
        else:
            assert note is None


@pytest.mark.parametrize("write_batch", [1, 2, 100])
def test_a_group_is_not_torn_between_calls(write_batch):
    """GIVEN groups of two WHEN written in batches of any size THEN each call holds whole groups."""
    dynamodb = world({})
    assert settle(dynamodb, write_batch).applied == [0, 1, 2]
    assert dynamodb.calls == ([6] if write_batch == 100 else [2, 2, 2])


def test_a_note_whose_row_is_refused_is_tried_until_it_is_written():
    """GIVEN a row that is later than the delete, and a hot note THEN the note is written all the same before it is said."""
    dynamodb = world({"row-0": [REFUSED], "note-0": [CONFLICT, CONFLICT]})
    settled = settle(dynamodb, 100)
    assert settled.refused == [0] and settled.applied == [1, 2]
    assert dynamodb.get("notes", PK={"S": "note-0"})


def test_a_note_that_cannot_be_written_now_leaves_the_group_unsettled():
    dynamodb = world({"row-0": [REFUSED], "note-0": [CONFLICT] * 20})
    settled = settle(dynamodb, 100)
    assert [subject for subject, _reason in settled.unsettled] == [0] and settled.refused == []
