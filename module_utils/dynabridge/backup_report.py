# SPDX-License-Identifier: MIT
"""The state of each table's backups: what a monitor must know, and what is wrong. ``backup_screen`` spells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .backup_cost import Cost, bill, together
from .backup_layout import iso
from .catalogue import DAMAGED, FAILED, RUNNING, UNVERIFIED, VERIFIED, Backup, Span, coverage, gaps, verified
from .errors import SettingsError
from .exports import FULL, INCREMENTAL
from .retention import Rules, classes_of, expiring, guard

HOUR = 3600
# An export takes minutes to hours; one that takes a day has got stuck, or nobody looks after it.
STUCK_HOURS = 24
NAMED = 3
UNDER_WAY, LOST = (RUNNING, UNVERIFIED), (FAILED, DAMAGED)
NONE, STALE, STUCK, BEHIND, GAP, EXPIRING = "none", "stale", "stuck", "behind", "gap", "expiring"


@dataclass(frozen=True)
class Settings:
    """What one side's backups are held against.

    ``limits``: the tables that are to be backed up, each with the hours that its last verified full backup may be old.
    ``incremental_hours``: how far incrementals may be behind; 0 = there are none, or nobody minds.
    """

    side: str
    bucket: str
    limits: Mapping[str, float]
    now: float
    prices: Mapping[str, Any] = field(default_factory=dict)
    rules: Rules = ()
    expiry_warning_days: float = 30
    incremental_hours: float = 0

    def hours_since(self, moment: float) -> float:
        return (self.now - moment) / HOUR


def report(backups: Iterable[Backup], settings: Settings) -> dict[str, Any]:
    """One side: its tables, those that are gone from the inventory included, what is wrong, and what it costs."""
    tables: dict[str, list[Backup]] = {name: [] for name in settings.limits}
    for backup in backups:
        tables.setdefault(backup.table, []).append(backup)
    costs, total, note = _costs(tables, settings)
    states = [_table(name, tables[name], settings) | {"cost": costs.get(name)} for name in sorted(tables)]
    return {
        "side": settings.side,
        "bucket": settings.bucket,
        "at": iso(settings.now),
        "ok": all(state["ok"] for state in states),
        "problems": [
            f"{settings.side} {state['table']}: {problem['text']}" for state in states for problem in state["problems"]
        ],
        "tables": states,
        "stored_bytes": sum(state["stored_bytes"] for state in states),
        "currency": settings.prices.get("currency", ""),
        "cost": total,
        "cost_note": note,
    }


def _costs(tables: Mapping[str, list[Backup]], settings: Settings) -> tuple[dict[str, Any], Any, str]:
    """A price that is missing must not silence a monitor: it is told, and the rest stands."""
    try:
        everything = [backup for backups in tables.values() for backup in backups]
        costs = bill(everything, settings.prices, settings.now, settings.rules)
        total: Cost = together(costs.values(), settings.prices)
    except SettingsError as error:
        return {}, None, str(error)
    nothing = Cost(0, 0, {})
    return {name: costs.get(name, nothing).as_dict() for name in tables}, total.as_dict(), ""


def _table(name: str, backups: Sequence[Backup], settings: Settings) -> dict[str, Any]:
    last = next(reversed(verified(backups, FULL)), None)
    holding = guard(backups, settings.rules, settings.now)
    spans, holes = coverage(backups), gaps(backups)
    since = _since_the_last_good(backups, last)
    problems = _problems(name, last, since, spans, holes, settings) if name in settings.limits else []
    if holding.days is not None and holding.warns(settings.expiry_warning_days):
        problems.append(_problem(EXPIRING, _expiring_words(holding.days)))
    classes: Counter[str] = Counter()
    for backup in backups:
        classes.update(classes_of(backup, settings.rules, settings.now))
    return {
        "table": name,
        "in_inventory": name in settings.limits,
        "max_age_hours": settings.limits.get(name),
        "ok": not problems,
        "problems": problems,
        "last": _last(last, settings),
        "expires_in_days": None if holding.days is None else round(holding.days, 1),
        "expiring": [{"id": b.id, "at": iso(end)} for end, b in _soon_gone(backups, settings)],
        "running": [_entry(b, settings) for b in _newest_first(backups) if b.state in UNDER_WAY],
        "failed": [_entry(b, settings) for b in since if b.state in LOST],
        "states": dict(sorted(Counter(backup.state for backup in backups).items())),
        "full": len(verified(backups, FULL)),
        "incremental": len(verified(backups, INCREMENTAL)),
        "recoverable": [_span(span) for span in spans],
        "gaps": [_span(hole) for hole in holes],
        "stored_bytes": sum(backup.stored_bytes for backup in backups),
        "billed_bytes": sum(backup.billed_bytes for backup in backups),
        "storage_classes": dict(sorted(classes.items())),
    }


def _since_the_last_good(backups: Sequence[Backup], last: Backup | None) -> list[Backup]:
    """What was asked for after the last verified one of its kind; a full one makes up for incrementals, too."""
    good = {FULL: last.requested if last else 0.0}
    good[INCREMENTAL] = max([good[FULL], *(b.requested for b in verified(backups, INCREMENTAL))])
    return [b for b in _newest_first(backups) if b.state != VERIFIED and b.requested > good[b.kind]]


def _soon_gone(backups: Sequence[Backup], settings: Settings) -> list[tuple[float, Backup]]:
    good = [backup for backup in backups if backup.state == VERIFIED]
    return expiring(good, settings.rules, settings.now, settings.expiry_warning_days)


def _newest_first(backups: Iterable[Backup]) -> list[Backup]:
    return sorted(backups, key=lambda backup: backup.requested, reverse=True)


def _problems(
    name: str,
    last: Backup | None,
    since: Sequence[Backup],
    spans: Sequence[Span],
    holes: Sequence[Span],
    settings: Settings,
) -> list[dict[str, str]]:
    return [*_of_age(name, last, settings), *_of_others(since, settings), *_of_changes(last, spans, holes, settings)]


def _of_age(name: str, last: Backup | None, settings: Settings) -> list[dict[str, str]]:
    if last is None:
        return [_problem(NONE, "there is no verified full backup")]
    hours, limit = settings.hours_since(last.moment), settings.limits[name]
    if hours <= limit:
        return []
    text = f"the last verified full backup shows {iso(last.moment)}, {age(hours)} ago; it may be {age(limit)} old"
    return [_problem(STALE, text)]


def _of_others(since: Sequence[Backup], settings: Settings) -> list[dict[str, str]]:
    """What failed, the newest by name, and what does not end."""
    lost = [backup for backup in since if backup.state in LOST]
    found = [_problem(backup.state, _failure(backup)) for backup in lost[:NAMED]]
    if len(lost) > NAMED:
        found.append(_problem(FAILED, f"{len(lost) - NAMED:,} earlier ones failed or are damaged, too"))
    for backup in since:
        if _stuck(backup, settings):
            hours = age(settings.hours_since(backup.requested))
            found.append(_problem(STUCK, f"{_named(backup)} has been {backup.state} for {hours}"))
    return found


def _of_changes(
    last: Backup | None, spans: Sequence[Span], holes: Sequence[Span], settings: Settings
) -> list[dict[str, str]]:
    """A hole before the last full backup is not a problem: no later moment depends on it. The screen names it."""
    found = [
        _problem(GAP, f"changes from {iso(hole.start)} to {iso(hole.end)} are in no verified backup")
        for hole in holes
        if last and hole.end > last.moment
    ]
    behind = settings.hours_since(max((span.end for span in spans), default=settings.now))
    if settings.incremental_hours and behind > settings.incremental_hours:
        limit = age(settings.incremental_hours)
        found.append(_problem(BEHIND, f"the last moment to go back to is {age(behind)} ago; it may be {limit} ago"))
    return found


def _problem(kind: str, text: str) -> dict[str, str]:
    return {"kind": kind, "text": text}


def _named(backup: Backup) -> str:
    return f"the {backup.kind} backup {backup.id} of {iso(backup.requested)}"


def _failure(backup: Backup) -> str:
    verb = "failed" if backup.state == FAILED else "is damaged"
    return f"{_named(backup)} {verb}: {backup.reason or 'no reason is known'}"


def _expiring_words(days: float) -> str:
    when = f"expires in {days:,.1f} days" if days > 0 else "expires now"
    return f"the last verified full backup {when}, and no later one is there"


def _stuck(backup: Backup, settings: Settings) -> bool:
    return backup.state in UNDER_WAY and settings.hours_since(backup.requested) > STUCK_HOURS


def _last(backup: Backup | None, settings: Settings) -> dict[str, Any] | None:
    if backup is None:
        return None
    return {
        "id": backup.id,
        "folder": backup.folder,
        "moment": iso(backup.moment),
        "age_hours": round(settings.hours_since(backup.moment), 2),
        "items": backup.items,
        "billed_bytes": backup.billed_bytes,
        "stored_bytes": backup.stored_bytes,
    }


def _entry(backup: Backup, settings: Settings) -> dict[str, Any]:
    return {
        "id": backup.id,
        "kind": backup.kind,
        "state": backup.state,
        "requested": iso(backup.requested),
        "hours": round(settings.hours_since(backup.requested), 2),
        "stuck": _stuck(backup, settings),
        "reason": backup.reason,
    }


def _span(span: Span) -> dict[str, str]:
    return {"from": iso(span.start), "to": iso(span.end)}


def age(hours: float) -> str:
    """``45 m``, ``13.5 h``, ``12 d``: short, for columns."""
    if hours < 1:
        return f"{max(0, hours) * 60:.0f} m"
    return f"{round(hours, 1):g} h" if hours < 100 else f"{hours / 24:,.0f} d"
