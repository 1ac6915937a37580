# SPDX-License-Identifier: MIT
"""What a load has written, line by line: the oracle of a test, which knows the items without reading the table.

A file for each process of a run, in a directory of the test's own. Names sort by the time of the run, so that of two changes
of an item the later one comes last; within a run an item is written once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from .attributes import to_boto, to_json
from .compare import BucketDigests, KeyDigests, Rows
from .digest import DIGEST_BYTES, Item, digest, encode_item
from .errors import MalformedRecord, SettingsError

SUFFIX = ".jsonl"
_MODULUS = 1 << (8 * DIGEST_BYTES)


def file_name(began: float, process: int) -> str:
    """``began``: epoch seconds of the run."""
    return f"{int(began * 1_000_000):020d}-{process:03d}{SUFFIX}"


def lines(requests: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line for each write request of a BatchWriteItem that DynamoDB has taken."""
    for request in requests:
        if "PutRequest" in request:
            yield json.dumps({"put": to_json(request["PutRequest"]["Item"])}) + "\n"
        else:
            yield json.dumps({"delete": to_json(request["DeleteRequest"]["Key"])}) + "\n"


def changes(directory: Path) -> Iterator[tuple[Item, bool]]:
    """(item, False), or (key, True) for a delete: all that was written, item by item in its order.

    Raises SettingsError for a directory without a journal, and for a line that is none.
    """
    files = sorted(directory.glob(f"*{SUFFIX}")) if directory.is_dir() else []
    if not files:
        raise SettingsError(f"{directory} holds no journal of a load (*{SUFFIX}): name the directory that it wrote to")
    for path in files:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    ((what, content),) = json.loads(line).items()
                    yield to_boto(content), {"put": False, "delete": True}[what]
                except (ValueError, KeyError, AttributeError, TypeError, MalformedRecord) as error:
                    raise SettingsError(f"{path}, line {number}, is no line of a journal ({error!r})") from error


class Journal:
    """A table as it has to be. Memory: a digest for each key that is there.

    ``read``: gives all changes, as ``changes`` does; it is read again where keys have to be named.
    """

    def __init__(self, rows: Rows, read: Callable[[], Iterable[tuple[Item, bool]]]) -> None:
        self.rows, self._read = rows, read
        self._last: dict[bytes, int] = {}
        self.changes = 0
        for item, is_delete in read():
            self.changes += 1
            key = encode_item(rows.key(item))
            if is_delete:
                self._last.pop(key, None)
            else:
                self._last[key] = digest(encode_item(item))

    def digests(self) -> BucketDigests:
        """As the first pass of a comparison finds them in a table."""
        found = BucketDigests(self.rows)
        for key, value in self._last.items():
            bucket = self.rows.bucket(key)
            found.counts[bucket] += 1
            found.sums[bucket] = (found.sums[bucket] + value) % _MODULUS
        return found

    def keys(self, buckets: Collection[int]) -> KeyDigests:
        """As the second pass finds them."""
        found = KeyDigests(self.rows, buckets)
        for item, is_delete in self._read():
            key = self.rows.key(item)
            encoded = encode_item(key)
            if not is_delete and encoded in self._last and self.rows.bucket(encoded) in found.buckets:
                found.found[encoded] = key, self._last[encoded]
        return found
