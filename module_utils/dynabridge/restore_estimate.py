# SPDX-License-Identifier: MIT
"""What a restore reads and writes, how long that takes and what it costs: an estimate, before anything changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .restore_plan import FULL_ONLY, MERGE, Plan

GB = 2**30
MB = 2**20
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
# Captured lines repeat names and keys: their text is about ten times what lies on S3.
LINES_EXPAND = 10
RATES = {"merge": 30.0, "import": 10.0, "apply": 2.0, "verify": 30.0}


def estimate(plan: Plan, rates: Mapping[str, float], prices: Mapping[str, Any]) -> dict[str, Any]:
    """``rates``: MB of text a second, by phase. ``prices``: ``import`` and ``retrieval`` a GB, in ``currency``."""
    pace = RATES | {name: float(rate) for name, rate in rates.items()}
    text = plan.base.billed_bytes
    stored = sum(window.stored_bytes for window in plan.windows) + (plan.log.bytes if plan.log else 0)
    archived = sum(size for kind, size in plan.base.storage_classes.items() if kind in ARCHIVED)
    seconds = {"import": text / MB / pace["import"], "verify": text / MB / pace["verify"]}
    if plan.method == MERGE:
        seconds["merge"] = (text + stored * LINES_EXPAND) / MB / pace["merge"]
    elif plan.method != FULL_ONLY:
        seconds["apply"] = stored * LINES_EXPAND / MB / pace["apply"]
    cost = {
        "import": round(text / GB * float(prices.get("import", 0)), 2),
        "retrieval": round(archived / GB * float(prices.get("retrieval", 0)), 2),
    }
    return {
        "items": plan.base.items,
        "text_bytes": text,
        "stored_bytes": plan.base.stored_bytes,
        "change_bytes": stored,
        "archived_bytes": archived,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "total_seconds": round(sum(seconds.values()), 1),
        "cost": cost | {"total": round(sum(cost.values()), 2), "currency": prices.get("currency", "")},
    }
