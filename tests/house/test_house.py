# SPDX-License-Identifier: GPL-3.0-or-later
"""The house: every room has what its kind of room has."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
ROLES = sorted(path for path in (REPOSITORY / "roles").iterdir() if path.is_dir())
MODULES = sorted(path.stem for path in (REPOSITORY / "library").glob("*.py"))
# What tools expect at the top beside the verbs: tests/house/test_ecosystem.py.
NO_VERBS = {"execution-environment.yml", "requirements.yml"}
VERBS = sorted(path for path in REPOSITORY.glob("*.yml") if path.name not in NO_VERBS)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_role_has_readme_defaults_and_argument_specs(role):
    assert (role / "README.md").is_file() and (role / "meta" / "main.yml").is_file()
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
    specified = {name for spec in specs.values() for name in spec["options"]}
    assert set(defaults) <= specified, "every variable with a default is described"
    assert all(name.startswith(role.name) for name in specified), "variables bear the role's name"


@pytest.mark.parametrize("module", MODULES)
def test_module_is_documented(module):
    """GIVEN an own module WHEN asked for with ansible-doc THEN its page has options, examples and returns."""
    command = [Path(sys.executable).parent / "ansible-doc", "-M", "library", module]
    page = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert all(part in page for part in ("OPTIONS", "EXAMPLES", "RETURN VALUES", module)), page[:400]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_verb_is_one_import(verb):
    plays = yaml.safe_load(verb.read_text(encoding="utf-8"))
    assert [play["ansible.builtin.import_playbook"] for play in plays] == [f"playbooks/{verb.name}"]


def test_playbooks_hold_hosts_and_roles():
    for path in (REPOSITORY / "playbooks").glob("*.yml"):
        for play in yaml.safe_load(path.read_text(encoding="utf-8")):
            for task in play.get("tasks", []):
                assert "ansible.builtin.import_role" in task, f"{path}: {task}"


def test_the_tree_names_no_machine():
    """Paths of somebody's machine do not belong in the tree."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if name == "tests/house/test_house.py":
            continue
        text = (REPOSITORY / name).read_text(encoding="utf-8", errors="replace")
        for word in ("/root/", "/home/", "file:///"):
            assert word not in text, f"{name} says {word}"
