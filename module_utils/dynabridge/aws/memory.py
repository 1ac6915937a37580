# SPDX-License-Identifier: MIT
"""A side's memory of deletes: its tombstones table."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from ..changes import identity
from ..stamps import Item, StampNames
from ..tombstones import KEY, RETENTION_DAYS, Remember, Remembered, read_row, row_condition, row_key, row_of
from .writes import Settled, Write, Writer, read_items

DAY = 86400


class Memory:
    """Reads and writes what the side remembers of items. ``keep_seconds``: how long from now."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        names: StampNames,
        keep_seconds: float = RETENTION_DAYS * DAY,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb, self._table, self._names = dynamodb, table, names
        self._keep_seconds, self._now, self._pause = keep_seconds, now, pause
        self._writer = Writer(dynamodb, pause=pause)

    def places(self, items: Collection[tuple[str, Item]]) -> dict[tuple, Remembered]:
        """What is remembered of items (table, keys), by ``changes.identity``; an item not in it is not remembered."""
        wanted = {row_key(table, keys)[KEY]["S"]: identity(table, keys) for table, keys in items}
        keys = [{KEY: {"S": name}} for name in wanted]
        rows = read_items(self._dynamodb, self._table, keys, self._pause)
        return {wanted[row[KEY]["S"]]: read_row(row, self._names) for row in rows}

    def remember(self, entries: Collection[Remember]) -> Settled:
        """Note the places; refused means that the same or a later one is remembered already."""
        return self._writer.write(write for entry in entries for write in self.writes_of(entry))

    def writes_of(self, entry: Remember) -> list[Write]:
        """What notes a place, for those who write it together with something else."""
        row = row_of(entry, self._now(), self._keep_seconds, self._names)
        arguments = {"TableName": self._table, "Item": row}
        return [Write(entry, "Put", arguments | row_condition(entry, self._names))]
