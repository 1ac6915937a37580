# SPDX-License-Identifier: MIT
"""Where a restore keeps its things in the backup bucket: ``restore/<target table>-<plan id>/``.

The name of a run follows from what is restored to where, so the same command given again finds what the first one left.
"""

from __future__ import annotations

from datetime import UTC, datetime

RESTORES = "restore"
PLAN = "plan.json"
MERGED = "merged.json"  # written last: without it the data set does not count
STATE = "state.json"  # how far the restore has come
REPORT = "report.json"
DATA = "data/"


def run_of(target_table: str, plan_id: str) -> str:
    """Name of the run."""
    return f"{target_table}-{plan_id}"


def folder_of(run: str, prefix: str = RESTORES) -> str:
    """The run's folder, with a slash at its end."""
    return f"{prefix}/{run}/"


def target_of(table: str, moment: float, day: str = "") -> str:
    """Where a table is restored to when nobody says so: ``user-cn-restored-2026-11-20``, ``...-20261120T101503Z``."""
    return f"{table}-restored-{day or datetime.fromtimestamp(moment, UTC).strftime('%Y%m%dT%H%M%SZ')}"


def history_key(folder: str, table: str, ended: str) -> str:
    """Where the report of a drill stays: ``drills/user-cn/20261120T101503Z.json``; ``ended``: ISO text."""
    return f"{folder}/{table}/{ended[:19].replace('-', '').replace(':', '')}Z.json"
