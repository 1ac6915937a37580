# SPDX-License-Identifier: MIT
"""What the page of a load test shows of its document: words, figures, charts, tables. Drawn elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .report_figures import every, figure, label, number, words

SECONDS = "seconds since the load began"
ROWS = 12  # of the tables that stand for a chart
DONE = {"put": "written", "update": "updated", "delete": "deleted"}


def view(document: Mapping[str, Any]) -> dict[str, Any]:
    """Of load_report.document."""
    charts = [_progress(document), _rates(document), _lags(document)]
    return {
        "title": f"Load test of {document['table']}",
        "lead": _lead(document),
        "verdict": _verdict(document),
        "notes": [*_missing(document)],
        "tiles": _tiles(document),
        "tables": [_directions(document)],
        "charts": [chart for chart in charts if _has_points(chart)],
    }


def _has_points(chart: Mapping[str, Any]) -> bool:
    return any(series["points"] for panel in chart["panels"] for series in panel["series"])


def spelled(direction: str) -> str:
    return direction.replace("->", "→")


def _lead(document: Mapping[str, Any]) -> str:
    per_second = document["rate"]
    pace = f"{number(per_second)} a second" if per_second else "as fast as it goes"
    share = f", a share of {document['share']:g} of them" if document["share"] != 1 else ""
    processes = document["processes"]
    return (
        f"{number(document['items'])} items by each of {processes} process{'es' if processes != 1 else ''} a loading side"
        f" {DONE[document['operation']]}{share}, {pace}."
    )


def _verdict(document: Mapping[str, Any]) -> dict[str, Any]:
    if document["ok"]:
        return {"ok": True, "word": "Equal", "text": "Both tables were compared row by row, and are equal."}
    texts = [found["summary"] for found in document["comparisons"] if found["summary"]]
    return {"ok": False, "word": "Not equal", "text": "; ".join(texts) or "The tables were not compared."}


def _missing(document: Mapping[str, Any]) -> list[str]:
    return [
        f"{spelled(way['direction'])}: {number(way['expected'] - way['replicated'])} of {number(way['expected'])} changes were"
        " not counted as arrived. The comparison of the tables says whether something is missing."
        for way in document["directions"]
        if way["replicated"] < way["expected"]
    ]


def _tiles(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    tiles = []
    for index, way in enumerate(document["directions"]):
        path, note = f"directions.{index}", spelled(way["direction"])
        tiles += [
            label(figure(document, f"{path}.replicated"), "replicated", note),
            label(figure(document, f"{path}.items_per_second", unit="items/s"), "throughput", note),
            label(figure(document, f"{path}.lag.p50", 2, "s"), "lag, median", note),
            label(figure(document, f"{path}.lag.p99", 2, "s"), "lag, 99th percentile", note),
        ]
    return tiles


def _directions(document: Mapping[str, Any]) -> dict[str, Any]:
    rows: tuple[tuple[str, str, int, str], ...] = (
        ("loaded", "loaded", 0, ""),
        ("expected to arrive", "expected", 0, ""),
        ("replicated", "replicated", 0, ""),
        ("load took", "load_seconds", 1, "s"),
        ("loaded a second", "load_items_per_second", 0, "items/s"),
        ("all arrived after", "seconds", 1, "s"),
        ("after the load's end", "settled_after", 1, "s"),
        ("replicated a second", "items_per_second", 0, "items/s"),
        ("lag, median", "lag.p50", 2, "s"),
        ("lag, 90th percentile", "lag.p90", 2, "s"),
        ("lag, 99th percentile", "lag.p99", 2, "s"),
        ("lag, longest", "lag.max", 2, "s"),
    )
    indexes = range(len(document["directions"]))
    return {
        "title": "Figures",
        "columns": [spelled(way["direction"]) for way in document["directions"]],
        "rows": [
            {
                "label": name,
                "cells": [figure(document, f"directions.{index}.{path}", decimals, unit) for index in indexes],
            }
            for name, path, decimals, unit in rows
        ]
        + [{"label": "run", "cells": [words(document, f"directions.{index}.run_id") for index in indexes]}],
    }


def _panels(document: Mapping[str, Any], what: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """A panel for each direction, with a line for each column of its rows behind the first one."""
    return [
        {
            "title": spelled(way["direction"]),
            "series": [
                {"name": name, "role": name, "points": [[row[0], row[column]] for row in way[what]]}
                for column, name in enumerate(names, 1)
            ],
        }
        for way in document["directions"]
    ]


def _numbers(document: Mapping[str, Any], what: str, decimals: int, columns: list[str]) -> list[dict[str, Any]]:
    """Tables with some rows of a chart's own figures."""
    return [
        {
            "title": spelled(way["direction"]),
            "columns": columns,
            "rows": [
                {
                    "label": figure(document, f"directions.{index}.{what}.{row}.0", 1, "s"),
                    "cells": [
                        figure(document, f"directions.{index}.{what}.{row}.{column}", decimals)
                        for column in range(1, len(columns) + 1)
                    ],
                }
                for row in every(len(way[what]), ROWS)
            ],
        }
        for index, way in enumerate(document["directions"])
    ]


def _progress(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "progress",
        "kind": "lines",
        "title": "Loaded and replicated",
        "about": "Changes written on one side, and counted as arrived on the other. The gap between the lines is under way.",
        "x": SECONDS,
        "y": "changes",
        "fill": True,
        "panels": _panels(document, "samples", ("loaded", "replicated")),
        "numbers": _numbers(document, "samples", 0, ["loaded", "replicated"]),
    }


def _rates(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "rate",
        "kind": "lines",
        "title": "Changes a second",
        "about": "How many changes were written and how many arrived, a second, in each stretch of time.",
        "x": SECONDS,
        "y": "changes a second",
        "steps": True,
        "panels": _panels(document, "rates", ("loaded", "replicated")),
        "numbers": _numbers(document, "rates", 0, ["loaded a second", "replicated a second"]),
    }


def _lags(document: Mapping[str, Any]) -> dict[str, Any]:
    panels = _panels(document, "lags", ("lag",))
    for panel, way in zip(panels, document["directions"], strict=True):
        panel["levels"] = [
            {"name": name, "at": way["lag"][key]}
            for name, key in (("median", "p50"), ("99th percentile", "p99"))
            if way["lag"][key] is not None
        ]
    return {
        "id": "lag",
        "kind": "lines",
        "title": "Replication lag",
        "about": "Seconds from a change's write on one side until it was counted on the other, by when it was written.",
        "x": SECONDS,
        "y": "lag, seconds",
        "panels": panels,
        "numbers": _numbers(document, "lags", 2, ["lag, seconds"]),
    }
