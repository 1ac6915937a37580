# SPDX-License-Identifier: MIT
"""A full backup and the changes after it, merged into the items that were there at a moment.

Written for tables of any size: the base is read once, in whatever order its files come; changes are held as last_states
holds them. Where those do not fit into memory, the base lines of items that changed are put apart in the same way, and each
part is merged by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .change_lines import key_of, read_item
from .errors import DamagedExport
from .last_states import LastStates, SpillFile


@dataclass
class Merged:
    """Counts of a merge: ``kept`` base items as they were, ``replaced``, ``removed``, ``added`` items."""

    kept: int = 0
    replaced: int = 0
    removed: int = 0
    added: int = 0

    @property
    def items(self) -> int:
        return self.kept + self.replaced + self.added


def merge(base: Iterable[bytes], states: LastStates, counts: Merged) -> Iterator[bytes]:
    """The lines of the merged full export, each with its newline. ``base``: lines of a full export; counts are filled."""
    if not states.spilled:
        yield from _merge_part(base, states, 0, counts)
        return
    parts: dict[int, SpillFile] = {}
    yield from _apart(base, states, parts, counts)
    for number in states.numbers():
        part = parts.get(number)
        yield from _merge_part(part.lines() if part else [], states, number, counts)
        if part:
            part.path.unlink(missing_ok=True)


def _merge_part(base: Iterable[bytes], states: LastStates, number: int, counts: Merged) -> Iterator[bytes]:
    known, names = states.part(number), states.names
    met = set()
    for line in base:
        key = base_key(line, names)
        state = known.get(key)
        if state is None:
            counts.kept += 1
            yield _ended(line)
            continue
        met.add(key)
        if state[1]:
            counts.replaced += 1
            yield state[1]
        else:
            counts.removed += 1
    for key, (_order, line) in known.items():
        if line and key not in met:
            counts.added += 1
            yield line


def base_key(line: bytes, names: tuple[str, ...]) -> tuple:
    """The key of a line of a full export. Raises DamagedExport for another line, or another table's."""
    try:
        return key_of(read_item(line), names)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedExport(f"holds a line that is no item with the key {' + '.join(names)}: {line[:80]!r}") from error


def _apart(base: Iterable[bytes], states: LastStates, parts: dict[int, SpillFile], counts: Merged) -> Iterator[bytes]:
    """The lines of items without a change; the others go to the file of their part."""
    for line in base:
        key = base_key(line, states.names)
        if not states.may_hold(key):
            counts.kept += 1
            yield _ended(line)
            continue
        number = states.part_of(key)
        if number not in parts:
            parts[number] = states.file("base", number)
        parts[number].write(_ended(line))


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"
