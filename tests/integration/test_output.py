# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run looks like in a terminal, in a pipe and to a program: a tiny playbook on this machine, without AWS."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local_pair import REPOSITORY

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - name: Keep a file
      ansible.builtin.copy: {content: x, dest: "{{ playbook_dir }}/kept", mode: "0600"}
    - name: Work for long
      slow:
      tags: [slow]
"""
MODULE = """
import time
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"progress_file": {"type": "path"}}, supports_check_mode=True)
for line in ("begun", "user-cn: 1 of 2 items", "user-cn: 2 of 2 items"):
    with open(module.params["progress_file"], "a") as file:
        file.write(line + "\\n")
    time.sleep(0.3)
module.exit_json(changed=False)
"""
ACTION = """
from ansible.plugins.loader import action_loader
ActionModule = action_loader.get("replication_progress", class_only=True)
"""


@pytest.fixture
def tiny(tmp_path):
    """A playbook beside a module that is long and shows lines of progress."""
    for name, text in (("tiny.yml", PLAYBOOK), ("library/slow.py", MODULE), ("action_plugins/slow.py", ACTION)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "tiny.yml"


def command(tiny: Path, *arguments: str, **environment: str) -> dict:
    """For Popen. Nothing of the caller's environment decides how it looks."""
    own = {
        "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "HOME": str(tiny.parent),
        "LC_ALL": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return {
        "args": ["ansible-playbook", "-i", "localhost,", "-c", "local", str(tiny), *arguments],
        "cwd": REPOSITORY,
        "env": own | environment,
    }


def in_pipe(tiny: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    options = command(tiny, *arguments, **environment)
    run = subprocess.run(**options, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run


def in_terminal(tiny: Path) -> str:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(**command(tiny, TERM="xterm", COLUMNS="80", LINES="24"), stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # nobody is at the other end any more
            break
        if not more:
            break
        said += more
    os.close(ours)
    assert process.wait(timeout=60) == 0, said.decode()
    return said.decode()


def test_a_terminal_has_a_bar_and_keeps_its_last_line(tiny):
    """GIVEN a terminal WHEN a task is long THEN a bar grows in one row, goes, and the summary follows the recap."""
    said = in_terminal(tiny)
    begun, half, last = (
        said.index(text) for text in ("begun\r\n", "[##########----------] ", "user-cn: 2 of 2 items\r\n")
    )
    assert begun < half < last < said.index("PLAY RECAP") < said.index("tiny.yml: 1 change; ")


def test_a_pipe_has_plain_lines_and_the_summary(tiny):
    """GIVEN no terminal THEN lines of progress are lines, without escapes; the summary says what changed; it can be off."""
    said = in_pipe(tiny).stdout
    assert "\nbegun\nuser-cn: 1 of 2 items\nuser-cn: 2 of 2 items\n" in said
    assert "\x1b" not in said and "\r" not in said
    assert f"  localhost: Keep a file: {tiny.parent}/kept\n" in said
    (tiny.parent / "kept").unlink()
    checked = in_pipe(tiny, "--check", "--skip-tags", "slow").stdout
    assert "tiny.yml --check: it would make 1 change; " in checked and "Next: the same without --check" in checked
    quiet = in_pipe(tiny, "--skip-tags", "slow", DYNABRIDGE_SUMMARY="no").stdout
    assert "tiny.yml" not in quiet.partition("PLAY RECAP")[2]


def test_a_program_reads_nothing_but_its_own(tiny):
    """GIVEN another output plugin, or -e output=json THEN progress goes to stderr, and there is no summary."""
    run = in_pipe(tiny, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    assert json.loads(run.stdout)["stats"]["localhost"]["changed"] == 1
    assert "user-cn: 2 of 2 items" in run.stderr
    run = in_pipe(tiny, "-e", "output=json")
    assert "of 2 items" not in run.stdout and run.stdout.partition("PLAY RECAP")[2].count("\n") == 3
