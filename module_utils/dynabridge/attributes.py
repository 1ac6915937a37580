# SPDX-License-Identifier: MIT
"""Binary values between JSON and boto3.

JSON carries ``B`` and ``BS`` as base64 text (Lambda events, exports and the wire), boto3's low-level client takes and
gives bytes. They are converted here and nowhere else, once, at the edge. Everything else passes untouched: numbers stay
the strings that DynamoDB wrote, because floats and decimal contexts lose digits of 38.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from .errors import MalformedRecord
from .stamps import AttributeValue, Item


def to_boto(item: Item) -> Item:
    """JSON form to boto3 form. Raises MalformedRecord for text that is not base64."""
    return {name: _convert(value, _decode) for name, value in item.items()}


def to_json(item: Item) -> Item:
    """boto3 form to JSON form."""
    return {name: _convert(value, _encode) for name, value in item.items()}


def _convert(value: AttributeValue, binary: Callable[[Any], Any]) -> AttributeValue:
    if not isinstance(value, dict) or len(value) != 1:
        raise MalformedRecord(f"not an attribute value: {value!r:.80}")
    ((kind, content),) = value.items()
    if kind == "B":
        return {"B": binary(content)}
    if kind == "BS":
        return {"BS": [binary(member) for member in content]}
    if kind == "L":
        return {"L": [_convert(member, binary) for member in content]}
    if kind == "M":
        return {"M": {name: _convert(member, binary) for name, member in content.items()}}
    return value


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise MalformedRecord(f"binary value is not base64: {error}") from error


def _encode(content: Any) -> str:
    return base64.b64encode(bytes(content)).decode("ascii")
