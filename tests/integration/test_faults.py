# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``make faults`` breaks, for a short time each: under load, on a pair of its own."""

import pytest

from tests.faults.drill import run
from tests.faults.scenarios import SCENARIOS, Scene
from tests.integration.support import Bridge
from tests.integration.test_deploy import deploy
from tests.local_pair import started_pair

SECONDS = 5.0
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A deployed pair that nothing else uses: faults hit whatever runs on it."""
    with started_pair(tmp_path_factory.mktemp("faults") / "local") as pair:
        deploy(pair)
        yield Scene(pair, Bridge.of(pair), SECONDS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_or_left_behind(scene, name):
    """GIVEN a load on both sides WHEN something breaks and is mended THEN both end equal, with all that was acknowledged."""
    result = run(scene, name)
    assert result.good, result
    assert result.acknowledged > 0
