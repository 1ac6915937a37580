# SPDX-License-Identifier: MIT
"""Writing the items of data files into a table that ImportTable cannot make: batches, several files at a time.

Writing an item again changes nothing, so a load that was interrupted begins each unfinished file anew. Memory: a piece of
each file under way, and a batch.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from ..attributes import to_boto
from ..change_lines import key_of
from ..errors import DamagedExport, MalformedRecord
from ..exports import DataFile, lines_of
from .load import BATCH, write_batch
from .objects import Objects

AT_ONCE = 8  # files


class LineLoad:
    """``names``: the table's key attributes. ``done``: called with the number of a file whose items are all written, one
    call at a time."""

    def __init__(
        self, dynamodb: Any, objects: Objects, table: str, names: tuple[str, ...], done: Callable[[int, int], None]
    ) -> None:
        self._dynamodb, self._objects, self._table, self._names, self._done = dynamodb, objects, table, names, done
        self._failed = threading.Event()

    def load(self, files: Iterable[tuple[int, DataFile]]) -> None:
        """Write the items of these numbered files. What stops one stops all; what is done is done."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            running = {pool.submit(self._load, file): number for number, file in files}
            try:
                for future in as_completed(running):
                    count = future.result()
                    if not self._failed.is_set():
                        self._done(running[future], count)
            except BaseException:
                self._failed.set()
                for future in running:
                    future.cancel()
                raise

    def _load(self, file: DataFile) -> int:
        count = 0
        for batch, lines in self._batches(file):
            if self._failed.is_set():
                return count
            for _settled in write_batch(self._dynamodb, self._table, batch, random.random):
                pass
            count += lines
        if count != file.items and not self._failed.is_set():
            raise DamagedExport(
                f"s3://{self._objects.bucket}/{file.key} holds {count:,} items, its manifest says {file.items:,}"
            )
        return count

    def _batches(self, file: DataFile) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """(requests, lines that they stand for). A key twice in one batch would be refused: the later one counts."""
        where = f"s3://{self._objects.bucket}/{file.key}"
        puts: dict[Any, dict[str, Any]] = {}
        lines = 0
        try:
            for line in lines_of(self._objects.stream(file.key)):
                item = json.loads(line)["Item"]
                puts[key_of(item, self._names)] = {"PutRequest": {"Item": to_boto(item)}}
                lines += 1
                if len(puts) == BATCH:
                    yield list(puts.values()), lines
                    puts, lines = {}, 0
        except (
            ValueError,
            KeyError,
            TypeError,
            StopIteration,
            AttributeError,
            MalformedRecord,
            DamagedExport,
        ) as error:
            raise DamagedExport(f"{where} cannot be loaded: {error}") from error
        if puts:
            yield list(puts.values()), lines
