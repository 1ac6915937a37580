# SPDX-License-Identifier: MIT
"""The quarantine's objects, and their way back through the function that kept them.

Bounded memory: objects are read a few at a time, and never more than one event's worth is held.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from ..errors import DynabridgeError
from ..replays import (
    DISCARDED,
    EVENT_BYTES,
    EVENT_RECORDS,
    GAP,
    GAPS,
    QUARANTINE,
    REPLAYED,
    UNREADABLE,
    Entry,
    chosen,
    entry_id,
    event_of,
    group_of,
    moved,
    read_entry,
    unsettled_from,
)
from .answers import error_code
from .botocore_errors import ClientError

READERS = 8
# Of all groups together, while their events are being gathered.
HELD_BYTES = 4 * EVENT_BYTES
# Failures that are named; the rest is counted.
NAMED = 1000
# Rounds for what a function could not settle, as a mapping would try again.
ROUNDS = 3
# Function errors of one group before the rest of it is left: they have one cause.
ERRORS_OF_A_GROUP = 12


class CannotReplay(DynabridgeError):
    """The function cannot be invoked, or is too old to say what became of a record."""


@dataclass(frozen=True)
class Store:
    """The quarantine bucket of a side."""

    s3: Any
    bucket: str

    def entries(self, table: str = "", only: str = "") -> Iterator[Entry]:
        """Entries in the order of their keys: by function, day, stream, sequence number; gaps last.

        table: on this side; '' = all. only: an entry's id; the other objects are not even read.
        """
        keys = (key for key in self._keys() if not only or entry_id(key) == only)
        with ThreadPoolExecutor(READERS) as pool:
            while window := list(islice(keys, READERS)):
                for entry in pool.map(self.read, window):
                    if entry is not None and chosen(entry, table):
                        yield entry

    def _keys(self) -> Iterator[str]:
        for prefix in (QUARANTINE, GAPS):
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            for page in pages:
                yield from (listed["Key"] for listed in page.get("Contents", []))

    def read(self, key: str) -> Entry | None:
        """The entry; None where it went away since it was listed."""
        try:
            content = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                return None
            raise
        return read_entry(key, content)

    def write(self, key: str, content: dict[str, Any]) -> None:
        body = json.dumps(content, default=str).encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")

    def put_away(self, entry: Entry, folder: str, outcome: str) -> None:
        """Move an entry to ``folder`` with a note. An interrupted move leaves it in both places, never in none."""
        target = moved(folder, entry.key)
        if entry.body is None:
            source = {"Bucket": self.bucket, "Key": entry.key}
            self.s3.copy_object(Bucket=self.bucket, Key=target, CopySource=source)
        else:
            note = {"outcome": outcome, "outcome_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
            self.write(target, dict(entry.body) | note)
        self.s3.delete_object(Bucket=self.bucket, Key=entry.key)

    def discard(self, entry: Entry) -> None:
        self.put_away(entry, DISCARDED, "discarded")


@dataclass(frozen=True)
class Limits:
    """What must not be replayed just so. tombstone_days: how long deletes are remembered."""

    tombstone_days: float
    replay_old: bool
    now: float

    def objection(self, entry: Entry) -> str:
        """Why the entry cannot be replayed; '' where it can."""
        if entry.kind == GAP:
            return f"a gap cannot be replayed: {(entry.body or {}).get('advice', 'run resync.yml, then discard it')}"
        if entry.kind == UNREADABLE:
            return f"{entry.reason}; look at it, then discard it"
        if entry.has_put and not self.replay_old and entry.is_older_than(self.tombstone_days, self.now):
            return (
                f"it is older than the memory of deletes ({self.tombstone_days:g} days) and could bring back what was "
                "deleted since: run resync.yml for its table and discard it, or replay it with -e replay_old=true"
            )
        return ""


@dataclass
class Outcome:
    """What became of entries. ``failed``: (id, why) of those that did not go through, the first NAMED of them."""

    replayed: int = 0
    discarded: int = 0
    failed_count: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    kept_anew: list[str] = field(default_factory=list)

    def fail(self, entries: Iterable[Entry], why: str) -> None:
        for entry in entries:
            self.failed_count += 1
            if len(self.failed) < NAMED:
                self.failed.append((entry.id, why))


@dataclass
class Replayer:
    """Hands entries to their function by synchronous invokes, so that its code and its rights apply them."""

    lambda_client: Any
    store: Store
    limits: Limits
    peer: str
    functions: frozenset[str]
    pause: Callable[[float], None] = time.sleep

    def replay(self, entries: Iterable[Entry]) -> Outcome:
        """Replay what may be replayed; entries that went through are put away at once."""
        outcome = Outcome()
        waiting: dict[tuple, list[Entry]] = {}
        errors: dict[tuple, list[str]] = {}
        held = 0
        for entry in entries:
            objection = self.limits.objection(entry) or self._unknown(entry)
            if objection:
                outcome.fail([entry], objection)
                continue
            group = group_of(entry)
            batch = waiting.setdefault(group, [])
            if batch and (len(batch) == EVENT_RECORDS or entry.size + _size(batch) > EVENT_BYTES):
                held -= _size(batch)
                self._settle(waiting.pop(group), outcome, errors.setdefault(group, []))
                batch = waiting.setdefault(group, [])
            batch.append(entry)
            held += entry.size
            if held > HELD_BYTES:
                self._settle_all(waiting, outcome, errors)
                held = 0
        self._settle_all(waiting, outcome, errors)
        return outcome

    def _settle_all(self, waiting: dict, outcome: Outcome, errors: dict[tuple, list[str]]) -> None:
        while waiting:
            group, batch = waiting.popitem()
            self._settle(batch, outcome, errors.setdefault(group, []))

    def _unknown(self, entry: Entry) -> str:
        if entry.function in self.functions:
            return ""
        return f"function {entry.function} is none of this side's ({', '.join(sorted(self.functions))})"

    def _settle(self, entries: list[Entry], outcome: Outcome, errors: list[str]) -> None:
        """One event until nothing more can be done for it. ``errors``: those of the group so far."""
        for attempt in range(ROUNDS):
            if len(errors) >= ERRORS_OF_A_GROUP:
                outcome.fail(entries, f"not tried after {len(errors)} errors: {errors[-1]}")
                return
            event, behind = event_of(entries, self.peer)
            answer = self._invoke(entries[0].function, event)
            if isinstance(answer, str):
                self._after_error(entries, answer, outcome, errors)
                return
            done = unsettled_from(event, answer["batchItemFailures"])
            self._put_away([entry for group in behind[:done] for entry in group], answer["kept"], outcome)
            entries = [entry for group in behind[done:] for entry in group]
            if not entries:
                return
            self.pause(2.0**attempt)
        outcome.fail(entries, f"{entries[0].function} could not settle it: its log says why; replay again later")

    def _after_error(self, entries: list[Entry], error: str, outcome: Outcome, errors: list[str]) -> None:
        """The function ended with an error: halve the event to find the records it fails at."""
        errors.append(error)
        if len(entries) == 1:
            outcome.fail(entries, error)
            return
        middle = len(entries) // 2
        for half in (entries[:middle], entries[middle:]):
            self._settle(half, outcome, errors)

    def _put_away(self, entries: list[Entry], kept: list[str], outcome: Outcome) -> None:
        """What the function kept again stays where it is; a new object of a record's part is named."""
        again = set(kept)
        for entry in entries:
            if entry.key in again:
                outcome.fail([entry], "kept again: " + self._reason_now(entry))
            else:
                self.store.put_away(entry, REPLAYED, f"replayed by {entry.function}")
                outcome.replayed += 1
        outcome.kept_anew += sorted(again - {entry.key for entry in entries})

    def _reason_now(self, entry: Entry) -> str:
        return (self.store.read(entry.key) or entry).reason

    def _invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any] | str:
        """The function's answer, or the error it ended with. Raises CannotReplay where there is no answer at all."""
        payload = json.dumps(event).encode()
        try:
            answer = self.lambda_client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=payload)
        except ClientError as error:
            code = error_code(error)
            if code == "RequestTooLargeException":
                return f"{len(payload):,} bytes are more than a synchronous invoke takes"
            raise CannotReplay(
                f"function {function} cannot be invoked ({code}): {error.response['Error'].get('Message', '')}; "
                "run deploy.yml for this side, or use a profile that may lambda:InvokeFunction. What was replayed before "
                "is in replayed/, the rest is untouched."
            ) from error
        body = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            return f"{function} failed: {_error_of(body)}"
        if not isinstance(body, dict) or "kept" not in body:
            raise CannotReplay(
                f"function {function} does not say what it kept again: its code is of an older version; run deploy.yml for "
                "this side. Nothing was moved."
            )
        return body


def _size(entries: list[Entry]) -> int:
    return sum(entry.size for entry in entries)


def _error_of(body: Any) -> str:
    body = body if isinstance(body, dict) else {}
    return f"{body.get('errorType', 'error')}: {body.get('errorMessage', 'without a message')}"
