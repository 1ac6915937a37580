# SPDX-License-Identifier: MIT
"""What one item's stream records mean: what the peer has to hear, what this side has to remember or to stamp.

The sender walks each item's records in the order of the stream and keeps the greatest place the item has reached here.
Whatever comes to stand after it is news; whatever does not is a write without a usable stamp, and gets one from the
hybrid clock. So every write that stands here ends with a place after all that it replaced.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from .changes import DELETE, PUT, Change, images_of, is_delete, is_expiry, keys_of, written_at
from .clock import at_most, is_ahead, issued
from .conflict import NOWHERE, Lift, Place
from .stamps import NO_TIME, NUMBER_TIME, Item, Stamp, StampNames, read_stamp, stamp_attributes
from .tombstones import Remembered

# A stamp of the peer's that is older than this when the write shows up here comes from a backlog, or from a copied item.
OLD_ECHO = 900.0


@dataclass(frozen=True)
class Policy:
    """What a sender has to know to judge a table's records.

    table, twin: the table here and on the peer. managed: writers know nothing of stamps. latest: stamps beyond this
    (epoch seconds) are brought back; 0 = no bound.
    """

    table: str
    twin: str
    region: str
    peer_region: str
    names: StampNames = StampNames()
    managed: bool = False
    replicate_ttl_deletes: bool = False
    latest: float = 0.0

    @property
    def pair(self) -> str:
        """Names both tables, the same on both sides."""
        return "|".join(sorted((self.table, self.twin)))


@dataclass
class Findings:
    """What a batch says of one item.

    send: the last change that is news to the peer. lift: the row needs a stamp. remember: the item was deleted here (or
    has lost its stamp) at this place. tally: how many records were what. named: (what, record) for the log.
    """

    keys: Item
    send: Change | None = None
    lift: Lift | None = None
    remember: Place | None = None
    tally: Counter[str] = field(default_factory=Counter)
    named: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def asks_memory(record: dict[str, Any], names: StampNames) -> bool:
    """Whether a record can be judged only with what the side remembers: its images do not show what was before."""
    old, _new = images_of(record)
    return is_delete(record) or old is None or read_stamp(old, names).kind == NO_TIME


def walk(records: list[tuple[int, dict[str, Any]]], remembered: Remembered | None, policy: Policy) -> Findings:
    """Walk one item's records, (position in the batch, record), in the order of the stream."""
    walker = _Walker(remembered, policy, keys_of(records[0][1]))
    for position, record in records:
        if is_delete(record):
            walker.delete(position, record)
        else:
            walker.write(position, record)
    return walker.found


class _Walker:
    def __init__(self, remembered: Remembered | None, policy: Policy, keys: Item) -> None:
        self.remembered, self.policy, self.found = remembered, policy, Findings(keys)
        self.reached = remembered.place if remembered else NOWHERE

    def delete(self, position: int, record: dict[str, Any]) -> None:
        old, _new = images_of(record)
        self._pass(self._credible(read_stamp(old, self.policy.names)))
        self.reached = Place(self.reached.stamp, True)
        known = self.remembered
        if known is None or known.place < self.reached:
            self.found.remember = self.reached
        self.found.lift = None
        if known is not None and known.from_peer and known.place >= self.reached:
            self.found.tally["echoes"] += 1  # the peer deleted it: it need not hear of it
            self.found.send = None
        elif is_expiry(record) and not self.policy.replicate_ttl_deletes:
            self.found.tally["expired"] += 1
        else:
            self._send(DELETE, stamp_attributes(self.reached.stamp, self.policy.names), position, record)

    def write(self, position: int, record: dict[str, Any]) -> None:
        old, new = images_of(record)
        stamp = read_stamp(new, self.policy.names)
        by_bridge = issued(stamp, self.policy.pair, self.found.keys)
        self._pass_old(old, stamp, by_bridge)
        trusted = by_bridge or not self.policy.managed
        if stamp.kind != NO_TIME and trusted and Place(stamp) > self.reached:
            self._news(position, record, stamp)
        else:
            self._without_stamp(position, record, stamp, by_bridge)

    def _news(self, position: int, record: dict[str, Any], stamp: Stamp) -> None:
        if stamp.region == self.policy.peer_region.encode():
            self._echo(record, stamp)
        elif is_ahead(stamp, self.policy.latest):
            return self._lift(position, record, stamp, "ahead")
        else:
            self._send(PUT, images_of(record)[1], position, record)
        self.found.lift = self.found.remember = None
        self.reached = Place(stamp)
        return None

    def _echo(self, record: dict[str, Any], stamp: Stamp) -> None:
        """The receiver wrote it: only it writes a stamp of the peer's that is later than all that was here."""
        self.found.tally["echoes"] += 1
        if self.found.lift is not None:
            self._name("overwritten", record)
        if not self.policy.managed and _age(stamp, record) > OLD_ECHO:
            self._name("old_echoes", record)
        self.found.send = None  # the peer issued a later one

    def _without_stamp(self, position: int, record: dict[str, Any], stamp: Stamp, by_bridge: bool) -> None:
        old, new = images_of(record)
        unchanged = stamp.kind == NO_TIME or (old is not None and stamp == read_stamp(old, self.policy.names))
        if self.policy.managed:
            return self._lift(position, record, stamp, "lifted" if by_bridge and not unchanged else "stamped")
        if not unchanged:
            return self._lift(position, record, stamp, "lifted")
        self._name("unstamped", record)
        if old is None:
            self._send(PUT, new, position, record)  # fills a gap on the peer's side, beats nothing
        if stamp.kind == NO_TIME and self.reached != NOWHERE:
            self.found.remember = self.reached  # the row no longer shows how late it was
        return None

    def _lift(self, position: int, record: dict[str, Any], stamp: Stamp, what: str) -> None:
        self._name(what, record)
        self._pass(self._credible(stamp))
        seen = stamp if stamp > self.reached.stamp else None
        self.found.lift = Lift(self.policy.table, self.found.keys, self.policy.pair, self.reached, seen, position)

    def _pass_old(self, old: Item | None, new: Stamp, by_bridge: bool) -> None:
        """Take in what the write replaced; not the stamp beyond the bound that the bridge itself brought back."""
        if old is None:
            return
        stamp = read_stamp(old, self.policy.names)
        brought_back = by_bridge and new.region == self.policy.region.encode() and is_ahead(stamp, self.policy.latest)
        if not brought_back:
            self._pass(self._credible(stamp))

    def _credible(self, stamp: Stamp) -> Place:
        return Place(at_most(stamp, self.policy.latest))

    def _pass(self, place: Place) -> None:
        self.reached = max(self.reached, place)

    def _send(self, operation: str, image: Item, position: int, record: dict[str, Any]) -> None:
        change = Change(operation, self.policy.twin, self.found.keys, image, 1, written_at(record), position)
        earlier = self.found.send
        if earlier is not None:
            change = replace(change, count=earlier.count + 1, position=earlier.position)
        self.found.send = change

    def _name(self, what: str, record: dict[str, Any]) -> None:
        self.found.tally[what] += 1
        self.found.named.append((what, record))


def _age(stamp: Stamp, record: dict[str, Any]) -> float:
    """Seconds from the stamp to the write; 0 where the stamp is not a number of seconds."""
    return written_at(record) - float(stamp.time) if stamp.kind == NUMBER_TIME else 0.0
