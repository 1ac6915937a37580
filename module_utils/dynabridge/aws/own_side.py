# SPDX-License-Identifier: MIT
"""What the sender does on its own side: remember deletes, take back what slipped in behind them, stamp rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..changes import PUT, Change, identity
from ..conflict import NOWHERE, Place, row_place
from ..history import Findings, Policy
from ..stamps import StampNames
from ..tombstones import Remember, Remembered
from .apply import Applier
from .memory import Memory
from .stamper import LiftOutcome, Stamper
from .writes import read_items


@dataclass
class Settlement:
    """What could not be settled: (position of the stream record, reason)."""

    tally: Counter[str] = field(default_factory=Counter)
    poison: list[tuple[int, str]] = field(default_factory=list)
    unsettled: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class OwnSide:
    """The sender's own side: its tables and its memory."""

    dynamodb: Any
    names: StampNames
    memory: Memory
    stamper: Stamper

    def remembered(self, table: str, keys: list[dict]) -> dict[tuple, Remembered]:
        return self.memory.places([(table, key) for key in keys]) if keys else {}

    def settle(self, findings: list[tuple[int, Findings]], policy: Policy) -> Settlement:
        """Make the side what the findings, (first position, findings), say of one table's items. Raises TableUnavailable."""
        settlement = Settlement()
        new = [(position, found.keys, found.remember) for position, found in findings if found.remember is not None]
        self._remember(new, policy, settlement)
        # Remembered before or not: a sender that died in between begins again here.
        self._take_back([(position, found) for position, found in findings if found.deleted], policy, settlement)
        lifts = [found.lift for _position, found in findings if found.lift is not None]
        if lifts:
            self._lift(lifts, policy, settlement)
        return settlement

    def _remember(self, entries: list[tuple[int, dict, Place]], policy: Policy, settlement: Settlement) -> None:
        if not entries:
            return
        remembers = [Remember(policy.table, keys, place) for _position, keys, place in entries]
        positions = {id(entry): position for entry, (position, _keys, _place) in zip(remembers, entries, strict=True)}
        settled = self.memory.remember(remembers)
        settlement.poison += [(positions[id(entry)], reason) for entry, reason in settled.poison]
        settlement.unsettled += [(positions[id(entry)], reason) for entry, reason in settled.unsettled]

    def _take_back(self, deleted: list[tuple[int, Findings]], policy: Policy, settlement: Settlement) -> None:
        """An older change of the peer's can have come in between the delete and its being remembered."""
        if not deleted:
            return
        wanted = {identity(policy.table, found.keys): (position, found) for position, found in deleted}
        slipped = []
        for row in read_items(self.dynamodb, policy.table, [found.keys for _position, found in deleted]):
            keys = {name: row[name] for name in deleted[0][1].keys}
            position, found = wanted[identity(policy.table, keys)]
            place = row_place(row, self.names)
            if policy.is_of_peer(place.stamp, keys) and found.deleted and place < found.deleted:
                slipped.append(Change(PUT, policy.table, keys, row, position=position))
        if slipped:
            settled = Applier(self.dynamodb, self.names, self.memory).withdraw(slipped)
            settlement.tally["late"] += len(settled.applied)
            settlement.unsettled += [(change.position, reason) for change, reason in settled.unsettled]

    def _lift(self, lifts: list[Any], policy: Policy, settlement: Settlement) -> None:
        outcome = self.stamper.lift(lifts)
        settlement.tally["given_stamps"] += len(outcome.lifted)
        settlement.tally["overwritten"] += self._overwritten(outcome, policy)
        settlement.poison += [(lift.position, reason) for lift, reason in outcome.poison]
        settlement.unsettled += [(lift.position, reason) for lift, reason in outcome.unsettled]
        gone = [lift for lift in outcome.gone if lift.floor != NOWHERE]
        self._remember([(lift.position, lift.keys, lift.floor) for lift in gone], policy, settlement)

    def _overwritten(self, outcome: LiftOutcome, policy: Policy) -> int:
        peer = policy.peer_region.encode()
        return sum(row_place(row, self.names).stamp.region == peer for _lift, row in outcome.later)
