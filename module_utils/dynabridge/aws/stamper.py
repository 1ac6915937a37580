# SPDX-License-Identifier: MIT
"""Gives rows a stamp of the hybrid clock: rows that local writers left without one that is later than what they replaced."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..changes import identity
from ..clock import issue
from ..conflict import Lift, lift_condition, row_place
from ..errors import MalformedRecord
from ..stamps import Item, Stamp, StampNames, stamp_attributes
from .writes import Write, Writer, read_items


@dataclass
class LiftOutcome:
    """What became of each lift.

    lifted: (lift, the stamp it has now). later: (lift, the row), which is later than the floor already. gone: there is no
    such row, or another one since. poison, unsettled: (lift, reason).
    """

    lifted: list[tuple[Lift, Stamp]] = field(default_factory=list)
    gone: list[Lift] = field(default_factory=list)
    later: list[tuple[Lift, Item]] = field(default_factory=list)
    poison: list[tuple[Lift, str]] = field(default_factory=list)
    unsettled: list[tuple[Lift, str]] = field(default_factory=list)


class Stamper:
    """Stamps rows of one side through a low-level DynamoDB client."""

    def __init__(
        self,
        dynamodb: Any,
        names: StampNames,
        region: str,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb, self._names, self._region, self._now, self._pause = dynamodb, names, region, now, pause
        # One at a time: a transaction would make a writer's next write to the same row fail with TransactionConflict.
        self._writer = Writer(dynamodb, write_batch=1, pause=pause)

    def lift(self, lifts: list[Lift]) -> LiftOutcome:
        """Settle the lifts, at most one an item."""
        outcome = LiftOutcome()
        writes = []
        for lift in lifts:
            try:
                stamp = issue(self._now() + lift.ahead, lift.floor.stamp, lift.pair, lift.keys, self._region)
            except MalformedRecord as error:
                outcome.poison.append((lift, str(error)))
            else:
                writes.append(Write((lift, stamp), "Update", self._update(lift, stamp)))
        settled = self._writer.write(writes)
        outcome.lifted = settled.applied
        outcome.poison += [(lift, reason) for (lift, _stamp), reason in settled.poison]
        outcome.unsettled = [(lift, reason) for (lift, _stamp), reason in settled.unsettled]
        self._look_at([lift for lift, _stamp in settled.refused], outcome)
        return outcome

    def _update(self, lift: Lift, stamp: Stamp) -> dict[str, Any]:
        condition = lift_condition(lift, self._names)
        attributes = stamp_attributes(stamp, self._names)
        return {
            "TableName": lift.table,
            "Key": lift.keys,
            **condition,
            "UpdateExpression": "SET #t = :newt, #r = :newr",
            "ExpressionAttributeNames": condition["ExpressionAttributeNames"]
            | {"#t": self._names.timestamp, "#r": self._names.region},
            "ExpressionAttributeValues": condition.get("ExpressionAttributeValues", {})
            | {":newt": attributes[self._names.timestamp], ":newr": attributes[self._names.region]},
        }

    def _look_at(self, refused: list[Lift], outcome: LiftOutcome) -> None:
        """Why a lift was refused: the row is gone, or it is later."""
        by_table: dict[str, list[Lift]] = {}
        for lift in refused:
            by_table.setdefault(lift.table, []).append(lift)
        for table, lifts in by_table.items():
            rows = read_items(self._dynamodb, table, [lift.keys for lift in lifts], pause=self._pause)
            found = {identity(table, {name: row[name] for name in lifts[0].keys}): row for row in rows}
            for lift in lifts:
                row = found.get(identity(table, lift.keys))
                if row is not None and row_place(row, self._names) > lift.floor:
                    outcome.later.append((lift, row))
                else:
                    outcome.gone.append(lift)
