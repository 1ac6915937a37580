# SPDX-License-Identifier: GPL-3.0-or-later
"""Which verbs go together: a policy for each kind of work, so that who does the one need not be able to do the other."""

import json
from pathlib import Path

from .policy import Calls, document

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "docs" / "operator-policy"
CALLS = Path(__file__).with_name("calls.json")

GROUPS = {
    "daily": ("status", "load_test", "compare", "backup", "backup_status", "export_schema", "dr_drill"),
    "repair": ("replay", "resync", "rotate_credentials", "dr_restore", "dr_put_back"),
    "deploy": ("deploy",),
    "remove": ("teardown",),
    "test1": ("dr_test1",),
    "network": ("network",),
}
# What another policy has already, because it is needed beside it.
BESIDE = {"network": ("deploy", "remove")}


def read_calls() -> dict[str, dict[str, list[str]]]:
    """Of each verb: its actions, each with the patterns of its resources."""
    return json.loads(CALLS.read_text(encoding="utf-8"))


def calls_of(group: str, calls: dict) -> Calls:
    found: Calls = {}
    for verb in GROUPS[group]:
        for action, patterns in calls.get(verb, {}).items():
            found.setdefault(action, set()).update(patterns)
    for other in BESIDE.get(group, ()):
        there = calls_of(other, calls)
        found = {action: patterns - there.get(action, set()) for action, patterns in found.items()}
    return {action: patterns for action, patterns in found.items() if patterns}


def texts() -> dict[Path, str]:
    """What the policies' files should be."""
    calls = read_calls()
    return {FOLDER / f"{group}.json": json.dumps(document(calls_of(group, calls)), indent=2) + "\n" for group in GROUPS}


def stale() -> list[str]:
    return [path.name for path, text in texts().items() if not path.is_file() or path.read_text("utf-8") != text]


def policies() -> dict[str, dict]:
    """Of each group: its policy, with placeholders."""
    return {group: json.loads((FOLDER / f"{group}.json").read_text(encoding="utf-8")) for group in GROUPS}
