# SPDX-License-Identifier: MIT
"""All figures of a drill, or of the test of a table that is lost, as they are kept beside its page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

VERSION = 1
DRILL, TEST1 = "drill", "test1"
OTHER = "other"  # what no phase accounts for: starting modules, waiting between them


def drill_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of the drills of a side.

    facts: ``side``; ``drills``: records of dynamodb_drill_report, those of this run; ``history``: of dynamodb_drill_info.
    """
    drills = [_drill(record) for record in facts["drills"]]
    history = sorted((_past(record) for record in facts["history"]), key=lambda past: (past["began"], past["table"]))
    return {
        "version": VERSION,
        "kind": DRILL,
        "side": facts["side"],
        "began": min(drill["began"] for drill in drills),
        "ended": max(drill["ended"] for drill in drills),
        "ok": all(drill["ok"] for drill in drills),
        "drills": drills,
        "history": history,
    }


def lost_table_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of dr_test1.yml. facts: its ``report``, the ``side``, and the ``limits`` as of a drill."""
    report, limits = facts["report"], facts["limits"]
    ways = [
        {
            **way,
            **_phases(way["phases"], way["rto_seconds"]),
            "limits": limits,
            **_met(way["rto_seconds"], way["rpo_seconds"], limits),
        }
        for way in report["ways"]
    ]
    return {**report, "version": VERSION, "kind": TEST1, "side": facts["side"], "ways": ways}


def _drill(record: Mapping[str, Any]) -> dict[str, Any]:
    report = record["report"] or {}
    limits = record["limits"]
    kept = ("table", "target_table", "target_region", "began", "ended", "ok", "problems", "rto_seconds", "rpo_seconds")
    return {
        **{name: record[name] for name in kept},
        "moment": record["moment"],
        "rows": record["rows"],
        "limits": limits,
        **_met(record["rto_seconds"], record["rpo_seconds"], limits),
        "method": report.get("method"),
        "changes": report.get("changes"),
        "backup": (report.get("base") or {}).get("moment"),
        "verified": bool(report.get("verification")) and report["verification"]["equal"],
        "lacks": list(report.get("left_out") or []),
        **_phases(report.get("phases") or {}, record["rto_seconds"]),
    }


def _past(record: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("table", "began", "ok", "rows", "rto_seconds", "rpo_seconds", "limits")
    return {name: record.get(name) for name in kept}


def _met(rto: float | None, rpo: float | None, limits: Mapping[str, float]) -> dict[str, bool | None]:
    """None: not known, as of a restore that stopped."""
    return {
        "rto_met": None if rto is None else rto <= limits["rto_seconds"],
        "rpo_met": None if rpo is None else rpo <= limits["rpo_seconds"],
    }


def _phases(phases: Mapping[str, float], total: float | None) -> dict[str, Any]:
    """The phases with what no phase accounts for, so that they add up to the time to recovery."""
    if total is None:
        return {"phases": dict(phases)}
    return {"phases": {**phases, OTHER: round(max(0.0, total - sum(phases.values())), 3)}}


def by_table(history: Iterable[Mapping[str, Any]], tables: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """The past drills of these tables, each by time."""
    found: dict[str, list[Mapping[str, Any]]] = {table: [] for table in tables}
    for past in history:
        if past["table"] in found:
            found[past["table"]].append(past)
    return found
