# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole system on the local AWS: molecule's scenario default, as a test."""

import pytest

from tests.local_pair import QUICK_IMPORTS, launcher
from tests.scenarios import passes

LIMIT = 1500


@pytest.mark.long
def test_the_scenario_of_the_whole_system_passes(tmp_path):
    """GIVEN empty accounts WHEN deployed twice THEN changed=0, also in check mode; it replicates; drift is seen and mended."""
    try:
        passes("default", tmp_path / "molecule", LIMIT, PYTHONPATH=QUICK_IMPORTS)
    finally:
        launcher(tmp_path / "molecule" / "local_aws", "down")
