# SPDX-License-Identifier: MIT
"""Apply changes to tables by the whole conflict rule: rows, and what the side remembers of deletes.

1. Puts that are older than what is remembered are refused.
2. Deletes are carried out and remembered in one moment: whatever comes in finds the row, or the tombstone.
3. Puts are written, and looked up in the memory again: a delete that was remembered meanwhile takes them back.
So an older write never outlives a delete, wherever they race.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..changes import DELETE, PUT, Change
from ..conflict import condition, exact_condition, place
from ..stamps import NO_TIME, StampNames
from ..tombstones import Remember
from .memory import Memory
from .writes import Settled, Write, Writer


@dataclass
class Outcome(Settled):
    """What became of each change; ``late``: refused because a later delete is remembered."""

    late: list[Change] = field(default_factory=list)

    def take(self, settled: Settled) -> None:
        self.applied += settled.applied
        self.refused += settled.refused
        self.poison += settled.poison
        self.unsettled += settled.unsettled


class Applier:
    """Writes changes through a low-level DynamoDB client. At most one change an item may be given at a time."""

    def __init__(
        self,
        dynamodb: Any,
        names: StampNames,
        memory: Memory,
        write_batch: int = 100,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._names, self._memory = names, memory
        self._writer = Writer(dynamodb, write_batch, pause)

    def apply(self, changes: list[Change]) -> Outcome:
        """Settle the changes. Raises TableUnavailable when a table is missing or closed to the caller."""
        outcome = Outcome()
        self._apply_deletes([change for change in changes if change.operation == DELETE], outcome)
        self._apply_puts([change for change in changes if change.operation == PUT], outcome)
        return outcome

    def withdraw(self, changes: list[Change]) -> Settled:
        """Delete rows that bear exactly the stamps of these puts. A row without stamp names no version and stays."""
        return self._writer.write(
            Write(change, "Delete", _keyed(change) | exact_condition(stamp, change.keys, self._names))
            for change in changes
            if (stamp := place(change, self._names).stamp).kind != NO_TIME
        )

    def _apply_deletes(self, deletes: list[Change], outcome: Outcome) -> None:
        outcome.take(self._writer.write_together(map(self._delete_of, deletes)))

    def _delete_of(self, change: Change) -> list[Write]:
        """In one moment: a sender that finds the tombstone beside the row takes the row for an older version that was written
        after the delete, and gives it a new stamp. Of two deletes of a version the first is remembered."""
        entry = Remember(change.table, change.keys, place(change, self._names), from_peer=True)
        return [self._write_of(change), *self._memory.writes_of(entry)]

    def _apply_puts(self, puts: list[Change], outcome: Outcome) -> None:
        late, current = self._by_memory(puts)
        settled = self._writer.write(map(self._write_of, current))
        slipped, settled.applied = self._by_memory(settled.applied)
        outcome.take(settled)
        outcome.late += late + slipped
        outcome.unsettled += self.withdraw(late + slipped).unsettled

    def _by_memory(self, puts: list[Change]) -> tuple[list[Change], list[Change]]:
        """(late, current): puts that come before what is remembered, and the others."""
        if not puts:
            return [], []
        known = self._memory.places([(change.table, change.keys) for change in puts])
        late: list[Change] = []
        current: list[Change] = []
        for change in puts:
            remembered = known.get(change.identity)
            is_late = remembered is not None and place(change, self._names) < remembered.place
            (late if is_late else current).append(change)
        return late, current

    def _write_of(self, change: Change) -> Write:
        arguments = condition(change, self._names)
        if change.operation == PUT:
            return Write(change, "Put", {"TableName": change.table, "Item": change.image} | arguments)
        return Write(change, "Delete", _keyed(change) | arguments)


def _keyed(change: Change) -> dict[str, Any]:
    return {"TableName": change.table, "Key": change.keys}
