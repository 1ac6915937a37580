# SPDX-License-Identifier: MIT
"""Lines of changes, in the format of DynamoDB's incremental exports.

``{"Metadata": {"WriteTimestampMicros": {"N": ...}}, "Keys": ..., "OldImage": ..., "NewImage": ...}``: a delete has no
NewImage. Lines that dynabridge captures from a stream bear the record's SequenceNumber and EventId in Metadata as well:
the time of a stream record is of whole seconds, and only the sequence number orders the changes of an item.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .errors import DamagedExport
from .stamps import Item

MICROS = 1_000_000


class Order(NamedTuple):
    """Which of two changes of an item comes later.

    ``phase``: later sources win over earlier ones (windows of exports by their end, what was captured after them all).
    ``number``: within a phase, of captured lines the sequence number, else the time.
    """

    phase: int
    number: int


class ChangeLine(NamedTuple):
    """A change as far as a merge needs it. ``new``: None for a delete. ``sequence``: 0 where there is none."""

    keys: Item
    micros: int
    sequence: int
    old: Item | None
    new: Item | None

    def order(self, phase: int) -> Order:
        return Order(phase, self.sequence or self.micros)


def read_change(line: bytes) -> ChangeLine:
    """Raises DamagedExport for what is no line of changes."""
    try:
        found = json.loads(line)
        metadata = found["Metadata"]
        sequence = metadata.get("SequenceNumber")
        return ChangeLine(
            found["Keys"],
            int(metadata["WriteTimestampMicros"]["N"]),
            int(sequence["S"]) if sequence else 0,
            found.get("OldImage"),
            found.get("NewImage"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedExport(f"holds a line that is no change: {line[:80]!r}") from error


def captured_line(record: dict[str, Any]) -> bytes:
    """The line of a DynamoDB stream record, as Lambda gets it. Raises KeyError for what is none."""
    data = record["dynamodb"]
    metadata = {
        "WriteTimestampMicros": {"N": str(int(data["ApproximateCreationDateTime"] * MICROS))},
        "SequenceNumber": {"S": data["SequenceNumber"]},
        "EventId": {"S": record["eventID"]},
    }
    images = {name: data[name] for name in ("OldImage", "NewImage") if name in data}
    line = {"Metadata": metadata, "Keys": data["Keys"], **images}
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def item_line(item: Item) -> bytes:
    """A line of a full export, which is what ImportTable reads."""
    return json.dumps({"Item": item}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def key_of(item: Item, names: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """The item's key as something to look up by: type and value of each key attribute."""
    return tuple(next(iter(item[name].items())) for name in names)
