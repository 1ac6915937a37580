# SPDX-License-Identifier: MIT
"""Changes: what a table's stream says happened to one item, and whether the peer has to hear of it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from .errors import MalformedRecord
from .stamps import Item, StampNames, read_stamp, stamp_attributes

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
        return self.table, tuple(sorted((name, *next(iter(value.items()))) for name, value in self.keys.items()))


def fingerprint(change: Change) -> str:
    """A short name of the change's item, the same in every process: for lanes and names of objects."""
    return f"{zlib.crc32(repr(change.identity).encode()):08x}"


class Verdict(Enum):
    """What the sender does with a record of its own table's stream."""

    SEND = "sent"
    ECHO = "echoes"  # the receiver wrote it here: the peer has it already
    UNSTAMPED = "unstamped"  # content changed, stamp did not: last writer wins cannot carry it
    EXPIRED = "expired"  # deleted by TTL, which runs on both sides by itself


@dataclass(frozen=True)
class Policy:
    """What a sender has to know to judge records: the peer's region and the table's settings."""

    peer_region: str
    names: StampNames = StampNames()
    replicate_ttl_deletes: bool = False


def judge(record: dict[str, Any], policy: Policy) -> Verdict:
    """Decide whether a DynamoDB stream record (Lambda event form) has to reach the peer.

    An echo bears the peer's region *and* a stamp that this write brought with it. A write that leaves the peer's stamp in
    place is a local one that does not stamp (hazard: taken for an echo, it would be lost without a word).
    """
    data = _data(record)
    new, old = data.get("NewImage"), data.get("OldImage")
    if record.get("eventName") == "REMOVE":
        expired = record.get("userIdentity") == TTL_IDENTITY and not policy.replicate_ttl_deletes
        return Verdict.EXPIRED if expired else Verdict.SEND
    stamp = read_stamp(new, policy.names)
    if old is not None and stamp == read_stamp(old, policy.names):
        return Verdict.UNSTAMPED
    return Verdict.ECHO if stamp.region == policy.peer_region.encode() else Verdict.SEND


def steps_back(record: dict[str, Any], names: StampNames) -> bool:
    """Whether a write replaced a version with a later stamp than its own: its writer's clock is behind.

    The peer keeps the later version, so the two sides differ until somebody writes the item again.
    """
    data = _data(record)
    if "OldImage" not in data or "NewImage" not in data:
        return False
    return read_stamp(data["NewImage"], names) < read_stamp(data["OldImage"], names)


def read_record(record: dict[str, Any], table: str, names: StampNames, position: int = 0) -> Change:
    """The change a DynamoDB stream record tells of. Raises MalformedRecord where it lacks what it must have."""
    data = _data(record)
    common = {
        "table": table,
        "keys": data["Keys"],
        "at": float(data.get("ApproximateCreationDateTime", 0)),
        "position": position,
    }
    if record["eventName"] == "REMOVE":
        return Change(DELETE, image=stamp_attributes(data.get("OldImage", {}), names), **common)
    return Change(PUT, image=data["NewImage"], **common)


def last_of_each_item(changes: list[Change]) -> list[Change]:
    """Keep each item's last change, in the order the items were last changed.

    The table itself holds the last one, so this is what the twin has to hold, whatever the stamps say.
    """
    latest: dict[tuple, Change] = {}
    for change in changes:
        earlier = latest.pop(change.identity, None)
        if earlier is not None:
            change = replace(change, count=change.count + earlier.count, position=earlier.position)
        latest[change.identity] = change
    return list(latest.values())


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
