# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report: all figures as JSON, the page, a picture of each chart. The same figures give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.dynabridge import drill_report, drill_view, load_report, load_view

DOCUMENTS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    load_report.KIND: load_report.document,
    drill_report.DRILL: drill_report.drill_document,
    drill_report.TEST1: drill_report.lost_table_document,
}
VIEWS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    load_report.KIND: load_view.view,
    drill_report.DRILL: drill_view.drill_view,
    drill_report.TEST1: drill_view.lost_table_view,
}


def figures(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def files(document: Mapping[str, Any], name: str) -> dict[str, bytes]:
    """Contents by name, with the JSON. Raises ImportError where Matplotlib or Jinja2 is missing."""
    # Imported here: the figures are kept where these are missing, and Matplotlib takes seconds.
    from ansible.module_utils.dynabridge_report import drawing  # noqa: PLC0415

    if drawing.MISSING:
        raise drawing.MISSING
    view = VIEWS[document["kind"]](document)
    found = {f"{name}.json": figures(document), f"{name}.html": page(document, view, name)}
    return found | {f"{name}-{chart['id']}.png": drawing.png(chart) for chart in view["charts"]}


def page(document: Mapping[str, Any], view: Mapping[str, Any], name: str) -> bytes:
    from ansible.module_utils.dynabridge_report import drawing  # noqa: PLC0415
    from ansible.module_utils.dynabridge_report.style import CSS  # noqa: PLC0415
    from ansible.module_utils.dynabridge_report.template import PAGE  # noqa: PLC0415
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    drawn = {
        chart["id"]: {"wide": drawing.svg(chart, drawing.WIDE), "narrow": drawing.svg(chart, drawing.NARROW)}
        for chart in view["charts"]
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    times = [f"{document.get(key, '')[:19]}".replace("T", " ") for key in ("began", "ended")]
    began, ended = times
    text = environment.from_string(PAGE).render(
        view=view, drawn=drawn, css=Markup(CSS), name=name, began=began, ended=ended
    )
    return text.encode()
