# SPDX-License-Identifier: MIT
"""What a restore is made from: a full backup, windows of incrementals, a stretch of the captured log.

The document of it goes from module to module, and to S3 beside what is restored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple

from .backup_layout import iso
from .catalogue import Backup, backup_from
from .errors import SettingsError
from .exports import read_time

MERGE, APPLY, FULL_ONLY = "merge", "apply", "full_only"
METHODS = (MERGE, APPLY, FULL_ONLY)


class LogPart(NamedTuple):
    """A stretch of the captured log: records of whole seconds s with ``start <= s`` and ``s + 1 <= end``.

    ``objects``, ``bytes``: what there is to read, compressed.
    """

    start: float
    end: float
    objects: int = 0
    bytes: int = 0


class Lack(NamedTuple):
    """Changes that may be missing: from ``start`` (inclusive) to ``end`` (exclusive), and why."""

    start: float
    end: float
    why: str


@dataclass(frozen=True)
class Plan:
    """``moment``: everything written strictly before it counts. ``holes``: what may be missing all the same.

    ``notes``: sentences for whoever decides on it.
    """

    table: str
    moment: float
    method: str
    bucket: str
    prefix: str
    changes_prefix: str
    base: Backup
    windows: tuple[Backup, ...] = ()
    log: LogPart | None = None
    holes: tuple[Lack, ...] = ()
    notes: tuple[str, ...] = ()
    id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times as ISO text."""
        log = self.log and {
            "start": iso(self.log.start),
            "end": iso(self.log.end),
            "objects": self.log.objects,
            "bytes": self.log.bytes,
        }
        return {
            "id": self.id or self.identity(),
            "table": self.table,
            "moment": iso(self.moment),
            "method": self.method,
            "bucket": self.bucket,
            "prefix": self.prefix,
            "changes_prefix": self.changes_prefix,
            "base": self.base.as_dict(),
            "windows": [window.as_dict() for window in self.windows],
            "log": log,
            "holes": [{"start": iso(hole.start), "end": iso(hole.end), "why": hole.why} for hole in self.holes],
            "notes": list(self.notes),
        }

    def identity(self) -> str:
        """8 hex digits that are the same whenever the same is restored from the same objects."""
        parts = [
            self.table,
            iso(self.moment),
            self.method,
            self.bucket,
            self.base.folder,
            [window.folder for window in self.windows],
            self.log,
            self.holes,
        ]
        return sha256(json.dumps(parts).encode()).hexdigest()[:8]


def plan_from(document: Mapping[str, Any]) -> Plan:
    """Of ``as_dict``. Raises SettingsError for anything else."""
    try:
        log = document["log"]
        plan = Plan(
            document["table"],
            read_time(document["moment"]),
            document["method"],
            document["bucket"],
            document["prefix"],
            document["changes_prefix"],
            backup_from(document["base"]),
            tuple(backup_from(window) for window in document["windows"]),
            LogPart(read_time(log["start"]), read_time(log["end"]), int(log["objects"]), int(log["bytes"]))
            if log is not None
            else None,
            tuple(Lack(read_time(hole["start"]), read_time(hole["end"]), hole["why"]) for hole in document["holes"]),
            tuple(document.get("notes", ())),
            document["id"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SettingsError(f"plan is none that dynamodb_restore_info gives ({error!r})") from error
    if plan.method not in METHODS:
        raise SettingsError(f"plan has the method {plan.method!r}: it must be {', '.join(METHODS)}")
    return plan


def named(plan: Plan) -> Plan:
    """With its id."""
    return replace(plan, id=plan.identity())
