# SPDX-License-Identifier: MIT
"""Drills: a table restored for practice, judged, and remembered for good under ``drills/<table>/<time>.json``.

A drill is good when the table was restored and found to be what it was, in time, and when little enough would have been lost.
What would have been lost is what was not recoverable at its begin, whether or not anybody wrote just then: a table that
nobody writes to has old changes, and loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .backup_layout import iso
from .errors import SettingsError
from .exports import read_time
from .moments import LATEST

VERSION = 1
FOLDER = "drills"
# What a record has, whatever became of the drill.
FIELDS = ("table", "target_table", "target_region", "began", "ended", "ok", "problems", "limits", "report", "source")
NAME = 40
HEADER = f"{'table':<{NAME}} {'drill of':<20} {'as of':<20} {'rows':>12} {'RTO s':>9} {'RPO s':>9}"


class Limits(NamedTuple):
    """In seconds: how long a restore may take, and how much may be lost."""

    rto: float
    rpo: float


class Outcome(NamedTuple):
    """What came of a drill.

    report: of dynamodb_restore_report, None where the restore did not come so far. failure: why the restore stopped, '' when
    it did not. left: why the scratch table is still there, '' when it is gone. source: result of the comparison with the
    live table, None where there was none.
    """

    report: Mapping[str, Any] | None = None
    failure: str = ""
    left: str = ""
    source: Mapping[str, Any] | None = None


def check_limits(limits: Limits) -> None:
    """Raises SettingsError for a limit that nothing can hold."""
    for name, value in (("rto_seconds", limits.rto), ("rpo_seconds", limits.rpo)):
        if value <= 0:
            raise SettingsError(f"{name} is {value:g}: it must be more than 0 seconds")


def record_of(
    table: str, target: Mapping[str, str], date: str, began: float, ended: float, limits: Limits, outcome: Outcome
) -> dict[str, Any]:
    """The record of a drill. target: ``table`` and ``region``; date: what was asked for; began, ended: epoch seconds."""
    report = outcome.report
    rto = report["rto_seconds"] if report else None
    rpo = _lost(report, date, began) if report else None
    problems = list(_problems(target, outcome, rto, rpo, limits))
    return {
        "version": VERSION,
        "table": table,
        "target_table": target["table"],
        "target_region": target["region"],
        "date": date,
        "moment": report["moment"] if report else None,
        "began": iso(began),
        "ended": iso(ended),
        "ok": not problems,
        "problems": problems,
        "rows": report["rows"] if report else None,
        "rto_seconds": rto,
        "rpo_seconds": rpo,
        "limits": {"rto_seconds": limits.rto, "rpo_seconds": limits.rpo},
        "report": report,
        "source": _compared(outcome.source),
    }


def _lost(report: Mapping[str, Any], date: str, began: float) -> float:
    """Seconds of changes that are lost where the disaster strikes now; or, of a time that was asked for, just then."""
    moment = read_time(report["moment"])
    whole = min([read_time(hole["start"]) for hole in report["holes"]] + [moment])
    return round(max((began if date == LATEST else moment) - whole, 0), 3)


def _problems(
    target: Mapping[str, str], outcome: Outcome, rto: float | None, rpo: float | None, limits: Limits
) -> Iterable[str]:
    if outcome.failure:
        yield f"it was not restored: {outcome.failure}"
    elif outcome.report is None:
        yield "it was not restored, and nobody said why"
    elif not outcome.report["verification"]:
        yield "what was restored was not verified"
    if outcome.report and outcome.report["verification"] and not outcome.report["verification"]["equal"]:
        yield f"what was restored is not what it was: {outcome.report['verification']['summary']}"
    if rto is not None and rto > limits.rto:
        yield f"the restore took {rto:,.0f} s, and may take {limits.rto:,.0f} s (RTO)"
    if rpo is not None and rpo > limits.rpo:
        yield f"the changes of {rpo:,.0f} s would be lost, and {limits.rpo:,.0f} s may be (RPO)"
    if outcome.left:
        yield f"the scratch table {target['table']} is left in {target['region']}: {outcome.left}"


def _compared(source: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: source.get(name) for name in ("equal", "differing", "summary")} if source else None


def record_from(document: Any) -> dict[str, Any] | None:
    """Of ``record_of``; None for anything else."""
    if not isinstance(document, Mapping) or document.get("version") != VERSION:
        return None
    return dict(document) if all(name in document for name in FIELDS) else None


def sentence(record: Mapping[str, Any]) -> str:
    """How a drill went."""
    table, report = record["table"], record["report"]
    if not record["ok"]:
        return f"table {table}: the drill of {record['began'][:19]}Z FAILED: {'; '.join(record['problems'])}"
    limits = record["limits"]
    return (
        f"table {table}: {record['rows']:,} rows as they were at {record['moment']}, verified; "
        f"RTO {record['rto_seconds']:,.1f} s of {limits['rto_seconds']:,.0f}, "
        f"RPO {record['rpo_seconds']:,.1f} s of {limits['rpo_seconds']:,.0f}"
        + (f"; it lacks: {'; '.join(report['left_out'])}" if report["left_out"] else "")
    )


def history_lines(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Drills for people, as they come."""
    return [HEADER, *map(_line, records)] if records else ["no drill so far"]


def _line(record: Mapping[str, Any]) -> str:
    moment = f"{record['moment'][:19]}Z" if record["moment"] else "-"
    rows, rto, rpo = (record[name] for name in ("rows", "rto_seconds", "rpo_seconds"))
    return (
        f"{record['table']:<{NAME}} {record['began'][:19]}Z {moment:<20} {_count(rows, ',d'):>12}"
        f" {_count(rto, ',.1f'):>9} {_count(rpo, ',.1f'):>9} {'ok' if record['ok'] else 'FAILED'}"
    )


def _count(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
