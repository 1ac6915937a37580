# SPDX-License-Identifier: MIT
"""What the scheduled function does: begin the backups of all tables, and see through those that have ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..backup_settings import BackupSettings
from ..catalogue import DAMAGED, FAILED, RUNNING, UNVERIFIED, VERIFIED, Backup
from ..errors import BackupError, SettingsError
from ..exports import FULL, INCREMENTAL
from ..retention import guard
from .backup_run import REFUSED, named
from .backups import Backups
from .counters import log, publish

FUNCTION = "DynamoDBBackupFunction"
ALL_DAYS = 3650
COUNTED = {FAILED: "Failed_count", DAMAGED: "Damaged_count", VERIFIED: "Verified_count"}
DIMENSIONS = [{"Name": "backup", "Value": "ddb-backup"}]


@dataclass
class Watch:
    """``read_rules``: the lifecycle rules of the bucket. ``now``: epoch seconds."""

    settings: BackupSettings
    backups: Backups
    read_rules: Callable[[], list[dict[str, Any]]]
    cloudwatch: Any
    now: Callable[[], float] = time.time

    def handle(self, event: dict[str, Any], request_id: str, until: float) -> dict[str, Any]:
        """``{"action": "start", "kind": "full"}``, ``{"action": "check"}``. Raises BackupError when a table failed.

        ``request_id`` is the same when Lambda tries again: so are the exports. ``until``: time.monotonic to stop at.
        """
        asked = event if isinstance(event, dict) else {}
        action, kind = asked.get("action"), asked.get("kind", FULL)
        if action == "check":
            return self.check(until)
        if action != "start" or kind not in (FULL, INCREMENTAL):
            raise SettingsError(f"event {event!r} asks for nothing that this function does: action is start or check")
        return self.start(kind, request_id)

    def start(self, kind: str, seed: str) -> dict[str, Any]:
        """Begin a backup of every table; one that cannot be begun keeps none of the others."""
        begun: list[Backup] = []
        problems = []
        for table in self.settings.tables:
            try:
                begun += self.backups.start(table, kind, seed)
            except REFUSED as error:
                problems.append(named(table, str(error)))
        for backup in begun:
            log(function=FUNCTION, began=backup.folder, kind=backup.kind, table=backup.table)
        self._finish(problems, [_count("Failed_count", len(problems))])
        return {"began": [backup.folder for backup in begun]}

    def check(self, until: float) -> dict[str, Any]:
        """Verify and mark what has ended, and tell how old the last good backup of each table is."""
        known = self.backups.to_watch()
        problems: list[str] = []
        settled = [self._settle(backup, until, problems) for backup in known]
        changed = [after for before, after in zip(known, settled, strict=True) if after.state != before.state]
        counts = [_count(name, sum(backup.state == state for backup in changed)) for state, name in COUNTED.items()]
        self._finish(problems, counts + self._ages(settled, problems))
        return {backup.folder: backup.state for backup in changed}

    def _settle(self, backup: Backup, until: float, problems: list[str]) -> Backup:
        if backup.state not in (RUNNING, UNVERIFIED) or time.monotonic() > until:
            return backup
        try:
            after = self.backups.settle(backup, until)
        except REFUSED as error:
            problems.append(named(backup.table, str(error)))
            return backup
        if after.state != backup.state:
            log(function=FUNCTION, backup=after.folder, state=after.state, reason=after.reason)
        return after

    def _ages(self, known: list[Backup], problems: list[str]) -> list[dict[str, Any]]:
        """Of each table that has a verified full backup; for one that has none silence is what rings."""
        rules = self._rules(problems)
        data = []
        for table in self.settings.tables:
            try:
                last = self._guard([backup for backup in known if backup.table == table], table, rules)
            except REFUSED as error:
                problems.append(named(table, str(error)))
                continue
            if last.backup is not None:
                data.append(_of_table("Backup_age_hours", table, (self.now() - last.backup.moment) / 3600))
            if last.days is not None:
                data.append(_of_table("Last_backup_expires_days", table, last.days))
        return data

    def _rules(self, problems: list[str]) -> list[dict[str, Any]]:
        try:
            return self.read_rules()
        except REFUSED as error:  # the ages can be told all the same
            problems.append(f"the lifecycle rules of bucket {self.settings.bucket} cannot be read: {error}")
            return []

    def _guard(self, known: list[Backup], table: str, rules: list[dict[str, Any]]) -> Any:
        last = guard(known, rules, self.now())
        # No good one of late: then the last one is an old one, which may be about to go.
        return last if last.backup else guard(self.backups.to_watch([table], ALL_DAYS), rules, self.now())

    def _finish(self, problems: list[str], data: list[dict[str, Any]]) -> None:
        for problem in problems:
            log(function=FUNCTION, error=problem)
        publish(self.cloudwatch, self.settings.namespace, data)
        if problems:  # the function's error is what its alarm looks at
            raise BackupError("; ".join(problems))


def _count(name: str, number: int) -> dict[str, Any]:
    return {"MetricName": name, "Dimensions": DIMENSIONS, "Value": number, "Unit": "Count"}


def _of_table(name: str, table: str, value: float) -> dict[str, Any]:
    return {"MetricName": name, "Dimensions": [{"Name": "Table", "Value": table}], "Value": value, "Unit": "None"}
