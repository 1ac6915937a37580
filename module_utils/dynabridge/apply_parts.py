# SPDX-License-Identifier: MIT
"""The last states of changes as what is written of them: parts that are settled one after the other, in batches.

A part is the same set of items in every run over the same changes, so that a run that was stopped goes on with the first
part that was not settled.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .attributes import to_boto
from .change_lines import ChangeLine
from .changes import DELETE, PUT, Change
from .errors import MalformedRecord
from .last_states import PARTS, Key, LastStates
from .stamps import Item, StampNames

PART_ITEMS = 2000  # of what was held in memory: enough for all workers, few enough to begin again with
BATCH_BYTES = 8 << 20  # of lines; BatchWriteItem takes 16 MB
GONE = "deleted"
_GONE_BEGINS = b'{"Item":{"deleted":{"M":'


class Entry(NamedTuple):
    """An item's key and the line of its last state; empty: it was deleted."""

    key: Key
    line: bytes


def count_of_parts(states: LastStates) -> int:
    """How many parts there are."""
    if states.spilled:
        return len(states.numbers())
    return max(1, min(PARTS, math.ceil(len(states.part(0)) / PART_ITEMS)))


def parts_of(states: LastStates, first: int = 0) -> Iterator[tuple[int, list[Entry]]]:
    """The parts from number ``first`` on, each with its number."""
    if states.spilled:
        for number in states.numbers()[first:]:
            yield number, [Entry(key, line) for key, (_order, line) in states.part(number).items()]
        return
    groups: list[list[Entry]] = [[] for _group in range(count_of_parts(states))]
    for key, (_order, line) in states.part(0).items():
        groups[zlib.crc32(repr(key).encode()) % len(groups)].append(Entry(key, line))
    yield from list(enumerate(groups))[first:]


def batches_of(entries: Iterable[Entry], most: int) -> Iterator[list[Entry]]:
    """Lists of at most ``most`` entries and ``BATCH_BYTES`` of lines."""
    batch: list[Entry] = []
    room = BATCH_BYTES
    for entry in entries:
        if batch and (len(batch) == most or len(entry.line) > room):
            yield batch
            batch, room = [], BATCH_BYTES
        batch.append(entry)
        room -= len(entry.line)
    if batch:
        yield batch


def keys_of(key: Key, names: tuple[str, ...]) -> Item:
    """The key's attributes, in JSON form."""
    return {name: {kind: value} for name, (kind, value) in zip(names, key, strict=True)}


def request_of(entry: Entry, names: tuple[str, ...]) -> dict[str, Any]:
    """The request of BatchWriteItem, in boto form."""
    change = change_of(entry, "", names)
    if change.operation == PUT:
        return {"PutRequest": {"Item": to_boto(change.image)}}
    return {"DeleteRequest": {"Key": to_boto(change.keys)}}


def with_grave(change: ChangeLine, names: StampNames) -> ChangeLine:
    """A delete as a state that keeps the key as it was written, and the stamp of what it deleted; a put as it is.

    Such a state has no attribute of the key, which every item has. Key: a number has several spellings, and what a state is
    looked up by is not always the table's own.
    """
    if change.new is not None:
        return change
    stamp = {name: change.old[name] for name in names if name in change.old} if change.old else {}
    return change._replace(new={GONE: {"M": {"keys": {"M": change.keys}, "stamp": {"M": stamp}}}})


def is_delete(line: bytes) -> bool:
    """Whether a state says that the item was deleted."""
    return not line or (line.startswith(_GONE_BEGINS) and json.loads(line)["Item"].keys() == {GONE})


def change_of(entry: Entry, table: str, names: tuple[str, ...]) -> Change:
    """The change that leads to the state. Of a delete without grave the key is spelled as it is looked up.

    Raises MalformedRecord for an item without its key.
    """
    if not entry.line:
        return Change(DELETE, table, keys_of(entry.key, names), {})
    item = json.loads(entry.line)["Item"]
    if is_delete(entry.line):
        grave = item[GONE]["M"]
        return Change(DELETE, table, grave["keys"]["M"], grave["stamp"]["M"])
    if any(name not in item for name in names):
        raise MalformedRecord(f"the changes hold an item without {' + '.join(names)}")
    return Change(PUT, table, {name: item[name] for name in names}, item)
