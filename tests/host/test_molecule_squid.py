# SPDX-License-Identifier: GPL-3.0-or-later
"""The role of the proxy on a disposable host with a real systemd: molecule's scenario squid_proxy, as a test."""

import subprocess

import pytest

from tests.local_pair import REPOSITORY
from tests.scenarios import passes

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
    passes("squid_proxy", tmp_path / "molecule", LIMIT)
