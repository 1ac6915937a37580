# SPDX-License-Identifier: MIT
"""The last state of each item that changes tell of, in bounded memory.

Changes are put apart by their items' keys. While all fit into the budget they stay in memory; beyond that they go to files
in a directory, a file for each part, and one part at a time is read back. Nothing is sorted: the last of an item is found
by its order, so lines may come in any order and more than once. A map of bits tells then which items have a change at all,
so that of a base of any size only those lines need a file that may have to be replaced.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .change_lines import ChangeLine, Order, key_of
from .stamps import Item

Key = tuple[tuple[str, Any], ...]
State = tuple[Order, bytes]  # the line of the item; empty: it was deleted
PARTS = 64
PART_SHARE = 0.25  # of the budget that a part may take when it is read back; the rest is the dictionary's own
BUFFER, SMALLEST_BUFFER = 1 << 16, 1 << 12  # of a part's file; there are two of them for each part
OVERHEAD = 400  # bytes that an entry takes beside its line, measured
MARK_BITS = 28  # of the map: 32 MB; of 10 million items that changed it takes one in 27 others for changed


class LastStates:
    """``budget``: bytes to hold in memory. ``expected``: bytes of lines to come, which decides the number of parts.

    ``directory``: where parts that do not fit are written; the caller removes it. ``newest``: time of the newest change in
    microseconds, 0 without any.
    """

    def __init__(self, names: tuple[str, ...], directory: Path, budget: int, expected: int = 0) -> None:
        self.names, self.directory, self.budget = names, directory, budget
        self.parts = max(PARTS, math.ceil(expected / (budget * PART_SHARE)))
        self.spilled = False
        self.buffer = max(SMALLEST_BUFFER, min(BUFFER, budget // (4 * self.parts)))
        self.changes = self.newest = 0
        self._marks = bytearray()
        self._states: dict[Key, State] = {}
        self._size = 0
        self._files: dict[int, SpillFile] = {}

    def add(self, change: ChangeLine, phase: int) -> None:
        """Take a change; one that is older than what is known of its item changes nothing."""
        key, order = key_of(change.keys, self.names), change.order(phase)
        self.changes += 1
        self.newest = max(self.newest, change.micros)
        if self.spilled:
            self._write(key, order, change.item_line())
            return
        known = self._states.get(key)
        if known is None or known[0] <= order:
            line = change.item_line()
            self._states[key] = (order, line)
            self._size += len(line) - len(known[1]) if known else len(line) + OVERHEAD
            if self._size > self.budget:
                self._spill()

    def part_of(self, key: Key) -> int:
        """The part that an item is in: the same in every process."""
        return _number_of(key) % self.parts if self.spilled else 0

    def may_hold(self, key: Key) -> bool:
        """False for an item without a change; True may be wrong once they are in files."""
        if not self.spilled:
            return key in self._states
        place, bit = _mark_of(key)
        return bool(self._marks[place] & bit)

    def part(self, number: int) -> dict[Key, State]:
        """The last states of one part; without spilling there is one part, 0."""
        if not self.spilled:
            return self._states
        states: dict[Key, State] = {}
        for key, order, line in self._read(number):
            known = states.get(key)
            if known is None or known[0] <= order:
                states[key] = (order, line)
        return states

    def numbers(self) -> range:
        """The parts there are."""
        return range(self.parts if self.spilled else 1)

    def file(self, kind: str, number: int) -> SpillFile:
        """A file for lines of a part."""
        return SpillFile(self.directory / f"{kind}-{number:05d}", self.buffer)

    def _spill(self) -> None:
        self.spilled = True
        self._marks = bytearray(1 << MARK_BITS - 3)
        for key, (order, line) in self._states.items():
            self._write(key, order, line)
        self._states, self._size = {}, 0

    def _write(self, key: Key, order: Order, line: bytes) -> None:
        number = self.part_of(key)
        if number not in self._files:
            self._files[number] = self.file("changes", number)
        place, bit = _mark_of(key)
        self._marks[place] |= bit
        # One line a change: its order, its key, its item.
        head = json.dumps([order.phase, order.number, key]).encode()
        self._files[number].write(head + b"\t" + (line or b"\n"))

    def _read(self, number: int) -> Iterator[tuple[Key, Order, bytes]]:
        if number not in self._files:
            return
        for entry in self._files[number].lines():
            head, _tab, line = entry.partition(b"\t")
            phase, position, key = json.loads(head)
            yield tuple((kind, value) for kind, value in key), Order(phase, position), b"" if line == b"\n" else line


def _number_of(key: Key) -> int:
    return zlib.crc32(repr(key).encode())


def _mark_of(key: Key) -> tuple[int, int]:
    """Place and bit of the item in the map."""
    number = _number_of(key) & (1 << MARK_BITS) - 1
    return number >> 3, 1 << (number & 7)


class SpillFile:
    """A file of lines that is written in large pieces and open only while it is: there may be thousands."""

    def __init__(self, path: Path, buffer: int = BUFFER) -> None:
        self.path, self._limit = path, buffer
        self._buffer: list[bytes] = []
        self._size = 0

    def write(self, line: bytes) -> None:
        self._buffer.append(line)
        self._size += len(line)
        if self._size >= self._limit:
            self.flush()

    def flush(self) -> None:
        with open(self.path, "ab") as file:
            file.write(b"".join(self._buffer))
        self._buffer, self._size = [], 0

    def lines(self) -> Iterator[bytes]:
        self.flush()
        with open(self.path, "rb") as file:
            yield from file


def is_deleted(state: State) -> bool:
    """Whether the last that is known of the item is that it was deleted."""
    return not state[1]


def item_of(state: State) -> Item:
    """The item of a state that is not deleted."""
    return json.loads(state[1])["Item"]
