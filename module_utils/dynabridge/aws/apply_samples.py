# SPDX-License-Identifier: MIT
"""A few items as a table holds them, and as they are after their changes are applied."""

from __future__ import annotations

import json
from typing import Any

from ..apply_parts import Entry, change_of
from ..change_lines import key_of
from ..changes import PUT
from ..conflict import NOWHERE, wins
from ..stamps import StampNames
from .writes import read_items

Rule = tuple[StampNames, Any]  # the stamps' names, and the memory of deletes


def samples(
    dynamodb: Any, table: str, names: tuple[str, ...], entries: list[Entry], rule: Rule | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(before, after): items in JSON form by the text of their key, None where there is none. ``rule``: None = no conditions."""
    changes = [change_of(entry, table, names) for entry in entries]
    rows = {key_of(row, names): row for row in read_items(dynamodb, table, [change.keys for change in changes])}
    places = rule[1].places([(table, change.keys) for change in changes]) if rule else {}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for entry, change in zip(entries, changes, strict=True):
        stored, text = rows.get(entry.key), json.dumps(change.keys, ensure_ascii=False)
        before[text] = stored
        after[text] = change.image if change.operation == PUT else None
        remembered = places.get(change.identity)
        if rule and not wins(change, stored, rule[0], remembered.place if remembered else NOWHERE):
            after[text] = stored
    return before, after
