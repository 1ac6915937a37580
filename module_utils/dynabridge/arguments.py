# SPDX-License-Identifier: MIT
"""Argument specs of the options that several modules have, and their checks.

plugins/doc_fragments/dynabridge.py documents the options, by the same names. A module may say one again, otherwise.
"""

from __future__ import annotations

from typing import Any

from .errors import SettingsError

PLACE = {
    "bucket_region": {"type": "str", "default": ""},
    "bucket_owner": {"type": "str", "default": ""},
    "role_arn": {"type": "str", "default": ""},
}
BUCKET = {**PLACE, "bucket": {"type": "str", "required": True}}
PLAN_BUCKET = {**PLACE, "bucket": {"type": "str", "default": ""}}
PREFIX = {"prefix": {"type": "str", "default": "daily"}}
PLAN = {"plan": {"type": "dict", "required": True}}
RETRIEVAL = {
    "tier": {"type": "str", "choices": ["Expedited", "Standard", "Bulk"], "default": "Standard"},
    "retrieved_days": {"type": "int", "default": 3},
}
WAITING = {"wait_timeout": {"type": "int", "default": 14400}, "poll": {"type": "float", "default": 15}}
SPILL = {"budget_mb": {"type": "int", "default": 256}, "directory": {"type": "path"}}
STAMPS = {
    "timestamp_attribute": {"type": "str", "default": "last_update_timestamp"},
    "region_attribute": {"type": "str", "default": "last_updater_region"},
    "tombstone_days": {"type": "int", "default": 30},
}
# How a side is reached, where a module works on both.
REACHED = {name: {"type": "str"} for name in ("profile", "region", "endpoint_url", "proxy")}
PROGRESS = {"progress_file": {"type": "path"}}


def check_lowest(params: dict[str, Any], **lowest: float) -> None:
    """Raises SettingsError for the first that is lower."""
    for name, low in lowest.items():
        if params[name] < low:
            raise SettingsError(f"{name} is {params[name]}: it must be at least {low}")


def check_ranges(params: dict[str, Any], **ranges: tuple[float, float]) -> None:
    """Raises SettingsError for the first that is out of its range."""
    for name, (low, high) in ranges.items():
        if not low <= params[name] <= high:
            raise SettingsError(f"{name} is {params[name]}: it must be from {low} to {high}")
