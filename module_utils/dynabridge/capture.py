# SPDX-License-Identifier: MIT
"""Capturing changes, as far as it needs no AWS: what is unreadable, what a mapping tells, holes under way to a watermark."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .change_log import DIGITS
from .changes import images_of
from .errors import MalformedRecord
from .lost_batches import LostBatch
from .watermark import RETENTION, Hole

END_OF_TIME = 253_402_300_800  # the year 10000, where no calendar goes on
GOOD_RESULTS = ("OK", "No records processed")
FAILED_RESULT = "PROBLEM: Function call failed"
STRAY = "a message of the queue of given up batches could not be read; the function's log shows it"
UNREADABLE = "records could not be read; they are kept whole in the quarantine"


def table_of(arn: str) -> str:
    """``arn:aws-cn:dynamodb:region:account:table/NAME/stream/label`` -> NAME; '' for anything else."""
    parts = arn.split("/")
    return parts[1] if len(parts) == 4 and parts[0].endswith(":table") else ""


def check_record(record: Mapping[str, Any]) -> None:
    """Raises MalformedRecord for a stream record that cannot become a line of the log, or whose object could not be named."""
    images_of(dict(record))
    data, name = record["dynamodb"], record.get("eventID")
    number = data.get("SequenceNumber")
    if not isinstance(number, str) or not number.isdecimal() or len(number) > DIGITS:
        raise MalformedRecord(f"stream record with the sequence number {number!r}")
    if written_at(record) is None:
        raise MalformedRecord(f"stream record of the time {data.get('ApproximateCreationDateTime')!r}")
    if not isinstance(name, str):
        raise MalformedRecord(f"stream record with the event id {name!r}")


def written_at(record: Any) -> float | None:
    """Epoch seconds of the write; None where the record does not say."""
    data = record.get("dynamodb") if isinstance(record, Mapping) else None
    found = data.get("ApproximateCreationDateTime") if isinstance(data, Mapping) else None
    if not isinstance(found, (int, float)) or isinstance(found, bool) or not 0 < found < END_OF_TIME:
        return None
    return float(found)


def hole_of(records: Iterable[Any], unreadable: Iterable[Any], now: float) -> Hole:
    """What is missing when these records of a batch could not be read. One without a time lies within its batch."""
    times = [written_at(record) for record in unreadable]
    if None in times:
        times = [written_at(record) for record in records]
    known = [time for time in times if time is not None] or [now - RETENTION, now]
    return Hole(math.floor(min(known)), math.floor(max(known)) + 1, UNREADABLE)


def hole_message(tables: Iterable[str], hole: Hole) -> str:
    """A hole on its way to the watermarks, which only the look each minute writes."""
    return json.dumps({"dynabridgeHole": {"tables": sorted(tables), **hole._asdict()}})


def read_hole(text: str) -> tuple[list[str], Hole] | None:
    """Of ``hole_message``; None for anything else."""
    try:
        found = json.loads(text)["dynabridgeHole"]
        return list(found["tables"]), Hole(float(found["start"]), float(found["end"]), str(found["why"]))
    except (ValueError, KeyError, TypeError):
        return None


def hole_in(batch: LostBatch, missing: str, until: float | None, now: float) -> Hole:
    """What a given up batch leaves behind. ``until``: when the first record was written that the stream still had."""
    end = until or batch.last_arrived or now
    why = f"a batch of {batch.size} records of shard {batch.shard} was given up ({batch.condition}), and {missing}"
    return Hole(math.floor(batch.first_arrived), math.floor(end) + 1, why)


def stray_hole(sent: float) -> Hole:
    """A message that nobody can read may stand for any batch that the stream still held."""
    return Hole(math.floor(sent) - RETENTION, math.floor(sent) + 1, STRAY)


def has_failed(mapping: Mapping[str, Any]) -> bool:
    """Whether the last batch failed. A mapping that has given that one up says so until it hands over another."""
    return str(mapping.get("LastProcessingResult", "")) == FAILED_RESULT


def problem_of(mapping: Mapping[str, Any] | None, is_quiet: bool = False) -> str:
    """Why nothing can be said of what a mapping has handed over; '' when all is well.

    ``is_quiet``: for long nothing was handed over, so that a batch that failed is not tried any more, but given up.
    """
    if mapping is None:
        return "no mapping reads its stream: run deploy.yml --tags change_capture"
    if mapping.get("State") != "Enabled":
        return f"its mapping is {mapping.get('State')}"
    if mapping.get("FilterCriteria"):
        return "its mapping filters records: take the filter away"
    if is_quiet and has_failed(mapping):
        return ""
    result = str(mapping.get("LastProcessingResult", ""))
    return "" if result.startswith(GOOD_RESULTS) else f"its mapping says: {result}"


def begun_of(label: str, mapping: Mapping[str, Any] | None) -> float:
    """Since when the mapping has all records of the stream: since the stream began, which its label says. 0 = not known."""
    if mapping is None or mapping.get("StartingPosition") != "TRIM_HORIZON":
        return 0
    try:
        moment = datetime.fromisoformat(label)
    except ValueError:
        return 0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
