# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of loads knows a table without reading it: whatever was written last to each key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.compare import BucketDigests, KeyDigests, Rows, differences
from dynabridge.errors import SettingsError
from dynabridge.journal import Journal, changes, file_name, lines

ROWS = Rows(("PK",), buckets=8)


def put(number, value):
    return {"PutRequest": {"Item": {"PK": {"S": f"k{number}"}, "v": {"B": value}}}}


def delete(number):
    return {"DeleteRequest": {"Key": {"PK": {"S": f"k{number}"}}}}


writes = st.lists(st.tuples(st.integers(0, 12), st.one_of(st.none(), st.binary(max_size=3))), max_size=40)


def read(history):
    return lambda: (
        ({"PK": {"S": f"k{number}"}} | ({} if value is None else {"v": {"B": value}}), value is None)
        for number, value in history
    )


@given(writes)
def test_any_history_leaves_what_a_dictionary_holds(history):
    """GIVEN any writes THEN the journal's digests are those of a table that took them, in both passes."""
    items = {}
    for number, value in history:
        items.pop(number, None)
        if value is not None:
            items[number] = put(number, value)["PutRequest"]["Item"]
    journal, table = Journal(ROWS, read(history)), BucketDigests(ROWS)
    table.add(items.values())
    assert journal.digests().differing(table) == [] and journal.digests().items == len(items)
    keys = KeyDigests(ROWS, range(8))
    keys.add(items.values())
    assert list(differences(journal.keys(range(8)), keys)) == [] and journal.changes == len(history)


def test_what_is_written_is_read_back_in_the_order_of_the_runs(tmp_path):
    """GIVEN a put, and a later run that deletes and puts again THEN they are read in that order, bytes as bytes."""
    second, first = file_name(20.5, 0), file_name(9, 3)
    (tmp_path / second).write_text("".join(lines([delete(1), put(2, b"\xff")])))
    (tmp_path / first).write_text("".join(lines([put(1, b"a")])))
    assert list(changes(tmp_path)) == [
        ({"PK": {"S": "k1"}, "v": {"B": b"a"}}, False),
        ({"PK": {"S": "k1"}}, True),
        ({"PK": {"S": "k2"}, "v": {"B": b"\xff"}}, False),
    ]


@pytest.mark.parametrize("line", ["{", "{}", "[]", '{"put": 1}', '{"update": {}}', '{"put": {"PK": {"B": "?"}}}'])
def test_a_line_that_is_none_is_named(tmp_path, line):
    (tmp_path / file_name(1, 0)).write_text("".join(lines([delete(1)])) + line + "\n")
    with pytest.raises(SettingsError, match="line 2, is no line of a journal"):
        list(changes(tmp_path))


def test_no_journal_is_told(tmp_path):
    for directory in (tmp_path, tmp_path / "none"):
        with pytest.raises(SettingsError, match="holds no journal"):
            list(changes(directory))
