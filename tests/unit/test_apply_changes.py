# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes applied as each item's last state leave what applying all of them in their order leaves."""

import random
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynabridge.apply_parts import Entry, batches_of, change_of, is_delete, parts_of, with_grave
from dynabridge.apply_state import ApplyState
from dynabridge.attributes import to_boto
from dynabridge.aws import apply_changes
from dynabridge.aws.apply import Applier
from dynabridge.aws.apply_changes import ApplyRun, BatchWriter, NoMemory, Patience, RuleWriter, Tally
from dynabridge.change_lines import captured_line, item_line, key_of, read_change
from dynabridge.changes import DELETE
from dynabridge.errors import SettingsError
from dynabridge.last_states import LastStates
from dynabridge.pace import Pace
from dynabridge.stamps import StampNames
from dynabridge.workspace import workspace
from tests.apply_ground import TARGET, Table, record
from tests.fakes import client_error

NAMES = StampNames()
SCHEMAS = {
    "string": ((("PK", "S"),), lambda number: {"PK": {"S": f"k{number}"}}),
    "binary": ((("PK", "B"),), lambda number: {"PK": {"B": f"AAA{number}"}}),
    "composite": ((("PK", "S"), ("SK", "N")), lambda number: {"PK": {"S": "p"}, "SK": {"N": f"{number}.5"}}),
}
LARGE, TINY = 1 << 30, 1
steps = st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=40)  # (item, is it a delete)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(apply_changes, "backoff", lambda tries, chance: 0)
    monkeypatch.setattr("dynabridge.last_states.MARK_BITS", 12)


def history(kind, writes):
    """Lines of captured changes, in their order; each item's stamp grows with them."""
    _schema, key = SCHEMAS[kind]
    lines, images = [], {}
    for number, (item, deletes) in enumerate(writes, 1):
        keys, old = key(item), images.get(item)
        if deletes and old is None:
            continue  # a delete of nothing writes no record
        stamp = {NAMES.timestamp: {"N": str(number)}, NAMES.region: {"S": "cn-north-1"}}
        new = None if deletes else keys | stamp | {"b": {"B": "AA=="}}
        images[item] = new
        lines.append(captured_line(record(number, number // 4, keys, new, old)))
    return lines


def applied_in_order(kind, lines):
    schema, _key = SCHEMAS[kind]
    table = Table(schema)
    for change in map(read_change, lines):
        if change.new is None:
            table.delete(TARGET, to_boto(change.keys))
        else:
            table.put(TARGET, to_boto(change.new))
    return table.content()


def apply(table, lines, budget=LARGE, writer=None, left=None):
    """Apply lines to the table as a run does."""
    names = table.keys[TARGET]
    table.left = left or table.left
    with tempfile.TemporaryDirectory() as directory:
        states = LastStates(names, Path(directory), budget)
        for line in lines:
            change = read_change(line)
            states.add(with_grave(change, NAMES), 0)
        tally, patience = Tally(SimpleNamespace(line=lambda text: None)), Patience(TARGET)
        if writer is RuleWriter:
            applier = Applier(table, NAMES, NoMemory(), pause=lambda _seconds: None)
            own = RuleWriter(applier, TARGET, names, Pace(0), patience, tally)
        else:
            own = BatchWriter(table, TARGET, names, Pace(0), patience, tally)
        state = ApplyState(directory, TARGET)
        state.anew({})
        ApplyRun(own, TARGET, state, tally, patience.stop, workers=2).run(states)
    return tally


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(sorted(SCHEMAS)), steps, st.sampled_from([LARGE, TINY, 1500]))
def test_last_states_leave_what_all_changes_in_order_leave(data, kind, writes, budget):
    """GIVEN any history, its lines repeated and in any order, and a table that leaves writes unprocessed WHEN applied, and
    once more THEN the table holds what applying every change in its order leaves."""
    lines = history(kind, writes)
    expected = applied_in_order(kind, lines)
    mixed = lines + (data.draw(st.lists(st.sampled_from(lines), max_size=5)) if lines else [])
    mixed = data.draw(st.permutations(mixed))
    dice = random.Random(data.draw(st.integers(0, 99)))  # a draw of hypothesis may not come from a worker's thread
    table = Table(SCHEMAS[kind][0])
    for _time in range(2):
        apply(table, mixed, budget, left=lambda requests: [one for one in requests if dice.random() < 0.4])
        assert table.content() == expected


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(sorted(SCHEMAS)), steps, st.sampled_from([LARGE, TINY]))
def test_through_the_rule_they_leave_the_same_where_nobody_writes(data, kind, writes, budget):
    """GIVEN any history with growing stamps, and a table that holds any moment of it WHEN applied by the rule THEN the same."""
    lines = history(kind, writes)
    expected = applied_in_order(kind, lines)
    table = Table(SCHEMAS[kind][0])
    apply(table, lines[: data.draw(st.integers(0, len(lines)))])
    assert apply(table, data.draw(st.permutations(lines)), budget, RuleWriter).counts["problems"] == 0
    assert table.content() == expected


class TestParts:
    def test_each_item_is_in_one_part(self, tmp_path, monkeypatch):
        monkeypatch.setattr("dynabridge.apply_parts.PART_ITEMS", 3)
        for budget in (LARGE, TINY):
            states = LastStates(("PK",), tmp_path / str(budget), budget)
            states.directory.mkdir()
            for line in history("string", [(item, False) for item in range(7)]):
                states.add(read_change(line), 0)
            parts = dict(parts_of(states))
            assert Counter(entry.key for entries in parts.values() for entry in entries).total() == 7
            assert dict(parts_of(states, 2)) == {number: entries for number, entries in parts.items() if number >= 2}

    def test_batches_are_bounded_by_bytes_too(self):
        entries = [Entry((("S", str(number)),), b"x" * (4 << 20)) for number in range(5)]
        assert [len(batch) for batch in batches_of(entries, 25)] == [2, 2, 1]
        assert [len(batch) for batch in batches_of([Entry((), b"")] * 51, 25)] == [25, 25, 1]

    def test_an_item_that_looks_like_a_grave_is_an_item(self):
        """GIVEN an item with an attribute that is called as the mark of deletes THEN it is no delete."""
        item = {"deleted": {"M": {"keys": {"S": "x"}}}, "PK": {"S": "a"}}
        line = item_line(item)
        assert not is_delete(line) and change_of(Entry(key_of(item, ("PK",)), line), "t", ("PK",)).image == item

    def test_a_grave_keeps_how_the_key_was_written(self):
        """GIVEN a delete of an item with a fraction in its key THEN the rule is told the key as the table has it."""
        keys = {"PK": {"S": "p"}, "SK": {"N": "0.50"}}
        change = with_grave(
            read_change(captured_line(record(1, 1, keys, None, keys | {NAMES.timestamp: {"N": "7"}}))), NAMES
        )
        found = change_of(Entry(key_of(keys, ("PK", "SK")), change.item_line()), "t", ("PK", "SK"))
        assert (found.operation, found.keys, found.image) == (DELETE, keys, {NAMES.timestamp: {"N": "7"}})


class TestPatience:
    def test_a_trickle_is_progress(self):
        """GIVEN a table that takes one write at a time THEN nobody gives up."""
        ticks = iter(range(10**6))
        tally = Tally(SimpleNamespace(line=lambda text: None))
        Patience("t", 3, clock=lambda: next(ticks)).run(list(range(50)), lambda left: (left[1:], "busy"), tally)
        assert tally.counts["retries"] == sum(range(50))

    def test_an_outage_of_the_network_is_tried_again(self):
        table = Table()
        errors = [client_error("ThrottlingException"), apply_changes.NoConnection(error="gone")]

        def before(operation, _arguments):
            if operation == "batch_write_item" and errors:
                raise errors.pop()

        table.before = before
        tally = apply(table, history("string", [(1, False)]))
        assert tally.counts == {"puts": 1, "deletes": 0, "retries": 2} and set(tally.reasons) == {
            "ConnectionError",
            "ThrottlingException",
        }


class TestWorkspace:
    def test_it_is_cleared_held_and_removed(self, tmp_path):
        """GIVEN what a killed run left THEN it is cleared; a second run is refused meanwhile; nothing stays."""
        (tmp_path / "dynabridge-x" / "deep").mkdir(parents=True)
        with workspace("x", str(tmp_path)) as room:
            assert not list(room.iterdir())
            with pytest.raises(SettingsError, match="another run is at work"), workspace("x", str(tmp_path)):
                pass
            (room / "file").write_text("")
        assert not list(tmp_path.iterdir())

    def test_a_link_is_not_followed(self, tmp_path):
        (tmp_path / "target").mkdir()
        (tmp_path / "dynabridge-x").symlink_to(tmp_path / "target")
        with pytest.raises(SettingsError, match="cannot be made"), workspace("x", str(tmp_path)):
            pass
