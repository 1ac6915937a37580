# SPDX-License-Identifier: MIT
"""What an operator may write for the moment to go back to: a day, a time with its zone, or ``latest``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

from .backup_layout import iso
from .errors import SettingsError

_Read = TypeVar("_Read")

LATEST = "latest"
HOW = (
    "write a day of UTC (2025-10-26), a time with its zone (2025-10-26T10:15:03Z, 2025-10-26T18:15:03+08:00) or latest"
)
_DAY = re.compile(r"\d{4}([-/])\d{2}\1\d{2}")
_TIME = re.compile(r"\d{4}([-/])\d{2}\1\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,6})?)?(?P<zone> ?(Z|z|[+-]\d{2}:?\d{2}))?")


@dataclass(frozen=True)
class Asked:
    """One of the three. ``day``: 2025-10-26; ``moment``: epoch seconds, everything written before it counts."""

    day: str = ""
    moment: float | None = None

    @property
    def latest(self) -> bool:
        return not self.day and self.moment is None


def read_date(text: str, now: float) -> Asked:
    """What ``-e date=`` says. Raises SettingsError for what is no date, has no zone, or lies after ``now``."""
    text = str(text).strip()
    if text == LATEST:
        return Asked()
    if _DAY.fullmatch(text):
        day = _read(text, lambda plain: date.fromisoformat(plain).isoformat())
        if day > iso(now)[:10]:
            raise SettingsError(f"date is {text}: that day has not come yet, it is {iso(int(now))} now")
        return Asked(day=day)
    match = _TIME.fullmatch(text)
    if match is None:
        raise SettingsError(f"date is {text!r}: {HOW}")
    if not match["zone"]:
        raise SettingsError(f"date is {text!r}, a time without its zone: add Z for UTC, or the offset, as +08:00")
    moment = _read(text, lambda plain: datetime.fromisoformat(plain).astimezone(UTC).timestamp())
    if moment > now:
        raise SettingsError(f"date is {text}: that is in the future, it is {iso(int(now))} now")
    return Asked(moment=moment)


def _read(text: str, read: Callable[[str], _Read]) -> _Read:
    try:
        return read(text.replace("/", "-").replace(",", ".").replace(" +", "+").replace(" -", "-").replace(" Z", "Z"))
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"date is {text!r}: {error}; {HOW}") from error
