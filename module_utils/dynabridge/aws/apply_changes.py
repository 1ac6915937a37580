# SPDX-License-Identifier: MIT
"""The changes of a plan, written to a table that exists: each item's last state, part by part, until every one is settled.

Two ways. A table that nobody else writes takes batches without conditions (``BatchWriter``); a table in use takes what the
conflict rule lets through (``RuleWriter``). Both try again what is throttled or comes back unprocessed, with backoff and
jitter, and give up loudly when nothing of a batch gets through for long: nothing is ever dropped.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..apply_parts import (
    Entry,
    batches_of,
    change_of,
    count_of_parts,
    is_delete,
    keys_of,
    parts_of,
    request_of,
    with_grave,
)
from ..apply_state import ApplyLog, ApplyState
from ..attributes import to_json
from ..change_lines import ChangeLine
from ..changes import DELETE, Change
from ..errors import DynabridgeError, MalformedRecord
from ..last_states import LastStates
from ..load_plan import backoff
from ..pace import Pace
from ..resync import write_units
from ..stamps import Item, StampNames
from .answers import error_code
from .apply import Applier, Outcome
from .botocore_errors import ClientError, HTTPClientError, NoConnection
from .change_sources import Sources
from .writes import BUSY, INVALID, Write

BATCH = 25  # BatchWriteItem takes no more
RULE_BATCH = 100  # as many as a transaction takes
TOLD_EVERY = 5.0
MOST_NAMED = 100  # problems that are named; the log has them all
UNPROCESSED = "came back unprocessed"
# What may go well when it is tried again.
TRY_AGAIN = BUSY | {"InternalFailure", "TransactionCanceledException"}


class ApplyFailed(DynabridgeError):
    """Changes could not be written."""


class Stopped(Exception):
    """Another batch failed: this one need not be tried any more."""


class GraveSources(Sources):
    """Sources whose deletes keep key and stamp of what they deleted."""

    names: StampNames = StampNames()

    def changes(self) -> Iterator[tuple[ChangeLine, int]]:
        for change, phase in super().changes():
            yield with_grave(change, self.names), phase


@dataclass
class Tally:
    """What was done, by all workers. Counts: puts, deletes, kept, retries."""

    log: ApplyLog
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    problems: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **counts: int) -> None:
        with self._lock:
            self.counts.update(counts)

    def retried(self, count: int, reason: str) -> None:
        with self._lock:
            if reason not in self.reasons:
                self.log.line(f"retry: {reason}; each part says how often it was tried again")
            self.counts["retries"] += count
            self.reasons[reason] += count

    def readable(self, entries: list[Entry], names: tuple[str, ...], read: Callable[[Entry], Any]) -> list[Any]:
        """What ``read`` makes of the entries; those that it makes nothing of are refused."""
        found = []
        for entry in entries:
            try:
                found.append(read(entry))
            except MalformedRecord as error:  # what follows the colon may be a value
                self.refused(keys_of(entry.key, names), str(error).partition(":")[0])
        return found

    def refused(self, keys: Item, reason: str) -> None:
        """An item that DynamoDB will never take."""
        self.log.line(f"problem: {keys} is refused: {reason}")
        with self._lock:
            self.counts["problems"] += 1
            if len(self.problems) < MOST_NAMED:
                self.problems.append({"key": keys, "reason": reason})


@dataclass
class Patience:
    """How long a batch is tried. ``seconds``: in which something of it must get through. ``stop``: others have failed."""

    table: str
    seconds: float = 300.0
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def run(self, left: list[Any], attempt: Callable[[list[Any]], tuple[list[Any], str]], tally: Tally) -> None:
        """Until ``attempt`` leaves nothing over; it gives what is left and why."""
        tries, since = 0, self.clock()
        while left:
            if self.stop.is_set():
                raise Stopped
            before, (left, reason) = len(left), attempt(left)
            if not left:
                return
            tally.retried(len(left), reason)
            if len(left) < before:
                tries, since = 0, self.clock()
            elif self.clock() - since > self.seconds:
                raise ApplyFailed(
                    f"table {self.table} took none of {len(left)} changes for {self.seconds:.0f} s ({reason}): raise its "
                    "capacity, or give a lower max_wcu"
                )
            self.stop.wait(backoff(tries, self.chance()))
            tries += 1


class Writer(Protocol):
    """Settles a batch of at most ``batch`` entries, and says in the tally what became of it."""

    batch: int

    def write(self, entries: list[Entry]) -> None: ...


class BatchWriter:
    """Puts and deletes without conditions. ``names``: of the key's attributes."""

    batch = BATCH

    def __init__(
        self, client: Any, table: str, names: tuple[str, ...], pace: Pace, patience: Patience, tally: Tally
    ) -> None:
        self.client, self.table, self.names = client, table, names
        self.pace, self.patience, self.tally = pace, patience, tally

    def write(self, entries: list[Entry]) -> None:
        requests = self.tally.readable(entries, self.names, lambda entry: request_of(entry, self.names))
        if self.pace.per_second:
            self.pace.take(sum(map(_units, requests)))
        self.patience.run(requests, self._write_many, self.tally)

    def _write_many(self, requests: list[dict]) -> tuple[list[dict], str]:
        try:
            answer = self.client.batch_write_item(RequestItems={self.table: requests})
        except (ClientError, NoConnection, HTTPClientError) as error:
            reason = self._reason(error)
            if reason in INVALID:  # one of them is: the others are to be written
                for request in requests:
                    self.patience.run([request], self._write_one, self.tally)
                return [], ""
            return requests, reason
        left = answer.get("UnprocessedItems", {}).get(self.table, [])
        self._settled(requests, left)
        return left, UNPROCESSED

    def _write_one(self, requests: list[dict]) -> tuple[list[dict], str]:
        (request,) = requests
        ((kind, arguments),) = request.items()
        call = self.client.put_item if kind == "PutRequest" else self.client.delete_item
        try:
            call(TableName=self.table, **arguments)
        except (ClientError, NoConnection, HTTPClientError) as error:
            reason = self._reason(error)
            if reason in INVALID:
                self.tally.refused(self._keys(arguments), str(error))
                return [], ""
            return requests, reason
        self._settled(requests, [])
        return [], ""

    def _keys(self, arguments: dict[str, Any]) -> Item:
        found = arguments.get("Item") or arguments["Key"]
        return to_json({name: found[name] for name in self.names})

    def _settled(self, requests: list[dict], left: list[dict]) -> None:
        puts = _puts(requests) - _puts(left)
        self.tally.add(puts=puts, deletes=len(requests) - len(left) - puts)

    def _reason(self, error: Exception) -> str:
        """Why to try again, or INVALID's code. Raises ApplyFailed for what no trying mends."""
        if not isinstance(error, ClientError):
            return type(error).__name__
        if (code := error_code(error)) in TRY_AGAIN | INVALID:
            return code
        raise ApplyFailed(f"table {self.table} cannot be written ({code}): {error}") from error


class RuleWriter:
    """Writes what wins over what the table holds. Newer items stay, and so do deletes that are remembered."""

    batch = RULE_BATCH

    def __init__(
        self,
        applier: Applier,
        table: str,
        names: tuple[str, ...],
        pace: Pace,
        patience: Patience,
        tally: Tally,
        transactions: bool = True,
    ) -> None:
        self.applier, self.table, self.names = applier, table, names
        self.pace, self.patience, self.tally, self.transactions = pace, patience, tally, transactions

    def write(self, entries: list[Entry]) -> None:
        changes = self.tally.readable(entries, self.names, lambda entry: change_of(entry, self.table, self.names))
        if self.pace.per_second:
            self.pace.take(sum(map(self._units, changes)))
        self.patience.run(changes, self._apply, self.tally)

    def _units(self, change: Change) -> int:
        """A delete is remembered, too."""
        units = write_units(change.image, transaction=self.transactions)
        return 2 * units if change.operation == DELETE else units

    def _apply(self, changes: list[Change]) -> tuple[list[Change], str]:
        try:
            outcome = self.applier.apply(changes)
        except ClientError as error:
            if error_code(error) not in TRY_AGAIN:
                raise ApplyFailed(f"table {self.table} cannot be written: {error}") from error
            return changes, error_code(error)
        except (NoConnection, HTTPClientError) as error:
            return changes, type(error).__name__
        self._note(outcome)
        left = {id(change): change for change, _reason in outcome.unsettled}
        return list(left.values()), outcome.unsettled[0][1] if left else ""

    def _note(self, outcome: Outcome) -> None:
        stuck = {id(change) for change, _reason in outcome.unsettled}
        late = sum(id(change) not in stuck for change in outcome.late)
        deletes = sum(change.operation == DELETE for change in outcome.applied)
        self.tally.add(puts=len(outcome.applied) - deletes, deletes=deletes, kept=len(outcome.refused) + late)
        for change, reason in outcome.poison:
            self.tally.refused(change.keys, reason)


class NoMemory:
    """Stands for the memory of deletes of a table that is not replicated."""

    def places(self, _items: Any) -> dict:
        return {}

    def writes_of(self, _entry: Any) -> list[Write]:
        return []


@dataclass
class ApplyRun:
    """Writes the parts one after the other, the batches of each side by side. ``tell`` gets a line now and then."""

    writer: Writer
    table: str
    state: ApplyState
    tally: Tally
    stop: threading.Event
    workers: int = 4
    tell: Callable[[str], None] = lambda _line: None
    clock: Callable[[], float] = time.monotonic
    _told: float = 0.0

    def run(self, states: LastStates) -> None:
        """Settle what is left of the parts. Raises ApplyFailed; the state says then how far it came."""
        count, sound = count_of_parts(states), True
        self.tally.counts.update(self.state.counts)
        with ThreadPoolExecutor(self.workers) as pool:
            for number, entries in parts_of(states, self.state.next):
                before, since = Counter(self.tally.counts), self.clock()
                self._write(pool, entries)
                done = self.tally.counts - before
                self.tally.log.line(f"part {number + 1} of {count}: {counted(done)}; {self.clock() - since:.1f} s")
                # What was refused is looked at again by the run that goes on from here.
                sound = sound and not done["problems"]
                if sound:
                    self.state.reached(number + 1, self.tally.counts)
                self._show(f"part {number + 1} of {count}", number + 1 == count)

    def _write(self, pool: ThreadPoolExecutor, entries: list[Entry]) -> None:
        futures = [pool.submit(self.writer.write, batch) for batch in batches_of(entries, self.writer.batch)]
        try:
            done, _left = wait(futures, return_when=FIRST_EXCEPTION)
            failed = [error for error in (future.exception() for future in done) if error]
            if failed:
                raise failed[0]
        except BaseException:
            self.stop.set()
            for future in futures:
                future.cancel()
            raise

    def _show(self, where: str, last: bool) -> None:
        if last or self.clock() - self._told >= TOLD_EVERY:
            self._told = self.clock()
            self.tell(f"{self.table}: {where}, {counted(self.tally.counts)}")


def counted(counts: Counter[str]) -> str:
    """``1,200 put, 3 deleted, 40 retries``"""
    words = {"puts": "put", "deletes": "deleted", "kept": "kept", "retries": "retries", "problems": "refused"}
    return ", ".join(f"{counts[name]:,} {word}" for name, word in words.items() if counts[name] or name == "puts")


def would_write(states: LastStates) -> Counter[str]:
    """Puts and deletes of all parts; nothing of the table is read."""
    counts = Counter(puts=0, deletes=0)
    for _number, entries in parts_of(states):
        deletes = sum(is_delete(entry.line) for entry in entries)
        counts.update(puts=len(entries) - deletes, deletes=deletes)
    return counts


def _puts(requests: list[dict]) -> int:
    return sum("PutRequest" in request for request in requests)


def _units(request: dict) -> int:
    """Write units of a request in boto form; what a delete removes is not known, and taken for small."""
    return write_units(to_json(request["PutRequest"]["Item"])) if "PutRequest" in request else 1
