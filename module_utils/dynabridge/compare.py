# SPDX-License-Identifier: MIT
"""Comparing two tables of any size in bounded memory.

First pass: every item falls into a bucket by its key, and a bucket is only a count and the sum of its items' digests;
sums do not depend on the order in which a scan delivers. Second pass, only where buckets differ: the keys of those
buckets with their digests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from .digest import DIGEST_BYTES, Item, digest, encode_item, encode_value

MISSING_LEFT, MISSING_RIGHT, DIFFERENT = "missing_left", "missing_right", "different"
_MODULUS = 1 << (8 * DIGEST_BYTES)


class Rows(NamedTuple):
    """How rows are looked at: names of the key attributes, attributes left out, number of buckets."""

    key_names: tuple[str, ...]
    ignore: frozenset[str] = frozenset()
    buckets: int = 4096

    def key(self, item: Item) -> Item:
        return {name: item[name] for name in self.key_names}

    def bucket(self, key: bytes) -> int:
        return digest(key) % self.buckets


class Difference(NamedTuple):
    key: Item
    state: str


class BucketDigests:
    """The first pass: count and digest sum of each bucket."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.counts = [0] * rows.buckets
        self.sums = [0] * rows.buckets

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            bucket = self.rows.bucket(encode_item(self.rows.key(item)))
            self.counts[bucket] += 1
            self.sums[bucket] = (self.sums[bucket] + digest(encode_item(item, self.rows.ignore))) % _MODULUS

    def merge(self, other: BucketDigests) -> None:
        """Take in another part of the same table."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sums = [(mine + theirs) % _MODULUS for mine, theirs in zip(self.sums, other.sums, strict=True)]

    def differing(self, other: BucketDigests) -> list[int]:
        return [
            bucket
            for bucket in range(self.rows.buckets)
            if (self.counts[bucket], self.sums[bucket]) != (other.counts[bucket], other.sums[bucket])
        ]

    @property
    def items(self) -> int:
        return sum(self.counts)


class KeyDigests:
    """The second pass: keys and digests of the items in chosen buckets."""

    def __init__(self, rows: Rows, buckets: Collection[int]) -> None:
        self.rows = rows
        self.buckets = frozenset(buckets)
        self.found: dict[bytes, tuple[Item, int]] = {}

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            key = self.rows.key(item)
            encoded = encode_item(key)
            if self.rows.bucket(encoded) in self.buckets:
                self.found[encoded] = key, digest(encode_item(item, self.rows.ignore))

    def merge(self, other: KeyDigests) -> None:
        self.found.update(other.found)


class PickedItems:
    """The items of chosen keys, where they cannot be asked for one by one."""

    def __init__(self, rows: Rows, keys: Iterable[Item]) -> None:
        self.rows = rows
        self.found: dict[bytes, Item] = {encode_item(key): {} for key in keys}

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            encoded = encode_item(self.rows.key(item))
            if encoded in self.found:
                self.found[encoded] = item

    def merge(self, other: PickedItems) -> None:
        self.found |= {encoded: item for encoded, item in other.found.items() if item}

    def items(self, keys: Iterable[Item]) -> list[Item]:
        """In the order of the keys, {} for one that is not there."""
        return [self.found[encode_item(key)] for key in keys]


def choose_buckets(left: BucketDigests, right: BucketDigests, max_keys: int) -> tuple[list[int], int]:
    """Differing buckets that together hold at most ``max_keys`` keys, and how many are left out.

    The smallest come first, so that as many as possible are looked at; one is looked at whatever its size.
    """
    differing = sorted(left.differing(right), key=lambda bucket: left.counts[bucket] + right.counts[bucket])
    chosen: list[int] = []
    keys = 0
    for bucket in differing:
        keys += left.counts[bucket] + right.counts[bucket]
        if chosen and keys > max_keys:
            break
        chosen.append(bucket)
    return chosen, len(differing) - len(chosen)


def differences(left: KeyDigests, right: KeyDigests) -> Iterator[Difference]:
    """The keys that differ, in the order of their canonical bytes."""
    for encoded in sorted(left.found.keys() | right.found.keys()):
        mine, theirs = left.found.get(encoded), right.found.get(encoded)
        if mine and theirs:
            if mine[1] != theirs[1]:
                yield Difference(mine[0], DIFFERENT)
        elif mine:
            yield Difference(mine[0], MISSING_RIGHT)
        elif theirs:
            yield Difference(theirs[0], MISSING_LEFT)


def differing_attributes(left: Item, right: Item, ignore: Collection[str] = ()) -> list[str]:
    """Names of the attributes that one side lacks or holds with another value."""
    names = (left.keys() | right.keys()) - set(ignore)
    return sorted(
        name
        for name in names
        if name not in left or name not in right or encode_value(left[name]) != encode_value(right[name])
    )
