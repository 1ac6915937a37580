# SPDX-License-Identifier: MIT
"""Begin backups, and see them through: awaited, verified, marked. The scheduled function and the playbooks both come here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from ..backup_layout import (
    FAILURE,
    PROGRESS,
    RECORD,
    SCHEMA,
    SUCCESS,
    begun_at,
    day_of,
    folder_of,
    id_of,
    table_prefix,
)
from ..backup_plan import SHORTEST_WINDOW, Wanted, token_of, wanted_exports
from ..catalogue import (
    DAMAGED,
    FAILED,
    RUNNING,
    UNVERIFIED,
    VERIFIED,
    VERSION,
    Backup,
    Found,
    summed_up,
    verdict,
)
from ..errors import BackupError, DamagedExport, SettingsError
from ..exports import FULL, SUMMARY, Summary
from ..table_schema import read_schema_text
from ..verification import OutOfTime, Progress, restored_progress, verify
from .catalogue import read_catalogue
from .exports import COMPLETED, IN_PROGRESS, UNKNOWN, Exports, Table, Target
from .exports import FAILED as EXPORT_FAILED
from .objects import Objects

DAY = 86400
CHAIN_DAYS = 35  # the longest that DynamoDB can look back
OPEN_DAYS = 7  # an export takes minutes to hours: what is open for longer than this has been looked at often enough
NO_REASON = "DynamoDB gives no reason"
NO_EXPORT = "DynamoDB does not know the export any more, and it left no manifest"


@dataclass(frozen=True)
class Backups:
    """Backups of one side's tables in one bucket. ``read_schema``: table -> its schema document."""

    objects: Objects
    exports: Exports
    read_schema: Callable[[str], dict[str, Any]]
    target: Target
    prefix: str
    shortest_window: float = SHORTEST_WINDOW
    enable_recovery: bool = False  # for a table whose point-in-time recovery is off
    now: Callable[[], float] = time.time

    def start(self, name: str, kind: str, seed: str = "") -> list[Backup]:
        """Ask for the exports that the table needs; empty when there is nothing to do yet.

        ``seed``: the same one gets the same exports again. Raises BackupError; nothing is asked for then.
        """
        if self.enable_recovery:
            self.exports.switch_recovery_on(name)
        table = self.exports.recoverable(name)
        wanted = self._wanted(table, kind)
        if not wanted:
            return []
        day = day_of(self.now())
        schema = self.read_schema(name)
        # First of all: it shows that the bucket is there and that the caller may write to it.
        self.objects.put_json(f"{table_prefix(self.prefix, day, name)}/{SCHEMA}", schema)
        return [self._begin(table, item, schema, day, seed or str(uuid4())) for item in wanted]

    def would_start(self, name: str, kind: str) -> list[Wanted]:
        """What ``start`` would ask for; it changes nothing."""
        table = self.exports.table(name) if self.enable_recovery else self.exports.recoverable(name)
        return self._wanted(table, kind)

    def known(self, tables: Iterable[str] = (), days: float = OPEN_DAYS) -> list[Backup]:
        """The backups of these tables (none named: of all) that were asked for in the last days."""
        return read_catalogue(self.objects, self.prefix, list(tables), since=self._day(days))

    def to_watch(self, tables: Iterable[str] = (), days: float = OPEN_DAYS) -> list[Backup]:
        """Those without a verdict, and the full ones: incrementals that are done with cost no reading every ten minutes."""
        return read_catalogue(self.objects, self.prefix, list(tables), self._day(days), choose=Found.matters_now)

    def _day(self, days: float) -> str:
        return day_of(self.now() - days * DAY)

    def settle(self, backup: Backup, until: float = float("inf")) -> Backup:
        """See how far the backup is; when its export has ended, verify and mark it.

        Gives it as it is now: RUNNING while DynamoDB is at work, UNVERIFIED when ``until`` (time.monotonic) came first.
        """
        export = self.exports.describe(backup.export_arn or self._arn_of(backup), backup.table)
        if export.state == IN_PROGRESS:
            return backup
        if export.state == EXPORT_FAILED:
            return self._mark(replace(backup, export_arn=export.arn), FAILED, [export.reason or NO_REASON])
        if export.state == UNKNOWN and self.objects.get(backup.folder + SUMMARY) is None:
            return self._mark(backup, FAILED, [NO_EXPORT])
        claimed = export.description.get("ItemCount") if export.state == COMPLETED else None
        return self.verify(backup, until, claimed)

    def verify(self, backup: Backup, until: float = float("inf"), claimed: int | None = None) -> Backup:
        """Verify what lies on S3 and mark it; asks nothing of DynamoDB. ``claimed``: items by DescribeExport."""
        so_far = restored_progress(self.objects.get_json(backup.folder + PROGRESS))
        try:
            summary, progress = verify(self.objects, backup.folder, so_far, until)
        except OutOfTime as unfinished:
            self.objects.put_json(backup.folder + PROGRESS, unfinished.progress.as_dict())
            return replace(backup, state=UNVERIFIED)
        except DamagedExport as error:
            self._forget(backup, so_far)
            return self._mark(backup, DAMAGED, [str(error)])
        self._forget(backup, so_far)
        for problem in (*_contradictions(backup, summary, claimed), *self._schema_problems(backup)):
            progress.blame(problem)
        return self._conclude(backup, progress)

    def _forget(self, backup: Backup, so_far: Progress | None) -> None:
        """The next verification is to begin at the beginning. Nobody may delete here."""
        if so_far:
            self.objects.put_json(backup.folder + PROGRESS, {})

    def _conclude(self, backup: Backup, progress: Progress) -> Backup:
        body = self.objects.get(backup.folder + SUMMARY)
        told = summed_up(backup, body) if body is not None else backup
        told = replace(told, files=progress.files, stored_bytes=progress.stored_bytes)
        if progress.problem_count:
            more = progress.problem_count - len(progress.problems)
            return self._mark(told, DAMAGED, [*progress.problems, *([f"and {more:,} more"] if more else [])])
        return self._mark(told, VERIFIED, [])

    def _mark(self, backup: Backup, state: str, problems: list[str]) -> Backup:
        now = self.now()
        marked = replace(
            backup, state=state, reason="; ".join(problems[:3]), verified=now if state == VERIFIED else backup.verified
        )
        name = SUCCESS if state == VERIFIED else FAILURE
        self.objects.put_json(backup.folder + name, verdict(marked, now, problems))
        return marked

    def _wanted(self, table: Table, kind: str) -> list[Wanted]:
        if kind == FULL:
            return [Wanted(FULL)]
        same_table = [backup for backup in self.known([table.name], CHAIN_DAYS) if backup.table_id == table.id]
        try:
            return wanted_exports(same_table, kind, self.now(), table.recoverable_from or 0, self.shortest_window)
        except BackupError as error:
            raise BackupError(f"table {table.name} {error}") from error

    def _begin(self, table: Table, wanted: Wanted, schema: dict[str, Any], day: str, seed: str) -> Backup:
        prefix = table_prefix(self.prefix, day, table.name)
        export = self.exports.start(table, wanted, self.target, prefix, token_of(table.arn, wanted, prefix, seed))
        identifier = id_of(export.arn)
        parts = table.arn.split(":")
        backup = Backup(
            bucket=self.objects.bucket,
            table=table.name,
            id=identifier,
            day=day,
            folder=folder_of(self.prefix, day, table.name, identifier),
            state=RUNNING,
            kind=wanted.kind,
            region=parts[3],
            account_id=parts[4],
            export_arn=export.arn,
            table_arn=table.arn,
            table_id=table.id,
            start=wanted.window.start if wanted.window else None,
            moment=wanted.window.end if wanted.window else begun_at(identifier),
            requested=begun_at(identifier),
        )
        self.objects.put_json(backup.folder + SCHEMA, schema)
        self.objects.put_json(backup.folder + RECORD, {"version": VERSION, "backup": backup.as_dict()})
        return backup

    def _arn_of(self, backup: Backup) -> str:
        """Of an export whose record was never written: whoever asked for it died at once."""
        return f"{self.exports.table(backup.table).arn}/export/{backup.id}"

    def _schema_problems(self, backup: Backup) -> list[str]:
        """The schema that a restore will need; one that is missing is taken from its day."""
        body = self.objects.get(backup.folder + SCHEMA)
        if body is None:
            body = self.objects.get(f"{table_prefix(self.prefix, backup.day, backup.table)}/{SCHEMA}")
            if body is None:
                return [f"{backup.folder}{SCHEMA} is missing: without it the table cannot be made again"]
            self.objects.put(backup.folder + SCHEMA, body)
        try:
            read_schema_text(body, backup.folder + SCHEMA)
        except SettingsError as error:
            return [str(error)]
        return []


def _contradictions(backup: Backup, summary: Summary, claimed: int | None) -> list[str]:
    """Where the export's summary is not of what was asked for."""
    expected: list[tuple[str, object, object]] = [
        ("export", backup.id, id_of(summary.export_arn)),
        ("items", claimed, summary.items),
    ]
    if backup.export_arn and backup.state == RUNNING:
        expected += [("kind", backup.kind, summary.kind), ("start of window", backup.start, summary.start)]
    return [
        f"{SUMMARY} says {what} {found}, expected was {wanted}"
        for what, wanted, found in expected
        if wanted is not None and wanted != found
    ]
