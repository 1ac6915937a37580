# SPDX-License-Identifier: MIT
"""Canonical bytes and digests of DynamoDB items: equal items give equal bytes, different items different bytes.

Items are in the low-level form of boto3 (``{"PK": {"S": "x"}, "data": {"B": b"..."}}``). Equal is what DynamoDB calls
equal: sets have no order, maps have no order, 1.0 is 1, -0 is 0. Each value is written as type, length and content, so no
two values share their bytes: S "1" is not N 1, and ["a", "b"] is not ["ab"].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]

DIGEST_BYTES = 16
_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?")


def encode_item(item: Item, ignore: Collection[str] = ()) -> bytes:
    """The canonical bytes of an item, or of a key; ``ignore`` names attributes to leave out."""
    return _map_content({name: value for name, value in item.items() if name not in ignore} if ignore else item)


def digest(content: bytes) -> int:
    """128 bits of BLAKE2b: two different items share it by chance once in 2**128."""
    return int.from_bytes(blake2b(content, digest_size=DIGEST_BYTES).digest(), "big")


def encode_value(value: AttributeValue) -> bytes:
    """The canonical bytes of one attribute value."""
    if len(value) != 1:
        raise ValueError(f"an attribute value has one type, not {sorted(value)}")
    kind, content = next(iter(value.items()))
    encoder = _ENCODERS.get(kind)
    if encoder is None:
        raise ValueError(f"unknown attribute type {kind!r}")
    encoded = encoder(content)
    return b"%b%d:%b" % (_TAGS[kind], len(encoded), encoded)


def canonical_number(text: str) -> str:
    """A number in its one canonical spelling, e.g. ``-125E-2``; exact for any count of digits.

    Not by decimal: its context rounds or refuses what DynamoDB can store (1E125 under boto3's own context).
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"not a number: {text!r}")
    sign, whole, fraction, exponent = match[1], match[2], match[3] or "", int(match[4] or 0)
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return "0"
    exponent += len(digits) - len(significant) - len(fraction)
    return f"{'-' if sign == '-' else ''}{significant}E{exponent}"


def _framed(content: bytes) -> bytes:
    return b"%d:%b" % (len(content), content)


@lru_cache(maxsize=1024)
def _framed_name(name: str) -> bytes:
    return _framed(name.encode())


def _number(content: str) -> bytes:
    return canonical_number(content).encode()


def _binary(content: bytes | bytearray | memoryview) -> bytes:
    if isinstance(content, str):
        raise TypeError("a binary value must be bytes: decode base64 text before it comes here")
    return bytes(content)


def _map_content(content: Item) -> bytes:
    parts = []
    for name in sorted(content):
        parts.append(_framed_name(name))  # the same few names in a million items
        parts.append(encode_value(content[name]))
    return b"".join(parts)


def _set_of(encode: Callable[[Any], bytes]) -> Callable[[Iterable[Any]], bytes]:
    def encode_set(content: Iterable[Any]) -> bytes:
        return b"".join(_framed(member) for member in sorted({encode(member) for member in content}))

    return encode_set


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "S": str.encode,
    "N": _number,
    "B": _binary,
    "BOOL": lambda content: b"1" if content else b"0",
    "NULL": lambda content: b"",
    "L": lambda content: b"".join(map(encode_value, content)),
    "M": _map_content,
    "SS": _set_of(str.encode),
    "NS": _set_of(_number),
    "BS": _set_of(_binary),
}
_TAGS = {kind: kind.encode() for kind in _ENCODERS}
