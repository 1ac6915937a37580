# SPDX-License-Identifier: GPL-3.0-or-later
"""The linters, as one of the tests: they take a minute of one core, which others can use meanwhile."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.integration
def test_linters_have_nothing_to_say():
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    command = ["env", f"PATH={path}", f"ANSIBLE_CONFIG={REPOSITORY / 'ansible.cfg'}", "scripts/lint"]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=900)
    assert said.returncode == 0, said.stdout + said.stderr
