# SPDX-License-Identifier: MIT
"""Whether a table is a restore's own: nobody may touch, or remove, what somebody else has made under the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..restore_state import WRITE, State
from ..restored_schema import MARK
from .imports import Imports


def is_own(state: State, table: Mapping[str, Any], imports: Imports) -> bool:
    """By its id; where the answer that told it was lost, by the import's token, or by the mark of its creation.

    ``table``: DescribeTable's answer. What an import tells is noted in the state.
    """
    if state.table_id:
        return state.table_id == table.get("TableId") and state.table_arn == table["TableArn"]
    if not state.token:
        return False
    if state.way == WRITE:
        return imports.tags(table["TableArn"]).get(MARK) == state.token
    job = imports.find(table["TableArn"], state.token)
    if job is None or job.table_id not in ("", table.get("TableId")):
        return False
    state.import_arn, state.table_arn, state.table_id = job.arn, table["TableArn"], table.get("TableId", "")
    return True
