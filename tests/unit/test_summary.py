# SPDX-License-Identifier: GPL-3.0-or-later
"""The closing words of a playbook."""

import re

import pytest

from dynabridge.summary import MOST_PARTS, NEXT, WIDTH, Run, duration, inventories_of, lines, names_of
from tests.local_pair import REPOSITORY


def task(name="", **arguments):
    return {"changed": True, "invocation": {"module_args": {"name": name} | arguments}}


def test_what_changed_is_named_by_host_and_role():
    run = Run("deploy.yml", 100.0)
    for name in ("user-cn", "loader_stats", "replicator_stats", "more", "more"):
        run.changed("cn-north-1", "tables", names_of(task(name)))
    run.changed("cn-north-1", "sender", [""])
    run.changed("ap-southeast-1", "queues", ["", ""])
    told = lines(run, 172.4, [])
    assert told[:3] == [
        "deploy.yml: 8 changes; 1 min 12 s.",
        "  ap-southeast-1: queues (2)",
        "  cn-north-1: tables: user-cn, loader_stats, replicator_stats and 1 more; sender",
    ]
    assert told[3].startswith("Next: ansible-playbook compare.yml")


def test_it_stays_short():
    """GIVEN changes everywhere THEN the rows are as wide as they may be, and few."""
    run = Run("deploy.yml", 0.0)
    for number in range(30):
        run.changed("cn-north-1", f"role_{number}", [f"{'x' * 30}-{number}-{each}" for each in range(50)])
    told = lines(run, 1.0, [])
    assert max(map(len, told[:-3])) <= WIDTH and len(told) < 20
    assert f"; and {30 - MOST_PARTS} more of the kind" in " ".join(line.strip() for line in told)


def test_nothing_to_do_and_check_mode():
    assert lines(Run("deploy.yml", 0.0), 5.0, [])[0] == "deploy.yml: nothing had to be changed; 5 s."
    run = Run("deploy.yml", 0.0, check=True)
    assert lines(run, 5.0, []) == ["deploy.yml --check: nothing to change; 5 s."]
    run.changed("cn-north-1", "tables", ["user-cn"])
    told = lines(run, 5.0, [], ["inventories/cn"])
    assert told[0] == "deploy.yml --check: it would make 1 change; 5 s."
    assert told[-1] == "Next: the same without --check, ansible-playbook deploy.yml -i inventories/cn"


def test_a_failure_says_where_and_what_to_read():
    run = Run("backup.yml", 0.0, failed={"cn-north-1": "Back the tables up", "elsewhere": "rescued"})
    run.changed("cn-north-1", "backup", [""])
    assert lines(run, 5.0, ["cn-north-1"], page="docs/playbooks/backup.md") == [
        "backup.yml failed after 5 s on cn-north-1 (Back the tables up). Until then it made 1 change.",
        "  cn-north-1: backup",
        "What can go wrong, and what to do: docs/playbooks/backup.md",
    ]


def test_of_a_loop_each_round_that_changed_something_is_named():
    rounds = [task("a"), {"changed": False}, task(table_name="b", name=""), {"changed": True, "censored": "no_log"}]
    assert names_of({"changed": True, "results": rounds}) == ["a", "b", ""]
    assert names_of({"changed": True}) == [""] and names_of(task(["a"])) == [""]


@pytest.mark.parametrize(
    ("arguments", "inventories"),
    [
        ("deploy.yml -i inventories/cn -i inventories/sg --check", ["inventories/cn", "inventories/sg"]),
        ("deploy.yml --inventory=inventories/cn", ["inventories/cn"]),
        ("deploy.yml -iinventories/cn --inventory inventories/sg", ["inventories/cn", "inventories/sg"]),
        ("deploy.yml -i", []),
        ("deploy.yml", []),
    ],
)
def test_inventories_are_those_of_the_command(arguments, inventories):
    assert inventories_of(arguments.split()) == inventories


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0 s"), (59.6, "1 min 0 s"), (3725, "1 h 2 min")])
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_each_next_step_is_a_playbook():
    """GIVEN a command of the closing words THEN its playbook is there, and so is the one that it follows."""
    named = set(NEXT) | {playbook.removesuffix(".yml") for steps in NEXT.values() for playbook, _why in steps}
    assert all(re.fullmatch(r"\w+", name) and (REPOSITORY / f"{name}.yml").exists() for name in named)
