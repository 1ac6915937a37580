# SPDX-License-Identifier: MIT
"""All figures of a load test, as they are kept beside its page: what was written, what arrived, how fast, how late.

Times within the document are seconds since the load began.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from .backup_layout import iso
from .curves import Curve, lag_percentiles, rate, when_reached

VERSION = 1
KIND = "load_test"
PERCENTS = (50, 90, 99)
SAMPLES = 121
LAGS = 120
BINS = 48
# Widths that people can read off an axis. Counters are read four times a second: below one second a rate is noise.
WIDTHS = tuple(step * scale for scale in (1, 10, 100, 1000, 10_000) for step in (1, 2, 5))


def document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of a load test.

    facts: what was asked for (``table``, ``operation``, ``items``, ``processes``, ``rate``, ``share``),
    ``comparisons``: results of dynamodb_compare_info, and ``directions``: each with ``direction``, ``loaded`` (result of
    dynamodb_load) and ``replicated`` (of replication_progress).
    """
    ways = facts["directions"]
    began = min(way["loaded"]["started_at"] for way in ways)
    directions = [_direction(way, began) for way in ways]
    compared = [{name: found.get(name) for name in ("equal", "differing", "summary")} for found in facts["comparisons"]]
    asked = ("table", "operation", "items", "processes", "rate", "share")
    return {
        "version": VERSION,
        "kind": KIND,
        **{name: facts[name] for name in asked},
        "began": iso(began),
        "ended": iso(began + max(way["seconds"] for way in directions)),
        "ok": bool(compared) and all(found["equal"] for found in compared),
        "comparisons": compared,
        "directions": directions,
    }


def timing(loaded: Mapping[str, Any], replicated: Mapping[str, Any]) -> tuple[float, float]:
    """Seconds from the begin of the load to the last change that arrived, and the changes a second over that time."""
    seconds = max(loaded["ended_at"], replicated["ended_at"]) - loaded["started_at"]
    return round(seconds, 3), round(rate(replicated["replicated"], seconds), 1)


def _direction(way: Mapping[str, Any], began: float) -> dict[str, Any]:
    loaded, replicated = way["loaded"], way["replicated"]
    seconds, per_second = timing(loaded, replicated)
    written, arrived = (_since(result["curve"], began) for result in (loaded, replicated))
    end = max([curve[-1][0] for curve in (written, arrived) if curve], default=0.0)
    lags = lag_percentiles(written, arrived, (*PERCENTS, 100))
    return {
        "direction": way["direction"],
        "run_id": loaded["run_id"],
        "loaded": loaded["loaded"],
        "replicated": replicated["replicated"],
        "expected": replicated["expected"],
        "seconds": seconds,
        "load_seconds": loaded["seconds"],
        "settled_after": round(max(0.0, replicated["ended_at"] - loaded["ended_at"]), 3),
        "items_per_second": per_second,
        "load_items_per_second": loaded["items_per_second"],
        "lag": {f"p{percent}": _rounded(lags[percent]) for percent in PERCENTS} | {"max": _rounded(lags[100])},
        "samples": samples(written, arrived, end),
        "rates": rates(written, arrived, end),
        "lags": lag_curve(written, arrived),
    }


def _since(curve: Curve, began: float) -> list[list[float]]:
    return [[max(0.0, when - began), count] for when, count in curve]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def count_at(curve: Curve, when: float) -> float:
    """What the curve had reached at a time, interpolated between its points."""
    place = bisect_right(curve, when, key=lambda point: point[0])
    if place == 0:
        return 0
    if place == len(curve):
        return curve[-1][1]
    (earlier, before), (later, after) = curve[place - 1], curve[place]
    return before + (after - before) * (when - earlier) / (later - earlier)


def samples(written: Curve, arrived: Curve, end: float) -> list[list[float]]:
    """``[[seconds, written by then, arrived by then], ...]``, evenly spaced."""
    times = (
        [end * (index / (SAMPLES - 1)) for index in range(SAMPLES)] if end > 0 else [0.0]
    )  # the last is the end itself
    return [[round(when, 3), *(round(count_at(curve, when)) for curve in (written, arrived))] for when in times]


def bin_width(seconds: float) -> float:
    """The narrowest width that needs no more than ``BINS`` bins, or the widest."""
    return next((width for width in WIDTHS if seconds <= width * BINS), WIDTHS[-1])


def rates(written: Curve, arrived: Curve, end: float) -> list[list[float]]:
    """``[[seconds at the end of a bin, written a second in it, arrived a second in it], ...]``."""
    width = bin_width(end)
    edges = [width * index for index in range(math.ceil(end / width))] + [end]
    if len(edges) > 2 and edges[-1] - edges[-2] < width / 2:
        del edges[-2]  # in the rest of a bin a few changes would look like a peak
    found = []
    for start, stop in pairwise(edges):
        grown = [count_at(curve, stop) - (count_at(curve, start) if start else 0) for curve in (written, arrived)]
        found.append([round(stop, 3), *(round(rate(count, stop - start), 1) for count in grown)])
    return found


def lag_curve(written: Curve, arrived: Curve) -> list[list[float]]:
    """``[[seconds when it was written, seconds until it arrived], ...]`` of changes evenly chosen from all that arrived."""
    total = min((curve[-1][1] if curve else 0) for curve in (written, arrived))
    points = min(LAGS, int(total))
    found = []
    for index in range(points):
        count = total * (index + 1) / points
        when = when_reached(written, count)
        found.append([round(when, 3), round(max(0.0, when_reached(arrived, count) - when), 3)])
    return found
