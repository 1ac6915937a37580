# SPDX-License-Identifier: MIT
"""Figures of a document as a page shows them: each knows where in the document it stands, and how it is spelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NONE = "–"  # noqa: RUF001 - a dash where there is no figure


def at(document: Any, path: str) -> Any:
    """What stands there; names and indexes with dots between them."""
    found = document
    for step in path.split("."):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


def number(value: float | None, decimals: int = 0) -> str:
    """With commas between the thousands."""
    return NONE if value is None else f"{value:,.{decimals}f}"


def figure(document: Mapping[str, Any], path: str, decimals: int = 0, unit: str = "") -> dict[str, Any]:
    """A number of the document."""
    value = at(document, path)
    return {"path": path, "value": value, "text": number(value, decimals), "unit": unit if value is not None else ""}


def words(document: Mapping[str, Any], path: str, spelled: Mapping[Any, str] | None = None) -> dict[str, Any]:
    """Text of the document; with ``spelled`` what its value is called."""
    value = at(document, path)
    text = spelled[value] if spelled else value
    return {"path": "", "value": value, "text": NONE if text in (None, "") else str(text), "unit": ""}


def moment(document: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A time of the document, to the second."""
    value = at(document, path)
    return {"path": "", "value": value, "text": value[:19].replace("T", " ") if value else NONE, "unit": ""}


def label(shown: Mapping[str, Any], name: str, note: str = "") -> dict[str, Any]:
    """A figure with what it is."""
    return {**shown, "label": name, "note": note}


def short(name: str, most: int = 30) -> str:
    """A name that fits into a chart: of a long one its begin and its end."""
    return name if len(name) <= most else f"{name[: most - 13]}…{name[-12:]}"


def every(count: int, rows: int) -> list[int]:
    """At most so many indexes below ``count``, evenly chosen; the first and the last are among them."""
    if count <= rows:
        return list(range(count))
    return [round(index * (count - 1) / (rows - 1)) for index in range(rows)]


def point(value: float) -> str:
    """A number of an axis or a small table: as many decimals as it takes to tell it from its neighbours."""
    if value == 0 or abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"
