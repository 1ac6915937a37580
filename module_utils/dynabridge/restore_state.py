# SPDX-License-Identifier: MIT
"""How far a restore has come: the document that it writes before and after each step, so that running again goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from .exports import DataFile
from .restore_layout import STATE

VERSION = 1
IMPORT, WRITE = "import", "write"  # by ImportTable, or by BatchWriteItem


@dataclass
class State:
    """Of one target table in one region.

    ``token``: of ImportTable, or the mark of a table that was created, stored before the call. ``table_id``: of the table
    that is this restore's own. ``filled``: all items are there, counted. ``files``: which data files ``loaded`` is about;
    ``loaded``: numbers of those whose items are written. ``phases``: seconds by phase, of all runs together.
    """

    run: str
    region: str
    way: str = ""
    token: str = ""
    attempt: int = 0
    import_arn: str = ""
    table_arn: str = ""
    table_id: str = ""
    items: int = 0
    filled: bool = False
    settled: bool = False
    files: str = ""
    loaded: list[int] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {"version": VERSION, **asdict(self)}

    def begin_again(self, token: str, way: str) -> None:
        """A new attempt: AWS answers a token that it knows with the old job, whatever became of it."""
        self.token, self.way, self.attempt = token, way, self.attempt + 1
        self.import_arn = self.table_arn = self.table_id = self.files = ""
        self.filled = self.settled = False
        self.items, self.loaded, self.left_out = 0, [], []


def state_name(region: str) -> str:
    """One for each region: a table may be restored to several, from the same plan and under the same name."""
    return f"{region}.{STATE}"


def state_from(document: Any, run: str, region: str) -> State:
    """Of ``as_dict``; a fresh one for anything else, which then owns no table."""
    fresh = State(run, region)
    if not isinstance(document, Mapping) or document.get("version") != VERSION:
        return fresh
    if (document.get("run"), document.get("region")) != (run, region):
        return fresh
    try:
        return State(**{name: value for name, value in document.items() if name != "version"})
    except TypeError:
        return fresh


def identity_of(files: Iterable[DataFile]) -> str:
    """What tells one list of data files from another."""
    return sha256(json.dumps([[file.key, file.items, file.md5] for file in files]).encode()).hexdigest()[:16]
