# SPDX-License-Identifier: MIT
"""What a plan reads from S3: the lines of its full backup, and the changes after it that count."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from ..backup_layout import SCHEMA
from ..change_lines import MICROS, ChangeLine, read_change
from ..change_log import LogObject, object_of
from ..errors import BackupError, DamagedExport
from ..exports import DataFile, lines_of
from ..last_states import LastStates
from ..restore_plan import Plan
from ..table_schema import read_schema_text
from ..verification import read_manifests
from .objects import Listed, Objects

AHEAD = 4  # objects that are fetched while one is read
SMALL = 8 << 20  # a larger object is streamed, not fetched ahead
TOLD_EVERY = 500_000  # lines


def ignore(_line: str) -> None:
    """Nobody listens."""


class Sources:
    """``tell`` gets a line now and then. Raises BackupError and DamagedExport, naming the object."""

    def __init__(self, objects: Objects, plan: Plan, tell: Callable[[str], None] = ignore) -> None:
        self.objects, self.plan, self.tell = objects, plan, tell

    @cached_property
    def _schema(self) -> dict[str, Any]:
        key = self.plan.base.folder + SCHEMA
        body = self.objects.get(key)
        if body is None:
            raise BackupError(f"s3://{self.objects.bucket}/{key} is missing: without it nobody knows the table's keys")
        return read_schema_text(body, f"s3://{self.objects.bucket}/{key}")

    def schema(self) -> dict[str, Any]:
        """The table's schema as it was saved with the full backup."""
        return self._schema

    def key_names(self) -> tuple[str, ...]:
        """Names of the partition key and, where there is one, of the sort key."""
        keys = self._schema["table_creation_parameters"]["KeySchema"]
        return tuple(key["AttributeName"] for key in sorted(keys, key=lambda key: key["KeyType"] != "HASH"))

    def base_files(self) -> list[DataFile]:
        """The data files of the full backup."""
        return self._files(self.plan.base.folder)

    def base_lines(self) -> Iterator[bytes]:
        """The lines of the full backup. Raises DamagedExport where a file does not hold what its manifest says."""
        yield from self._counted("items of the full backup", self._whole(self.base_files()))

    def changes(self) -> Iterator[tuple[ChangeLine, int]]:
        """The changes that count for the moment, each with its phase: windows by their ends, what was captured after all."""
        return self._counted("changes", self._changes())

    def last_states(self, directory: Path, budget: int) -> LastStates:
        """The last state of each item that changed. ``directory``: for what does not fit into ``budget`` bytes."""
        expected = sum(window.stored_bytes for window in self.plan.windows) + (
            self.plan.log.bytes if self.plan.log else 0
        )
        states = LastStates(self.key_names(), directory, budget, expected * 10)  # they compress that well
        for change, phase in self.changes():
            try:
                states.add(change, phase)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise DamagedExport(
                    f"a change of table {self.plan.table} has no key {' + '.join(states.names)}: {str(change.keys)[:80]}"
                ) from error
        return states

    def _changes(self) -> Iterator[tuple[ChangeLine, int]]:
        for phase, window in enumerate(self.plan.windows):
            for change in self._whole(self._files(window.folder), read_change):
                yield change, phase
        log = self.plan.log
        if log is None:
            return
        captured = len(self.plan.windows)
        first, end = math.floor(log.start) * MICROS, log.end * MICROS
        keys = (
            listed.key
            for listed in log_objects(self.objects, self.plan.table, log.start, log.end, self.plan.changes_prefix)
        )
        for change in self._lines(keys, read_change):
            # The time of a record is rounded down to the second that it was written in.
            if first <= change.micros and change.micros + MICROS <= end:
                yield change, captured

    def _files(self, folder: str) -> list[DataFile]:
        return read_manifests(self.objects, folder).files

    def _whole(self, files: Iterable[DataFile], parse: Callable[[bytes], Any] | None = None) -> Iterator[Any]:
        """Lines of data files, parsed, and counted against the manifest."""
        files = [file for file in files if file.items]
        bodies = self._fetched(file.key for file in files)
        for file, body in zip(files, bodies, strict=True):
            count = 0
            for line in self._read(file.key, body, parse):
                count += 1
                yield line
            if count != file.items:
                raise DamagedExport(
                    f"s3://{self.objects.bucket}/{file.key} holds {count:,} lines, its manifest says {file.items:,}"
                )

    def _lines(self, keys: Iterable[str], parse: Callable[[bytes], Any]) -> Iterator[Any]:
        keys = list(keys)
        for key, body in zip(keys, self._fetched(keys), strict=True):
            yield from self._read(key, body, parse)

    def _read(self, key: str, body: Iterable[bytes], parse: Callable[[bytes], Any] | None) -> Iterator[Any]:
        try:
            yield from map(parse, lines_of(body)) if parse else lines_of(body)
        except DamagedExport as error:
            raise DamagedExport(f"s3://{self.objects.bucket}/{key} {error}") from error

    def _fetched(self, keys: Iterable[str]) -> Iterator[Iterable[bytes]]:
        """The bodies in the order of the keys, some of them fetched ahead: most objects are small, and each costs a wait."""
        with ThreadPoolExecutor(AHEAD) as pool:
            keys = iter(keys)
            waiting: list[Future] = [pool.submit(self._head, key) for key in islice(keys, AHEAD)]
            while waiting:
                body = waiting.pop(0).result()
                waiting += [pool.submit(self._head, key) for key in islice(keys, 1)]
                yield body

    def _head(self, key: str) -> Iterable[bytes]:
        """A small object whole, of a larger one its beginning and the rest as it comes."""
        stream, held, size = iter(self.objects.stream(key)), [], 0
        try:
            for chunk in stream:
                held.append(chunk)
                size += len(chunk)
                if size >= SMALL:
                    break
        except DamagedExport as error:
            raise DamagedExport(f"s3://{self.objects.bucket}/{key} {error}") from error
        return _chained(held, stream)

    def _counted(self, what: str, lines: Iterable[Any]) -> Iterator[Any]:
        for count, line in enumerate(lines, start=1):
            yield line
            if count % TOLD_EVERY == 0:
                self.tell(f"{self.plan.table}: {count:,} {what} read")


def _chained(held: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from held
    yield from rest


def log_objects(objects: Objects, table: str, start: float, end: float, prefix: str) -> Iterator[Listed]:
    """The objects of the hours that [start, end) touches, by hour and sequence number; listed day by day."""
    first, last = math.floor(start) // 3600 * 3600, end
    day = datetime.fromtimestamp(first, UTC).date()
    while datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() < last:
        found: list[tuple[LogObject, Listed]] = []
        for listed in objects.list(f"{prefix}/{table}/{day:%Y/%m/%d}/"):
            place = object_of(listed.key, prefix)
            if place is not None and place.table == table and first <= place.hour < last:
                found.append((place, listed))
        yield from (listed for _place, listed in sorted(found))
        day += timedelta(days=1)
