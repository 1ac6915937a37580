# SPDX-License-Identifier: MIT
"""What the page of a drill shows of its document, and that of the test of a lost table. Drawn elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .drill_report import by_table
from .exports import read_time
from .report_figures import at, every, figure, label, moment, number, words

DRAWN = 6  # tables of a chart; a table of figures holds all of them
MET = {True: "met", False: "MISSED", None: "not known"}
YES = {True: "yes", False: "no", None: "not known"}
ROWS = 12
BESIDE = 2
TILED = 2
NEAR = 3


def drill_view(document: Mapping[str, Any]) -> dict[str, Any]:
    """Of drill_report.drill_document."""
    drills = document["drills"]
    good = sum(drill["ok"] for drill in drills)
    paths = {f"drills.{index}": drill["table"] for index, drill in enumerate(drills)}
    drawn = _worst(document, paths, DRAWN)
    charts = [_targets(document, drawn), _phases(document, drawn), _history(document, list(drawn.values()))]
    return {
        "title": f"Drill of side {document['side']}",
        "lead": "Each table was restored for practice, compared item by item with what it should hold, and removed again.",
        "verdict": {
            "ok": document["ok"],
            "word": "Passed" if document["ok"] else "Failed",
            "text": f"{good} of {len(drills)} {'drill was' if len(drills) == 1 else 'drills were'} good.",
        },
        "notes": [f"{drill['table']}: {problem}" for drill in drills for problem in drill["problems"]]
        + [f"{drill['table']} lacks: {thing}" for drill in drills for thing in drill["lacks"]],
        "tiles": _tiles(document, _worst(document, paths, TILED)),
        "tables": _drills(document, paths),
        "charts": [chart for chart in charts if chart["panels"]],
    }


def lost_table_view(document: Mapping[str, Any]) -> dict[str, Any]:
    """Of drill_report.lost_table_document."""
    paths = {f"ways.{index}": f"by {way['method']}" for index, way in enumerate(document["ways"])}
    charts = [_written(document), _targets(document, paths), _phases(document, paths)]
    return {
        "title": f"Test 1 of side {document['side']}",
        "lead": "A table was loaded, backed up in the midst of the load, changed, lost, and restored. What came back was compared"
        " with what the loader wrote.",
        "verdict": {
            "ok": document["ok"],
            "word": "Passed" if document["ok"] else "Failed",
            "text": "What came back is what was written."
            if document["ok"]
            else "What came back is not what was written.",
        },
        "notes": [f"by {way['method']}: {way['oracle']}" for way in document["ways"] if not way["ok"]],
        "tiles": [
            label(figure(document, "counts.puts"), "items written", document["table"]),
            label(figure(document, "backup_items"), "in the full backup", "amid the load"),
            *_tiles(document, paths),
        ],
        "tables": [_load(document), _ways(document, paths)],
        "charts": [chart for chart in charts if chart["panels"]],
    }


def _worst(document: Mapping[str, Any], paths: Mapping[str, str], most: int) -> dict[str, str]:
    """What is shown first: those that failed, then those that took longest, in the order of the document."""

    def badness(path: str) -> tuple[bool, float]:
        drill = at(document, path)
        return drill["ok"], -(drill["rto_seconds"] or 0)

    chosen = set(sorted(paths, key=badness)[:most])
    return {path: name for path, name in paths.items() if path in chosen}


def _tiles(document: Mapping[str, Any], paths: Mapping[str, str]) -> list[dict[str, Any]]:
    tiles = []
    for path, name in list(paths.items())[:TILED]:
        for short in ("rto", "rpo"):
            limit, met = at(document, f"{path}.limits.{short}_seconds"), at(document, f"{path}.{short}_met")
            note = f"{name}: target {number(limit)} s, {MET[met]}"
            tiles.append(label(figure(document, f"{path}.{short}_seconds", 1, "s"), short.upper(), note))
    return tiles


def _row(document: Mapping[str, Any], paths: Mapping[str, str], name: str, path: str, *form: Any) -> dict[str, Any]:
    return {"label": name, "cells": [figure(document, f"{way}.{path}", *form) for way in paths]}


def _said(
    document: Mapping[str, Any],
    paths: Mapping[str, str],
    name: str,
    path: str,
    spelled: Mapping[Any, str] | None = None,
) -> dict[str, Any]:
    return {"label": name, "cells": [words(document, f"{way}.{path}", spelled) for way in paths]}


def _when(document: Mapping[str, Any], paths: Mapping[str, str], name: str, path: str) -> dict[str, Any]:
    return {"label": name, "cells": [moment(document, f"{way}.{path}") for way in paths]}


def _drills(document: Mapping[str, Any], paths: Mapping[str, str]) -> list[dict[str, Any]]:
    """As many beside each other as a phone has room for."""
    listed = list(paths.items())
    return [
        _beside(document, dict(listed[first : first + BESIDE]), "Figures" if first == 0 else "")
        for first in range(0, len(listed), BESIDE)
    ]


def _beside(document: Mapping[str, Any], paths: Mapping[str, str], title: str) -> dict[str, Any]:
    return {
        "title": title,
        "columns": list(paths.values()),
        "rows": [
            _said(document, paths, "result", "ok", {True: "good", False: "FAILED"}),
            _when(document, paths, "as it was at", "moment"),
            _row(document, paths, "rows", "rows"),
            _said(document, paths, "equal to what it should hold", "verified", YES),
            *_limits(document, paths),
            _said(document, paths, "method", "method"),
            _when(document, paths, "full backup of", "backup"),
            _row(document, paths, "changes since", "changes"),
            _when(document, paths, "began", "began"),
            _said(document, paths, "restored into", "target_region"),
        ],
    }


def _limits(document: Mapping[str, Any], paths: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        _row(document, paths, "time to recovery (RTO)", "rto_seconds", 1, "s"),
        _row(document, paths, "RTO, target", "limits.rto_seconds", 0, "s"),
        _said(document, paths, "RTO", "rto_met", MET),
        _row(document, paths, "changes lost (RPO)", "rpo_seconds", 1, "s"),
        _row(document, paths, "RPO, target", "limits.rpo_seconds", 0, "s"),
        _said(document, paths, "RPO", "rpo_met", MET),
    ]


def _ways(document: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    return {
        "title": "Recovery",
        "columns": list(paths.values()),
        "rows": [
            _said(document, paths, "equal to what was written", "ok", YES),
            _row(document, paths, "rows", "rows"),
            _row(document, paths, "changes since the backup", "changes"),
            *_limits(document, paths),
        ],
    }


def _load(document: Mapping[str, Any]) -> dict[str, Any]:
    rows: list[dict[str, Any]]
    rows = [{"label": name, "cells": [figure(document, f"counts.{name}")]} for name in ("puts", "updates", "deletes")]
    rows += [
        {"label": "load took", "cells": [figure(document, "load_seconds", 1, "s")]},
        {"label": "items in the full backup", "cells": [figure(document, "backup_items")]},
        *(
            {"label": name, "cells": [moment(document, path)]}
            for name, path in (
                ("load began", "load_began"),
                ("full backup shows", "backup_moment"),
                ("load ended", "load_ended"),
                ("last write", "last_write"),
            )
        ),
    ]
    return {"title": "Load", "columns": [document["table"]], "rows": rows}


def _targets(document: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    rows = [
        {
            "name": f"{name} {short.upper()}",
            "value": at(document, f"{path}.{short}_seconds"),
            "limit": at(document, f"{path}.limits.{short}_seconds"),
            "met": MET[at(document, f"{path}.{short}_met")],
        }
        for path, name in paths.items()
        for short in ("rto", "rpo")
        if at(document, f"{path}.{short}_seconds") is not None
    ]
    return {
        "id": "targets",
        "kind": "targets",
        "title": "RTO and RPO against their targets",
        "about": "RTO: seconds until the table was there and verified. RPO: the changes of so many seconds would have been lost."
        " A bar beyond 100% misses its target; bars end at 200%.",
        "x": "% of the target",
        "panels": [{"title": "", "rows": rows}] if rows else [],
        "numbers": [],
    }


def _phases(document: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    panels, numbers = [], []
    for path, name in paths.items():
        phases = at(document, f"{path}.phases")
        if not phases:
            continue
        rows, start = [], 0.0
        for phase, seconds in phases.items():
            rows.append({"name": phase, "start": round(start, 3), "seconds": seconds})
            start += seconds
        panels.append({"title": name, "rows": rows})
        cells = [{"label": phase, "cells": [figure(document, f"{path}.phases.{phase}", 2)]} for phase in phases]
        numbers.append({"title": name, "columns": ["seconds"], "rows": cells})
    return {
        "id": "phases",
        "kind": "phases",
        "title": "Phases of the recovery",
        "about": "What took how long, one after the other. Other: starting the steps, and waiting between them.",
        "x": "seconds",
        "panels": panels,
        "numbers": numbers,
    }


def _history(document: Mapping[str, Any], tables: Sequence[str]) -> dict[str, Any]:
    past = {table: found for table, found in by_table(document["history"], tables).items() if found}
    panels = []
    for short, title in (("rto", "Time to recovery (RTO)"), ("rpo", "Changes lost (RPO)")):
        series = [
            {
                "name": table,
                "points": [[read_time(one["began"]), one[f"{short}_seconds"], one["ok"]] for one in found],
            }
            for table, found in past.items()
        ]
        highest = max((point[1] for one in series for point in one["points"] if point[1] is not None), default=None)
        if highest is not None:
            panels.append(
                {"title": title, "y": "seconds", "series": series, "limit": _shown_limit(past, short, highest)}
            )
    return {
        "id": "history",
        "kind": "history",
        "title": "Drills so far",
        "about": "The last drills of each table. A cross is a drill that failed; it stands at 0 where no time was taken."
        " A target is drawn where it is near.",
        "x": "date of the drill (UTC)",
        "panels": panels,
        "numbers": [_past(document, past)] if past else [],
    }


def _shown_limit(past: Mapping[str, Sequence[Mapping[str, Any]]], short: str, highest: float) -> float | None:
    """The last target; none where it is so far above all figures that they would lie on the axis."""
    limits = [one["limits"][f"{short}_seconds"] for found in past.values() for one in found[-1:]]
    nearest = min(limits)
    return nearest if nearest <= NEAR * highest else None


def _past(document: Mapping[str, Any], past: Mapping[str, Any]) -> dict[str, Any]:
    indexes = [index for index, one in enumerate(document["history"]) if one["table"] in past]
    indexes = [indexes[place] for place in every(len(indexes), ROWS * 2)]
    rows = [
        {
            "label": moment(document, f"history.{index}.began"),
            "cells": [
                words(document, f"history.{index}.table"),
                figure(document, f"history.{index}.rto_seconds", 1),
                figure(document, f"history.{index}.rpo_seconds", 1),
                words(document, f"history.{index}.ok", {True: "good", False: "FAILED"}),
            ],
        }
        for index in indexes
    ]
    return {"title": "", "columns": ["table", "RTO s", "RPO s", "result"], "rows": rows}


def _written(document: Mapping[str, Any]) -> dict[str, Any]:
    curve = document.get("written") or []
    markers = [{"name": "full backup", "at": document["backup_second"]}] if "backup_second" in document else []
    panel = {
        "title": document["table"],
        "series": [{"name": "changes written", "role": "written", "points": [list(point) for point in curve]}],
        "markers": markers,
    }
    rows = [
        {"label": figure(document, f"written.{index}.0", 1, "s"), "cells": [figure(document, f"written.{index}.1")]}
        for index in every(len(curve), ROWS)
    ]
    return {
        "id": "written",
        "kind": "lines",
        "title": "Written before the table was lost",
        "about": "Items, then updates and deletes, as they were written, and when the full backup was taken.",
        "x": "seconds since the load began",
        "y": "changes",
        "panels": [panel] if curve else [],
        "numbers": [{"title": "", "columns": ["changes"], "rows": rows}] if curve else [],
    }
