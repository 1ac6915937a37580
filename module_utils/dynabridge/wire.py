# SPDX-License-Identifier: MIT
"""The wire format: many changes in few Kinesis records.

A record is an envelope: the bytes ``DBR``, one byte of version, then zlib-compressed JSON
``{"from": side, "changes": [[operation, table, keys, image, count, at], ...]}`` with attribute values in JSON form
(binary as base64). Items are spread over *lanes* by a hash of table and key; a lane is a Kinesis partition key. An item's
changes share a lane and keep their order in it, and a mapping with several batches a shard can still work on lanes
side by side.

Limits (Kinesis, China's regions): 1 MB a record, 500 records and 5 MB a PutRecords call, payload units of 25 KB.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .changes import DELETE, PUT, Change, fingerprint
from .errors import MalformedRecord

MAGIC = b"DBR"
VERSION = 1
LANES = 16
# Kinesis counts the partition key in; the rest is room to spare. The same bound on the uncompressed body keeps what a
# receiver must hold small: a batch of 500 changes is rarely more than one record a lane.
RECORD_LIMIT = 1_000_000
# A hostile or damaged record must not blow up the receiver's memory.
BODY_LIMIT = 64 * 1024 * 1024


@dataclass
class WireRecord:
    """One Kinesis record to put: partition key, payload, and the changes inside."""

    lane: str
    data: bytes
    changes: list[Change] = field(default_factory=list)

    @property
    def position(self) -> int:
        """Index of the first record of the batch that contributed to this one."""
        return min(change.position for change in self.changes)


def lane_of(change: Change, lanes: int = LANES) -> str:
    """The partition key of an item: the same for all its changes, whatever its key's type and length.

    A DynamoDB key can have 2,048 bytes and a Kinesis partition key 256 characters: hence the hash.
    """
    return f"lane-{int(fingerprint(change), 16) % lanes:03d}"


def pack(changes: list[Change], side: str, lanes: int = LANES) -> tuple[list[WireRecord], list[Change]]:
    """Pack changes into records of at most RECORD_LIMIT bytes, each lane's in order.

    Changes that do not fit even alone and compressed come back as the second list: the caller keeps them.
    """
    by_lane: dict[str, list[Change]] = {}
    for change in changes:
        by_lane.setdefault(lane_of(change, lanes), []).append(change)
    records: list[WireRecord] = []
    too_large: list[Change] = []
    for lane, members in by_lane.items():
        for group in _groups_within_limit(members):
            data = encode(group, side)
            if len(data) + len(lane) <= RECORD_LIMIT:
                records.append(WireRecord(lane, data, group))
            else:
                too_large.extend(group)
    return records, too_large


def _groups_within_limit(changes: list[Change]) -> list[list[Change]]:
    """Split in runs whose uncompressed bodies stay within the limit; a longer single change stands alone."""
    groups: list[list[Change]] = []
    room = 0
    for change in changes:
        # zlib adds at most a few bytes to what it cannot compress, and the envelope's frame is short.
        size = len(_change_json(change)) + 64
        if size > room:
            groups.append([])
            room = RECORD_LIMIT - 1024
        groups[-1].append(change)
        room -= size
    return groups


def _change_json(change: Change) -> bytes:
    row = [change.operation, change.table, change.keys, change.image, change.count, change.at]
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def encode(changes: list[Change], side: str) -> bytes:
    """The payload of one Kinesis record."""
    head = json.dumps(side, ensure_ascii=False).encode()
    body = b'{"from":%b,"changes":[%b]}' % (head, b",".join(map(_change_json, changes)))
    return MAGIC + bytes([VERSION]) + zlib.compress(body, 6)


def decode(data: bytes, position: int = 0) -> tuple[str, list[Change]]:
    """The sending side and the changes of a payload. Raises MalformedRecord with the reason."""
    if data[:3] != MAGIC:
        raise MalformedRecord("not a dynabridge record: it does not begin with DBR")
    read = READERS.get(int.from_bytes(data[3:4], "big"))
    if read is None:
        raise MalformedRecord(
            f"wire version {data[3:4].hex()} is not known here (this side reads"
            f" {' and '.join(map(str, READERS))}): deploy both sides"
        )
    try:
        return read(data[4:], position)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedRecord(f"envelope is not readable: {type(error).__name__}: {error}") from error


def _read_version_1(data: bytes, position: int) -> tuple[str, list[Change]]:
    envelope = json.loads(_decompress(data))
    return str(envelope["from"]), [_read_change(row, position) for row in envelope["changes"]]


# The present version, and the one before it: while two sides are upgraded, records of both are under way.
READERS: dict[int, Callable[[bytes, int], tuple[str, list[Change]]]] = {1: _read_version_1}


def _decompress(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(data, BODY_LIMIT)
    except zlib.error as error:
        raise MalformedRecord(f"envelope is damaged: {error}") from error
    if not stream.eof:
        raise MalformedRecord("envelope is cut short or larger than 64 MiB")
    return body


def _read_change(row: list[Any], position: int) -> Change:
    operation, table, keys, image, count, at = row
    well_formed = (
        operation in (PUT, DELETE)
        and isinstance(table, str)
        and isinstance(image, dict)
        and isinstance(keys, dict)
        and keys
        and isinstance(count, int)
        and isinstance(at, (int, float))
    )
    if not well_formed:
        raise ValueError("change of unexpected shape")
    return Change(operation, table, keys, image, count, at, position)
