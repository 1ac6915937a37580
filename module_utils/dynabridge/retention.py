# SPDX-License-Identifier: MIT
"""When S3 moves a backup to another storage class, and when it expires, by the bucket's own lifecycle rules.

``rules`` are those that GetBucketLifecycleConfiguration answers. Reckoned from when the backup was asked for, which is no
later than its first object: nothing happens earlier than said here. In doubt a rule counts: one that touches only a part of
a backup ends the whole.

In a versioned bucket what expires is hidden, and erased ``NoncurrentDays`` later; Object Lock keeps it longer, not in sight.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from .catalogue import Backup, verified
from .exports import FULL, read_time

DAY = 86400
STANDARD = "STANDARD"
Rules = Sequence[Mapping[str, Any]]


class Move(NamedTuple):
    """A storage class, and from when on a backup may lie in it."""

    moment: float
    storage_class: str


@dataclass(frozen=True)
class Life:
    """What becomes of a backup. ``expires``: None = never. ``erased``: when its bytes are gone, as far as the rules say."""

    moves: tuple[Move, ...]
    expires: float | None
    erased: float | None


class Guard(NamedTuple):
    """A table's last verified full backup, and the days until it expires; None = there is none, or it never expires."""

    backup: Backup | None
    days: float | None

    def warns(self, within_days: float) -> bool:
        return self.days is not None and self.days < within_days


def life(backup: Backup, rules: Rules) -> Life:
    """What the rules say of one backup."""
    touching = [rule for rule in rules if touches(rule, backup.folder)]
    moves = [
        Move(_when(transition, backup.requested), transition["StorageClass"])
        for rule in touching
        for transition in rule.get("Transitions", [])
        if {"Days", "Date"} & set(transition)
    ]
    ends = [
        _when(rule["Expiration"], backup.requested)
        for rule in touching
        if {"Days", "Date"} & set(rule.get("Expiration", {}))
    ]
    expires = min(ends, default=None)
    return Life(
        moves=tuple(sorted(move for move in moves if expires is None or move.moment < expires)),
        expires=expires,
        erased=_erased(expires, touching),
    )


def touches(rule: Mapping[str, Any], folder: str) -> bool:
    """Whether a rule is in force for objects of the folder. Those of exports have no tags."""
    chosen = rule.get("Filter", {})
    both = chosen.get("And", {})
    if rule.get("Status") != "Enabled" or "Tag" in chosen or both.get("Tags"):
        return False
    prefix = chosen.get("Prefix") or both.get("Prefix") or rule.get("Prefix") or ""
    return folder.startswith(prefix) or prefix.startswith(folder)


def classes_of(backup: Backup, rules: Rules, now: float) -> Mapping[str, int]:
    """Stored bytes by class: as listed; of incrementals, whose files lie together, as the rules should have it by now."""
    if backup.storage_classes or not backup.stored_bytes:
        return backup.storage_classes
    past = [move.storage_class for move in life(backup, rules).moves if move.moment <= now]
    return {[STANDARD, *past][-1]: backup.stored_bytes}


def expiring(backups: Iterable[Backup], rules: Rules, now: float, within_days: float) -> list[tuple[float, Backup]]:
    """Backups that expire within so many days, the next one first, each with its moment."""
    ends = [(life(backup, rules).expires, backup) for backup in backups]
    soon = [(end, backup) for end, backup in ends if end is not None and end <= now + within_days * DAY]
    return sorted(soon, key=lambda entry: (entry[0], entry[1].table, entry[1].id))


def guard(backups: Iterable[Backup], rules: Rules, now: float) -> Guard:
    """Of one table: whether its last verified full backup is about to go. Others may expire; that one is all there is."""
    fulls = verified(backups, FULL)
    if not fulls:
        return Guard(None, None)
    expires = life(fulls[-1], rules).expires
    return Guard(fulls[-1], None if expires is None else (expires - now) / DAY)


def _when(rule: Mapping[str, Any], created: float) -> float:
    """S3 counts whole days and rounds up to midnight UTC. A date is in force for what comes later, too."""
    if "Date" in rule:
        date = rule["Date"]
        return max(created, date.timestamp() if isinstance(date, datetime) else read_time(str(date)))
    return math.ceil((created + rule["Days"] * DAY) / DAY) * DAY


def _erased(expires: float | None, rules: Rules) -> float | None:
    days = [
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules
        if "NoncurrentDays" in rule.get("NoncurrentVersionExpiration", {})
    ]
    return expires + min(days) * DAY if days and expires is not None else None
