# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity, on a copy of modules and plugins that is laid out as a collection."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def sanity(*arguments: str) -> subprocess.CompletedProcess:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, str(REPOSITORY / "scripts" / "sanity"), *arguments]
    environment = os.environ | {"PATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800, check=False)


def test_the_copy_is_a_collection():
    """GIVEN the copy WHEN ansible-test looks at it THEN it takes it, and a test that needs nothing passes."""
    run = sanity("--test", "empty-init")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.long
def test_sanity_passes_and_ignores_nothing():
    run = sanity()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Running sanity test" in run.stdout + run.stderr
    assert not list((REPOSITORY / "tests").glob("**/ignore-*.txt"))
