# SPDX-License-Identifier: MIT
"""The closing words of a playbook: what changed where, how long it took, what to do next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH = 110
MOST_NAMES, MOST_PARTS = 3, 8
# What a module calls the thing that it changes; the first that is given.
NAMES = ("name", "table_name", "function_name", "policy_name", "stream_name", "bucket", "dest", "path")

# After a verb that went well: commands, each with what it is good for.
NEXT: dict[str, tuple[tuple[str, str], ...]] = {
    "backup": (("backup_status.yml", "how all backups stand"),),
    "backup_schedule": (("backup_status.yml", "how all backups stand"),),
    "deploy": (
        ("compare.yml", "are both tables equal?"),
        ("load_test.yml", "writes on both sides, waits, compares"),
        ("backup.yml", "the first full backup"),
    ),
    "dr_restore": (("dr_put_back.yml", "puts rows of the restored table back into the live one"),),
    "export_schema": (("backup.yml", "the items, too"),),
    "load_test": (("compare.yml", "the tables once more, row by row"),),
    "proxy": (("proxy_check.yml", "what passes and what does not"),),
    "replay": (("compare.yml", "are both tables equal?"),),
    "resync": (("compare.yml", "are both tables equal?"),),
    "rotate_credentials": (("compare.yml", "are both tables equal?"),),
}


@dataclass
class Run:
    """What happened so far. changes: by host and part, which is a role's name or a task's, the names of what changed."""

    playbook: str
    began: float
    check: bool = False
    changes: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def verb(self) -> str:
        return self.playbook.removesuffix(".yml")

    def changed(self, host: str, part: str, names: Iterable[str]) -> None:
        self.changes.setdefault(host, {}).setdefault(part, []).extend(names)

    def count(self, host: str) -> int:
        return sum(len(names) for names in self.changes.get(host, {}).values())


def names_of(result: Mapping[str, Any]) -> list[str]:
    """What a task changed, by name, each thing once; '' where it bears none. Of a loop, of each round that changed something.

    A module that changes many things in one call returns their names as ``names_changed``.
    """
    rounds = [each for each in result.get("results") or [result] if isinstance(each, Mapping) and each.get("changed")]
    return [name for each in rounds for name in each.get("names_changed") or [_name(each.get("invocation"))]] or [""]


def _name(invocation: Any) -> str:
    arguments = invocation.get("module_args") if isinstance(invocation, Mapping) else None
    given = (arguments.get(name) for name in NAMES) if isinstance(arguments, Mapping) else ()
    return next((name for name in given if isinstance(name, str) and name), "")


def lines(run: Run, now: float, failed: Sequence[str], inventories: Sequence[str] = (), page: str = "") -> list[str]:
    """failed: hosts that did not get to the end. inventories: as they were given. page: what says what can go wrong."""
    told = [_headline(run, now, failed)]
    told += [line for host in sorted(run.changes) for line in _of_host(host, run.changes[host])]
    if failed:
        return told + ([f"What can go wrong, and what to do: {page}"] if page else [])
    return told + [f"Next: {line}" for line in _next(run, inventories)]


def _headline(run: Run, now: float, failed: Sequence[str]) -> str:
    took = duration(now - run.began)
    count = sum(run.count(host) for host in run.changes)
    things = f"{count:,} change{'s' if count != 1 else ''}"
    if failed:
        where = ", ".join(f"{host} ({run.failed[host]})" if run.failed.get(host) else host for host in failed)
        before = f" Until then it made {things}." if count and not run.check else ""
        return f"{run.playbook} failed after {took} on {where}.{before}"
    if run.check:
        return f"{run.playbook} --check: {'it would make ' + things if count else 'nothing to change'}; {took}."
    return f"{run.playbook}: {things if count else 'nothing had to be changed'}; {took}."


def _of_host(host: str, parts: Mapping[str, Sequence[str]]) -> list[str]:
    told = [_part(part, names) for part, names in parts.items()]
    more = len(told) - MOST_PARTS
    if more > 0:
        told = [*told[:MOST_PARTS], f"and {more} more of the kind"]
    return textwrap.wrap("; ".join(told), WIDTH, initial_indent=f"  {host}: ", subsequent_indent="      ")


def _part(part: str, names: Sequence[str]) -> str:
    distinct = [name for name in dict.fromkeys(names) if name]
    if not distinct:
        return part if len(names) == 1 else f"{part} ({len(names)})"
    more = f" and {len(distinct) - MOST_NAMES} more" if len(distinct) > MOST_NAMES else ""
    return f"{part}: {', '.join(distinct[:MOST_NAMES])}{more}"


def _next(run: Run, inventories: Sequence[str]) -> list[str]:
    given = "".join(f" -i {each}" for each in inventories)
    if run.check and run.changes:
        return [f"the same without --check, ansible-playbook {run.playbook}{given}"]
    if run.check:
        return []
    told = [(f"ansible-playbook {playbook}{given}", why) for playbook, why in NEXT.get(run.verb, ())]
    width = max((len(command) for command, _why in told), default=0)
    return [f"{command:{width}}  # {why}" for command, why in told]


def inventories_of(arguments: Sequence[str]) -> list[str]:
    """The inventories that a command line names, as it names them."""
    found, rest = [], iter(arguments)
    for argument in rest:
        if argument in ("-i", "--inventory", "--inventory-file"):
            found.append(next(rest, ""))
        elif argument.startswith(("--inventory=", "--inventory-file=")):
            found.append(argument.partition("=")[2])
        elif argument.startswith("-i") and argument[:3] != "-i=":
            found.append(argument[2:])
    return [each for each in found if each]


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
