# SPDX-License-Identifier: MIT
"""Which export a table needs next, so that fulls and incrementals reach every second between them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from .backup_layout import iso
from .catalogue import RUNNING, UNVERIFIED, VERIFIED, Backup, Span, chains, verified
from .errors import BackupError
from .exports import FULL, INCREMENTAL

# Of an incremental export's window (ExportTableToPointInTime).
SHORTEST_WINDOW = 15 * 60
LONGEST_WINDOW = 24 * 3600
HOPEFUL = (RUNNING, UNVERIFIED, VERIFIED)


@dataclass(frozen=True)
class Wanted:
    """An export to ask for. ``window``: of an incremental one, whole seconds. ``attempt``: how many of it came to nothing."""

    kind: str
    window: Span | None = None
    attempt: int = 0


def wanted_exports(
    backups: Iterable[Backup], kind: str, now: float, earliest: float = 0, shortest: float = SHORTEST_WINDOW
) -> list[Wanted]:
    """The exports to ask for, oldest first, given the table's backups (of this TableId only).

    Incrementals fill every hole since the chain last held, so that one that failed is made up for by the next run, and one
    begins at the newest full backup, which no window carries on from within. Empty when there is nothing to do yet: a window
    must be 15 minutes at least. ``earliest``: where the table's point-in-time
    recovery begins. Raises BackupError where no full backup is there that incrementals could follow.
    """
    if kind == FULL:
        return [Wanted(FULL)]
    backups = list(backups)
    known = [backup for backup in backups if backup.state in HOPEFUL]
    lost = Counter((backup.start, backup.moment) for backup in backups if backup.state not in HOPEFUL)
    start = _chain_end(known, math.floor(earliest))
    if start < math.floor(earliest):
        raise BackupError(
            f"can be recovered only from {iso(earliest)} on, after its last full backup: take a full one first (-e type=full)"
        )
    held = [Span(backup.start or 0, backup.moment) for backup in known if backup.kind == INCREMENTAL]
    wanted: list[Span] = []
    for hole in _holes(math.floor(start), math.floor(now), chains(known)):
        wanted += _windows(hole, now, shortest, held)
    wanted += _branch(known, held + wanted, math.floor(earliest), now, shortest)
    return [Wanted(INCREMENTAL, window, lost[window]) for window in sorted(wanted)]


def _chain_end(known: list[Backup], earliest: float) -> float:
    """Where incrementals go on. The chain goes on over a new full backup: should that be lost, the one before reaches on.

    Not where recovery begins later than the chain ended, having been off meanwhile: then the full one begins a new chain.
    """
    fulls = [backup for backup in known if backup.kind == FULL]
    if not fulls:
        raise BackupError("has no full backup that incrementals could follow: take a full one first (-e type=full)")
    base = max((verified(fulls, FULL) or fulls), key=lambda backup: backup.moment).moment
    held = [span.end for span in chains(known) if span.start <= base]
    return held[-1] if held and held[-1] >= max(earliest, base - LONGEST_WINDOW) else base


def token_of(table_arn: str, wanted: Wanted, prefix: str, seed: str) -> str:
    """A client token: the same request of the same run gets the same export, another run another one.

    Two runs that ask for the same window get one export, unless that has failed: for eight hours DynamoDB would go on
    answering with the failed one. ``prefix``: a token is for one place, and at midnight it becomes another.
    """
    text = json.dumps([table_arn, wanted.kind, wanted.window, wanted.attempt, prefix, "" if wanted.window else seed])
    return sha256(text.encode()).hexdigest()[:36]


def _holes(start: float, end: float, spans: list[Span]) -> list[Span]:
    holes = []
    for span in spans:
        if span.end <= start:
            continue
        if span.start > start:
            holes.append(Span(start, min(span.start, end)))
        start = span.end
    if start < end:
        holes.append(Span(start, end))
    return [hole for hole in holes if hole.start < hole.end]


def _windows(hole: Span, now: float, shortest: float, held: Iterable[Span]) -> list[Span]:
    """The hole in equal windows of at most a day. One that is too short reaches to the end of what follows, or waits for it:
    windows make a chain only where one ends as the next begins."""
    end = hole.end
    if end - hole.start < shortest:
        end = min((span.end for span in held if span.end - hole.start >= shortest), default=hole.start + shortest)
        if end > now:
            return []
    parts = math.ceil((end - hole.start) / LONGEST_WINDOW)
    edges = [hole.start + math.floor((end - hole.start) * part / parts) for part in range(parts)] + [end]
    return [Span(*edges[part : part + 2]) for part in range(parts)]


def _branch(known: list[Backup], held: list[Span], earliest: float, now: float, shortest: float) -> list[Span]:
    """From the newest full backup to where a window ends: of what lies around it, nothing could follow it."""
    ended = [b.moment for b in known if b.kind == FULL and b.state != RUNNING and b.moment <= now]  # else it is a guess
    start = math.floor(max(ended, default=-1))
    if start < earliest or any(span.start == start for span in held):
        return []
    end = min((span.end for span in held if span.end - start >= shortest), default=None)
    return [] if end is None else _windows(Span(start, end), now, shortest, [])
