# SPDX-License-Identifier: MIT
"""A merged data set on S3: files of lines of a full export, and the document that says that they are all there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .backup_layout import iso
from .exports import read_time

VERSION = 1


@dataclass(frozen=True)
class MergedFile:
    """A data file. ``md5``: of its bytes, spelled as DynamoDB spells it; ``bytes``: compressed."""

    key: str
    items: int
    md5: str
    bytes: int


@dataclass(frozen=True)
class MergedSet:
    """``plan``: id of the plan that it was made by; ``base``: folder of the full backup, whose schema is the set's.

    ``changes``: those that counted; ``counts``: base items kept, replaced and removed, and items added; ``last_change``: time of
    the newest change, None without any. ``files``: all that lie under the set's ``data/``.
    """

    plan: str
    table: str
    moment: float
    base: str
    items: int
    changes: int
    counts: Mapping[str, int]
    last_change: float | None
    files: tuple[MergedFile, ...]
    uncompressed_bytes: int
    seconds: float
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Of all files, compressed."""
        return sum(file.bytes for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """The document: times as ISO text."""
        times = {"moment": iso(self.moment), "last_change": None if self.last_change is None else iso(self.last_change)}
        return {"version": VERSION} | asdict(self) | times | {"files": [asdict(file) for file in self.files]}


def merged_set_from(document: Mapping[str, Any]) -> MergedSet:
    """Of ``as_dict``. Raises KeyError, TypeError or ValueError for anything else."""
    if document["version"] != VERSION:
        raise ValueError(f"its version is {document['version']!r}, known is {VERSION}")
    known = {name: document[name] for name in MergedSet.__dataclass_fields__ if name in document}
    last = document["last_change"]
    return MergedSet(
        **known
        | {
            "moment": read_time(document["moment"]),
            "last_change": None if last is None else read_time(last),
            "files": tuple(MergedFile(**file) for file in document["files"]),
        }
    )
