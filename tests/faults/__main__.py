# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can go wrong, one after the other, on a pair of its own; prints one table of results.

``make faults`` runs it. Exit code 1 when something was lost or left behind.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults.drill import Result, run
from tests.faults.scenarios import SCENARIOS, Scene
from tests.integration.support import Bridge
from tests.local_pair import run_playbook, started_pair

ROW = "{:<32} {:<58} {:>6} {:>7} {:>9} {:>5}  {}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long a fault lasts (60)")
    parser.add_argument("--only", choices=sorted(SCENARIOS), action="append", help="just this scenario")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dynabridge-faults-") as directory, started_pair(Path(directory)) as pair:
        print("Deploying both sides...", flush=True)
        deployed = run_playbook(pair, "deploy.yml", "--skip-tags", "backup")
        assert deployed.returncode == 0, deployed.stdout[-3000:] + deployed.stderr
        print(
            ROW.format("fault", "what was done", "writes", "refused", "equal in", "lost", "queues and quarantine"),
            flush=True,
        )
        scene = Scene(pair, Bridge.of(pair), arguments.seconds)
        return 0 if all([_line(scene, name) for name in arguments.only or SCENARIOS]) else 1


def _line(scene: Scene, name: str) -> bool:
    try:
        result: Result = run(scene, name)
    except AssertionError as error:
        print(f"{name:<32} FAILED: {error}", flush=True)
        return False
    equal = f"{result.equal_after:.0f} s"
    print(
        ROW.format(name, result.what, result.acknowledged, result.failed, equal, len(result.lost), result.left),
        flush=True,
    )
    if result.lost:
        print("  lost: " + ", ".join(result.lost[:20]), flush=True)
    return result.good


if __name__ == "__main__":
    sys.exit(main())
