# SPDX-License-Identifier: MIT
"""Curves of progress: ``[[epoch seconds, cumulative count], ...]``, rising in both, and what can be read off them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

Curve = Sequence[Sequence[float]]

SAMPLES = 1000


def cumulative(events: Iterable[tuple[float, int]], start: float) -> list[list[float]]:
    """Events (when, how many) of any order as one curve that begins with nothing at ``start``."""
    curve: list[list[float]] = [[start, 0]]
    total = 0
    for when, count in sorted(events):
        total += count
        curve.append([max(when, start), total])
    return curve


def chained(curves: Iterable[Curve]) -> list[list[float]]:
    """Curves that follow each other as one: each begins with what the ones before it had reached."""
    found: list[list[float]] = []
    for curve in curves:
        reached = found[-1][1] if found else 0
        found += [[when, reached + count] for when, count in curve]
    return found


def thin(curve: Curve, points: int) -> list[list[float]]:
    """At most ``points`` points of a curve, evenly chosen; the first and the last stay."""
    if len(curve) <= points:
        return [list(point) for point in curve]
    step = (len(curve) - 1) / (points - 1)
    return [list(curve[round(index * step)]) for index in range(points)]


def when_reached(curve: Curve, count: float) -> float:
    """When the curve reached ``count``, interpolated between its points."""
    place = bisect_left(curve, count, key=lambda point: point[1])
    if place == len(curve):
        raise ValueError(f"the curve never reaches {count}")
    when, reached = curve[place]
    if place == 0:
        return when
    earlier, before = curve[place - 1]
    return earlier + (when - earlier) * (count - before) / (reached - before)


def lag_percentiles(loaded: Curve, replicated: Curve, percents: Sequence[float]) -> dict[float, float | None]:
    """How long after its write a change arrived, in seconds: the percentiles over all changes.

    The n-th arrival is set against the n-th write. Changes that have not arrived are not counted; None where there are
    none. A lag below zero is the grain of the curves (a batch is noted a moment after it is written) and counts as zero.
    """
    total = min((curve[-1][1] if curve else 0) for curve in (loaded, replicated))
    if total <= 0:
        return {percent: None for percent in percents}
    samples = min(SAMPLES, max(1, int(total)))
    counts = [total * (index + 1) / samples for index in range(samples)]
    lags = sorted(max(0.0, when_reached(replicated, count) - when_reached(loaded, count)) for count in counts)
    return {percent: lags[min(samples - 1, int(samples * percent / 100))] for percent in percents}


def rate(count: float, seconds: float) -> float:
    """Items a second; 0 where no time has passed."""
    return count / seconds if seconds > 0 else 0.0


def progress_line(label: str, count: int, expected: int, per_second: float) -> str:
    """``cn-north-1: replicated 12,000 of 20,000 (60%), 1,450 items/s``"""
    percent = 100 * count // expected if expected else 100
    return f"{label}: replicated {count:,} of {expected:,} ({percent}%), {per_second:,.0f} items/s"


def direction_line(
    direction: str, loaded: int, replicated: int, seconds: float, lags: dict[float, float | None]
) -> str:
    """One row of the summary table; ``DIRECTION_HEADER`` stands above it."""
    spelled = ["-" if lags[percent] is None else f"{lags[percent]:.2f}" for percent in (50, 99)]
    return (
        f"{direction:<34}{loaded:>11,}{replicated:>12,}{seconds:>9.1f}{rate(replicated, seconds):>9,.0f}"
        f"{spelled[0]:>11}{spelled[1]:>11}"
    )


DIRECTION_HEADER = (
    f"{'direction':<34}{'loaded':>11}{'replicated':>12}{'seconds':>9}{'items/s':>9}{'lag p50 s':>11}{'lag p99 s':>11}"
)
