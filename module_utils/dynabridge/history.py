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
# Between the receiver's look into the memory and its write, with its tries again, less time passes than this.
SLIP_SECONDS = 5.0


@dataclass(frozen=True)
class Policy:
    """What a sender has to know to judge a table's records.

    table, twin: the table here and on the peer. managed: writers know nothing of stamps. max_ahead: seconds that a stamp
    may be ahead of its write before it is brought back; 0 = no bound.
    """

    table: str
    twin: str
    region: str
    peer_region: str
    names: StampNames = StampNames()
    managed: bool = False
    replicate_ttl_deletes: bool = False
    max_ahead: float = 0.0

    @property
    def pair(self) -> str:
        """Names both tables, the same on both sides."""
        return "|".join(sorted((self.table, self.twin)))

    def is_of_peer(self, stamp: Stamp, keys: Item) -> bool:
        """Whether a row with this stamp may be a version that the receiver wrote.

        A managed peer sends what the bridge stamped for this very item: any other is an item that was copied here.
        """
        by_region = stamp.kind != NO_TIME and stamp.region == self.peer_region.encode()
        return by_region and (not self.managed or issued(stamp, self.pair, keys))

    def latest(self, record: dict[str, Any]) -> float:
        """The latest credible stamp at a record's write; by the record's time, so that it stays the same when it comes again.

        AWS rounds that time down to the second.
        """
        return written_at(record) + 1 + self.max_ahead if self.max_ahead else 0.0


@dataclass
class Findings:
    """What a batch says of one item.

    send: the last change that is news to the peer. lift: the row needs a stamp. remember: a place that the side does not
    remember yet: the item was deleted here, or its row has lost its stamp. deleted: the place of the local delete with which
    the records end, remembered or not. tally: how many records were what. named: (what, record) for the log.
    """

    keys: Item
    send: Change | None = None
    lift: Lift | None = None
    remember: Place | None = None
    deleted: Place | None = None
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
        self._pass_replaced(read_stamp(old, self.policy.names), record)  # type: ignore[arg-type]  # a REMOVE has it
        self.reached = Place(self.reached.stamp, True)
        known = self.remembered
        if known is None or known.place < self.reached:
            self.found.remember = self.reached
        self.found.lift, self.found.deleted = None, self.reached
        if known is not None and known.from_peer and known.place >= self.reached:
            self.found.tally["echoes"] += 1  # the peer deleted it: it need not hear of it
            self.found.send = self.found.deleted = None  # and the receiver looks after what comes in behind
        elif is_expiry(record) and not self.policy.replicate_ttl_deletes:
            self.found.tally["expired"] += 1
        else:
            self._send(DELETE, stamp_attributes(self.reached.stamp, self.policy.names), position, record)

    def write(self, position: int, record: dict[str, Any]) -> None:
        old, new = images_of(record)
        stamp = read_stamp(new, self.policy.names)  # type: ignore[arg-type]  # a write has it
        by_bridge = issued(stamp, self.policy.pair, self.found.keys)
        if old is not None and not self._brought_back(old, stamp, by_bridge, record):
            self._pass_replaced(read_stamp(old, self.policy.names), record)
        trusted = by_bridge or not self.policy.managed
        if self._slipped_in(old, stamp):
            self._name("taken_back", record)
            return
        self.found.deleted = self._deleted_since(old, stamp, record)
        if self.found.deleted is not None:
            self.found.tally["echoes"] += 1
            self.found.lift = None
            return
        if stamp.kind != NO_TIME and trusted and Place(stamp) > self.reached:
            self._news(position, record, stamp)
        else:
            self._without_stamp(position, record, stamp, by_bridge)

    def _slipped_in(self, old: Item | None, stamp: Stamp) -> bool:
        """Whether this is an older version of the peer's that came in before a delete of this batch was remembered.

        A writer that puts back the peer's version, stamp and all, within that time looks just the same.
        """
        deleted = self.found.deleted
        of_peer = self.policy.is_of_peer(stamp, self.found.keys)
        return old is None and deleted is not None and of_peer and Place(stamp) < deleted

    def _deleted_since(self, old: Item | None, stamp: Stamp, record: dict[str, Any]) -> Place | None:
        """The delete that is remembered, if this is an older version of the peer's that came in before, or just then.

        Then the receiver has written it, has deleted it since or is about to take it back, and the record is late. A writer
        that puts back the peer's version, stamp and all, within that time looks just the same.
        """
        known = self.remembered
        if old is not None or known is None or not known.place.is_delete or not Place(stamp) < known.place:
            return None
        just_then = written_at(record) <= known.at + SLIP_SECONDS
        return known.place if just_then and self.policy.is_of_peer(stamp, self.found.keys) else None

    def _news(self, position: int, record: dict[str, Any], stamp: Stamp) -> None:
        if self._ahead(stamp, record):
            self._lift(position, record, stamp, "ahead")  # the peer sends none such: whoever wrote it wrote it here
            return
        if stamp.region == self.policy.peer_region.encode():
            self._echo(record, stamp)
        else:
            self._send(PUT, images_of(record)[1], position, record)  # type: ignore[arg-type]  # a write has it
        self.found.lift = self.found.remember = None
        self.reached = Place(stamp)

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
            self._send(PUT, new, position, record)  # type: ignore[arg-type]  # fills a gap on the peer's side, beats nothing
        if stamp.kind == NO_TIME and self.reached != NOWHERE:
            self.found.remember = self.reached  # the row no longer shows how late it was
        return None

    def _lift(self, position: int, record: dict[str, Any], stamp: Stamp, what: str) -> None:
        self._name(what, record)
        policy = self.policy
        if self._ahead(stamp, record):
            # While it stood here it refused the peer's changes: the new stamp has to come after those, which may be as far
            # ahead as clocks may be.
            seen, ahead = stamp, policy.max_ahead
        else:
            seen, ahead = None, 0.0
            self.reached = max(self.reached, Place(stamp))
        self.found.lift = Lift(policy.table, self.found.keys, policy.pair, self.reached, seen, ahead, position)

    def _brought_back(self, old: Item, new: Stamp, by_bridge: bool, record: dict[str, Any]) -> bool:
        """Whether this write is the bridge's own, which brought back a stamp beyond the bound."""
        mine = by_bridge and new.region == self.policy.region.encode()
        return mine and self._ahead(read_stamp(old, self.policy.names), record)

    def _ahead(self, stamp: Stamp, record: dict[str, Any]) -> bool:
        """Whether a writer's stamp lies beyond the bound. The bridge's own may lie a little beyond, and are trusted."""
        return is_ahead(stamp, self.policy.latest(record)) and not issued(stamp, self.policy.pair, self.found.keys)

    def _pass_replaced(self, stamp: Stamp, record: dict[str, Any]) -> None:
        """What is replaced or deleted was reached; of a stamp beyond the bound, as far as it can have refused anything."""
        credible = at_most(stamp, self.policy.latest(record)) if self._ahead(stamp, record) else stamp
        self.reached = max(self.reached, Place(credible))

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
