# SPDX-License-Identifier: MIT
"""How both sides stand, out of what was found on each: one document. ``status_screen`` spells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .backup_layout import iso
from .capture import FAILED_RESULT, GOOD_RESULTS
from .exports import read_time
from .rotation import DAY
from .status_facts import ACTIVE, GONE, HOUR, INACTIVE, MISSING, UNKNOWN, Facts
from .status_faults import Fault, divergence, faults_of, unreachable

VERSION = 1
# Of a drill's record what is shown.
DRILL = ("table", "began", "ok", "problems", "target_region", "rto_seconds", "rpo_seconds")


def status(sides: Iterable[Facts], now: float) -> dict[str, Any]:
    """``ok``, ``faults``, each side, and the replicated tables with their last comparison."""
    known = {facts.side: facts for facts in sides}
    shown = [_side(facts, known.get(facts.peer), now) for facts in known.values()]
    tables = _compares(known.values(), now)
    faults = [fault for _side, found in shown for fault in found] + list(divergence(tables))
    return {
        "version": VERSION,
        "at": iso(now),
        "ok": not faults,
        "faults": [fault._asdict() | {"text": fault.sentence()} for fault in faults],
        "sides": [side | {"ok": not found} for side, found in shown],
        "tables": tables,
    }


def _side(facts: Facts, peer: Facts | None, now: float) -> tuple[dict[str, Any], list[Fault]]:
    why = facts.unreachable or _nothing_answered(facts)
    head = {"side": facts.side, "region": facts.region, "account": facts.account, "unreachable": why}
    if why:
        return head, [unreachable(facts, why)]
    shown = head | {
        "functions": [_function(facts, wanted) for wanted in facts.functions],
        "lag_seconds": (facts.part("metrics") or {}).get("lag_seconds"),
        "queues": _queues(facts),
        "quarantine": facts.part("quarantine"),
        "counters": facts.part("counters"),
        "key": _key(facts, peer, now),
        "backups": _backups(facts),
        "captured": _captured(facts, now),
        "drills": [{name: drill.get(name) for name in DRILL} for drill in facts.drills or []],
        "alarms": facts.part("alarms"),
        "unknown": facts.unknown(),
    }
    return shown, list(faults_of(facts, shown))


def _nothing_answered(facts: Facts) -> str:
    """Why, where all that was asked of the side failed, its backups as well: that is one fault, and not one for each part."""
    asked = {name: value for name, value in facts.found.items() if name != "unknown"}
    if not asked or any(value is not None for value in asked.values()) or facts.backups or facts.watermarks:
        return ""
    return next(iter(facts.unknown().values()), "")


def _function(facts: Facts, wanted: Mapping[str, Any]) -> dict[str, Any]:
    metrics = ((facts.part("metrics") or {}).get("functions") or {}).get(wanted["name"]) or {}
    listed = (facts.part("mappings") or {}).get(wanted["name"])
    is_quiet = bool(metrics) and metrics["age_seconds"] is None
    there = {one["source"] for one in listed or []}
    return {
        "part": wanted["part"],
        "name": wanted["name"],
        "mappings": None if listed is None else [_mapping(one, is_quiet) for one in listed],
        "missing": [] if listed is None else [source for source in wanted["sources"] if source not in there],
        **{name: metrics.get(name) for name in ("invocations", "errors", "throttles", "age_seconds")},
    }


def _mapping(found: Mapping[str, Any], is_quiet: bool) -> dict[str, Any]:
    """A mapping that gave a batch up says so until it hands over another: where for long nothing was, it is over."""
    result = found.get("result") or ""
    is_over = is_quiet and result == FAILED_RESULT
    is_failing = bool(result) and not result.startswith(GOOD_RESULTS) and not is_over
    return {"source": found["source"], "state": found["state"], "result": result, "failing": is_failing}


def _queues(facts: Facts) -> list[dict[str, Any]]:
    messages = facts.part("queues") or {}
    return [{"part": one["part"], "name": one["name"], "messages": messages.get(one["name"])} for one in facts.queues]


def _key(facts: Facts, peer: Facts | None, now: float) -> dict[str, Any]:
    """The pair by which this side writes to its peer: what it stores, held against the keys of the user at the peer."""
    stored = facts.part("stored_key")
    key = {"access_key_id": stored or "", "user": "", "age_days": None, "state": UNKNOWN}
    if stored is None:
        return key
    if not stored:
        return key | {"state": MISSING}
    owner = peer.part("user_keys") if peer else None
    if owner is None:
        return key
    key["user"] = owner["user"]
    of_user = next((one for one in owner["keys"] if one["id"] == stored), None)
    if of_user is None:
        return key | {"state": GONE}
    age_days = round((now - read_time(of_user["created"])) / DAY, 1)
    return key | {"age_days": age_days, "state": ACTIVE if of_user["active"] else INACTIVE}


def _backups(facts: Facts) -> list[dict[str, Any]] | None:
    if facts.backups is None:
        return None
    return [
        {
            "table": table["table"],
            "moment": (table["last"] or {}).get("moment"),
            "age_hours": (table["last"] or {}).get("age_hours"),
            "max_age_hours": table["max_age_hours"],
            "problems": [problem["text"] for problem in table["problems"]],
        }
        for table in facts.backups["tables"]
    ]


def _captured(facts: Facts, now: float) -> list[dict[str, Any]] | None:
    if facts.watermarks is None:
        return None
    return [_captured_table(facts, table, mark, now) for table, mark in sorted(facts.watermarks.items())]


def _captured_table(facts: Facts, table: str, mark: Mapping[str, Any] | None, now: float) -> dict[str, Any]:
    """Of the holes those that no later full backup has made good: else no later moment needs them."""
    whole_since = next(
        (read_time(one["moment"]) for one in _backups(facts) or [] if one["table"] == table and one["moment"]), 0.0
    )
    return {
        "table": table,
        "until": mark["until"] if mark else None,
        "behind_seconds": round(now - read_time(mark["until"]), 1) if mark else None,
        "limit_seconds": facts.capture_limit_seconds,
        "holes": [hole for hole in mark["holes"] if read_time(hole["end"]) > whole_since] if mark else [],
    }


def _compares(sides: Iterable[Facts], now: float) -> list[dict[str, Any]]:
    """The last comparison of each table. Both sides keep it; the newer counts, because one may not have been reached then."""
    newest: dict[str, Mapping[str, Any] | None] = {}
    for facts in sides:
        for table, record in (facts.part("compares") or {}).items():
            last = newest.get(table)
            if last is None or (record and read_time(record["at"]) > read_time(last["at"])):
                newest[table] = record
    return [
        {"table": table, **(record or {"at": None}), "age_hours": _hours_since(record, now)}
        for table, record in sorted(newest.items())
    ]


def _hours_since(record: Mapping[str, Any] | None, now: float) -> float | None:
    return round((now - read_time(record["at"])) / HOUR, 2) if record else None
