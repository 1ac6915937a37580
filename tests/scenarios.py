# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule's scenarios as tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.local_pair import REPOSITORY

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def passes(scenario: str, directory: Path, limit: int, **environment: str) -> None:
    """Run ``molecule test`` on a scenario, whose state lies in a directory of the test's; fails with what it said last."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "AWS_", "DYNABRIDGE_", "MOLECULE_"))
    }
    env |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(directory),
        "ANSIBLE_FORCE_COLOR": "1",  # as in a terminal: what a scenario reads must not depend on it
        **environment,
    }
    command = ["molecule", "test", "--scenario-name", scenario]
    run = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=limit, check=False)
    assert run.returncode == 0, COLOUR.sub("", run.stdout + run.stderr)[-8000:]
