# SPDX-License-Identifier: GPL-3.0-or-later
"""A merge's memory is bounded by its budget, not by the changes: watched in a process of its own, as a module is one."""

import json
import re

import pytest

from benchmarks import merge as benchmark

MEGABYTE = 10**6
ITEMS = 60_000
LIMIT = 180 * MEGABYTE  # the libraries, 32 MB of bits, and what is on its way to S3


@pytest.mark.parametrize("budget", [4 << 20])
def test_changes_beyond_the_budget_go_to_files(tmp_path, budget):
    """GIVEN 60,000 changes of as many items WHEN merged with 4 MB for them THEN less than 180 MB were held, all items are there,
    and no file is left."""
    made = benchmark.make_ground(tmp_path, ITEMS, ITEMS, ITEMS)
    (tmp_path / "plan.json").write_text(json.dumps(made.as_dict()), encoding="utf-8")
    found = benchmark.apart(tmp_path, "--merge", str(budget))
    counts = found["counts"]
    assert counts["kept"] + counts["replaced"] + counts["removed"] == ITEMS and found["changes"] == ITEMS
    assert found["items"] == counts["kept"] + counts["replaced"] + counts["added"]
    assert found["memory"] < LIMIT
    assert not [path for path in tmp_path.iterdir() if re.match("dynabridge-", path.name)]
