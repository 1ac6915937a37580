# SPDX-License-Identifier: MIT
"""Lines of changes, in the format of DynamoDB's incremental exports.

``{"Metadata": {"WriteTimestampMicros": {"N": ...}}, "Keys": ..., "OldImage": ..., "NewImage": ...}``: a delete has no
NewImage. Lines that dynabridge captures from a stream bear the record's SequenceNumber and EventId in Metadata as well:
the time of a stream record is of whole seconds, and only the sequence number orders the changes of an item.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from .digest import canonical_number
from .errors import DamagedExport
from .stamps import Item

MICROS = 1_000_000
# Both are made once: json.dumps with options makes one at each call, which takes longer than the work.
_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_value_at: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class Order(NamedTuple):
    """Which of two changes of an item comes later.

    ``phase``: later sources win over earlier ones (windows of exports by their end, what was captured after them all).
    ``number``: within a phase, of captured lines the sequence number, else the time.
    """

    phase: int
    number: int


class ChangeLine(NamedTuple):
    """A change as far as a merge needs it. ``new``: None for a delete. ``sequence``: 0 where there is none.

    ``text``: the new image as it stands in the line, '' where it was not taken over.
    """

    keys: Item
    micros: int
    sequence: int
    old: Item | None
    new: Item | None
    text: str = ""

    def order(self, phase: int) -> Order:
        return Order(phase, self.sequence or self.micros)

    def item_line(self) -> bytes:
        """The item after the change as a line of a full export; empty after a delete."""
        if self.new is None:
            return b""
        return b'{"Item":%b}\n' % self.text.encode() if self.text else item_line(self.new)


def read_change(line: bytes) -> ChangeLine:
    """Raises DamagedExport for what is no line of changes."""
    try:
        found, text = _members(line.decode())
        metadata = found["Metadata"]
        sequence = metadata.get("SequenceNumber")
        return ChangeLine(
            found["Keys"],
            int(metadata["WriteTimestampMicros"]["N"]),
            int(sequence["S"]) if sequence else 0,
            found.get("OldImage"),
            found.get("NewImage"),
            text,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedExport(f"holds a line that is no change: {line[:80]!r}") from error


def _members(text: str) -> tuple[dict[str, Any], str]:
    """The line parsed, and the text of its new image where the line is spelled as AWS and dynabridge write it.

    It is walked member by member, each parsed by json's own scanner: as fast as parsing it whole, and the image need not
    be written out again.
    """
    found: dict[str, Any] = {}
    at, image = 0, ""
    for name, before in (
        ("Metadata", '{"Metadata":'),
        ("Keys", ',"Keys":'),
        ("OldImage", ',"OldImage":'),
        ("NewImage", ',"NewImage":'),
    ):
        if text.startswith(before, at):
            start = at + len(before)
            try:
                found[name], at = _value_at(text, start)
            except StopIteration:  # a blank before the value, or none
                break
            image = text[start:at]
    if len(found) >= 2 and text[at:].rstrip("\n") == "}":
        return found, image if "NewImage" in found and found["NewImage"] is not None else ""
    return json.loads(text), ""  # spelled otherwise


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
    return _encoded(line)


def item_line(item: Item) -> bytes:
    """A line of a full export, which is what ImportTable reads."""
    return _encoded({"Item": item})


def read_item(line: bytes) -> Item:
    """The item of a line of a full export. Raises ValueError, KeyError or TypeError for another line."""
    text = line.decode()
    try:
        found, end = _value_at(text, 0)  # json.loads without its look at encodings
    except StopIteration:
        found, end = json.loads(text), len(text)
    if text[end:].strip():
        raise ValueError(f"goes on after the item: {text[end:][:40]!r}")
    return found["Item"]


def key_of(item: Item, names: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """The item's key as something to look up by: type and value of each key attribute.

    Two spellings of a number are one key, as they are to DynamoDB. Raises KeyError, TypeError or ValueError for no key.
    """
    key = []
    for name in names:
        ((kind, value),) = item[name].items()
        key.append((kind, value if kind != "N" else _one_spelling(value)))
    return tuple(key)


def _one_spelling(number: str) -> str:
    if number.isdecimal() and number.isascii() and number[0] != "0":
        return number
    plain, _e, exponent = canonical_number(number).partition("E")
    return (
        plain + "0" * int(exponent) if exponent and int(exponent) >= 0 else f"{plain}E{exponent}" if exponent else plain
    )


def _encoded(document: Any) -> bytes:
    text = _compact(document)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair: only its escape can be written
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"
