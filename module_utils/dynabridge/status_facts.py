# SPDX-License-Identifier: MIT
"""What is known of a side before anybody judges it. ``status`` makes a document of it, ``status_faults`` says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HOUR = 3600
DAY_HOURS = 24
WINDOW_MINUTES = 15  # that metrics are asked for
SENDER, RECEIVER, CAPTURE, BACKUP = "sender", "receiver", "capture", "backup"
# How the key pair stands by which a side writes to its peer.
ACTIVE, INACTIVE, GONE, MISSING, UNKNOWN = "active", "inactive", "gone", "missing", "unknown"


@dataclass(frozen=True)
class Facts:
    """What was found of a side. Of what is None nobody knows.

    unreachable: why nothing at all is known, '' when something is.
    functions: part, name and sources of each that is to be there; queues: part and name of each.
    found: of side_status_info. backups: a report of ``backup_report``; watermarks: by table; drills: of each table the last.
    failed: why backups, captured or drills are not known, by these names.
    capture_limit_seconds: how far a watermark may be behind; age_limit_seconds: how old what a function reads, 0 = any age.
    """

    side: str
    peer: str
    region: str
    account: str = ""
    unreachable: str = ""
    functions: Sequence[Mapping[str, Any]] = ()
    queues: Sequence[Mapping[str, Any]] = ()
    found: Mapping[str, Any] = field(default_factory=dict)
    backups: Mapping[str, Any] | None = None
    watermarks: Mapping[str, Any] | None = None
    drills: Sequence[Mapping[str, Any]] | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    capture_limit_seconds: float = 900
    age_limit_seconds: float = 0

    def part(self, name: str) -> Any:
        return self.found.get(name)

    def unknown(self) -> dict[str, str]:
        """Why what is not known is not known, by its part."""
        return {**self.found.get("unknown", {}), **{name: why for name, why in self.failed.items() if why}}
