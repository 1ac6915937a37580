# SPDX-License-Identifier: MIT
"""Resync of two tables: what differs is found by digests, looked at key by key, and mended through the conflict rule.

Pass 1 reads both tables into digests of buckets. Pass 2 reads one side and then the other, and looks only at keys of
buckets that differ. A key that differs is looked at again after a grace, because most differences under traffic are changes
on their way; then it is decided (``dynabridge.resync``) and written conditionally, so that traffic may go on.

Memory: the buckets, and for each segment a page of items and the keys that wait for their second look.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import changes, resync
from ..attributes import to_boto, to_json
from ..changes import Change, identity
from ..compare import BucketDigests, Rows
from ..conflict import Lift
from ..digest import digest, encode_item
from ..pace import Pace
from ..resync import BOTH, LEFT, RIGHT, SIDES, Decision, Rule, Seen, decide, other, write_units
from ..resync_state import ResyncState
from ..stamps import Item, StampNames, stamp_attributes
from ..tombstones import Remember
from .apply import Applier
from .memory import Memory
from .scan import read_pages, reduce_table
from .stamper import Stamper
from .writes import READ_KEYS, Settled, read_items

# Items of a page of the second pass: where a run goes on is known to the page.
PAGE_ITEMS = 500
# Keys that may wait for their second look, in each segment.
MOST_WAITING = 5000


@dataclass(frozen=True)
class Side:
    """One table, and how it is reached."""

    name: str
    table: str
    client: Any
    memory: Memory
    applier: Applier
    stamper: Stamper
    pace: Pace
    transactions: bool = True

    @classmethod
    def of(
        cls,
        name: str,
        table: str,
        client: Any,
        names: StampNames,
        memory: Memory,
        region: str,
        max_wcu: float = 0,
        write_batch: int = 100,
    ) -> Side:
        applier = Applier(client, names, memory, write_batch)
        stamper = Stamper(client, names, region)
        return cls(name, table, client, memory, applier, stamper, Pace(max_wcu), write_batch > 1)


@dataclass(frozen=True)
class Options:
    """segments: parallel scans of a table. settle: seconds until the second look. repair: False = only look."""

    segments: int = 4
    settle: float = 5.0
    repair: bool = False


class _Key(NamedTuple):
    """A key and how it was found at the second look. keys: in JSON form."""

    keys: Item
    seen: dict[str, Seen]
    decision: Decision


class _Page(NamedTuple):
    """Keys of one scanned page that differed at the first look (boto form), and where the scan goes on."""

    looked_at: float
    keys: list[Item]
    next: Item | None


@dataclass
class Resync:
    """Two sides, left and right, as the rule has them. ``show`` is called now and then with (pass, side)."""

    sides: dict[str, Side]
    rows: Rows
    rule: Rule
    options: Options
    state: ResyncState
    show: Callable[[int, str], None] = lambda _pass, _side: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, resumed: bool = False) -> None:
        """Both passes; the state's counts and examples tell what came of them."""
        if not resumed:
            self._find_buckets()
        try:
            for name in SIDES:
                self._read_side(name)
        finally:
            self.state.save()

    # -- pass 1 ------------------------------------------------------------------------------

    def _find_buckets(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            left, right = pool.map(self._reduce, SIDES)
        differing = left.differing(right)
        # Where a side has no item of a bucket, there is nothing to be found by reading it: an empty twin is not read again.
        buckets = {
            side: [bucket for bucket in differing if digests.counts[bucket]]
            for side, digests in zip(SIDES, (left, right), strict=True)
        }
        self.state.note(equal=left.items - sum(left.counts[bucket] for bucket in differing))
        self.state.begin(buckets, dict(zip(SIDES, (left.items, right.items), strict=True)), self.options.segments)

    def _reduce(self, name: str) -> BucketDigests:
        side, tell = self.sides[name], self._tell

        class Shown(BucketDigests):
            def add(self, items: Iterable[Item]) -> None:
                items = list(items)
                super().add(items)
                tell(1, name, len(items))

        return reduce_table(side.client, side.table, self.options.segments, lambda: Shown(self.rows))

    def _tell(self, number: int, name: str, items: int) -> None:
        self.state.note(None, **{f"pass{number}_{name}": items})
        self.show(number, name)

    # -- pass 2 ------------------------------------------------------------------------------

    def _read_side(self, name: str) -> None:
        left_over = [segment for segment in range(self.options.segments) if not self.state.is_done(name, segment)]
        if not left_over:
            return
        buckets = frozenset(self.state.buckets[name])
        with ThreadPoolExecutor(len(left_over)) as pool:
            try:
                list(pool.map(lambda segment: self._read_segment(name, segment, buckets), left_over))
            except BaseException:
                self._stop.set()  # an interruption reaches this thread only
                raise

    def _read_segment(self, name: str, segment: int, buckets: frozenset[int]) -> None:
        try:
            self._follow(name, segment, self._pages(name, segment, buckets))
        except BaseException:
            self._stop.set()
            raise

    def _follow(self, name: str, segment: int, pages: Iterable[_Page]) -> None:
        """Settle the pages in their order, each when its grace is over."""
        waiting: deque[_Page] = deque()
        for page in pages:
            waiting.append(page)
            while waiting and (self._is_due(waiting[0]) or sum(len(one.keys) for one in waiting) > MOST_WAITING):
                self._settle_page(name, segment, waiting.popleft())
        while waiting and not self._stop.is_set():
            self._settle_page(name, segment, waiting.popleft())

    def _is_due(self, page: _Page) -> bool:
        return not page.keys or self.clock() >= page.looked_at + self.options.settle

    def _pages(self, name: str, segment: int, buckets: frozenset[int]) -> Iterator[_Page]:
        side = self.sides[name]
        start = self.state.start_key(name, segment)
        of_segment = (side.client, side.table, segment, self.options.segments)
        for items, following in read_pages(*of_segment, True, start, PAGE_ITEMS):
            if self._stop.is_set():  # another segment failed
                return
            found = [item for item in items if self.rows.bucket(encode_item(self.rows.key(item))) in buckets]
            keys = [key for chunk in _chunks(found) for key in self._first_look(name, chunk)]
            self.state.note(looked=len(found), equal=len(found) - len(keys) if name == LEFT else 0)
            self._tell(2, name, len(items) - len(keys))
            yield _Page(self.clock(), keys, following)

    def _first_look(self, name: str, items: list[Item]) -> Iterator[Item]:
        """Keys of items of this side that the other one lacks or, on the first side, holds with another content."""
        there = self._digests_of(other(name), [self.rows.key(item) for item in items])
        for item in items:
            key = self.rows.key(item)
            known = there.get(encode_item(key))
            if known is None or (name == LEFT and known != digest(encode_item(item))):
                yield key

    def _digests_of(self, name: str, keys: list[Item]) -> dict[bytes, int]:
        side = self.sides[name]
        if not self.state.items[name]:  # an empty twin
            return {}
        rows = [to_boto(row) for row in read_items(side.client, side.table, [to_json(key) for key in keys])]
        return {encode_item(self.rows.key(row)): digest(encode_item(row)) for row in rows}

    def _settle_page(self, name: str, segment: int, page: _Page) -> None:
        wait = page.looked_at + self.options.settle - self.clock()
        if page.keys and wait > 0:
            self.sleep(wait)
        for chunk in _chunks(page.keys):
            self._settle(name, self._second_look([to_json(key) for key in chunk]))
            self._tell(2, name, len(chunk))
        self.state.reached(name, segment, page.next)

    def _second_look(self, keys: list[Item]) -> Iterator[_Key]:
        seen = {name: self._seen(name, keys) for name in SIDES}
        for key in keys:
            mine = {name: seen[name].get(identity("", key), Seen()) for name in SIDES}
            yield _Key(key, mine, decide(key, mine[LEFT], mine[RIGHT], self.rule))

    def _seen(self, name: str, keys: list[Item]) -> dict[tuple, Seen]:
        side, rows = self.sides[name], self._seen_rows(name, keys)
        memories = side.memory.places([(side.table, key) for key in keys])
        found = {}
        for key in keys:
            row = rows.get(identity("", key))
            content = digest(encode_item(to_boto(row))) if row is not None else 0
            found[identity("", key)] = Seen(row, content, memories.get(identity(side.table, key)))
        return found

    def _seen_rows(self, name: str, keys: list[Item]) -> dict[tuple, Item]:
        side = self.sides[name]
        rows = read_items(side.client, side.table, keys)
        return {identity("", {part: row[part] for part in self.rows.key_names}): row for row in rows}

    # -- what is done ------------------------------------------------------------------------

    def _settle(self, name: str, keys: Iterable[_Key]) -> None:
        """Count the keys, and mend what is to be mended."""
        mend = []
        for key in keys:
            decision = key.decision
            both = all(seen.row is not None for seen in key.seen.values())
            if decision.state in (resync.EQUAL, resync.ABSENT) or (both and name != LEFT):
                # It was on its way; or it stands on both sides by now, which the first side's reading is for.
                self.state.note(equal=int(decision.state == resync.EQUAL and name == LEFT))
                continue
            example = {"key": key.keys, "state": decision.state, "action": decision.action}
            self.state.note(example, **{decision.state: 1, decision.action: 1})
            if decision.action != resync.LEAVE:
                mend.append(key)
        if self.options.repair and mend:
            self._lift_and_copy([key for key in mend if key.decision.lift])
            self._copy([key for key in mend if key.decision.action == resync.COPY and not key.decision.lift])
            self._delete([key for key in mend if key.decision.action == resync.DELETE])

    def _lift_and_copy(self, keys: list[_Key]) -> None:
        for name in SIDES:
            side = self.sides[name]
            mine = [key for key in keys if other(name) in key.decision.sides]
            lifts = (
                (Lift(side.table, key.keys, self.rule.pair, key.decision.place), self._units(side, key, name))
                for key in mine
            )
            lifted = set()
            for portion in side.pace.portions(lifts):
                outcome = side.stamper.lift(portion)
                self.state.note(lifted=len(outcome.lifted), overtaken=len(outcome.gone) + len(outcome.later))
                self._note_failures(poison=outcome.poison, unsettled=outcome.unsettled)
                lifted |= {identity("", lift.keys) for lift, _stamp in outcome.lifted}
            self._copy_anew(name, [key for key in mine if identity("", key.keys) in lifted])

    def _copy_anew(self, name: str, keys: list[_Key]) -> None:
        """Copy rows from this side as they are now: with their new stamps, and with what was written meanwhile."""
        rows = self._seen_rows(name, [key.keys for key in keys])
        self._copy(
            [
                key._replace(seen=key.seen | {name: Seen(row)})
                for key in keys
                if (row := rows.get(identity("", key.keys))) is not None
            ]
        )

    def _copy(self, keys: list[_Key]) -> None:
        for name in SIDES:
            side = self.sides[name]
            mine = [key for key in keys if name in key.decision.sides]
            puts = (
                (Change(changes.PUT, side.table, key.keys, row), self._units(side, key, *SIDES))
                for key in mine
                if (row := key.seen[other(name)].row)
            )
            self._apply(side, puts)

    def _delete(self, keys: list[_Key]) -> None:
        for name in SIDES:
            side, peer = self.sides[name], self.sides[other(name)]
            mine = [key for key in keys if name in key.decision.sides]
            if self.rule.target != BOTH:
                # The source has no row and need not know of a delete: without this an older write could come back there.
                self._remember(peer, mine)
            deletes = (
                (
                    Change(
                        changes.DELETE,
                        side.table,
                        key.keys,
                        stamp_attributes(key.decision.place.stamp, self.rule.names),
                    ),
                    self._units(side, key, name) + 1,
                )
                for key in mine
            )
            self._apply(side, deletes)

    def _remember(self, side: Side, keys: list[_Key]) -> None:
        entries = ((Remember(side.table, key.keys, key.decision.place), 1) for key in keys)
        for portion in side.pace.portions(entries):
            self._note_settled(side.memory.remember(portion), applied="remembered", refused="known")

    def _apply(self, side: Side, changes_with_units: Iterable[tuple[Change, float]]) -> None:
        for portion in side.pace.portions(changes_with_units):
            outcome = side.applier.apply(portion)
            self.state.note(overtaken=len(outcome.late))
            self._note_settled(outcome, applied="repaired", refused="overtaken")

    def _note_settled(self, settled: Settled, applied: str, refused: str) -> None:
        self.state.note(None, **{applied: len(settled.applied), refused: len(settled.refused)})
        self._note_failures(poison=settled.poison, unsettled=settled.unsettled)

    def _note_failures(self, **failures: list[tuple[Any, str]]) -> None:
        for what, found in failures.items():
            for subject, reason in found:
                self.state.note({"key": subject.keys, "state": what, "reason": reason}, **{what: 1})

    @staticmethod
    def _units(side: Side, key: _Key, *names: str) -> int:
        return write_units(*(key.seen[name].row for name in names), transaction=side.transactions)


def _chunks(things: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(things), READ_KEYS):
        yield things[start : start + READ_KEYS]
