# SPDX-License-Identifier: MIT
"""Up to when every change of a table is in the captured log: ``changes/<table>/watermark.json``.

A watermark says that the log is complete for all changes in [since, until) but for the holes it names. The function that
captures writes it each minute, by what it has seen of its mapping; it must never claim what is not there:

* It claims nothing newer than a margin before the age of what the mapping has handed over lately. The margin outlasts two
  invocations, and the delay of CloudWatch.
* It claims nothing while the mapping is off or fails, nor before all has been well for a while: a mapping that has just been
  switched on again looks idle before it has read its first record.
* A stream keeps its records for a day. Who was behind for longer cannot know what is missing: that becomes a hole.
* Another stream is another story: what happened between the two is a hole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .change_log import PREFIX

NAME = "watermark.json"
VERSION = 1
RETENTION = 86_400  # seconds that a DynamoDB stream keeps its records
# A stream that is older than this when it is first seen may have lost its first records already.
YOUNG = RETENTION - 3600
# Who looks each minute and was away for longer than this does not know what happened meanwhile.
AWAY = 150
# Holes of one cause that lie closer together than this are one: a table can have many unreadable records.
NEAR = 60
MOST_HOLES = 200

STALLED = "the capture stood still for longer than the stream keeps records"
SEVERAL = "for several causes, such as this: "
REPLACED = "the table or its stream was another one before"


class Hole(NamedTuple):
    """Changes from ``start`` (inclusive) to ``end`` (exclusive) may be missing; ``why`` in a sentence."""

    start: float
    end: float
    why: str


@dataclass(frozen=True)
class Watermark:
    """Times are epoch seconds. ``well_since``: since when each look found the capture well; 0 = the last one did not."""

    table: str
    table_id: str
    stream_arn: str
    since: float
    until: float
    written: float
    holes: tuple[Hole, ...] = ()
    well_since: float = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times as ISO text, whole seconds, rounded so that less is claimed."""
        return {
            "version": VERSION,
            "table": self.table,
            "table_id": self.table_id,
            "stream_arn": self.stream_arn,
            "since": _iso(math.ceil(self.since)),
            "until": _iso(math.floor(self.until)),
            "written": _iso(math.floor(self.written)),
            "well_since": _iso(math.ceil(self.well_since)) if self.well_since else None,
            "holes": [
                {"start": _iso(math.floor(hole.start)), "end": _iso(math.ceil(hole.end)), "why": hole.why}
                for hole in self.holes
            ],
        }

    def with_holes(self, holes: Iterable[Hole]) -> Watermark:
        """With these as well. The same hole named twice is one, and those of one cause that lie close together are, too."""
        return replace(self, holes=_united([*self.holes, *holes]))


@dataclass(frozen=True)
class Seen:
    """What a look at a captured table has found, at ``now``.

    begun: since when the mapping has all records of the stream, 0 where that is not known. age: seconds, the oldest that the
    mapping has handed over lately. problem: why nothing can be claimed; '' = all is well.
    """

    table: str
    table_id: str
    stream_arn: str
    now: float
    begun: float = 0
    age: float = 0
    problem: str = ""


class Pace(NamedTuple):
    """In seconds. margin: how far claims stay behind. settle: how long all must have been well. keep: how long objects live."""

    margin: float
    settle: float
    keep: float


def key_of_watermark(table: str, prefix: str = PREFIX) -> str:
    return f"{prefix}/{table}/{NAME}"


def watermark_from(document: Mapping[str, Any]) -> Watermark:
    """Of ``as_dict``. Raises ValueError, KeyError or TypeError for anything else."""
    if document["version"] != VERSION:
        raise ValueError(f"a watermark of version {document['version']!r}: this dynabridge reads version {VERSION}")
    mark = Watermark(
        document["table"],
        document["table_id"],
        document["stream_arn"],
        _seconds(document["since"]),
        _seconds(document["until"]),
        _seconds(document["written"]),
        tuple(Hole(_seconds(hole["start"]), _seconds(hole["end"]), str(hole["why"])) for hole in document["holes"]),
        _seconds(document["well_since"]) if document.get("well_since") else 0,
    )
    if mark.until < mark.since:
        raise ValueError(f"a watermark that ends before it begins: {document['since']} to {document['until']}")
    return mark


def advanced(before: Watermark | None, seen: Seen, pace: Pace) -> Watermark:
    """The watermark after a look. It never goes back, and never beyond the look."""
    mark = _same_story(before, seen) if before else _first(seen)
    mark = _aged(replace(mark, written=seen.now, well_since=_well_since(before, seen)), seen.now - pace.keep)
    if not mark.well_since or seen.now - mark.well_since < pace.settle:
        return mark
    reached = seen.now - max(seen.age, 0) - max(pace.margin, 0)
    if reached <= mark.until:
        return mark
    forgotten = seen.now - RETENTION
    if mark.until < forgotten:
        mark = mark.with_holes([Hole(mark.until, forgotten, STALLED)])
    return replace(mark, until=reached)


def _first(seen: Seen) -> Watermark:
    start = _start(seen)
    return Watermark(seen.table, seen.table_id, seen.stream_arn, start, start, seen.now)


def _start(seen: Seen) -> float:
    """From when a stream that was not known before is captured: from its begin where it cannot have lost anything yet."""
    is_young = 0 <= seen.now - seen.begun <= YOUNG
    return min(math.ceil(seen.begun), seen.now) if is_young else seen.now


def _same_story(mark: Watermark, seen: Seen) -> Watermark:
    """The watermark, with a hole where it goes on with another stream or another table of the same name."""
    if (mark.table_id, mark.stream_arn) == (seen.table_id, seen.stream_arn):
        return mark
    start = max(_start(seen), mark.until)
    hole = Hole(mark.until, max(start, mark.until + 1), REPLACED)
    return replace(mark.with_holes([hole]), table_id=seen.table_id, stream_arn=seen.stream_arn, until=start)


def _well_since(before: Watermark | None, seen: Seen) -> float:
    if seen.problem:
        return 0
    if before is None:
        return seen.now
    is_known = before.stream_arn == seen.stream_arn and before.table_id == seen.table_id
    if is_known and before.well_since and 0 <= seen.now - before.written <= AWAY:
        return min(before.well_since, seen.now)
    return seen.now


def _aged(mark: Watermark, oldest: float) -> Watermark:
    """The log's objects expire, and holes with them."""
    if mark.since >= oldest:
        return mark
    since = min(oldest, mark.until)
    return replace(mark, since=since, holes=tuple(hole for hole in mark.holes if hole.end > since))


def _united(holes: Iterable[Hole]) -> tuple[Hole, ...]:
    """Those of one cause that lie close together are one; of very many also those of several causes, ever farther apart."""
    found = _joined(sorted(holes, key=lambda hole: (hole.why, hole.start, hole.end)), NEAR, mixed=False)
    near = NEAR
    while len(found) > MOST_HOLES:
        found, near = _joined(sorted(found), near, mixed=True), near * 4
    return tuple(sorted(found))


def _joined(holes: Iterable[Hole], near: float, mixed: bool) -> list[Hole]:
    found: list[Hole] = []
    for hole in holes:
        last = found[-1] if found else None
        if last and hole.start <= last.end + near and (mixed or hole.why == last.why):
            why = last.why if hole.why == last.why or last.why.startswith(SEVERAL) else SEVERAL + last.why
            found[-1] = Hole(last.start, max(last.end, hole.end), why)
        else:
            found.append(hole)
    return found


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
