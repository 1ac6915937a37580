# SPDX-License-Identifier: MIT
"""What a comparison of both sides of a table found, as each side keeps it beside its counters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .backup_layout import iso
from .exports import read_time

VERSION = 1
ATTRIBUTE = "result"
NUMBERS = ("differing", "left_items", "right_items")
FLAGS = ("equal", "capped")


def key_of(table: str) -> dict[str, Any]:
    """Key in the table of the counters. ``table``: its name in dynabridge_tables."""
    return {"PK": {"S": f"last_compare:{table}"}}


def item_of(table: str, result: Mapping[str, Any], ignored: list[str], now: float) -> dict[str, Any]:
    """The item to keep. ``result``: of dynamodb_compare_info."""
    record = {
        "version": VERSION,
        "at": iso(now),
        "equal": result["equal"],
        "capped": result["capped"],
        "differing": result["differing"],
        "left_items": result["left"]["item_count"],
        "right_items": result["right"]["item_count"],
        "left_table": result["left"]["table"],
        "right_table": result["right"]["table"],
        "ignored": list(ignored),
    }
    return key_of(table) | {ATTRIBUTE: {"S": json.dumps(record)}}


def record_from(item: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of ``item_of``; None for anything else: what cannot be read counts as never compared."""
    try:
        record = json.loads((item or {})[ATTRIBUTE]["S"])
        read_time(record["at"])
        is_whole = all(isinstance(record[name], int) for name in NUMBERS)
        is_whole = is_whole and all(isinstance(record[name], bool) for name in FLAGS)
        return record if is_whole and record["version"] == VERSION else None
    except (KeyError, TypeError, ValueError):
        return None
