# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a scenario under load and looks at what is left of it."""

import time
from dataclasses import dataclass

from tests.faults.load import Load
from tests.faults.scenarios import SCENARIOS, Scene, kept, waiting

BEFORE_AND_AFTER = 3.0  # seconds of load around the fault


@dataclass(frozen=True)
class Result:
    """A line of the table. equal_after: seconds from the end of the load."""

    name: str
    what: str
    acknowledged: int
    failed: int
    equal_after: float
    lost: list[str]
    left: str

    @property
    def good(self) -> bool:
        return not self.lost and self.left == "empty"


def run(scene: Scene, name: str, seed: int = 1) -> Result:
    """Raises AssertionError where the tables do not become equal."""
    with Load(scene.bridge, seed) as load:
        time.sleep(BEFORE_AND_AFTER)
        what = SCENARIOS[name](scene)
        time.sleep(BEFORE_AND_AFTER)
    started = time.monotonic()
    items = list(scene.bridge.at_rest().values())
    equal_after = time.monotonic() - started
    return Result(name, what, load.acknowledged, load.failed, equal_after, load.lost(items), _left(scene))


def _left(scene: Scene) -> str:
    """What lies in queues and quarantine, after a replay if there is anything."""
    if _remains(scene):
        scene.playbook("replay.yml", "-e", "action=replay")
        scene.bridge.at_rest()
    return _remains(scene) or "empty"


def _remains(scene: Scene) -> str:
    counts = {
        f"{side.name} {where}": number
        for side in scene.sides
        for where, number in (("queues", waiting(side)), ("quarantine", len(kept(side))))
        if number
    }
    return ", ".join(f"{where}: {number}" for where, number in counts.items())
