# SPDX-License-Identifier: MIT
"""The hybrid clock: stamps that the bridge issues itself, later than everything they have to replace.

A stamp's time is max(now, what was seen + 1 µs), so a slow clock never makes a write lose to what its writer had
before its eyes (the rule of hybrid logical clocks: Kulkarni et al., "Logical Physical Clocks", 2014). The number has 15
decimals: microseconds, then nine digits that bind it to the table pair, the key, the region and the time. By these the
bridge knows its own stamps: one that came along when an application copied an item is not taken for a new one.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal
from hashlib import blake2b

from .changes import identity
from .errors import MalformedRecord
from .stamps import NUMBER_TIME, Item, Stamp

MICROS = 10**6
TAGS = 10**9
# A DynamoDB number has 38 digits, of which nine are the tag.
HIGHEST_MICROS = 10**29
_EXACT = Context(prec=200, rounding=ROUND_FLOOR)


def issue(now: float, after: Stamp, pair: str, keys: Item, region: str) -> Stamp:
    """A stamp of ``region`` later than ``after`` and not before ``now`` (epoch seconds).

    pair: names the two tables, the same on both sides. Raises MalformedRecord where no number is later than ``after``.
    """
    micros = int(now * MICROS)
    if after.kind == NUMBER_TIME:
        micros = max(micros, int(_EXACT.multiply(after.time, Decimal(MICROS)).to_integral_value(ROUND_FLOOR)) + 1)
    if micros >= HIGHEST_MICROS:
        raise MalformedRecord(f"no stamp is later than {after.time}: correct the item's timestamp attribute")
    tag = _tag(micros, pair, keys, region.encode())
    time = Decimal(f"{micros // MICROS}.{micros % MICROS:06d}{tag:09d}")
    return Stamp(NUMBER_TIME, time, region.encode())


def issued(stamp: Stamp, pair: str, keys: Item) -> bool:
    """Whether the bridge issued this stamp for this item; another one passes by chance once in a thousand million."""
    if stamp.kind != NUMBER_TIME or not 0 < stamp.time < HIGHEST_MICROS:
        return False
    scaled = _EXACT.multiply(stamp.time, Decimal(MICROS * TAGS))
    if scaled != scaled.to_integral_value():
        return False
    micros, tag = divmod(int(scaled), TAGS)
    return tag == _tag(micros, pair, keys, stamp.region)


def at_most(stamp: Stamp, latest: float) -> Stamp:
    """The stamp, or where its time lies beyond ``latest`` (epoch seconds; 0 = no bound) one at ``latest``."""
    return stamp._replace(time=_limit(latest)) if is_ahead(stamp, latest) else stamp


def is_ahead(stamp: Stamp, latest: float) -> bool:
    """Whether a stamp lies beyond the bound of what a clock may be ahead. Text has no known unit and never does."""
    return bool(latest) and stamp.kind == NUMBER_TIME and stamp.time > _limit(latest)


def _limit(latest: float) -> Decimal:
    return Decimal(f"{latest:.6f}")


def _tag(micros: int, pair: str, keys: Item, region: bytes) -> int:
    content = repr((pair, identity("", keys), region, micros)).encode()
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") % TAGS
