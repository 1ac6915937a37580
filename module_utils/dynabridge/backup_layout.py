# SPDX-License-Identifier: MIT
"""Where a backup's objects lie in its bucket: the layout of the source documents, under DynamoDB's own names.

``<prefix>/YYYY/MM/DD/<table>/AWSDynamoDB/<id>/`` is one export, and so one backup; days are UTC. What dynabridge writes
lies in the same folder, so that a backup can be copied as a whole. Data files of incremental exports lie in
``AWSDynamoDB/data/`` of their day together: which belong to one, its manifest says.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import NamedTuple

from .errors import SettingsError

RECORD = "backup.json"  # what was asked for
SCHEMA = "table_schema.json"
SUCCESS, FAILURE = "_SUCCESS", "_FAILED"  # the verdicts
PROGRESS = "verification.json"  # how far a verification got that ran out of time
_ID = r"\d{14}-[0-9a-f]{8}"
_KEY = re.compile(
    r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/(?P<table>[\w.-]+)/"
    rf"(?:AWSDynamoDB/(?:(?P<id>{_ID})/)?)?(?P<name>.+)"
)


class Place(NamedTuple):
    """What a key says. ``id`` is empty for what belongs to the day, as the data files of incremental exports do."""

    day: str
    table: str
    id: str
    name: str


def table_prefix(prefix: str, day: str, table: str) -> str:
    """The prefix that an export is asked for with; DynamoDB adds ``/AWSDynamoDB/<id>/``. ``day``: 2026-11-21."""
    return f"{prefix}/{day.replace('-', '/')}/{table}"


def folder_of(prefix: str, day: str, table: str, identifier: str) -> str:
    """The folder of a backup, with a slash at its end."""
    return f"{table_prefix(prefix, day, table)}/AWSDynamoDB/{identifier}/"


def place_of(prefix: str, key: str) -> Place | None:
    """What a key under the prefix says; None for what is no part of a backup."""
    match = _KEY.fullmatch(key.removeprefix(f"{prefix}/")) if key.startswith(f"{prefix}/") else None
    if match is None:
        return None
    day = "-".join(match[part] for part in ("year", "month", "day"))
    return Place(day, match["table"], match["id"] or "", match["name"])


def id_of(export_arn: str) -> str:
    """``arn:...:table/user-cn/export/01715685260608-c488b4e1`` -> its end."""
    return export_arn.rpartition("/")[2]


def begun_at(identifier: str) -> float:
    """An export's id begins with the milliseconds at which it began."""
    return int(identifier.partition("-")[0]) / 1000


def day_of(seconds: float) -> str:
    """The UTC day of a moment."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def check_day(text: str, name: str) -> None:
    """Raises SettingsError for what is no day; '' is none."""
    try:
        known = not text or date.fromisoformat(text).isoformat() == text
    except ValueError:
        known = False
    if not known:
        raise SettingsError(f"{name} is {text!r}: write a day of UTC as 2026-11-21")


def iso(seconds: float) -> str:
    """``2026-11-21T02:00:03Z``; with milliseconds where there are some."""
    moment = datetime.fromtimestamp(round(seconds, 3), UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")
