# SPDX-License-Identifier: GPL-3.0-or-later
"""The role of the proxy on a disposable host with a real systemd: molecule's scenario squid_proxy, as a test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local_pair import REPOSITORY

pytestmark = pytest.mark.integration
# The base is made once, from the mirror of this machine; after that the scenario takes under two minutes.
LIMIT = 1500


def what_is_missing() -> str:
    command = [REPOSITORY / "scripts" / "disposable-host", "check"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def test_the_scenario_of_the_proxy_passes(tmp_path):
    """GIVEN a bare host WHEN the role comes twice THEN squid is up and locked down, and the second time changes nothing."""
    if what_is_missing():
        pytest.skip(f"a disposable host {what_is_missing()}")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    env |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(tmp_path / "molecule"),
        "NO_COLOR": "1",
    }
    command = ["molecule", "test", "--scenario-name", "squid_proxy"]
    run = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert run.returncode == 0, (run.stdout + run.stderr)[-8000:]
