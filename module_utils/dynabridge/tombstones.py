# SPDX-License-Identifier: MIT
"""What a side remembers of items beyond what their rows say: rows of the side's tombstones table.

A tombstone says that a version was deleted: older writes that arrive late must not bring it back. A floor says that a
row was at least this late once, although it is gone or has lost its stamp: a delete that follows must count from there.
Rows only ever move up in the order of places, whoever writes them and how often.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

from .changes import identity
from .conflict import Condition, Place, exactly, refusing
from .stamps import NO_TIME, Item, StampNames, read_stamp, stamp_attributes

KEY = "PK"
RETENTION_DAYS = 30


class Remember(NamedTuple):
    """Something to remember: the item, its place, and whether it was the peer that deleted it."""

    table: str
    keys: Item
    place: Place
    from_peer: bool = False


class Remembered(NamedTuple):
    """What is remembered of an item. ``at``: epoch seconds when it came to be remembered."""

    place: Place
    from_peer: bool = False
    at: float = 0.0


def row_key(table: str, keys: Item) -> Item:
    """The tombstones table's key for an item: a digest, because a DynamoDB key can be longer than this one may be."""
    digest = blake2b(repr(identity(table, keys)).encode(), digest_size=16).hexdigest()
    return {KEY: {"S": f"{table}#{digest}"}}


def row_of(remember: Remember, now: float, keep_seconds: float, names: StampNames) -> Item:
    """The row, in JSON form, as of ``now``, epoch seconds; DynamoDB may forget it after so many seconds."""
    return {
        **row_key(remember.table, remember.keys),
        **stamp_attributes(remember.place.stamp, names),
        "deleted": {"BOOL": remember.place.is_delete},
        "from_peer": {"BOOL": remember.from_peer},
        "keys": {"M": remember.keys},
        "at": {"N": f"{now:.3f}"},
        "expires": {"N": str(int(now + keep_seconds))},
    }


def read_row(row: Item, names: StampNames) -> Remembered:
    """What a row of the tombstones table says."""
    where, at = Place(read_stamp(row, names), row["deleted"]["BOOL"]), float(row.get("at", {"N": "0"})["N"])
    return Remembered(where, row["from_peer"]["BOOL"], at)


def row_condition(remember: Remember, names: StampNames) -> dict[str, Any]:
    """Only forward: the row is written where none stands at the same place or a later one."""
    stamp, is_delete = remember.place
    if stamp.kind == NO_TIME:
        return Condition("attribute_not_exists(#k)", {}, KEY, names).arguments()
    refusals, values = refusing(remember.place, names)
    if is_delete:  # of two tombstones at the same place the first stays
        same, same_values = exactly(stamp, names)
        refusals.append(f"(#d = :yes AND {same})")
        values |= same_values | {":yes": {"BOOL": True}}
    return Condition(f"NOT ({' OR '.join(refusals)})", values, KEY, names).arguments()
