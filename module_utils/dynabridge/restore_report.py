# SPDX-License-Identifier: MIT
"""Plans and reports of restores: what was made from what, how long each phase took, what is known of the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .backup_layout import iso
from .exports import read_time
from .spelling import size_text

VERSION = 1
# retrieve: from archive classes; fill: the import, or writing; settle: all that an import leaves out.
PHASES = ("plan", "retrieve", "merge", "fill", "settle", "apply", "verify")


def report_of(
    plan: Mapping[str, Any],
    target: Mapping[str, str],
    steps: Iterable[Mapping[str, Any]],
    verification: Mapping[str, Any] | None,
    began: float,
    ended: float,
) -> dict[str, Any]:
    """The report. Times are ISO text, durations seconds.

    plan: as dynamodb_restore_info gives it; target: ``table`` and ``region``; steps: results of the modules that worked, each
    with ``phases`` (seconds by phase) and what it knows of ``changes``, ``rows``, ``last_change``, ``left_out``;
    verification: result of dynamodb_compare_info, None where there was none; began, ended: epoch seconds.
    """
    phases: dict[str, float] = {}
    left_out: list[str] = []
    known: dict[str, Any] = {}
    for step in steps:
        for name, seconds in (step.get("phases") or {}).items():
            phases[name] = round(phases.get(name, 0) + float(seconds), 3)
        left_out += step.get("left_out") or []
        known |= {name: step[name] for name in ("rows", "changes", "last_change") if step.get(name) is not None}
    last = known.get("last_change")
    moment = read_time(plan["moment"])
    return {
        "version": VERSION,
        "table": plan["table"],
        "target_table": target["table"],
        "target_region": target["region"],
        "moment": plan["moment"],
        "method": plan["method"],
        "plan": plan["id"],
        "base": {name: plan["base"][name] for name in ("id", "moment", "items", "folder")},
        "windows": len(plan["windows"]),
        "log": plan["log"],
        "changes": known.get("changes", 0),
        "rows": known.get("rows"),
        "last_change": last,
        "holes": plan["holes"],
        "notes": plan.get("notes", []),
        "left_out": left_out,
        "verification": _verified(verification),
        "phases": {name: phases[name] for name in sorted(phases, key=PHASES.index) if phases[name]},
        "rto_seconds": round(ended - began, 3),
        "rpo_seconds": round(moment - read_time(last or plan["base"]["moment"]), 3),
        "began": iso(began),
        "ended": iso(ended),
    }


def _verified(verification: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not verification:
        return None
    return {name: verification[name] for name in ("equal", "differing", "summary", "differences")}


def plan_lines(plans: Sequence[Mapping[str, Any]], region: str) -> list[str]:
    """The plans for people, several lines each."""
    return [line for plan in plans for line in _plan(plan, region)]


def _plan(plan: Mapping[str, Any], region: str) -> list[str]:
    base, log, expected = plan["base"], plan["log"], plan["estimate"]
    lines = [
        f"{plan['table']} as it was at {plan['moment']} -> {plan['target_table']} in {region}",
        f"  method {plan['method']}, plan {plan['id']}",
        f"  full backup {base['id']} of {base['moment']}: {base['items']:,} items, {size_text(expected['text_bytes'])}"
        + "".join(
            f", {size_text(size)} in {kind}" for kind, size in base["storage_classes"].items() if kind != "STANDARD"
        ),
    ]
    lines += [
        f"  incremental {window['id']} up to {window['moment']}: {window['items']:,} items"
        for window in plan["windows"]
    ]
    if log:
        lines.append(
            f"  captured changes from {log['start']} to {log['end']}: {log['objects']:,} objects, {size_text(log['bytes'])}"
        )
    lines += [
        f"  MAY BE MISSING: changes from {hole['start']} to {hole['end']}: {hole['why']}" for hole in plan["holes"]
    ]
    lines += [f"  note: {note}" for note in plan["notes"]]
    cost = expected["cost"]
    spelled = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in expected["seconds"].items())
    lines.append(
        f"  expected: {expected['total_seconds']:,.0f} s ({spelled}), {cost['currency']} {cost['total']:,.2f}".rstrip()
    )
    return lines


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """The report for people."""
    checked = report["verification"]
    rows = "" if report["rows"] is None else f", {report['rows']:,} rows"
    lines = [
        f"{report['table']} as it was at {report['moment']} is in {report['target_table']} ({report['target_region']}){rows}",
        f"  from the full backup {report['base']['id']} of {report['base']['moment']} and {report['changes']:,} changes"
        + (f", the last of {report['last_change']}" if report["last_change"] else ""),
        f"  verified: {checked['summary']}" if checked else "  NOT verified, as was asked for",
        f"  RTO {report['rto_seconds']:,.1f} s ("
        + ", ".join(f"{name} {seconds:,.1f}" for name, seconds in report["phases"].items())
        + f"), RPO {report['rpo_seconds']:,.1f} s",
    ]
    lines += [
        f"  MAY BE MISSING: changes from {hole['start']} to {hole['end']}: {hole['why']}" for hole in report["holes"]
    ]
    lines += [f"  left out: {what}" for what in report["left_out"]]
    return lines + [f"  note: {note}" for note in report["notes"]]
