# SPDX-License-Identifier: GPL-3.0-or-later
"""Any history of a table, brought back to any second of it from what lies on S3: merged, applied, and as it really was."""

import json
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dynabridge.aws.change_sources import Sources
from dynabridge.aws.merging import Merging
from dynabridge.change_lines import item_line, key_of
from dynabridge.exports import lines_of
from dynabridge.last_states import is_deleted, item_of
from dynabridge.merge import Merged, merge
from tests.export_files import MOMENT, TABLE
from tests.merge_ground import plan_of, schema_with
from tests.restore_world import World

TENTH, SECOND = 100_000, 1_000_000  # microseconds
MARGIN = 60  # seconds by which the clock of exports may be off
TYPES = {
    "text": {"PK": "S"},
    "binary": {"PK": "B"},
    "number": {"PK": "N"},
    "composite": {"PK": "S", "SK": "N"},
    "binary_sort": {"PK": "N", "SK": "B"},
}
NAMES = ["", "a", "é"]
VALUES = {
    "S": lambda n: f'k{n}"NewImage":',
    "B": lambda n: ["AA==", "AAA=", "AAAA", "/w=="][n],
    "N": lambda n: str(10**n),
}
LARGE, TINY = 1 << 28, 1  # budgets: all in memory; all in files
NUMBERS_FROM = 10**21 - 20  # sequence numbers grow by a digit on the way


@dataclass(frozen=True)
class Write:
    """``at``: microseconds after MOMENT."""

    at: int
    number: int
    keys: dict
    old: dict | None
    new: dict | None


class History:
    """What was written to a table. Steps: (tenths of a second since the one before, item, kind of write)."""

    def __init__(self, types, steps):
        self.types, self.writes = types, []
        images, at = {}, 0
        for index, (pause, number, kind) in enumerate(steps):
            at += pause * TENTH
            old = images.get(number)
            new = None if kind == "delete" else self._image(number, index, old if kind == "update" else None)
            if old is None and new is None:
                continue  # a delete of nothing writes no record
            images = images | {number: new}
            self.writes.append(Write(at, NUMBERS_FROM + index, self._keys(number), old, new))
        self.end = at + SECOND

    def _keys(self, number):
        # Items share a partition where there is a sort key.
        shared = 0 if len(self.types) > 1 else number
        return {name: {kind: VALUES[kind](shared if name == "PK" else number)} for name, kind in self.types.items()}

    def _image(self, number, index, old):
        return (old or {}) | self._keys(number) | {f"at{index % 3}": {"N": str(index)}, "text": {"S": NAMES[index % 3]}}

    def before(self, end):
        """The items of all writes strictly before it."""
        items = {}
        for write in self.writes:
            if write.at < end:
                items[json.dumps(write.keys)] = write.new
        return [item for item in items.values() if item]

    def records(self, start):
        """The stream's records of the writes from then on: their times are of whole seconds."""
        return [
            {
                "eventID": f"{write.number:032x}",
                "dynamodb": {
                    "ApproximateCreationDateTime": float(MOMENT + write.at // SECOND),
                    "SequenceNumber": str(write.number),
                    "Keys": write.keys,
                    **{
                        name: image
                        for name, image in (("OldImage", write.old), ("NewImage", write.new))
                        if image is not None
                    },
                },
            }
            for write in self.writes
            if write.at >= start
        ]

    def window(self, start, end):
        """Lines of an incremental export: the net change of each item, none for what was born and gone within."""
        touched = {}
        for write in self.writes:
            if start <= write.at < end:
                first = touched.get(json.dumps(write.keys), (write.old,))[0]
                touched[json.dumps(write.keys)] = (first, write)
        return [
            json.dumps(
                {
                    "Metadata": {"WriteTimestampMicros": {"N": str(int(MOMENT) * SECOND + write.at)}},
                    "Keys": write.keys,
                    **({"OldImage": first} if first else {}),
                    **({"NewImage": write.new} if write.new else {}),
                },
                separators=(",", ":"),
            ).encode()
            for first, write in touched.values()
            if first or write.new
        ]


steps = st.tuples(
    st.sampled_from([0, 0, 1, 1, 2, 3, 7, 10, 26, 300, 20_000]),
    st.integers(0, 3),
    st.sampled_from(["put", "put", "update", "delete"]),
)
# Long ones too: lists are short by themselves, and disorder shows where items change often.
histories = st.builds(
    History,
    st.sampled_from(list(TYPES.values())),
    st.lists(steps, max_size=8) | st.lists(steps, min_size=15, max_size=40),
)


def seconds(micros):
    return micros / SECOND


def texts(items):
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def item_lines(items):
    return [item_line(item).rstrip(b"\n") for item in items]


class Ground:
    """A history's full backup, windows and captured log in a bucket, in disorder."""

    def __init__(self, history, draw):
        self.history, self.draw = history, draw
        self.world, self.schema = World(), schema_with(history.types)

    def tenths(self, start, end):
        """A moment from start to end, both included."""
        return self.draw(st.integers(-(-start // TENTH), end // TENTH)) * TENTH

    def full(self, moment, shown=None):
        """A full backup, which may show another moment than it says."""
        items = self.draw(st.permutations(item_lines(self.history.before(moment if shown is None else shown))))
        cut = self.draw(st.integers(0, len(items)))
        return self.world.backup(seconds(moment), [items[:cut], items[cut:]], schema=self.schema)

    def window(self, start, end):
        found = self.draw(st.permutations(self.history.window(start, end)))
        edges = (seconds(start), seconds(end))
        return self.world.backup(seconds(end), [found[::2], found[1::2]], window=edges, schema=self.schema)

    def capture(self, start):
        """The log from then on, whatever comes after; batches in any order, some again and cut in another way."""
        records = self.history.records(start)
        size = self.draw(st.integers(1, 15))
        batches = [records[at : at + size] for at in range(0, len(records), size)]
        # Parts of batches come again by themselves, as after a timeout: they lie behind what is newer.
        for _again in range(self.draw(st.integers(0, 3))):
            begin = self.draw(st.integers(0, len(records)))
            batches.append(records[begin : begin + self.draw(st.integers(1, 8))])
        for batch in self.draw(st.permutations(batches)):
            self.world.capture(batch)
        foreign = [
            record | {"dynamodb": {name: value for name, value in record["dynamodb"].items() if name != "NewImage"}}
            for record in records
        ]
        for table in (f"{TABLE}-2", "user"):
            self.world.capture(foreign, table)  # deletes of the same keys, elsewhere

    def check(self, plan, end):
        """Merged and applied, in memory and in files, once and twice: the items are those of before the moment."""
        expected = texts(self.history.before(end))
        budget = self.draw(st.sampled_from([LARGE, TINY]))
        with tempfile.TemporaryDirectory() as directory:
            assert texts(self.merged(plan, budget, directory)) == expected
        with tempfile.TemporaryDirectory() as directory:
            sources = Sources(self.world.objects, plan)
            states = sources.last_states(Path(directory), budget)
            names = sources.key_names()
            base = {key_of(item, names): item for item in self.lines(sources.base_lines())}
            once = applied(base, states)
            assert texts(once.values()) == expected
            assert texts(applied(once, states).values()) == expected, "applied twice"
            again = merge(item_lines(once.values()), states, Merged())
            assert texts(self.lines(again)) == expected, "merged twice"

    def merged(self, plan, budget, directory):
        merged = Merging(self.world.objects, plan, "copy", directory=directory, budget=budget).merge()
        for file in merged.files:
            yield from self.lines(lines_of([self.world.s3.objects[file.key]]))

    @staticmethod
    def lines(found):
        return [json.loads(line)["Item"] for line in found]


def applied(base, states):
    items = dict(base)
    for number in states.numbers():
        for key, state in states.part(number).items():
            if is_deleted(state):
                items.pop(key, None)
            else:
                items[key] = item_of(state)
    return items


@settings(deadline=None, max_examples=60)
@given(st.data(), histories)
def test_any_second_from_a_full_backup_and_the_captured_log(data, history):
    """GIVEN a full backup at any moment, and a log from before it on, delivered in disorder and more than once, with other
    tables' logs beside it WHEN brought back to any later second THEN the items are those that all writes before it had left."""
    ground = Ground(history, data.draw)
    base = ground.tenths(0, history.end)
    start = ground.tenths(0, base) // SECOND * SECOND
    end = data.draw(st.integers(-(-base // SECOND), history.end // SECOND + 2)) * SECOND
    folder = ground.full(base)
    ground.capture(start)
    ground.check(plan_of(ground.world, folder, seconds(start), seconds(end)), end)


@settings(deadline=None, max_examples=60)
@given(st.data(), histories, st.integers(-MARGIN * 10, MARGIN * 10))
def test_any_second_though_the_clock_of_exports_is_off(data, history, off):
    """GIVEN a full backup that shows the table up to a minute before or after the moment that it says WHEN brought back to any
    second at least a minute later, by a log from a minute before it THEN the items are right."""
    ground = Ground(history, data.draw)
    base = ground.tenths(0, history.end)
    start = base - MARGIN * SECOND
    end = data.draw(st.integers(-(-base // SECOND) + MARGIN, history.end // SECOND + MARGIN + 2)) * SECOND
    folder = ground.full(base, base + off * TENTH)
    ground.capture(start)
    ground.check(plan_of(ground.world, folder, seconds(start), seconds(end)), end)


@settings(deadline=None, max_examples=60)
@given(st.data(), histories)
def test_any_second_by_windows_and_then_the_captured_log(data, history):
    """GIVEN incrementals from the full backup on, each from the end of the one before, and a log from before their end on WHEN
    brought back to a second after them, or to their very end without a log THEN the items are right."""
    ground = Ground(history, data.draw)
    base = ground.tenths(0, history.end)
    edges = sorted({base, *(ground.tenths(base, history.end) for _edge in range(data.draw(st.integers(0, 3))))})
    folder = ground.full(base)
    windows = [ground.window(*edge) for edge in pairwise(edges)]
    if data.draw(st.booleans()):
        plan = plan_of(ground.world, folder, None, seconds(edges[-1]), windows)
        ground.check(plan, edges[-1])
        return
    start = ground.tenths(0, edges[-1]) // SECOND * SECOND
    end = data.draw(st.integers(-(-edges[-1] // SECOND), history.end // SECOND + 2)) * SECOND
    ground.capture(start)
    ground.check(plan_of(ground.world, folder, seconds(start), seconds(end), windows), end)
