# SPDX-License-Identifier: MIT
"""What the capture does each minute: takes up what its mapping gave up, and says up to when everything is captured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ..capture import hole_in, read_hole, stray_hole, table_of, written_at
from ..capture_settings import CaptureSettings
from ..errors import BackupError, MalformedRecord
from ..lost_batches import LostBatch, read_message
from ..watermark import Hole, Seen, Watermark, advanced, key_of_watermark, watermark_from
from .backup_run import REFUSED, named
from .capture import Capture
from .capture_look import Look
from .counters import log, publish
from .lost_batches import Inbox, StreamReader, reread
from .objects import Objects, Overtaken

MOST = 100  # messages in one look
VISIBILITY = 120  # longer than the function may take


@dataclass
class Watermarks:
    """The watermarks in the bucket. Who writes one replaces what he has read, so that no hole is lost between two writers."""

    objects: Objects
    prefix: str

    def read(self, table: str) -> tuple[Watermark | None, str]:
        """(watermark, tag of the object); (None, '') where there is none. Raises BackupError for what is none."""
        key = key_of_watermark(table, self.prefix)
        found = self.objects.get_tagged(key)
        if found is None:
            return None, ""
        try:
            return watermark_from(json.loads(found[0])), found[1]
        except (ValueError, KeyError, TypeError) as error:
            raise BackupError(
                f"s3://{self.objects.bucket}/{key} is no watermark ({error!r}): bring an earlier version of it back"
            ) from error

    def write(self, mark: Watermark, tag: str) -> None:
        """Raises Overtaken where another was quicker."""
        body = json.dumps(mark.as_dict(), indent=1).encode() + b"\n"
        self.objects.put(key_of_watermark(mark.table, self.prefix), body, tag=tag)


@dataclass
class Tend:
    """``holes``: how many were added, by table, since the look began."""

    settings: CaptureSettings
    capture: Capture
    marks: Watermarks
    look: Look
    reader: StreamReader
    sqs: Any
    cloudwatch: Any
    now: Callable[[], float] = time.time
    holes: dict[str, int] = field(default_factory=dict)

    def handle(self, until: float = float("inf")) -> dict[str, Any]:
        """Raises BackupError when something was left undone. ``until``: time.monotonic to take no more messages after."""
        self.holes = dict.fromkeys(self.settings.tables, 0)
        # Before the queue: a batch that is given up after this look was old when it was handed over, as the next one tells.
        seen = self.look.at(self.settings.tables, self.settings.pace.settle, self._known)
        problems: list[str] = []
        taken = self._empty_queue(seen, problems, until)
        left = "; ".join(problems)
        data = []
        for table, one in seen.items():
            try:
                data += self._advance(replace(one, problem=one.problem or left))
            except Overtaken as error:
                log(function=self.settings.function, warning=str(error))
            except REFUSED as error:
                problems.append(named(table, str(error)))
        self._finish(problems, data)
        return {"messages": taken, "holes": {table: count for table, count in self.holes.items() if count}}

    def _known(self, table: str) -> Watermark | None:
        try:
            return self.marks.read(table)[0]
        except REFUSED:
            return None  # is told when the watermark is to be written

    def _advance(self, seen: Seen) -> list[dict[str, Any]]:
        """Write the table's watermark; gives the metric of its age."""
        before, tag = self.marks.read(seen.table)
        if seen.problem:
            log(function=self.settings.function, warning="the watermark stands", table=seen.table, reason=seen.problem)
        if not seen.table_id or (before is None and seen.problem):
            # Nothing is known of the table, or nothing good of a capture that has not begun.
            return [self._age(before)] if before else []
        after = advanced(before, seen, self.settings.pace)
        self.marks.write(after, tag)
        self._count_holes(before, after)
        return [self._age(after)]

    def _age(self, mark: Watermark) -> dict[str, Any]:
        return _of_table("Recoverable_age_seconds", mark.table, max(0.0, self.now() - mark.until), "Seconds")

    def _count_holes(self, before: Watermark | None, after: Watermark) -> None:
        new = set(after.holes) - set(before.holes if before else ())
        self.holes[after.table] = self.holes.get(after.table, 0) + len(new)
        for hole in new:
            log(function=self.settings.function, hole=hole._asdict(), table=after.table)

    # -- the queue ---------------------------------------------------------------------------

    def _empty_queue(self, seen: dict[str, Seen], problems: list[str], until: float) -> int:
        inbox = Inbox(self.sqs, self.settings.queue, VISIBILITY, looks=1, until=until)
        try:
            taken = inbox.empty(lambda message: self._take_in(message, seen), problems, MOST)
        except REFUSED as error:
            problems.append(f"queue {self.settings.queue} cannot be emptied: {error}")
            return 0
        if taken == MOST or time.monotonic() > until:
            # Of what still waits nothing is known.
            problems.append(f"queue {self.settings.queue} holds more than one look takes up")
        return taken

    def _take_in(self, message: dict[str, Any], seen: dict[str, Seen]) -> None:
        """A hole that the capture itself has named, or a batch that its mapping gave up."""
        text = message["Body"]
        if found := read_hole(text):
            self._add_holes(*found, seen)
            return
        try:
            batch = read_message(text)
        except MalformedRecord as error:
            log(function=self.settings.function, error=str(error), message=text[:1000])
            sent = float(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000 or self.now()
            self._add_holes(self.settings.tables, stray_hole(sent), seen)
            return
        self._write_again(batch, seen)

    def _write_again(self, batch: LostBatch, seen: dict[str, Seen]) -> None:
        table, first_time = table_of(batch.source), None

        def keep(events: list[dict[str, Any]]) -> None:
            nonlocal first_time
            first_time = first_time or written_at(events[0])
            self.capture.take(events)

        first, missing = reread(self.reader, batch, keep)
        log(function=self.settings.function, taken_up=batch.condition, table=table, from_number=first)
        if first != batch.first:
            self._add_holes([table], hole_in(batch, missing, first_time, self.now()), seen)

    def _add_holes(self, tables: Iterable[str], hole: Hole, seen: dict[str, Seen]) -> None:
        """At once, because the message that tells of it is deleted after that."""
        for table in tables:
            before, tag = self.marks.read(table)
            if before is None and table not in seen:
                log(
                    function=self.settings.function,
                    warning="hole of a table that is not captured",
                    table=table,
                    why=hole.why,
                )
                continue
            mark = before or advanced(None, seen[table], self.settings.pace)
            after = mark.with_holes([hole])
            self.marks.write(after, tag)
            self._count_holes(before, after)

    def _finish(self, problems: list[str], data: list[dict[str, Any]]) -> None:
        for problem in problems:
            log(function=self.settings.function, error=problem)
        data += [_of_table("Hole_count", table, count, "Count") for table, count in self.holes.items() if count]
        publish(self.cloudwatch, self.settings.namespace, data)
        if problems:  # the function's error is what its alarm looks at
            raise BackupError("; ".join(problems))


def _of_table(name: str, table: str, value: float, unit: str) -> dict[str, Any]:
    return {"MetricName": name, "Dimensions": [{"Name": "Table", "Value": table}], "Value": value, "Unit": unit}
