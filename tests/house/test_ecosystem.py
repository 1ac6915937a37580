# SPDX-License-Identifier: GPL-3.0-or-later
"""What other tools read at the top of the tree says the same as requirements.txt, scripts/lint and .ci/run."""

import json
import os
import re
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).parents[2]
PACKAGES = Path(sysconfig.get_paths()["purelib"])


def loaded(name: str):
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def pins(name: str = "requirements.txt") -> list[str]:
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r"))]


def collections() -> dict[str, str]:
    return {each["name"]: each["version"] for each in loaded("requirements.yml")["collections"]}


@pytest.mark.parametrize("name", ["execution-environment", "requirements"])
def test_file_has_the_form_that_its_tool_wants(name):
    """GIVEN the schema that comes with ansible-lint THEN the file fits it."""
    schema = json.loads((PACKAGES / "ansiblelint" / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    assert [error.message for error in Draft7Validator(schema).iter_errors(loaded(f"{name}.yml"))] == []


def test_galaxy_requirements_are_the_collections_in_use():
    tasks = [path for folder in ("playbooks", "roles") for path in (REPOSITORY / folder).rglob("*.yml")]
    names = {
        name
        for path in tasks
        for name in re.findall(
            r"^ *(?:- )?([a-z]+\.[a-z]+)\.[a-z0-9_]+:", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert names - {"ansible.builtin"} == set(collections())


@pytest.mark.parametrize("name", sorted(collections()))
def test_collection_of_the_package_ansible_is_within_the_range(name):
    """GIVEN the pinned package ansible WHEN its collection is looked at THEN requirements.yml allows that version."""
    manifest = PACKAGES / "ansible_collections" / Path(*name.split(".")) / "MANIFEST.json"
    version = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
    assert SpecifierSet(collections()[name]).contains(version), version


def test_execution_environment_has_the_pins_of_requirements():
    wanted = [pin for pin in pins() if Requirement(pin).name != "ansible"]
    dependencies = loaded("execution-environment.yml")["dependencies"]
    assert dependencies["python"] == wanted
    assert dependencies["galaxy"] == "requirements.yml"


def test_execution_environment_has_the_core_of_the_newest_pin():
    """GIVEN its Python WHEN that is as new as the tests' THEN its ansible-core is the one that they run with."""
    dependencies = loaded("execution-environment.yml")["dependencies"]
    python = dependencies["python_interpreter"]["package_system"].removeprefix("python")
    newest = [Requirement(pin) for pin in pins() if Requirement(pin).name == "ansible"][-1]
    assert newest.marker is not None and newest.marker.evaluate({"python_version": python})
    installed = metadata.version("ansible")
    if not newest.specifier.contains(installed):
        pytest.skip(f"ansible {installed} here, the environment has the core of {newest.specifier}")
    assert Requirement(dependencies["ansible_core"]["package_pip"]).specifier.contains(metadata.version("ansible-core"))


def test_hooks_are_the_linters():
    """GIVEN scripts/lint THEN each of its commands is a hook, on the files that pre-commit names."""
    lines = (REPOSITORY / "scripts" / "lint").read_text(encoding="utf-8").splitlines()
    linters = [line.removesuffix(" .") for line in lines if line and not line.startswith(("#", "set ", "echo "))]
    repos = loaded(".pre-commit-config.yaml")["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    assert [hook["entry"] for hook in repos[0]["hooks"]] == linters
    assert all(hook["language"] == "system" and hook["id"] and hook["name"] for hook in repos[0]["hooks"])


def test_workflow_runs_what_ci_runs_with_the_least_rights():
    workflow = loaded(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)


def test_workflow_takes_each_pin_of_ansible():
    """GIVEN a pin for older and one for newer interpreters THEN the workflow has an interpreter for each."""
    (job,) = loaded(".github/workflows/ci.yml")["jobs"].values()
    pythons = job["strategy"]["matrix"]["python"]
    for pin in pins():
        marker = Requirement(pin).marker
        assert marker is None or any(marker.evaluate({"python_version": python}) for python in pythons), pin
