# SPDX-License-Identifier: MIT
"""What the functions of the source documents put into Kinesis, so that a side can take over while its peer has them still.

A record is one change, as Python prints a dict: ``{'event_name': 'INSERT', 'new_image': {...}}``, or ``'REMOVE'`` with
``'old_image'``. It names no table: there was one, with the key ``PK`` (S). Binary values are base64 text, as in the events
that Lambda hands over, and are meant as binary here.
"""

from __future__ import annotations

import ast
from typing import Any

from .changes import DELETE, PUT, Change
from .errors import MalformedRecord
from .stamps import Item, StampNames, read_stamp, stamp_attributes

KEY = "PK"
IMAGES = {"INSERT": "new_image", "MODIFY": "new_image", "REMOVE": "old_image"}


def is_original(data: bytes) -> bool:
    """Whether a payload is meant to be such a record; the present format begins with DBR."""
    return data.startswith(b"{")


def read_original(data: bytes, table: str, names: StampNames, arrived: float, position: int = 0) -> Change:
    """The change of a payload. Raises MalformedRecord with the reason.

    arrived: when Kinesis took it. The record does not say when the change was written, so lag is counted from there.
    """
    operation, image = _read(data)
    keys = _keys(image)
    if operation == DELETE:
        image = stamp_attributes(read_stamp(image, names), names)
    return Change(operation, table, keys, image, 1, arrived, position)


def _read(data: bytes) -> tuple[str, Item]:
    try:
        record = ast.literal_eval(data.decode())
        name = record["event_name"]
        image = record[IMAGES[name]]
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise MalformedRecord(f"record of the original functions is not readable: {type(error).__name__}") from error
    if not isinstance(image, dict) or not all(_is_value(value) for value in image.values()):
        raise MalformedRecord("record of the original functions holds no item")
    return (DELETE if name == "REMOVE" else PUT), image


def _is_value(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1


def _keys(image: Item) -> Item:
    if KEY not in image:
        raise MalformedRecord(f"record of the original functions holds an item without {KEY}")
    return {KEY: image[KEY]}
