# SPDX-License-Identifier: MIT
"""What backups there are, from the objects in their bucket alone: nothing here needs the region that was backed up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

from .backup_layout import FAILURE, RECORD, SUCCESS, Place, begun_at, folder_of, iso
from .errors import DamagedExport
from .exports import FULL, INCREMENTAL, SUMMARY, read_summary, read_time

RUNNING, UNVERIFIED, VERIFIED = "running", "unverified", "verified"
FAILED, DAMAGED = "failed", "damaged"  # by DynamoDB; what DynamoDB wrote is not what it said
STATES = (RUNNING, UNVERIFIED, VERIFIED, FAILED, DAMAGED)
TIMES = ("start", "moment", "requested", "verified")
NEVER_NONE = ("moment", "requested")
NUMBERS = ("items", "billed_bytes", "stored_bytes", "files")
VERSION = 1


@dataclass(frozen=True)
class Backup:
    """One export. Times are epoch seconds, sizes bytes; numbers are 0 while they are not known.

    ``start``: begin of an incremental's window (inclusive), None of a full one. ``moment``: what a full one shows, or the
    end of the window (exclusive). ``stored_bytes``: its data files as they lie on S3; ``storage_classes``: by class, as
    listed. ``reason``: why it failed or is damaged.
    """

    bucket: str
    table: str
    id: str
    day: str
    folder: str
    state: str = RUNNING
    kind: str = FULL
    region: str = ""
    account_id: str = ""
    export_arn: str = ""
    table_arn: str = ""
    table_id: str = ""
    start: float | None = None
    moment: float = 0
    requested: float = 0
    verified: float | None = None
    items: int = 0
    billed_bytes: int = 0
    stored_bytes: int = 0
    files: int = 0
    storage_classes: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times as ISO text."""
        times = {name: getattr(self, name) for name in TIMES}
        return asdict(self) | {name: None if value is None else iso(value) for name, value in times.items()}


class Span(NamedTuple):
    """Moments from ``start`` to ``end``, in epoch seconds."""

    start: float
    end: float


@dataclass
class Found:
    """What the listing says of one backup's folder."""

    names: set[str] = field(default_factory=set)
    files: int = 0
    classes: Counter[str] = field(default_factory=Counter)

    def take(self, name: str, size: int, storage_class: str) -> None:
        if name.startswith("data/"):
            self.files += 1
            self.classes[storage_class] += size
        else:
            self.names.add(name)

    def matters_now(self) -> bool:
        """Not so an incremental with a verdict: of full ones the data files lie in the folder itself."""
        return bool(self.files) or not {SUCCESS, FAILURE} & self.names

    def telling(self) -> list[str]:
        """The documents that say what this backup is; a verdict says it all."""
        verdicts = [name for name in (SUCCESS, FAILURE) if name in self.names]
        return verdicts or [name for name in (RECORD, SUMMARY) if name in self.names]


def backup_from(document: Mapping[str, Any]) -> Backup:
    """Of ``as_dict``. Raises KeyError, TypeError or ValueError for anything else."""
    known = {name: document[name] for name in Backup.__dataclass_fields__ if name in document}
    times = {name: read_time(known[name]) for name in TIMES if name in NEVER_NONE or known.get(name) is not None}
    numbers = {name: int(known.get(name, 0)) for name in NUMBERS}
    if known["state"] not in STATES or known["kind"] not in (FULL, INCREMENTAL):
        raise ValueError(f"no backup is {known['state']!r} and {known['kind']!r}")
    if known["kind"] == INCREMENTAL and known.get("start") is None:
        raise ValueError("an incremental backup without start")
    return Backup(**known | times | numbers | {"storage_classes": dict(known.get("storage_classes", {}))})


def verdict(backup: Backup, checked: float, problems: Iterable[str] = ()) -> dict[str, Any]:
    """The document that marks a backup: ``_SUCCESS`` for a verified one, ``_FAILED`` for the others."""
    return {"version": VERSION, "checked_at": iso(checked), "problems": list(problems), "backup": backup.as_dict()}


def judge(bucket: str, prefix: str, place: Place, found: Found, documents: Mapping[str, Any]) -> Backup:
    """One backup from its listing and its telling documents: parsed JSON, and the summary as bytes.

    Of two verdicts the later one stands: a backup can be found damaged long after it was verified. What cannot be read has
    no verdict yet, so that somebody sees it through and gives it one; unless it is the verdict that cannot be read.
    """
    bare = bare_backup(bucket, prefix, place)
    try:
        backup = _told(bare, documents)
    except (KeyError, TypeError, ValueError) as error:
        state = DAMAGED if {SUCCESS, FAILURE} & documents.keys() else UNVERIFIED
        return replace(bare, state=state, reason=f"what {bare.folder} says of itself cannot be read ({error!r})")
    # Copied or listed from elsewhere: where it lies is what counts, not where it was written.
    backup = replace(backup, bucket=bucket, folder=bare.folder, table=place.table, id=place.id, day=place.day)
    return _sized(backup, found)


def bare_backup(bucket: str, prefix: str, place: Place) -> Backup:
    """What its place alone says of a backup."""
    folder, begun = folder_of(prefix, place.day, place.table, place.id), begun_at(place.id)
    return Backup(bucket, place.table, place.id, place.day, folder, requested=begun, moment=begun)


def _told(bare: Backup, documents: Mapping[str, Any]) -> Backup:
    verdicts = [documents[name] for name in (SUCCESS, FAILURE) if name in documents]
    if verdicts:
        return backup_from(max(verdicts, key=lambda document: read_time(document["checked_at"]))["backup"])
    backup = backup_from(documents[RECORD]["backup"]) if RECORD in documents else bare
    try:
        return summed_up(backup, documents[SUMMARY]) if SUMMARY in documents else backup
    except DamagedExport as error:
        return replace(backup, state=UNVERIFIED, reason=str(error))


def summed_up(backup: Backup, summary_body: bytes) -> Backup:
    """With what the export's summary says: it has ended and is not verified. Raises DamagedExport."""
    summary = read_summary(summary_body)
    parts = summary.table_arn.split(":")
    return replace(
        backup,
        state=UNVERIFIED,
        kind=summary.kind,
        region=parts[3],
        account_id=parts[4],
        export_arn=summary.export_arn,
        table_arn=summary.table_arn,
        table_id=summary.table_id,
        start=summary.start,
        moment=summary.moment,
        items=summary.items,
        billed_bytes=summary.billed_bytes,
    )


def _sized(backup: Backup, found: Found) -> Backup:
    """A full backup's data lie in its own folder, so the listing says what is there now."""
    if backup.kind != FULL:
        return backup
    classes = dict(sorted(found.classes.items()))
    sized = replace(backup, files=found.files, stored_bytes=sum(classes.values()), storage_classes=classes)
    if backup.state == VERIFIED and found.files < backup.files:
        # Expired before their verdict did, or removed: nothing is restored from it any more.
        gone = f"{backup.files - found.files:,} of its {backup.files:,} data files are not there any more"
        return replace(sized, state=DAMAGED, reason=gone)
    return sized


def verified(backups: Iterable[Backup], kind: str) -> list[Backup]:
    """Those that count, oldest moment first."""
    return sorted((b for b in backups if b.state == VERIFIED and b.kind == kind), key=lambda b: b.moment)


def chains(backups: Iterable[Backup]) -> list[Span]:
    """Windows of incrementals put together where they meet, oldest first. Of one table."""
    return joined(Span(backup.start or 0, backup.moment) for backup in backups if backup.kind == INCREMENTAL)


class Step(NamedTuple):
    """How a moment is reached: by a window, from the moment before it."""

    window: Backup
    since: float


def carried(base: Backup, backups: Iterable[Backup]) -> dict[float, Step | None]:
    """The moments that verified windows carry a full backup to, each with its last step; of the base's own, None.

    A window carries on what ends in the second that it begins in, and nothing from within it: of what was born and gone in one
    window there is no line, and it would stay if it was in the base already. (Within that second it may: windows begin with
    whole ones.)
    """
    known = [window for window in verified(backups, INCREMENTAL) if window.table_id == base.table_id]
    reached: dict[float, Step | None] = {base.moment: None}
    seconds: dict[float | None, float] = {math.floor(base.moment): base.moment}
    for window in known:  # by their ends, so that each finds those before it
        since = seconds.get(window.start)
        if since is not None and since < window.moment and window.moment not in reached:
            reached[window.moment] = Step(window, since)
            seconds.setdefault(math.floor(window.moment), window.moment)
    return reached


def coverage(backups: Iterable[Backup]) -> list[Span]:
    """Where verified backups of one table reach, put together, oldest first: in a span, the ends of its windows."""
    backups = list(backups)
    return joined(Span(base.moment, max(carried(base, backups))) for base in verified(backups, FULL))


def gaps(backups: Iterable[Backup]) -> list[Span]:
    """Holes between the verified incrementals of one table."""
    holes = []
    for same_table in _lives(backups):
        held = chains(verified(same_table, INCREMENTAL))
        holes += [Span(before.end, after.start) for before, after in pairwise(held)]
    return sorted(holes)


def _lives(backups: Iterable[Backup]) -> list[list[Backup]]:
    """By table id: a table that was deleted and made again has another one, and its changes are another story."""
    lives: dict[str, list[Backup]] = {}
    for backup in backups:
        lives.setdefault(backup.table_id, []).append(backup)
    return list(lives.values())


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans put together where they meet, oldest first."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.start <= whole[-1].end:
            whole[-1] = Span(whole[-1].start, max(whole[-1].end, span.end))
        else:
            whole.append(span)
    return whole
