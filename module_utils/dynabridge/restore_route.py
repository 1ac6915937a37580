# SPDX-License-Identifier: MIT
"""The way to a moment: which full backup, which windows, which stretch of the captured log, and what would be missing.

A full backup shows one moment. Windows of incrementals reach their ends only: of a key they tell the last change in the
window, not when in it the others were. The captured log reaches every second in which it is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .backup_layout import day_of, iso
from .catalogue import Backup, Span, carried, joined, verified
from .errors import BackupError
from .exports import FULL, INCREMENTAL
from .moments import Asked
from .restore_plan import Lack

# Export times follow a clock that can differ by up to a minute from the writer's (Developer Guide, exports).
CLOCK_MARGIN = 60
SPANS_SHOWN = 5


@dataclass(frozen=True)
class CapturedLog:
    """What is known of a table's captured changes: complete in [since, until) but for the holes.

    A table that was deleted and made again has a hole between its lives. ``last``: end of the second of the newest record,
    0 where that is not known.
    """

    since: float
    until: float
    holes: tuple[Lack, ...] = ()
    last: float = 0


@dataclass(frozen=True)
class Route:
    """``log_start``: begin of the stretch of the log that is applied, None without it. ``holes``: what may be missing."""

    base: Backup
    windows: tuple[Backup, ...] = ()
    log_start: float | None = None
    holes: tuple[Lack, ...] = field(default=())

    @property
    def missing(self) -> float:
        """Seconds whose changes may be missing."""
        return sum(hole.end - hole.start for hole in self.holes)


def moment_of(asked: Asked, backups: Sequence[Backup], log: CapturedLog | None) -> float:
    """The moment that is meant. Raises BackupError where there is nothing for it. ``backups``: of one table."""
    fulls = verified(backups, FULL)
    if not fulls:
        raise BackupError(_no_base(backups))
    if asked.moment is not None:
        return asked.moment
    if asked.day:
        of_day = [backup for backup in fulls if day_of(backup.moment) == asked.day]
        if not of_day:
            days = sorted({day_of(backup.moment) for backup in fulls})
            raise BackupError(f"has no verified full backup of {asked.day}; it has some of {_some(days)}")
        return of_day[-1].moment
    ends = [fulls[-1].moment] + [window.moment for window in verified(backups, INCREMENTAL)]
    return max(ends + ([log.until, log.last] if log else []))


def route_to(
    moment: float,
    backups: Sequence[Backup],
    log: CapturedLog | None,
    margin: float = CLOCK_MARGIN,
) -> Route:
    """The best way to the moment: the one with the least missing, of those the one from the newest backup.

    Raises BackupError where no verified full backup is that old.
    """
    bases = [backup for backup in verified(backups, FULL) if backup.moment <= moment]
    if not bases:
        oldest = verified(backups, FULL)
        raise BackupError(
            f"cannot be brought back to {iso(moment)}: its oldest verified full backup is of {iso(oldest[0].moment)}"
            if oldest
            else _no_base(backups)
        )
    best: Route | None = None
    for base in reversed(bases):
        for route in _routes(base, moment, backups, log, margin):
            if best is None or route.missing < best.missing:
                best = route
        if best and not best.missing:
            break
    if best is None:
        raise AssertionError("each base has a route: the one without changes")
    return best


def _routes(
    base: Backup, moment: float, backups: Sequence[Backup], log: CapturedLog | None, margin: float
) -> Iterable[Route]:
    """From one base: by the log alone; by windows as far as they go, then the log; by windows alone."""
    if base.moment == moment:
        yield Route(base)
        return
    windows = _chain(base, moment, backups)
    if log is not None:
        yield _with_log(base, (), moment, log, margin)
        yield _with_log(base, windows, moment, log, margin)
    reached = windows[-1].moment if windows else base.moment
    why = "no changes were captured, and incremental backups reach the ends of their windows only"
    yield Route(base, windows, None, (Lack(reached, moment, why),) if reached < moment else ())


def _chain(base: Backup, moment: float, backups: Sequence[Backup]) -> tuple[Backup, ...]:
    """The windows that carry the base on, as far as they end by the moment."""
    steps = carried(base, backups)
    step = steps[max(reached for reached in steps if reached <= moment)]
    chain = []
    while step is not None:
        chain.append(step.window)
        step = steps[step.since]
    return tuple(reversed(chain))


def _with_log(base: Backup, windows: tuple[Backup, ...], moment: float, log: CapturedLog, margin: float) -> Route:
    """What was captured is applied from a little before the point that was reached: the export's clock is another one."""
    reached = windows[-1].moment if windows else base.moment
    if reached >= moment:
        return Route(base, windows)
    holes = sorted(_lacks(log, reached - margin, moment))
    # What was captured before a hole that ends by then is older than what the base shows: it must not come last.
    start = max([reached - margin, log.since, *(hole.end for hole in log.holes if hole.end <= reached)])
    return Route(base, windows, min(start, moment), tuple(holes))


def _lacks(log: CapturedLog, start: float, end: float) -> Iterable[Lack]:
    if log.since > start:
        yield Lack(start, min(log.since, end), "changes are captured since then only")
    if log.until < end:
        yield Lack(max(log.until, start), end, "it is not known whether all changes since then were captured")
    for hole in log.holes:
        if hole.start < end and hole.end > start:
            yield Lack(max(hole.start, start), min(hole.end, end), hole.why)


def recoverable(backups: Sequence[Backup], log: CapturedLog | None, margin: float = CLOCK_MARGIN) -> list[Span]:
    """Where every second can be brought back, oldest first; a moment by itself has equal ends. Of one table."""
    spans = []
    for base in verified(backups, FULL):
        for reached in carried(base, backups):
            spans.append(Span(reached, _as_far_as(reached, log, margin)))
    return joined(spans)


def _as_far_as(reached: float, log: CapturedLog | None, margin: float) -> float:
    if log is None:
        return reached
    start = reached - margin
    ends = [log.until] + [hole.start for hole in log.holes if hole.end > start]
    return max(reached, min(ends)) if log.since <= start else reached


def check_holes(route: Route, moment: float, spans: Sequence[Span], allowed: bool) -> None:
    """Raises BackupError where changes may be missing and nobody allowed that. ``spans``: of recoverable."""
    if route.holes and not allowed:
        lacks = "; ".join(f"from {iso(hole.start)} to {iso(hole.end)} {hole.why}" for hole in route.holes)
        raise BackupError(
            f"cannot be brought back to {iso(moment)} with every change: {lacks}. Recoverable: {said(spans)}. "
            "-e allow_gaps=true goes there with what there is"
        )


def said(spans: Sequence[Span]) -> str:
    """The newest spans in words."""
    words = [
        iso(span.start) if span.start == span.end else f"every second from {iso(span.start)} to {iso(span.end)}"
        for span in spans[-SPANS_SHOWN:]
    ]
    earlier = len(spans) - SPANS_SHOWN
    return ("nothing" if not words else ", ".join(words)) + (f" (and {earlier} earlier)" if earlier > 0 else "")


def _no_base(backups: Sequence[Backup]) -> str:
    states = sorted({f"{backup.state}{f' ({backup.reason})' if backup.reason else ''}" for backup in backups})
    if not states:
        return "has no backup"
    return f"has no verified full backup, only such that are {', '.join(states)}: backup_status.yml shows them"


def _some(days: Sequence[str]) -> str:
    return ", ".join(days[-SPANS_SHOWN:]) + (
        f" and {len(days) - SPANS_SHOWN} days before" if len(days) > SPANS_SHOWN else ""
    )
