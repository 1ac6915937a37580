# SPDX-License-Identifier: MIT
"""Items of a full export or of a merged set, streamed from S3 and reduced as a table's scan is."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import TypeVar

from ..attributes import to_boto
from ..backup_layout import SCHEMA
from ..errors import BackupError, DamagedExport, MalformedRecord
from ..exports import SUMMARY, DataFile, lines_of
from ..merged_set import MergedSet, merged_set_from
from ..restore_layout import MERGED
from ..stamps import Item
from ..table_schema import read_schema_text
from ..verification import read_manifests
from .objects import Objects
from .scan import Reducer, reduce_parts

R = TypeVar("R", bound=Reducer)
BATCH = 500  # items


class LineSet:
    """``folder``: of a full backup (``.../AWSDynamoDB/<id>/``), or of a merged set (``restore/<run>/``).

    Raises BackupError and DamagedExport, naming the object.
    """

    def __init__(self, objects: Objects, folder: str) -> None:
        self.objects, self.folder = objects, folder.strip("/") + "/"

    @property
    def name(self) -> str:
        return f"s3://{self.objects.bucket}/{self.folder}"

    def keys(self) -> tuple[tuple[str, str], ...]:
        """Name and type of the table's partition key and, where there is one, of its sort key: by the saved schema."""
        key = (self._merged.base if self._merged else self.folder) + SCHEMA
        body = self.objects.get(key)
        if body is None:
            raise BackupError(
                f"s3://{self.objects.bucket}/{key} is missing, and without it nobody knows the items' keys: "
                "name a full backup or a merged set"
            )
        schema = read_schema_text(body, f"s3://{self.objects.bucket}/{key}")["table_creation_parameters"]
        types = {found["AttributeName"]: found["AttributeType"] for found in schema["AttributeDefinitions"]}
        ordered = sorted(schema["KeySchema"], key=lambda element: element["KeyType"] != "HASH")
        return tuple((element["AttributeName"], types[element["AttributeName"]]) for element in ordered)

    def files(self) -> list[DataFile]:
        """The data files that have items."""
        if self._merged:
            files = [DataFile(file.key, file.items, file.md5) for file in self._merged.files]
        elif self.objects.get(self.folder + SUMMARY) is None:
            raise BackupError(f"{self.name} holds neither {SUMMARY} nor {MERGED}: name a full backup or a merged set")
        else:
            manifests = read_manifests(self.objects, self.folder)
            if manifests.summary.start is not None:
                raise BackupError(f"{self.name} is an incremental backup: only a full one holds all items")
            files = manifests.files
        return [file for file in files if file.items]

    def reduce(self, at_once: int, make: Callable[[], R]) -> R:
        """All items, several files at a time, each thread into a reducer of its own; they are merged in the end."""
        waiting, lock = iter(self.files()), threading.Lock()

        def read(_number: int) -> Iterator[list[Item]]:
            while True:
                with lock:
                    file = next(waiting, None)
                if file is None:
                    return
                yield from self._batches(file)

        return reduce_parts(at_once, make, read)

    def _batches(self, file: DataFile) -> Iterator[list[Item]]:
        where, count = f"s3://{self.objects.bucket}/{file.key}", 0
        lines = lines_of(self.objects.stream(file.key))
        try:
            while batch := [to_boto(json.loads(line)["Item"]) for line in islice(lines, BATCH)]:
                count += len(batch)
                yield batch
        except DamagedExport as error:
            raise DamagedExport(f"{where} {error}") from error
        except (ValueError, KeyError, TypeError, AttributeError, MalformedRecord) as error:
            raise DamagedExport(f"{where} holds a line that is no item ({error})") from error
        if count != file.items:
            raise DamagedExport(f"{where} holds {count:,} items, said were {file.items:,}")

    @cached_property
    def _merged(self) -> MergedSet | None:
        body = self.objects.get_json(self.folder + MERGED)
        if body is None:
            return None
        try:
            return merged_set_from(body)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedExport(f"{self.name}{MERGED} cannot be read ({error!r}): merge again") from error
