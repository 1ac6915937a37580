# SPDX-License-Identifier: MIT
"""What needs a person: of which side, what thing, what is wrong, and what to do.

Limits are those of the alarms. What could not be asked is a fault, too: a monitor must not say that all is well where nobody
looked. An alarm that rings is shown and is no fault by itself: it follows what is judged here, minutes later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .backup_report import age
from .status_facts import BACKUP, CAPTURE, GONE, HOUR, INACTIVE, MISSING, RECEIVER, SENDER, WINDOW_MINUTES, Facts

BOTH = "both"
REPLICATION_PAGE = "docs/runbooks/alarms/replication.md"
CAPTURE_PAGE = "docs/runbooks/alarms/capture.md"
BACKUP_PAGE = "docs/playbooks/backup_status.md#when-a-table-is-not-ok"
PAGES = {
    SENDER: REPLICATION_PAGE,
    RECEIVER: REPLICATION_PAGE,
    CAPTURE: CAPTURE_PAGE,
    BACKUP: "docs/runbooks/alarms/backups.md",
}
TAGS = {SENDER: "sender", RECEIVER: "receiver", CAPTURE: "change_capture"}
# States of a mapping on its way to Enabled.
COMING = ("Creating", "Enabling", "Updating")
REFUSED = {INACTIVE: "is inactive", GONE: "is no key of the user any more"}
# What is asked of a side, for who could not ask.
PARTS = {
    "mappings": "the mappings of its functions",
    "metrics": "its metrics",
    "queues": "its queues",
    "quarantine": "its quarantine",
    "counters": "its counters",
    "compares": "what the last comparison found",
    "stored_key": "the key pair that it stores",
    "user_keys": "the keys of the peer's user",
    "alarms": "its alarms",
    "backups": "its backups",
    "captured": "up to when its changes are captured",
    "drills": "its drills",
}


class Fault(NamedTuple):
    """``what`` is said of ``thing``; ``do``: a playbook, or the page that says more."""

    side: str
    thing: str
    what: str
    do: str

    def sentence(self) -> str:
        return f"{self.side}: {self.thing}: {self.what}. What to do: {self.do}"


def unreachable(facts: Facts, why: str) -> Fault:
    do = "correct what is named; where the region itself is gone: docs/runbooks/region_gone.md"
    return Fault(facts.side, f"region {facts.region}", f"it cannot be looked at: {_short(why)}", do)


def faults_of(facts: Facts, shown: Mapping[str, Any]) -> Iterator[Fault]:
    """All of a side, as ``status`` shows it."""
    for name, why in shown["unknown"].items():
        do = "give the profile the right that is missing, or correct what is named"
        yield Fault(facts.side, PARTS.get(name, name), f"nobody can tell: {_short(why)}", do)
    for function in shown["functions"]:
        yield from _of_function(facts, function)
    yield from _of_queues(facts, shown["queues"])
    yield from _of_quarantine(facts, shown["quarantine"])
    yield from _of_key(facts, shown["key"])
    for table in shown["backups"] or []:
        for problem in table["problems"]:
            yield Fault(facts.side, f"backups of {table['table']}", problem, BACKUP_PAGE)
    for table in shown["captured"] or []:
        yield from _of_capture(facts, table)
    for drill in shown["drills"]:
        if not drill["ok"]:
            what = f"the last one, of {drill['began'][:19]}Z, failed: {_short('; '.join(drill['problems']))}"
            yield Fault(facts.side, f"drill of {drill['table']}", what, "docs/playbooks/dr_drill.md#what-can-go-wrong")


def divergence(tables: Iterable[Mapping[str, Any]]) -> Iterator[Fault]:
    for table in tables:
        if table["at"] and not table["equal"]:
            count = f"{'at least ' if table['capped'] else ''}{table['differing']:,}"
            what = f"both sides differed in {count} keys when they were last compared, {table['at'][:19]}Z"
            do = f"compare.yml -e table={table['table']} once all is replicated, then resync.yml; docs/playbooks/resync.md"
            yield Fault(BOTH, f"table {table['table']}", what, do)


def _of_function(facts: Facts, function: Mapping[str, Any]) -> Iterator[Fault]:
    part, name = function["part"], function["name"]
    thing, page = f"{part} {name}", PAGES[part]
    deploy = f"deploy.yml --tags {TAGS[part]}; {page}"
    for source in function["missing"]:
        yield Fault(facts.side, thing, f"no mapping reads {source}, so nothing of it is handed over", deploy)
    for mapping in function["mappings"] or []:
        if mapping["state"] not in ("Enabled", *COMING):
            what = f"its mapping of {mapping['source']} is {mapping['state']}, so nothing of it is handed over"
            yield Fault(facts.side, thing, what, deploy)
        elif mapping["failing"]:
            errors = f", {function['errors']:,.0f} errors in {WINDOW_MINUTES} minutes" if function["errors"] else ""
            what = f"it fails: its mapping of {mapping['source']} says '{mapping['result']}'{errors}"
            yield Fault(facts.side, thing, what, f"the log /aws/lambda/{name} says why; {page}#{part}_errors")
    # The capture has a limit of its own, by its watermark.
    behind, limit = function["age_seconds"], facts.age_limit_seconds
    if limit and behind is not None and behind > limit and part != CAPTURE:
        what = f"it is behind: what it reads is {span(behind)} old, and may be {span(limit)}"
        yield Fault(facts.side, thing, what, f"{page}#{part}_behind")


def _of_queues(facts: Facts, queues: Iterable[Mapping[str, Any]]) -> Iterator[Fault]:
    """The capture empties its queue by itself, and where it cannot, its watermark stands still."""
    for queue in queues:
        if queue["messages"] and queue["part"] != CAPTURE:
            number = f"{queue['messages']:,} message{'s' if queue['messages'] != 1 else ''}"
            what = f"it is not empty: {number} tell what the {queue['part']} was given and gave up"
            first = "" if queue["part"] == BACKUP else "replay.yml; "
            do = f"{first}{PAGES[queue['part']]}#{queue['part']}_queue"
            yield Fault(facts.side, f"queue {queue['name']}", what, do)


def _of_quarantine(facts: Facts, found: Mapping[str, Any] | None) -> Iterator[Fault]:
    if found and found["total"]:
        kept = [f"{number:,} of {name}" for name, number in sorted(found["entries"].items())]
        kept += [f"{found['gaps']:,} gaps"] if found["gaps"] else []
        least = "at least " if found["more"] else ""
        what = f"it is not empty: {least}{', '.join(kept)} could not be sent or applied"
        yield Fault(
            facts.side, f"quarantine {found['bucket']}", what, f"replay.yml; {REPLICATION_PAGE}#quarantined_count"
        )


def _of_key(facts: Facts, key: Mapping[str, Any]) -> Iterator[Fault]:
    thing = f"key pair for {facts.peer}"
    if key["state"] == MISSING:
        what = "it is not stored, or only a half of it, so nothing can be sent"
        yield Fault(facts.side, thing, what, "deploy.yml for both sides, or with the pair given")
    elif key["state"] in REFUSED:
        what = f"{facts.peer} refuses it: {key['access_key_id']} of {key['user']} {REFUSED[key['state']]}"
        yield Fault(
            facts.side, thing, what, f"rotate_credentials.yml -e holder={facts.side}; {REPLICATION_PAGE}#unsent_count"
        )


def _of_capture(facts: Facts, table: Mapping[str, Any]) -> Iterator[Fault]:
    thing = f"captured changes of {table['table']}"
    if table["until"] is None:
        what = "there is no watermark, so nothing is known to be captured"
        yield Fault(facts.side, thing, what, f"{CAPTURE_PAGE}#capture_age")
    elif table["behind_seconds"] > table["limit_seconds"]:
        behind, limit = span(table["behind_seconds"]), span(table["limit_seconds"])
        what = f"they lag: all are known up to {table['until']}, {behind} ago; it may be {limit}"
        yield Fault(facts.side, thing, what, f"{CAPTURE_PAGE}#capture_age")
    if table["holes"]:
        last = table["holes"][-1]
        what = f"they lack some from {last['start']} to {last['end']}, later than the last full backup: {_short(last['why'])}"
        yield Fault(facts.side, thing, what, f"backup.yml -e type=full; {CAPTURE_PAGE}#capture_hole")


def span(seconds: float) -> str:
    """``45 s``, ``12 m``, ``3.5 h``, ``12 d``."""
    return f"{max(0, seconds):.0f} s" if seconds < 100 else age(seconds / HOUR)


def _short(text: str) -> str:
    """An error as a part of a sentence: in one line, without a full stop."""
    return " ".join(str(text).split()).rstrip(". ")
