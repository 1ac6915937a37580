# SPDX-License-Identifier: MIT
"""The document of ``status`` as lines for people: both sides on one screen of 120 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .backup_report import age
from .status_facts import ACTIVE, DAY_HOURS, GONE, INACTIVE, MISSING, WINDOW_MINUTES
from .status_faults import span

WIDTH = 120
LABEL = 11
MOST = 5  # entries of one kind that are named; the document has them all
NOBODY_KNOWS = "not known"
KEY_WORDS = {ACTIVE: "active", INACTIVE: "INACTIVE", GONE: "GONE", MISSING: "MISSING"}

Side = Mapping[str, Any]


def screen(document: Mapping[str, Any]) -> list[str]:
    """A block for each side, the tables that both have, and the faults."""
    lines = [line for side in document["sides"] for line in _side(side)]
    for table in document["tables"]:
        lines += _entry("compared", f"{table['table']}: {_compared(table)}")
    faults = document["faults"]
    count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}" if faults else "no fault"
    return [*lines, f"{document['at'][:19]}Z: {count}", *(line for fault in faults for line in _fault(fault))]


def _side(side: Side) -> list[str]:
    account = f", account {side['account']}" if side["account"] else ""
    head = f"side {side['side']}: {side['region']}{account}: {'ok' if side['ok'] else 'NOT OK'}"
    if side["unreachable"]:
        return [head]
    return [head, *(line for label, say in ENTRIES.items() for text in say(side) for line in _entry(label, text))]


def _functions(side: Side) -> Iterable[str]:
    for function in side["functions"]:
        states = [_mapping(one) for one in function["mappings"] or []]
        states += [f"{source} has NO MAPPING" for source in function["missing"]]
        calls = _known(function["invocations"], lambda number: f"{number:,.0f} calls")
        errors = _known(function["errors"], lambda number: f"{number:,.0f} errors")
        behind = _known(function["age_seconds"], lambda seconds: f"{span(seconds)} behind", "")
        did = ", ".join(part for part in (calls, errors, behind) if part)
        yield f"{function['part']} {function['name']}: {', '.join(states) or NOBODY_KNOWS}; {did} in {WINDOW_MINUTES} m"


def _mapping(mapping: Mapping[str, Any]) -> str:
    result = f" ({mapping['result']})" if mapping["result"] else ""
    return f"{mapping['source']} {mapping['state']}{result}{' FAILING' if mapping['failing'] else ''}"


def _lag(side: Side) -> Iterable[str]:
    quiet = "nothing arrived" if "metrics" not in side["unknown"] else NOBODY_KNOWS
    yield _known(side["lag_seconds"], lambda seconds: f"{span(seconds)}, of the last batch that arrived", quiet)


def _queues(side: Side) -> Iterable[str]:
    yield ", ".join(f"{queue['name']} {_known(queue['messages'], '{:,}'.format)}" for queue in side["queues"])


def _quarantine(side: Side) -> Iterable[str]:
    found = side["quarantine"]
    if found is None or not found["total"]:
        yield NOBODY_KNOWS if found is None else "empty"
        return
    kept = [f"{number:,} of {name}" for name, number in found["entries"].items()] + [f"{found['gaps']:,} gaps"]
    yield f"{'at least ' if found['more'] else ''}{', '.join(kept)}"


def _counters(side: Side) -> Iterable[str]:
    yield _known(side["counters"], lambda found: f"{found['loaded']:,} loaded, {found['replicated']:,} arrived")


def _key(side: Side) -> Iterable[str]:
    key = side["key"]
    of = f" of {key['user']}" if key["user"] else ""
    old = "" if key["age_days"] is None else f", {age(key['age_days'] * DAY_HOURS)} old"
    yield f"{key['access_key_id'] or 'none'}{of}: {KEY_WORDS.get(key['state'], 'the peer was not asked')}{old}"


def _backups(side: Side) -> Iterable[str]:
    for table in side["backups"] or []:
        limit = f", may be {age(table['max_age_hours'])}" if table["max_age_hours"] else ""
        last = f"{table['moment'][:19]}Z, {age(table['age_hours'])} ago{limit}" if table["moment"] else "none"
        yield f"{table['table']}: last verified full {last}: {'NOT OK' if table['problems'] else 'ok'}"
    yield from [NOBODY_KNOWS] if "backups" in side["unknown"] else []


def _captured(side: Side) -> Iterable[str]:
    for table in side["captured"] or []:
        behind = f"up to {table['until']}, {span(table['behind_seconds'])} ago" if table["until"] else "not at all"
        holes = f"; {len(table['holes'])} holes" if table["holes"] else ""
        yield f"{table['table']}: {behind}, may be {span(table['limit_seconds'])}{holes}"
    yield from [NOBODY_KNOWS] if "captured" in side["unknown"] else []


def _drills(side: Side) -> Iterable[str]:
    for drill in side["drills"]:
        rto, rpo = (_known(drill[name], "{:,.1f} s".format, "-") for name in ("rto_seconds", "rpo_seconds"))
        yield f"{drill['table']}: {drill['began'][:19]}Z {'ok' if drill['ok'] else 'FAILED'}, RTO {rto}, RPO {rpo}"
    if "drills" in side["unknown"]:
        yield NOBODY_KNOWS
    elif side["backups"] and not side["drills"]:
        yield "none so far"


def _alarms(side: Side) -> Iterable[str]:
    ringing = side["alarms"]
    if not ringing:
        yield NOBODY_KNOWS if ringing is None else "none rings"
        return
    more = [f"{len(ringing) - MOST} more"] if len(ringing) > MOST else []
    named = [f"{alarm['name']} since {alarm['since'][:19]}Z" for alarm in ringing[:MOST]]
    yield f"RINGING: {', '.join([*named, *more])}"


ENTRIES: dict[str, Callable[[Side], Iterable[str]]] = {
    "functions": _functions,
    "lag": _lag,
    "queues": _queues,
    "quarantine": _quarantine,
    "counters": _counters,
    "key": _key,
    "backups": _backups,
    "captured": _captured,
    "drills": _drills,
    "alarms": _alarms,
}


def _compared(table: Mapping[str, Any]) -> str:
    if not table["at"]:
        return "never"
    left, right = (f"{table[f'{side}_items']:,} items in {table[f'{side}_table']}" for side in ("left", "right"))
    least = "at least " if table["capped"] else ""
    found = "equal" if table["equal"] else f"DIFFERENT in {least}{table['differing']:,} keys"
    without = f", without {', '.join(table['ignored'])}" if table["ignored"] else ""
    return f"{found}, {table['at'][:19]}Z, {age(table['age_hours'])} ago ({left}, {right}{without})"


def _fault(fault: Mapping[str, Any]) -> list[str]:
    return [
        *_wrapped(f"{fault['side']}: {fault['thing']}: {fault['what']}", "FAULT  ", 7),
        *_wrapped(fault["do"], "       -> ", 10),
    ]


def _entry(label: str, text: str) -> list[str]:
    return _wrapped(text, f"  {label:<{LABEL}}", 2 + LABEL)


def _wrapped(text: str, first: str, indent: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * indent, break_on_hyphens=False)


def _known(value: Any, say: Callable[[Any], str], otherwise: str = NOBODY_KNOWS) -> str:
    return otherwise if value is None else say(value)
