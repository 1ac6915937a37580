# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks: the hosts, roles and variables of each play, and what ``-e`` sets."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from .markdown import code, description_of
from .roles import specs_of

# "{{ table | default('') }}": a variable of the caller's, under a name that is no role's.
GIVEN = re.compile(r"^\{\{ *([a-z_]+) *\| *default\((.*)\) *\}\}$")
ROLE_CALLS = ("ansible.builtin.import_role", "ansible.builtin.include_role")


def page(repository: Path) -> list[str]:
    lines = [
        "# Playbooks",
        "",
        "Each playbook with its plays, and the variables that `-e` sets. Those of its roles can be set too: [roles](roles.md).",
    ]
    for path in sorted((repository / "playbooks").glob("*.yml")):
        lines += ["", *_section(repository, path)]
    return lines


def _section(repository: Path, path: Path) -> list[str]:
    plays = yaml.safe_load(path.read_text(encoding="utf-8"))
    lines = [f"## {path.name}", "", f"[What it is for](../playbooks/{path.stem}.md).", ""]
    lines += ["| play | hosts | does |", "|---|---|---|"]
    lines += [f"| {play['name']} | {_hosts(play)} | {_does(play)} |" for play in plays]
    given = list(dict.fromkeys(row for play in plays for row in _given(repository, play)))
    if given:
        lines += ["", "| variable | default | what | is |", "|---|---|---|---|", *given]
    return lines


def _hosts(play: dict) -> str:
    return code(play["hosts"]).replace("|", "\\|") if "hosts" in play else ""


def _does(play: dict) -> str:
    if "ansible.builtin.import_playbook" in play:
        name = play["ansible.builtin.import_playbook"]
        return f"[{name}](#{name.replace('.', '')})"
    shown = [_link(role, entry_point) for role, entry_point, _ in _calls(play)]
    return ", ".join(dict.fromkeys(shown))


def _link(role: str, entry_point: str) -> str:
    return f"[{role}](roles.md#{role})" + ("" if entry_point == "main" else f" ({entry_point})")


def _calls(play: dict) -> Iterator[tuple[str, str, dict]]:
    """Role, entry point and variables of each role that the play runs."""
    for entry in play.get("roles", []):
        yield (entry["role"], "main", entry.get("vars", {})) if isinstance(entry, dict) else (entry, "main", {})
    for task in [*play.get("pre_tasks", []), *play.get("tasks", []), *play.get("post_tasks", [])]:
        for call in ROLE_CALLS:
            if call in task:
                yield task[call]["name"], task[call].get("tasks_from", "main"), task.get("vars", {})


def _given(repository: Path, play: dict) -> Iterator[str]:
    own = {name: GIVEN.match(str(value)) for name, value in play.get("vars", {}).items()}
    for role, entry_point, variables in _calls(play):
        folder = repository / "roles" / role
        specs = specs_of(folder)
        options = {name: option for spec in specs.values() for name, option in spec["options"].items()}
        asked = specs.get(entry_point, {"options": {}})["options"]
        for name, value in (_defaults(folder, asked) | variables).items():
            found = GIVEN.match(str(value)) or own.get(str(value).strip("{} "))
            if found and not found.group(1).startswith((role, "dynabridge_")):
                said = description_of(options[name])
                default = code(found.group(2)).replace("`''`", "")
                yield f"| `{found.group(1)}` | {default} | {said} | `{name}` |"


def _defaults(role: Path, asked: dict) -> dict:
    """The role's own defaults of what the entry point asks for: preflight reads the confirmations by them."""
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
    return {name: value for name, value in defaults.items() if name in asked}
