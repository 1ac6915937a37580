# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command in the docs is executed: on the local AWS, or, where it needs real accounts, as far as its syntax."""

import functools
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.docs.aws_commands import problem_of
from tests.integration import (
    test_deploy,
    test_dr_drill,
    test_dr_test1,
    test_status,
    test_teardown,
)
from tests.local_pair import REPOSITORY, run_playbook, started_pair

# In this order: each page finds what the ones before it left.
PAGES = (
    "deploy",
    "load_test",
    "compare",
    "resync",
    "replay",
    "backup",
    "backup_status",
    "status",
    "backup_schedule",
    "export_schema",
    "dr_restore",
    "dr_put_back",
    "dr_drill",
    "dr_test1",
    "rotate_credentials",
    "proxy",
    "proxy_check",
    "demo",
    "teardown",
    "local_aws",
)
# All that it plays is played by other pages and tests, too.
LONG = ("demo",)
# Behind a deploy it has nothing to say. The same without --check: molecule's scenario default.
CHECK_DIFF = "ansible-playbook deploy.yml -i inventories/local --check --diff"
NEEDS_AWS = ("inventories/cn", "inventories/sg")
# A playbook that runs for a minute is not run twice: these commands are run by another test, which also looks at what they do.
RUN_ELSEWHERE = {
    test_deploy.CHECK,
    *(test_status.PLAIN, test_status.JSON),
    *(test_dr_drill.DRILL, test_dr_test1.TEST),
    *(test_teardown.CHECK, test_teardown.PLAIN, test_teardown.DATA, test_teardown.EVERYTHING),
}
# What tools expect at the top beside the verbs: tests/house/test_ecosystem.py.
NO_VERBS = {"execution-environment.yml", "requirements.yml"}
# Tools that are none of the requirements: what their commands name must be there.
NOT_INSTALLED = ("ansible-builder", "ansible-galaxy", "pre-commit")
# Not the emergencies, which tests/integration/test_runbooks.py plays, nor the Chinese texts, whose commands are the English ones
# (test_languages.py).
TEXTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/runbooks/alarms/*.md")
    for path in REPOSITORY.glob(pattern)
    if not path.name.endswith(".zh.md")
)


def commands(path: Path) -> list[str]:
    """The lines of a text's bash blocks, without comments."""
    blocks = re.findall(r"^```bash\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def playbook_of(command: str) -> list[str]:
    words = shlex.split(command)
    assert words[0] == "ansible-playbook", f"a page of a playbook shows its calls: {command}"
    return words[1:]


def of_any_hosts(arguments: list[str]) -> list[str]:
    """Without ``--limit``: the hosts of a group may be the reader's own, as those of ``proxy``."""
    if "--limit" not in arguments:
        return arguments
    place = arguments.index("--limit")
    return arguments[:place] + arguments[place + 2 :]


@pytest.fixture(scope="module")
def page_pair(tmp_path_factory):
    with started_pair(tmp_path_factory.mktemp("docs") / "local") as pair:
        yield pair


@pytest.mark.integration
@pytest.mark.parametrize("page", [pytest.param(page, marks=pytest.mark.long if page in LONG else ()) for page in PAGES])
def test_commands_of_a_playbooks_page_run(page_pair, page):
    """GIVEN a page WHEN its commands are run one after the other THEN each succeeds."""
    found = commands(REPOSITORY / "docs" / "playbooks" / f"{page}.md")
    assert found, "a page shows how the playbook is called"
    for command in found:
        if command in RUN_ELSEWHERE:
            continue
        arguments = playbook_of(command)
        if any(inventory in command for inventory in NEEDS_AWS):
            arguments = [*of_any_hosts(arguments), "--syntax-check"]
        result = run_playbook(page_pair, *arguments)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        if command == CHECK_DIFF:
            assert set(test_deploy.changed(result.stdout).values()) == {0}, result.stdout


def test_what_is_run_elsewhere_stands_on_a_page():
    shown = {command for page in PAGES for command in commands(REPOSITORY / "docs" / "playbooks" / f"{page}.md")}
    assert shown >= RUN_ELSEWHERE


def test_every_verb_has_its_page():
    verbs = {path.stem for path in REPOSITORY.glob("*.yml") if path.name not in NO_VERBS}
    assert verbs == {path.stem for path in (REPOSITORY / "docs" / "playbooks").glob("*.md")} == set(PAGES)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_of_other_texts_exist(path, tmp_path):
    """GIVEN a command of the README or another text THEN make has its target, and its playbook its syntax."""
    for command in commands(path):
        for part in command.split("&&"):
            check(shlex.split(part), tmp_path)


def check(words: list[str], tmp_path: Path) -> None:
    words = [word for word in words if not re.fullmatch(r"[A-Z_]+=\S+", word)]
    if words[0] == "make":
        run = subprocess.run(
            ["make", "--dry-run", *words[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
    elif words[0] == "ansible-playbook":
        check_playbook(words[1:])
    elif words[0] == "aws":
        assert not problem_of(words)
    elif words[:2] == ["molecule", "test"]:
        pass  # tests/integration/test_molecule_default.py and tests/host/test_molecule_squid.py
    elif words[0] == "ansible-inventory":
        run = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
    elif words[0] in NOT_INSTALLED or words[:3] == ["python", "-m", "pytest"]:
        missing = [word for word in words if re.search(r"/|\.ya?ml$", word) and not (REPOSITORY / word).exists()]
        assert not missing, f"{words}: there is no {missing}"
    elif words[0] == "python":
        assert (REPOSITORY / words[1]).is_file(), words
    else:
        assert words[0] in ("git", "cd", "."), f"{words}: say how this command is to be tested"


def check_playbook(arguments: list[str]) -> None:
    """Its variables are known; its syntax is the same whatever they and other options say, and is looked at once."""
    left = iter(arguments)
    kept: list[str] = []
    for argument in left:
        if argument == "-e":
            name = next(left).partition("=")[0]
            assert name in known_variables(), f"{arguments}: nothing knows the variable {name}"
        elif argument == "--tags":
            next(left)  # tests/docs/test_texts.py knows them
        elif argument not in ("--check", "--diff", "-b"):
            kept.append(argument)
    check_syntax(tuple(kept))


@functools.cache
def check_syntax(arguments: tuple[str, ...]) -> None:
    command = ["ansible-playbook", *arguments, "--syntax-check"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@functools.cache
def known_variables() -> frozenset[str]:
    """What playbooks read, roles take and the inventory sets."""
    patterns = ("playbooks/*.yml", "roles/*/defaults/main.yml", "inventories/group_vars/*/*.yml")
    texts = [path.read_text(encoding="utf-8") for pattern in patterns for path in REPOSITORY.glob(pattern)]
    return frozenset(name for text in texts for name in re.findall(r"[a-z_][a-z0-9_]*", text))
