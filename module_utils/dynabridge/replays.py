# SPDX-License-Identifier: MIT
"""What lies in a side's quarantine, read for people and made into events that the function can handle again.

An entry is an object on S3. It holds a *record* as Lambda got it, a single *change* out of a record that was otherwise
applied, or a *gap*: a run of records that the stream had forgotten before anybody could store them. An entry's id is the
beginning of a hash of the object's key, and the key follows from the content, so the same record has the same id
whoever stores it and how often.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from .changes import DELETE, Change
from .errors import MalformedRecord
from .stamps import Item
from .wire import decode, encode, lane_of

RECORD, CHANGE, GAP, UNREADABLE = "record", "change", "gap", "unreadable"
# Where entries lie, and where they go. Nothing is ever erased.
QUARANTINE, GAPS = "quarantine/", "gaps/"
REPLAYED, DISCARDED = "replayed/", "discarded/"

DAY = 86_400.0
ID_LENGTH = 12
KEYS_SHOWN = 3
# Lambda takes 6 MB by a synchronous invoke; the rest is room for the frame. The count bounds the function's time.
EVENT_BYTES = 5_000_000
EVENT_RECORDS = 200


def entry_id(key: str) -> str:
    """Short, stable and typeable: twelve hex digits of the object's key."""
    return hashlib.sha256(key.encode()).hexdigest()[:ID_LENGTH]


def moved(folder: str, key: str) -> str:
    """Where an entry goes that is done with."""
    return folder + key


@dataclass(frozen=True)
class Entry:
    """One object of the quarantine.

    function: whose record it is. source: ARN of the stream. tables: on this side, as far as the content tells. written:
    epoch seconds of the oldest change in it, or of its arrival. has_put: whether it may write an item (what cannot be
    read may). body: the whole object.
    """

    key: str
    size: int
    kind: str
    function: str
    reason: str
    source: str = ""
    sequence_number: str = ""
    arrived: float = 0.0
    written: float = 0.0
    tables: tuple[str, ...] = ()
    keys: tuple[Item, ...] = ()
    has_put: bool = True
    body: Mapping[str, Any] | None = None

    @property
    def record(self) -> Any:
        """What the stream gave; of what could be read, and is no gap."""
        return (self.body or {})["record"]

    @property
    def id(self) -> str:
        return entry_id(self.key)

    def is_older_than(self, days: float, now: float) -> bool:
        return now - self.written > days * DAY

    def summary(self, side: str) -> dict[str, Any]:
        """The entry as a result shows it, without its content."""
        return {
            "id": self.id,
            "side": side,
            "kind": self.kind,
            "function": self.function,
            "tables": list(self.tables),
            "keys": [dict(keys) for keys in self.keys[:KEYS_SHOWN]],
            "reason": self.reason,
            "arrived": _iso(self.arrived),
            "size": self.size,
            "object": self.key,
        }


def read_entry(key: str, content: bytes) -> Entry:
    """An object as an entry; one that cannot be read is an entry too, so that it is seen."""
    try:
        body = json.loads(content)
        if not isinstance(body, dict):
            raise ValueError("it holds no object")
        return _gap(key, len(content), body) if key.startswith(GAPS) else _kept(key, len(content), body)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return Entry(key, len(content), UNREADABLE, _function_of(key), f"object cannot be read: {error}")


def _function_of(key: str) -> str:
    parts = key.split("/")
    return parts[1] if len(parts) > 1 else ""


def _kept(key: str, size: int, body: dict[str, Any]) -> Entry:
    record = body["record"]
    common = {
        "key": key,
        "size": size,
        "function": body["function"],
        "reason": body["reason"],
        "source": body["source"],
        "sequence_number": str(body["sequence_number"]),
        "arrived": float(body["arrived"]),
        "body": body,
    }
    if "operation" in record:
        changes = [change_of(record)]
        return Entry(kind=CHANGE, **common, **_about(changes, common["arrived"]))
    if "kinesis" in record:
        return Entry(kind=RECORD, **common, **_about(_changes_in(record), common["arrived"]))
    return Entry(kind=RECORD, **common, **_about_stream_record(record, body["source"], common["arrived"]))


def change_of(record: Mapping[str, Any]) -> Change:
    """A change that was kept as the dict of its fields; those of a later version are left aside."""
    known = {field.name for field in fields(Change)}
    return Change(**{name: value for name, value in record.items() if name in known})


def _changes_in(record: Mapping[str, Any]) -> list[Change]:
    """The changes of a Kinesis record; none where it cannot be read."""
    try:
        return decode(base64.b64decode(record["kinesis"]["data"], validate=True))[1]
    except (MalformedRecord, KeyError, TypeError, binascii.Error):
        return []


def _about(changes: list[Change], arrived: float) -> dict[str, Any]:
    return {
        "tables": tuple(dict.fromkeys(change.table for change in changes)),
        "keys": tuple(change.keys for change in changes[:KEYS_SHOWN]),
        "has_put": not changes or any(change.operation != DELETE for change in changes),
        "written": min((change.at for change in changes if change.at), default=arrived),
    }


def _about_stream_record(record: Mapping[str, Any], source: str, arrived: float) -> dict[str, Any]:
    keys = (record.get("dynamodb") or {}).get("Keys")
    return {
        "tables": tables_of(source),
        "keys": (keys,) if isinstance(keys, dict) and keys else (),
        "has_put": record.get("eventName") != "REMOVE",
        "written": arrived,
    }


def _gap(key: str, size: int, body: dict[str, Any]) -> Entry:
    arrived = float(body["arrived"])
    return Entry(
        key=key,
        size=size,
        kind=GAP,
        function=body["function"],
        reason=body["reason"],
        source=body["source"],
        sequence_number=str(body["first_sequence_number"]),
        arrived=arrived,
        written=arrived,
        tables=tuple(body["tables"]),
        body=body,
    )


def tables_of(source: str) -> tuple[str, ...]:
    """The table of a table's stream; none for a Kinesis stream, which carries many."""
    resource = source.split(":", 5)[-1]
    return (resource.split("/")[1],) if resource.startswith("table/") else ()


def chosen(entry: Entry, table: str) -> bool:
    """Whether a choice by table takes the entry; '' takes all, and what has no known table is taken only by that."""
    return not table or table in entry.tables


# -- events ----------------------------------------------------------------------------------


def group_of(entry: Entry) -> tuple[str, str, tuple[str, ...]]:
    """Entries that may go in one event: of one function, one stream and the same tables.

    So a table that cannot be written does not hold up the others, and sequence numbers are of one stream.
    """
    return entry.function, entry.source, entry.tables


def event_of(entries: Iterable[Entry], peer: str) -> tuple[dict[str, Any], list[list[Entry]]]:
    """The event that hands entries to their function again, and the entries behind each of its records.

    Changes that came in one Kinesis record become one Kinesis record again: a function names what it could not settle by
    sequence number.
    """
    records: list[Any] = []
    behind: list[list[Entry]] = []
    wrapped: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind == CHANGE:
            number = _number_of(entry)
            if number in wrapped:
                wrapped[number].append(entry)
                continue
            behind.append(wrapped.setdefault(number, [entry]))
            records.append(number)
        else:
            behind.append([entry])
            records.append(entry.record)
    event = [
        _kinesis_record(record, members, peer) if isinstance(record, str) else record
        for record, members in zip(records, behind, strict=True)
    ]
    return {"Records": event, "replay": True}, behind


def _number_of(entry: Entry) -> str:
    """The sequence number of the Kinesis record that the change came in; its own name goes on after that."""
    found = re.match(r"\d+", entry.sequence_number)
    return found.group() if found else entry.sequence_number


def _kinesis_record(number: str, members: list[Entry], peer: str) -> dict[str, Any]:
    changes = [change_of(entry.record) for entry in members]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": lane_of(changes[0]),
            "sequenceNumber": number,
            "data": base64.b64encode(encode(changes, peer)).decode("ascii"),
            "approximateArrivalTimestamp": members[0].arrived,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"replay:{number}",
        "eventName": "aws:kinesis:record",
        "eventSourceARN": members[0].source,
    }


def unsettled_from(event: Mapping[str, Any], failures: Iterable[Mapping[str, Any]]) -> int:
    """Index of the first record that the function did not settle: the lowest it names, and everything after it.

    As for a mapping: an empty list is success, and a name that nobody knows stands for the whole event.
    """
    positions = {_sequence_number(record): index for index, record in enumerate(event["Records"])}
    return min((positions.get(failure.get("itemIdentifier"), 0) for failure in failures), default=len(event["Records"]))


def _sequence_number(record: Mapping[str, Any]) -> Any:
    if "kinesis" in record:
        return record["kinesis"].get("sequenceNumber")
    return (record.get("dynamodb") or {}).get("SequenceNumber")


# -- for people ------------------------------------------------------------------------------

COLUMNS = ("id", "kind", "function", "table", "arrived", "size", "keys", "reason")


def listing(summaries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Entries as lines of a table, the reason last because it is long."""
    rows = [COLUMNS, *(_cells(summary) for summary in summaries)]
    if len(rows) == 1:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in rows]


def _cells(summary: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        summary["id"],
        summary["kind"],
        summary["function"],
        ",".join(summary["tables"]) or "-",
        summary["arrived"],
        f"{summary['size']:,}",
        _cut(" ".join(key_text(keys) for keys in summary["keys"]) or "-", 48),
        _cut(summary["reason"], 160),
    )


def key_text(keys: Item) -> str:
    """``PK=a,at=7``."""
    return ",".join(f"{name}={value}" for name, typed in keys.items() for value in typed.values())


def _cut(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else "-"
