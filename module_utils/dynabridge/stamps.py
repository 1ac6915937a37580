# SPDX-License-Identifier: MIT
"""Stamps: when and where an item was last written, in one total order.

An application writes two attributes with every write: a time (``last_update_timestamp``) and the region it wrote in
(``last_updater_region``). Times of two regions can be equal, of another type, or missing, and the order must hold
all the same: a comparison that is false both ways makes two tables differ for ever. So a stamp is a tuple
(kind, time, region): no usable time < a string < a number, then the time itself, then the region.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

AttributeValue = dict[str, Any]
"""One DynamoDB value as the API writes it: ``{"S": "x"}``, ``{"N": "1"}``, ``{"M": {...}}``."""
Item = dict[str, AttributeValue]

NO_TIME, TEXT_TIME, NUMBER_TIME = 0, 1, 2


class StampNames(NamedTuple):
    """Names of the two attributes that carry an item's stamp."""

    timestamp: str = "last_update_timestamp"
    region: str = "last_updater_region"


class Stamp(NamedTuple):
    """Totally ordered by (kind, time, region); compare with ``<`` and ``==``.

    ``time`` is a Decimal for numbers and UTF-8 bytes for strings (DynamoDB orders strings by their UTF-8 bytes), and of
    one type within a kind, so that tuples always compare.
    """

    kind: int
    time: Any
    region: bytes


UNSTAMPED = Stamp(NO_TIME, b"", b"")


def read_stamp(item: Item, names: StampNames) -> Stamp:
    """The stamp of an item; ``UNSTAMPED`` where the time is missing or neither string nor number."""
    time = item.get(names.timestamp, {})
    region = item.get(names.region, {}).get("S", "").encode()
    if "N" in time:
        return Stamp(NUMBER_TIME, Decimal(time["N"]), region)
    if "S" in time:
        return Stamp(TEXT_TIME, time["S"].encode(), region)
    return UNSTAMPED


def stamp_attributes(stamp: Stamp, names: StampNames) -> Item:
    """The attributes that carry a stamp: what ``read_stamp`` reads as this stamp."""
    attributes: Item = {}
    if stamp.kind == NUMBER_TIME:
        attributes[names.timestamp] = {"N": str(stamp.time)}
    elif stamp.kind == TEXT_TIME:
        attributes[names.timestamp] = {"S": stamp.time.decode()}
    if stamp.region:
        attributes[names.region] = {"S": stamp.region.decode()}
    return attributes
