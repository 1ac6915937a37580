# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of views, drawn with Matplotlib: wide and narrow for a page, and as a picture of its own. Same chart, same bytes.

A unit is a CSS pixel. A figure bears no title where the page has one.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ansible.module_utils.dynabridge.report_figures import point, short
from ansible.module_utils.dynabridge_report.palette import ROLES, SERIES, light
from ansible.module_utils.dynabridge_report.svg import inlined

MISSING: ImportError | None = None
try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, date2num, num2date
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter, FuncFormatter, MaxNLocator
except ImportError as error:  # raised by who draws
    MISSING, Formatter = error, object

logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

UNITS = 72  # of an inch
PNG_SCALE = 2
STYLE = {
    "font.family": ["DejaVu Sans"],  # comes with Matplotlib: every machine draws the same
    "font.size": 12,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "dynabridge",
    "path.simplify": False,
    "axes.facecolor": "none",
    "axes.edgecolor": light("grid"),
    "axes.labelcolor": light("muted"),
    "axes.titlecolor": light("ink"),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": light("grid"),
    "grid.linewidth": 1,
    "text.color": light("ink"),
    "xtick.color": light("muted"),
    "ytick.color": light("muted"),
    "xtick.major.pad": 7,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": light("ink"),
    "lines.solid_capstyle": "round",
}


class Size(NamedTuple):
    """width: in units; across: whether panels stand side by side; ticks: on the axis of time."""

    width: int
    across: bool
    ticks: int


WIDE, NARROW = Size(816, True, 6), Size(328, False, 4)


def svg(chart: Mapping[str, Any], size: Size) -> str:
    """For a page. Ids begin with the chart's and the width."""
    with mpl.rc_context(STYLE):
        file = io.StringIO()
        draw(chart, size).savefig(file, format="svg", facecolor="none", metadata={"Date": None})
    return inlined(file.getvalue(), f"{chart['id']}-{size.width}", f"{chart['title']}. {chart['about']}")


def png(chart: Mapping[str, Any]) -> bytes:
    """A picture with its title, on white."""
    with mpl.rc_context(STYLE):
        file = io.BytesIO()
        figure = draw(chart, WIDE, chart["title"])
        figure.savefig(
            file, format="png", dpi=PNG_SCALE * UNITS, facecolor="white", metadata={"Software": None}, bbox_inches=None
        )
    return file.getvalue()


def draw(chart: Mapping[str, Any], size: Size, title: str = "") -> Figure:
    kind = KINDS[chart["kind"]]
    panels = chart["panels"]
    columns = min(2, len(panels)) if size.across and kind.beside else 1
    rows = -(-len(panels) // columns)
    beside = [panels[row * columns : (row + 1) * columns] for row in range(rows)]
    heights = [max(kind.height(panel, size) for panel in found) for found in beside]
    entries = kind.legend(chart)
    across = _across(entries, size)
    above = (30 if title else 0) + 22 * -(-len(entries) // across) + (4 if entries else 0)
    figure = Figure(figsize=(size.width / UNITS, (sum(heights) + above) / UNITS), layout="constrained", dpi=UNITS)
    FigureCanvasAgg(figure)
    pad = 6 / UNITS
    figure.get_layout_engine().set(w_pad=pad, h_pad=pad, hspace=0.02, wspace=0.03)
    axes = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"height_ratios": heights}).flatten()
    for number, (axis, panel) in enumerate(zip(axes, panels, strict=False)):
        if panel["title"]:
            axis.set_title(short(panel["title"], 34), loc="left", fontsize=12, fontweight="bold", pad=8)
        kind.draw(axis, chart, panel, size)
        _number_marks(axis, number)
        axis.set_xlabel(chart["x"], fontsize=11)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    for axis in axes[: len(panels) - columns]:
        axis.set_xlabel("")
    _head(figure, title, entries, across)
    return figure


def _across(entries: list[tuple[str, Any]], size: Size) -> int:
    """Entries of a legend that fit beside each other."""
    longest = max((len(name) for name, _mark in entries), default=1)
    return max(1, min(4, len(entries), int((size.width - 20) / (48 + 8 * longest))))


def _head(figure: Figure, title: str, entries: list[tuple[str, Any]], across: int) -> None:
    """Title and legend stand above all panels, and cover none of them."""
    if not entries:
        figure.suptitle(title or None, x=0.01, ha="left", fontsize=15, fontweight="bold")
        return
    names, marks = [name for name, _mark in entries], [mark for _name, mark in entries]
    legend = figure.legend(
        marks, names, loc="outside upper left", ncols=across, fontsize=12, handlelength=1.6, borderpad=0.2
    )
    if title:
        legend.set_title(title, {"size": 15, "weight": "bold"})
        legend.set_alignment("left")


def _number_marks(axes: Axes, number: int) -> None:
    """What shows data bears a name that is in the figure once; tests ask for it."""
    for artist in axes.get_children():
        if artist.get_gid():
            artist.set_gid(f"mark-{number}-{artist.get_gid()}")


class Kind(NamedTuple):
    """How a kind of chart is drawn. height: of a panel; beside: whether two panels fit beside each other."""

    draw: Callable[[Axes, Mapping[str, Any], Mapping[str, Any], Size], None]
    height: Callable[[Mapping[str, Any], Size], int]
    legend: Callable[[Mapping[str, Any]], list[tuple[str, Any]]]
    beside: bool


def _numbers(axis: Any, count: int) -> None:
    axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(Ticks())


class Ticks(Formatter):
    """Numbers of an axis, all with as many decimals as the one that needs most."""

    def __call__(self, value: float, pos: Any = None) -> str:
        return point(value)

    def format_ticks(self, values: Any) -> list[str]:
        decimals = next((some for some in range(4) if all(abs(round(one, some) - one) < 1e-9 for one in values)), 4)
        return [f"{one:,.{decimals}f}" for one in values]


def _lines(axes: Axes, chart: Mapping[str, Any], panel: Mapping[str, Any], size: Size) -> None:
    lines = []
    for index, series in enumerate(panel["series"]):
        xs, ys = ([pair[place] for pair in series["points"]] for place in (0, 1))
        if chart.get("steps") and xs:
            xs, ys = [0, *xs], [ys[0], *ys]
        style = "steps-pre" if chart.get("steps") else "default"
        (line,) = axes.plot(xs, ys, drawstyle=style, **_look(series), gid=f"line-{index}", clip_on=False)
        lines.append(line)
        if len(xs) == 1:
            line.set_marker("o")
    if chart.get("fill") and len(lines) == 2:
        (xs, above), (_xs, below) = (line.get_data() for line in lines)
        axes.fill_between(xs, below, above, color=light("second"), alpha=0.15, linewidth=0, gid="gap")
    for level in panel.get("levels", []):
        axes.axhline(level["at"], color=light("muted"), linewidth=1.2, linestyle=LEVELS[level["name"]])
    highest = max((pair[1] for series in panel["series"] for pair in series["points"]), default=0)
    axes.set_ylim(0, (highest or 1) * 1.08)
    for marker in panel.get("markers", []):
        _marker(axes, marker)
    axes.set_xlim(left=0)
    axes.set_ylabel(chart["y"], fontsize=11)
    _numbers(axes.xaxis, size.ticks)
    _numbers(axes.yaxis, 5)


LEVELS: dict[str, Any] = {"median": (0, (1, 2)), "99th percentile": (0, (6, 3))}


def _look(series: Mapping[str, Any]) -> dict[str, Any]:
    """Told apart without colours, too: what was written is dashed."""
    dashed = series["role"] == "loaded"
    return {
        "color": light(ROLES[series["role"]]),
        "linewidth": 2,
        "linestyle": (0, (4, 1.5)) if dashed else "solid",
        "zorder": 3 if dashed else 2,
    }


def _marker(axes: Axes, marker: Mapping[str, Any]) -> None:
    axes.set_ylim(top=axes.get_ylim()[1] * 1.1)
    axes.axvline(marker["at"], color=light("ink"), linewidth=1.2, linestyle=(0, (2, 2)))
    half = axes.get_xlim()[1] / 2
    left = marker["at"] < half
    axes.annotate(
        marker["name"],
        (marker["at"], 1),
        (6 if left else -6, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left" if left else "right",
        va="top",
        fontsize=11,
    )


def _line_legend(chart: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: dict[str, Any] = {}
    for panel in chart["panels"]:
        for series in panel["series"]:
            found.setdefault(series["name"], mpl.lines.Line2D([], [], **_look(series)))
        for level in panel.get("levels", []):
            line = mpl.lines.Line2D([], [], color=light("muted"), linewidth=1.2, linestyle=LEVELS[level["name"]])
            found.setdefault(level["name"], line)
    return list(found.items()) if len(found) > 1 else []


BAR = 14  # units
MOST = 200  # % of a target, where a bar ends


def _pitch(size: Size) -> int:
    """From a bar to the next: on a phone the figures stand below the name, beside it elsewhere."""
    return 72 if size is NARROW else 54


def _targets(axes: Axes, _chart: Mapping[str, Any], panel: Mapping[str, Any], size: Size) -> None:
    rows, thick = panel["rows"], BAR / _pitch(size)
    used = [100 * row["value"] / row["limit"] for row in rows]
    right = MOST if max(used) > 100 else 100
    for place, (row, percent) in enumerate(zip(rows, used, strict=True)):
        over = percent > 100
        axes.barh(place, right, thick, color=light("track"))
        shown = max(min(percent, right), right / 250)  # a bar that is too short to be seen says that there is none
        axes.barh(place, shown, thick, color=light("second" if over else "first"), gid=f"bar-{place}")
        axes.vlines(100, place - thick, place + thick, color=light("ink"), linewidth=2, clip_on=False)
        text = f"{point(row['value'])} s of {row['limit']:,.0f} s: {row['met']}"
        side = "left" if size is NARROW else "right"
        _above(axes, short(row["name"]), (0, place), 31 if size is NARROW else 15, ha="left", fontweight="bold")
        _above(axes, text, (0 if size is NARROW else right, place), 15, ha=side)
    axes.set_xlim(0, right)
    axes.set_ylim(len(rows) - 1 + 22 / _pitch(size), -1 + 14 / _pitch(size))
    axes.set_yticks([])
    axes.set_xticks([0, 25, 50, 75, 100] if right < MOST else [0, 50, 100, 150, 200])
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)


def _above(axes: Axes, text: str, where: tuple[float, float], units: int, **look: Any) -> None:
    axes.annotate(text, where, (0, units), textcoords="offset points", va="bottom", fontsize=12, **look)


def _phases(axes: Axes, _chart: Mapping[str, Any], panel: Mapping[str, Any], size: Size) -> None:
    rows = panel["rows"]
    total = max(row["start"] + row["seconds"] for row in rows) or 1
    for place, row in enumerate(rows):
        colour = "muted" if row["name"] == "other" else "first"
        # a phase too short to be seen is a line
        axes.barh(place, max(row["seconds"], total / 400), 0.62, row["start"], color=light(colour), gid=f"bar-{place}")
        axes.annotate(
            f"{point(row['seconds'])} s",
            (row["start"] + max(row["seconds"], total / 400), place),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=11,
        )
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], color=light("ink"))
    axes.set_xlim(0, total * (1.32 if size is NARROW else 1.12))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    _numbers(axes.xaxis, size.ticks)


def _history(axes: Axes, _chart: Mapping[str, Any], panel: Mapping[str, Any], size: Size) -> None:
    highest = max((one[1] or 0 for series in panel["series"] for one in series["points"]), default=0)
    for place, series in enumerate(panel["series"]):
        colour = light(SERIES[place % len(SERIES)])
        taken = [(_day(when), value) for when, value, _ok in series["points"] if value is not None]
        if taken:
            look = {"color": colour, "linewidth": 1.5, "marker": "o", "markersize": 5}
            axes.plot(*zip(*taken, strict=True), **look, gid=f"line-{place}")
        failed = [(_day(when), value or 0) for when, value, ok in series["points"] if not ok]
        if failed:
            axes.plot(*zip(*failed, strict=True), **FAILED, gid=f"failed-{place}", clip_on=False)
    limit = panel["limit"]
    top = highest * 1.15 or 1
    if limit is not None:
        axes.axhline(limit, **TARGET)
        top = max(top, limit * 1.15)
    axes.set_ylim(0, top)
    axes.set_ylabel(panel["y"], fontsize=11)
    _numbers(axes.yaxis, 5)
    _dates(axes, [one[0] for series in panel["series"] for one in series["points"]], size)


TARGET: dict[str, Any] = {"color": light("ink"), "linewidth": 1.2, "linestyle": (0, (2, 2))}
FAILED: dict[str, Any] = {
    "color": light("ink"),
    "linestyle": "none",
    "marker": "x",
    "markersize": 8,
    "markeredgewidth": 2,
}


def _day(when: float) -> float:
    return float(date2num(datetime.fromtimestamp(when, UTC)))


def _dates(axes: Axes, times: list[float], size: Size) -> None:
    first, last = min(times), max(times)
    room = max((last - first) * 0.06, 60)
    axes.set_xlim(_day(first - room), _day(last + room))
    most = 3 if size is NARROW else 4
    locator = AutoDateLocator(minticks=2, maxticks=most, tz=UTC)
    axes.xaxis.set_major_locator(locator)
    if last - first > 3 * 86400:
        form = "%Y-%m-%d"
    elif last - first > 43200:
        form = "%m-%d %H:%M"
    else:
        form = "%H:%M"
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: num2date(value, UTC).strftime(form)))


def _history_legend(chart: Mapping[str, Any]) -> list[tuple[str, Any]]:
    first = chart["panels"][0]
    found = [
        (
            short(series["name"]),
            mpl.lines.Line2D([], [], color=light(SERIES[place % len(SERIES)]), linewidth=1.5, marker="o"),
        )
        for place, series in enumerate(first["series"])
    ]
    if any(not ok for series in first["series"] for _when, _value, ok in series["points"]):
        found.append(("failed", mpl.lines.Line2D([], [], **FAILED)))
    if any(panel["limit"] is not None for panel in chart["panels"]):
        found.append(("target", mpl.lines.Line2D([], [], **TARGET)))
    return found


KINDS = {
    "lines": Kind(_lines, lambda _panel, _size: 230, _line_legend, beside=True),
    "targets": Kind(
        _targets, lambda panel, size: 50 + _pitch(size) * len(panel["rows"]), lambda _chart: [], beside=False
    ),
    "phases": Kind(_phases, lambda panel, _size: 76 + 26 * len(panel["rows"]), lambda _chart: [], beside=True),
    "history": Kind(_history, lambda _panel, _size: 230, _history_legend, beside=True),
}
