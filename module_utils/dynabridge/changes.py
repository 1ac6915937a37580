# SPDX-License-Identifier: MIT
"""Changes: what a table's stream says happened to one item, and the form in which it travels."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

from .errors import MalformedRecord
from .stamps import Item

PUT = "put"
DELETE = "delete"

# A delete by DynamoDB's own TTL carries this identity (DynamoDB developer guide, "DynamoDB Streams and Time to Live").
TTL_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


@dataclass(frozen=True)
class Change:
    """One item's new state.

    table: the table it is meant for. keys: the item's primary key. image: for a put the whole item, for a delete the
    stamp attributes of the version that was deleted. count: how many changes of the stream it stands for (later changes
    of an item replace earlier ones of the same batch). at: epoch seconds when the change was written, rounded by AWS to
    the second. position: index of the first record of the batch that contributed to it.
    """

    operation: str
    table: str
    keys: Item
    image: Item
    count: int = 1
    at: float = 0.0
    position: int = 0

    @property
    def identity(self) -> tuple:
        """What makes two changes be about the same item."""
        return identity(self.table, self.keys)


def identity(table: str, keys: Item) -> tuple:
    """An item's name as something to look up by."""
    return table, tuple(sorted((name, *next(iter(value.items()))) for name, value in keys.items()))


def fingerprint(change: Change) -> str:
    """A short name of the change's item, the same in every process: for lanes and names of objects."""
    return f"{zlib.crc32(repr(change.identity).encode()):08x}"


def keys_of(record: dict[str, Any]) -> Item:
    """The key of a DynamoDB stream record's item. Raises MalformedRecord where the record lacks what it must have."""
    return _data(record)["Keys"]


def images_of(record: dict[str, Any]) -> tuple[Item | None, Item | None]:
    """(old, new) image of a DynamoDB stream record; a missing one is None."""
    data = _data(record)
    return data.get("OldImage"), data.get("NewImage")


def written_at(record: dict[str, Any]) -> float:
    """Epoch seconds of the write, rounded by AWS to the second; 0 where the record does not say."""
    return float(record["dynamodb"].get("ApproximateCreationDateTime", 0))


def is_delete(record: dict[str, Any]) -> bool:
    return record["eventName"] == "REMOVE"


def is_expiry(record: dict[str, Any]) -> bool:
    """Whether DynamoDB's TTL deleted the item."""
    return is_delete(record) and record.get("userIdentity") == TTL_IDENTITY


def _data(record: dict[str, Any]) -> dict[str, Any]:
    data = record.get("dynamodb")
    if not isinstance(data, dict) or not data.get("Keys"):
        raise MalformedRecord("stream record without dynamodb.Keys")
    name = record.get("eventName")
    if name not in ("INSERT", "MODIFY", "REMOVE"):
        raise MalformedRecord(f"stream record with unknown eventName {name!r}")
    if (name == "REMOVE" and "OldImage" not in data) or (name != "REMOVE" and "NewImage" not in data):
        raise MalformedRecord("stream record without its image: the stream's view type must be NEW_AND_OLD_IMAGES")
    return data
