# SPDX-License-Identifier: MIT
"""The reports of ``backup_report`` as lines for people: both sides on one screen of 120 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .backup_report import age
from .catalogue import VERIFIED
from .spelling import size_text

WIDTH = 120
MOST = 3  # entries of one kind that are named; the values have them all
INDENT = "     "
NAME = 27
HEADER = (
    f"{'side':<4} {'table':<{NAME}} {'last verified full':<20} {'age':>6} {'limit':>6}"
    f" {'items':>12} {'size':>8} {'stored':>8} {'a month':>12}"
)
PARTS = {"exports": "export", "transfer": "transfer", "storage": "stored", "function": "function"}


def screen(reports: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each table with what there is to say below it, and a line for each side."""
    shown = [HEADER]
    for report in reports:
        for table in report["tables"]:
            shown += _table(report["side"], report["currency"], table)
        shown += _side(report)
    return [line.rstrip() for line in shown]


def _table(side: str, currency: str, table: Mapping[str, Any]) -> list[str]:
    columns, name = _columns(currency, table), table["table"]
    if len(name) <= NAME:
        head = [f"{side:<4} {name:<{NAME}} {columns}"]
    else:
        head = [*_wrapped(f"{side:<4} {name}", ""), f"{INDENT}{'':<{NAME}} {columns}"]
    return [*head, *(line for text in _details(table) for line in _wrapped(text, INDENT))]


def _columns(currency: str, table: Mapping[str, Any]) -> str:
    last, limit = table["last"], table["max_age_hours"]
    of_last = (
        (_seconds(last["moment"]), age(last["age_hours"]), f"{last['items']:,}", size_text(last["billed_bytes"]))
        if last
        else ("none", "-", "-", "-")
    )
    moment, old, items, size = of_last
    return (
        f"{moment:<20} {old:>6} {'-' if limit is None else age(limit):>6} {items:>12} {size:>8}"
        f" {size_text(table['stored_bytes']):>8} {_money(currency, table['cost']):>12} {'ok' if table['ok'] else 'NOT OK'}"
    )


def _details(table: Mapping[str, Any]) -> list[str]:
    texts = [] if table["in_inventory"] else ["not backed up by the inventory: what is there is kept, nothing is added"]
    texts += [f"NOT OK: {problem['text']}" for problem in table["problems"]]
    texts += [
        f"{entry['state']}{', stuck' if entry['stuck'] else ''}: {entry['kind']} {entry['id']}"
        f" since {entry['requested']} ({age(entry['hours'])})"
        for entry in table["running"][:MOST]
    ]
    if table["last"]:
        days = table["expires_in_days"]
        texts.append(
            f"last full: {table['last']['id']}" + (f", expires in {days:,.0f} days" if days is not None else "")
        )
    if table["recoverable"]:
        ends = any(span["from"] != span["to"] for span in table["recoverable"])
        texts.append(f"recoverable: {_spans(table['recoverable'])}{' (at the ends of incrementals)' if ends else ''}")
    if table["gaps"]:
        texts.append(f"holes between incrementals: {_spans(table['gaps'])}")
    return [*texts, _stock(table)] if table["states"] else texts


def _stock(table: Mapping[str, Any]) -> str:
    good = f"verified: {table['full']:,} full, {table['incremental']:,} incremental"
    others = [f"{number:,} {name}" for name, number in table["states"].items() if name != VERIFIED]
    classes = [f"{size_text(size)} in {name}" for name, size in table["storage_classes"].items()]
    soon = table["expiring"]
    going = [f"{len(soon):,} will expire soon, the next on {soon[0]['at'][:10]}"] if soon else []
    return "; ".join([", ".join([good, *others]), *classes, *going])


def _spans(spans: Sequence[Mapping[str, str]]) -> str:
    """The latest first."""
    spelled = [span["from"] if span["from"] == span["to"] else f"{span['from']} to {span['to']}" for span in spans]
    shown = spelled[::-1][:MOST]
    if len(spelled) > MOST:
        shown.append(f"{len(spelled) - MOST:,} earlier, from {spans[0]['from']}")
    return "; ".join(shown)


def _side(report: Mapping[str, Any]) -> list[str]:
    tables, cost = report["tables"], report["cost"]
    good = sum(table["ok"] for table in tables)
    text = f"{report['side']}: {good} of {len(tables)} tables ok; {size_text(report['stored_bytes'])} in {report['bucket']}"
    if cost:
        parts = ", ".join(f"{word} {cost[name]:,.2f}" for word, name in PARTS.items())
        text += f"; {_money(report['currency'], cost)} a month ({parts})"
    note = _wrapped(f"cost unknown: {report['cost_note']}", INDENT) if report["cost_note"] else []
    return [*_wrapped(text, ""), *note]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")


def _seconds(moment: str) -> str:
    """ISO text without a fraction."""
    return f"{moment[:19]}Z"


def _money(currency: str, cost: Mapping[str, Any] | None) -> str:
    if cost is None:
        return "-"
    return f"{currency} {cost['total']:,.{2 if cost['total'] < 10_000 else 0}f}".strip()
