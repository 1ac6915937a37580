# SPDX-License-Identifier: MIT
"""A backup of several tables at once, from the first request to the verdicts, telling how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..backup_layout import iso
from ..catalogue import RUNNING, UNVERIFIED, VERIFIED, Backup
from ..errors import DynabridgeError
from ..exports import FULL
from .backups import Backups
from .botocore_errors import BotoCoreError, ClientError

AT_ONCE = 4
OPEN = (RUNNING, UNVERIFIED)
REFUSED = (DynabridgeError, ClientError, BotoCoreError)


@dataclass
class Run:
    """``tell``: shows a line. ``waiting``: begun and not done; ``done``: with their verdicts; ``problems``: sentences."""

    of: Backups
    tell: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    waiting: list[Backup] = field(default_factory=list)
    done: list[Backup] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def start(self, tables: Iterable[str], kind: str) -> None:
        """Begin a backup of every table; one that cannot be begun keeps none of the others."""
        for table, begun in self._each(lambda table: self.of.start(table, kind), list(tables)):
            if not begun:
                self.tell(f"{table}: nothing to do yet, the last incremental ended less than 15 minutes ago")
            for backup in begun:
                self.tell(f"{table}: {described(backup)} begun: {backup.folder}")
                self.waiting.append(backup)

    def finish(self, timeout: float, poll: float) -> None:
        """See through what was begun. What is not done in time is left to the next run, or to the scheduled function."""
        until = self.clock() + timeout
        begun = self.clock()
        while self.waiting:
            open_ones = [
                after for _before, after in self._each(lambda backup: self.of.settle(backup, until), self.waiting)
            ]
            self._sort(open_ones)
            if not self.waiting:
                return
            if self.clock() + poll > until:
                self.problems += [
                    f"table {backup.table}: {described(backup)} is not done after {timeout:g} s ({backup.folder}); "
                    "backup_status.yml shows it, the scheduled function or the next backup.yml -e action=finish sees it through"
                    for backup in self.waiting
                ]
                return
            names = ", ".join(sorted({backup.table for backup in self.waiting}))
            self.tell(f"waiting for DynamoDB since {self.clock() - begun:.0f} s: {names}")
            self.pause(poll)

    def check(self, backups: Iterable[Backup], until: float = float("inf")) -> None:
        """Verify anew, whatever was found before; what lies on S3 is all that is asked."""
        self._sort(
            [after for _before, after in self._each(lambda backup: self.of.verify(backup, until), list(backups))]
        )

    def _sort(self, settled: list[Backup]) -> None:
        self.waiting = [backup for backup in settled if backup.state in OPEN]
        for backup in settled:
            if backup.state not in OPEN:
                self.done.append(backup)
                self.tell(f"{backup.table}: {outcome(backup)}")
                if backup.state != VERIFIED:
                    self.problems.append(f"table {backup.table}: {outcome(backup)}")

    def _each(self, call: Callable[[Any], Any], subjects: list[Any]) -> list[tuple[Any, Any]]:
        """(subject, answer) of those that went through; the others become problems."""

        def attempt(subject: Any) -> tuple[Any, Any, str]:
            try:
                return subject, call(subject), ""
            except REFUSED as error:
                return subject, None, str(error)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(attempt, subjects))
        for subject, _answer, problem in answers:
            if problem:
                table = subject if isinstance(subject, str) else subject.table
                self.problems.append(named(table, problem))
                self.tell(self.problems[-1])
        return [(subject, answer) for subject, answer, problem in answers if not problem]


def named(table: str, problem: str) -> str:
    """The problem with its table, which AWS's own sentences may not name."""
    return problem if f"table {table}" in problem else f"table {table}: {problem}"


def described(backup: Backup) -> str:
    """``full backup``, ``incremental backup from .. to ..``."""
    if backup.kind == FULL or backup.start is None:
        return f"{backup.kind} backup"
    return f"{backup.kind} backup from {iso(backup.start)} to {iso(backup.moment)}"


def outcome(backup: Backup) -> str:
    """What became of it, in a line."""
    if backup.state != VERIFIED:
        reason = f": {backup.reason}" if backup.reason else ""
        return f"{described(backup)} {backup.state}{reason} ({backup.folder})"
    return (
        f"{described(backup)} verified: {backup.items:,} {'items' if backup.kind == FULL else 'changes'}, "
        f"{backup.files:,} files, {backup.stored_bytes:,} bytes: {backup.folder}"
    )
