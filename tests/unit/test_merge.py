# SPDX-License-Identifier: GPL-3.0-or-later
"""Full backup and changes, merged: the same items as were there, for every moment, whatever order lines come in."""

import json
import tempfile
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.change_lines import Order, captured_line, item_line, key_of, read_change
from dynabridge.errors import DamagedExport
from dynabridge.last_states import LastStates
from dynabridge.merge import Merged, merge
from tests import strategies

HASH, RANGE = "PK", "SK"
KEYS = {
    "string": ((HASH,), lambda number: {HASH: {"S": f"k{number}"}}),
    "binary": ((HASH,), lambda number: {HASH: {"B": f"AAA{number}"}}),
    "composite": ((HASH, RANGE), lambda number: {HASH: {"S": "p"}, RANGE: {"N": str(number)}}),
}
WINDOWS, CAPTURED = 0, 1000
LARGE, TINY = 1 << 30, 1  # budgets: all in memory; all in files
writes = st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=40)  # (item, is it a delete)


class History:
    """Writes at the moments 0, 1, 2, ... of one table, and what was in it at each."""

    def __init__(self, kind, steps):
        self.names, self.key = KEYS[kind]
        self.steps = []
        images = {}
        for moment, (number, deletes) in enumerate(steps):
            keys = self.key(number)
            new = None if deletes else keys | {"at": {"N": str(moment)}}
            old = images.get(number)
            if old is None and new is None:
                continue  # a delete of nothing writes no record
            self.steps.append((moment, keys, old, new))
            images = {**images, number: new}

    def at(self, end):
        """The items just before the moment, by their text."""
        images = {}
        for moment, keys, _old, new in self.steps:
            if moment < end:
                images[json.dumps(keys)] = new
        return sorted(json.dumps(item, sort_keys=True) for item in images.values() if item)

    def full(self, moment):
        return [item_line(json.loads(item)) for item in self.at(moment)]

    def captured(self, start, end):
        return [captured_line(self._record(*step)) for step in self.steps if start <= step[0] < end]

    def window(self, start, end):
        """An incremental export: the net change of each item, none for what was born and gone within."""
        touched = {}
        for moment, keys, old, new in self.steps:
            if start <= moment < end:
                first = touched.get(json.dumps(keys), (None, old))[1]
                touched[json.dumps(keys)] = (moment, first, keys, new)
        return [
            json.dumps(
                {"Metadata": {"WriteTimestampMicros": {"N": str(moment * 1_000_000)}}, "Keys": keys}
                | ({"OldImage": first} if first else {})
                | ({"NewImage": new} if new else {})
            ).encode()
            for moment, first, keys, new in touched.values()
            if first or new
        ]

    @staticmethod
    def _record(moment, keys, old, new):
        images = ({"OldImage": old} if old else {}) | ({"NewImage": new} if new else {})
        # The stream's time is of whole seconds, and several writes share one.
        data = {"ApproximateCreationDateTime": float(moment // 4), "SequenceNumber": f"{moment:021d}", "Keys": keys}
        return {"eventID": f"e{moment}", "dynamodb": data | images}


def merged(history, base, lines, budget=LARGE):
    """Items after the merge, and its counts. lines: (phase, line) pairs."""
    with tempfile.TemporaryDirectory() as directory:
        states = LastStates(history.names, Path(directory), budget)
        for phase, line in lines:
            states.add(read_change(line), phase)
        counts = Merged()
        items = [json.loads(line)["Item"] for line in merge(base, states, counts)]
    assert counts.items == len(items)
    return sorted(json.dumps(item, sort_keys=True) for item in items)


@given(st.data(), st.sampled_from(sorted(KEYS)), writes, st.sampled_from([LARGE, TINY, 1500]))
def test_base_and_captured_changes_give_what_was_there(data, kind, steps, budget):
    """GIVEN any history, a full backup at any moment, a log that begins before it, with repeated lines in any order WHEN merged
    up to any later moment THEN the items are those that were there then."""
    history = History(kind, steps)
    base = data.draw(st.integers(0, len(steps)))
    end = data.draw(st.integers(base, len(steps)))
    start = data.draw(st.integers(0, base))
    lines = history.captured(start, end)
    lines += data.draw(st.lists(st.sampled_from(lines), max_size=5)) if lines else []
    mixed = [(CAPTURED, line) for line in data.draw(st.permutations(lines))]
    full = data.draw(st.permutations(history.full(base)))
    assert merged(history, full, mixed, budget) == history.at(end)
    assert merged(history, full, mixed + mixed, budget) == history.at(end), "once more changes nothing"


@given(st.data(), st.sampled_from(sorted(KEYS)), writes, st.sampled_from([LARGE, TINY]))
def test_base_windows_and_captured_changes_give_what_was_there(data, kind, steps, budget):
    """GIVEN incrementals from the base on, each from the end of the one before, and captured changes from before the last one's
    end WHEN merged THEN the items are those that were there.

    A window that reaches back behind its base would not do: what was born and gone in it has no line, and the base may hold it.
    """
    history = History(kind, steps)
    base = data.draw(st.integers(0, len(steps)))
    end = data.draw(st.integers(base, len(steps)))
    edges = sorted({base, *data.draw(st.lists(st.integers(base, end), max_size=3))})
    lines = []
    for phase, (start, stop) in enumerate(pairwise(edges)):
        lines += [(WINDOWS + phase, line) for line in history.window(start, stop)]
    lines += [(CAPTURED, line) for line in history.captured(data.draw(st.integers(0, edges[-1])), end)]
    assert merged(history, history.full(base), data.draw(st.permutations(lines)), budget) == history.at(end)


class TestCounts:
    def test_each_item_is_counted_once(self, tmp_path):
        """GIVEN an item that stays, one replaced, one removed, one added THEN the counts say so."""
        history = History("string", [(0, False), (1, False), (2, False), (1, False), (2, True), (3, False)])
        states = LastStates(history.names, tmp_path, LARGE)
        for line in history.captured(3, 6):
            states.add(read_change(line), CAPTURED)
        counts = Merged()
        assert len(list(merge(history.full(3), states, counts))) == 3
        assert counts == Merged(kept=1, replaced=1, removed=1, added=1)


class TestKeys:
    @pytest.mark.parametrize("spelling", ["100", "100.0", "1E2", "1e+2", "+100", "0100", "1000E-1"])
    def test_spellings_of_a_number_are_one_key(self, spelling):
        assert key_of({"SK": {"N": spelling}}, ("SK",)) == (("N", "100"),)

    @given(strategies.numbers, strategies.numbers)
    def test_two_numbers_are_two_keys(self, one, other):
        keys = [key_of({"SK": {"N": number}}, ("SK",)) for number in (one, other)]
        assert (keys[0] == keys[1]) == (Decimal(one) == Decimal(other))

    def test_text_and_number_are_two_keys(self):
        assert key_of({"PK": {"S": "1.0"}}, ("PK",)) == (("S", "1.0"),)


class TestLines:
    def test_a_captured_line_reads_as_one_of_an_incremental_export(self):
        history = History("string", [(0, False), (0, True)])
        put, delete = (read_change(line) for line in history.captured(0, 2))
        assert put.new == {"PK": {"S": "k0"}, "at": {"N": "0"}} and put.old is None
        assert delete.new is None and delete.old == put.new
        assert put.order(CAPTURED) < delete.order(CAPTURED), "one second, two sequence numbers"

    @given(
        keys=st.dictionaries(strategies.texts, strategies.json_values, min_size=1, max_size=2),
        images=st.tuples(*[st.none() | st.dictionaries(strategies.texts, strategies.json_values, max_size=4)] * 2),
        sequence=st.integers(0, 10**39),
        ascii_only=st.booleans(),
        end=st.sampled_from([b"", b"\n"]),
    )
    def test_the_quick_way_reads_what_the_plain_way_reads(self, keys, images, sequence, ascii_only, end):
        """GIVEN any change, compact (as AWS writes it) or with blanks, members in order or not THEN the same is read, and the
        item's line holds the new image."""
        metadata = {"WriteTimestampMicros": {"N": "17"}} | (
            {"SequenceNumber": {"S": str(sequence)}} if sequence else {}
        )
        present = {
            name: image for name, image in zip(("OldImage", "NewImage"), images, strict=True) if image is not None
        }
        members = {"Metadata": metadata, "Keys": keys, **present}
        compact = json.dumps(members, separators=(",", ":"), ensure_ascii=ascii_only).encode() + end
        reversed_order = json.dumps(dict(reversed(members.items())), separators=(",", ":")).encode()
        expected = (keys, 17, sequence, *(images))
        for line in (compact, json.dumps(members).encode() + end, reversed_order):
            change = read_change(line)
            assert change[:5] == expected
            item = change.item_line()
            assert (json.loads(item) if item else None) == ({"Item": images[1]} if images[1] is not None else None)
            assert not item or (item.endswith(b"}\n") and item.count(b"\n") == 1)
        assert read_change(compact).text or images[1] is None, "the quick way"

    def test_names_of_members_within_items_mislead_nobody(self):
        """GIVEN attributes that are named as members of a line are, and hold what such a line holds THEN the change is read."""
        old = {"PK": {"S": "a"}, "NewImage": {"M": {"NewImage": {"S": ',"NewImage":{}'}}}, 'x"NewImage': {"N": "1"}}
        new = {"PK": {"S": "a"}, "OldImage": {"S": '\\","NewImage":{'}, "Keys": {"NULL": True}}
        line = {
            "Metadata": {"WriteTimestampMicros": {"N": "1"}},
            "Keys": {"PK": {"S": "a"}},
            "OldImage": old,
            "NewImage": new,
        }
        change = read_change(json.dumps(line, separators=(",", ":")).encode())
        assert (change.old, change.new) == (old, new) and json.loads(change.text) == new

    def test_half_a_surrogate_pair_is_carried_along(self):
        """GIVEN text that UTF-8 cannot hold THEN it goes through as the escape that it came as."""
        line = (
            b'{"Keys":{"PK":{"S":"a"}},"Metadata":{"WriteTimestampMicros":{"N":"1"}},"NewImage":{"PK":{"S":"\\ud800"}}}'
        )
        assert json.loads(read_change(line).item_line()) == {"Item": {"PK": {"S": "\ud800"}}}

    def test_order_without_sequence_is_by_time(self):
        change = read_change(b'{"Metadata":{"WriteTimestampMicros":{"N":"17"}},"Keys":{"PK":{"S":"a"}}}')
        assert change.order(2) == Order(2, 17)

    @pytest.mark.parametrize("line", [b"", b"[]", b'{"Item": {}}', b"{", b'{"Metadata": {}, "Keys": {}}'])
    def test_what_is_no_change_is_named(self, line):
        with pytest.raises(DamagedExport, match="holds a line that is no change"):
            read_change(line)

    @pytest.mark.parametrize("line", [b"{", b'{"Item": {"other": {"S": "a"}}}', b'{"Keys": {}}'])
    def test_a_base_of_another_table_is_named(self, line, tmp_path):
        states = LastStates(("PK",), tmp_path, LARGE)
        with pytest.raises(DamagedExport, match=r"no item with the key PK"):
            list(merge([line], states, Merged()))
