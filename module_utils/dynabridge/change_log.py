# SPDX-License-Identifier: MIT
"""The log of a table's changes on S3: where its objects lie, and what a batch of stream records becomes.

``<prefix>/<table>/YYYY/MM/DD/HH/<first sequence number>-<last>.json.gz``, hours in UTC by the records' own time. The names
sort by sequence number. The same batch gives the same names and bytes, so one that is delivered again writes what is there;
one that comes again cut in another way repeats lines, which changes nothing: an item's last change is found by its order.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .change_lines import captured_line

PREFIX = "changes"
# DynamoDB's sequence numbers have 21 to 40 digits (StreamRecord, API reference).
DIGITS = 40
LEVEL = 6
_KEY = re.compile(
    r"(?P<table>[\w.-]+)/(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/(?P<hour>\d\d)/"
    rf"(?P<first>\d{{{DIGITS}}})-(?P<last>\d{{{DIGITS}}})\.json\.gz"
)


class LogObject(NamedTuple):
    """What the key of an object of the log says. ``hour``: its begin, epoch seconds."""

    table: str
    hour: float
    first: int
    last: int


def objects_of(table: str, records: Iterable[dict[str, Any]], prefix: str = PREFIX) -> Iterator[tuple[str, bytes]]:
    """(key, body) of the objects that a batch of one table's stream becomes: one for each hour. Raises KeyError for a
    record that lacks what it must have."""
    hours: dict[int, list[tuple[int, bytes]]] = {}
    for record in records:
        data = record["dynamodb"]
        hour = int(data["ApproximateCreationDateTime"]) // 3600
        hours.setdefault(hour, []).append((int(data["SequenceNumber"]), captured_line(record)))
    for hour, lines in sorted(hours.items()):
        numbers = [number for number, _line in lines]
        body = gzip.compress(b"".join(line for _number, line in lines), LEVEL, mtime=0)
        yield key_of(table, hour * 3600, min(numbers), max(numbers), prefix), body


def key_of(table: str, hour: float, first: int, last: int, prefix: str = PREFIX) -> str:
    """The key of an object of the log."""
    folder = datetime.fromtimestamp(hour, UTC).strftime("%Y/%m/%d/%H")
    return f"{prefix}/{table}/{folder}/{first:0{DIGITS}d}-{last:0{DIGITS}d}.json.gz"


def object_of(key: str, prefix: str = PREFIX) -> LogObject | None:
    """What a key says; None for what is no object of the log."""
    match = _KEY.fullmatch(key.removeprefix(f"{prefix}/")) if key.startswith(f"{prefix}/") else None
    if match is None:
        return None
    year, month, day, hours = (int(match[name]) for name in ("year", "month", "day", "hour"))
    try:
        hour = datetime(year, month, day, hours, tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return LogObject(match["table"], hour, int(match["first"]), int(match["last"]))
