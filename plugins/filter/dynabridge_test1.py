# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for dr_test1.yml: what was written when, and what came back."""

import math
from datetime import UTC, datetime
from pathlib import Path

import ansible.module_utils

KIT = str(Path(__file__).resolve().parents[2] / "module_utils")
if KIT not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(KIT)

from ansible.module_utils.dynabridge.curves import chained, thin  # noqa: E402  after the path

POINTS = 200


def facts(loads, backup, name, margin):
    """What is known of the load before anything is lost.

    loads: results of dynamodb_load by what they did (``puts``, the two halves, ``updates``, ``deletes``); backup: one of
    dynamodb_backup; margin: seconds by which clocks may differ. ``moment``: after everything that was written.
    """
    _first, second = loads["puts"]
    written = [load for kind in ("puts", "updates", "deletes") for load in loads[kind]]
    last = max(load["ended_at"] for load in written)
    began = loads["puts"][0]["started_at"]
    curve = thin(chained(load["curve"] for load in written), POINTS)
    return {
        "table": name,
        "counts": {kind: sum(load["loaded"] for load in loads[kind]) for kind in ("puts", "updates", "deletes")},
        "load_began": _iso(loads["puts"][0]["started_at"]),
        "load_ended": _iso(second["ended_at"]),
        "load_seconds": round(second["ended_at"] - loads["puts"][0]["started_at"], 3),
        "backup": backup["id"],
        "backup_moment": backup["moment"],
        "backup_items": backup["items"],
        "backup_in_load": second["started_at"] <= _seconds(backup["moment"]) <= second["ended_at"],
        "backup_second": round(_seconds(backup["moment"]) - began, 3),
        "written": [[round(when - began, 3), count] for when, count in curve],
        "last_write": _iso(last),
        # Captured changes have whole seconds, rounded down: everything of second s was written before s + 1.
        "moment": _iso(math.floor(last) + 1 + math.ceil(float(margin))),
    }


def report(known, results):
    """The report: ``known`` as of facts; results: for each method the restore's ``report`` and the ``oracle``'s result."""
    ways = [_way(known, result["report"], result["oracle"]) for result in results]
    found = known | {"ok": bool(ways) and all(way["ok"] for way in ways), "ways": ways}
    return found | {"text": list(_text(found))}


def _way(known, restored, oracle):
    last = restored["last_change"]
    lost = math.floor(_seconds(known["last_write"])) - math.floor(_seconds(last)) if last else None
    return {
        "method": restored["method"],
        "ok": oracle["equal"] and bool(restored["verification"]) and restored["verification"]["equal"],
        "rows": oracle["found_items"],
        "changes": restored["changes"],
        "oracle": oracle["summary"],
        "rto_seconds": restored["rto_seconds"],
        "rpo_seconds": lost and max(lost, 0),
        "phases": restored["phases"],
    }


def _text(found):
    counts = found["counts"]
    yield (
        f"{found['table']}: {counts['puts']:,} puts in {found['load_seconds']:,.1f} s, {counts['updates']:,} updates,"
        f" {counts['deletes']:,} deletes, the last at {found['last_write']}"
    )
    yield f"  full backup {found['backup']} of {found['backup_moment']}: {found['backup_items']:,} items, amid the load"
    for way in found["ways"]:
        phases = ", ".join(f"{name} {seconds:,.1f}" for name, seconds in way["phases"].items())
        lost = "unknown" if way["rpo_seconds"] is None else f"{way['rpo_seconds']:,} s"
        yield f"  {way['method']}: RTO {way['rto_seconds']:,.1f} s ({phases}), RPO {lost}, {way['changes']:,} changes"
        yield f"    {'equal' if way['ok'] else 'NOT EQUAL'} to what was written: {way['oracle']}"


def _iso(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(text):
    return datetime.fromisoformat(text).timestamp()


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"dynabridge_test1_facts": facts, "dynabridge_test1_report": report}
