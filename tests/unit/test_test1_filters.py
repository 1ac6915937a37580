# SPDX-License-Identifier: GPL-3.0-or-later
"""What dr_test1.yml says of a load and of what came back."""

import importlib.util

import pytest

from tests.local_pair import REPOSITORY

spec = importlib.util.spec_from_file_location("test1", REPOSITORY / "plugins" / "filter" / "dynabridge_test1.py")
test1 = importlib.util.module_from_spec(spec)
spec.loader.exec_module(test1)

BEGAN = 1_795_000_000.0
BACKUP = {"id": "1", "moment": "2026-11-18T11:06:52Z", "items": 70}  # 12 s after BEGAN


def run(began, ended, loaded):
    curve = [[BEGAN + began, 0], [BEGAN + ended, loaded]]
    return {"started_at": BEGAN + began, "ended_at": BEGAN + ended, "loaded": loaded, "curve": curve}


def known(backup=BACKUP):
    puts = [run(0, 10, 50), run(11, 21, 50)]
    loads = {"puts": puts, "updates": [run(22, 23, 5)] * 2, "deletes": [run(23, 24.3, 2), run(24.4, 25.7, 2)]}
    return test1.facts(loads, backup, "t", 1)


def result(equal=True, verified=True, last="2026-11-18T11:07:05Z"):
    oracle = {"equal": equal, "summary": "t holds the 96 items", "found_items": 96}
    phases = {"merge": 1.5, "fill": 2.0}
    report = {"method": "merge", "changes": 60, "rto_seconds": 9.5, "last_change": last, "phases": phases}
    return {"report": report | {"verification": {"equal": True} if verified else None}, "oracle": oracle}


def test_the_moment_is_after_the_last_write():
    """GIVEN the last write within a second THEN the moment is after that second, and after what clocks differ."""
    found = known()
    assert found["last_write"] == "2026-11-18T11:07:05.700Z" and found["moment"] == "2026-11-18T11:07:07.000Z"
    assert found["counts"] == {"puts": 100, "updates": 10, "deletes": 4} and found["backup_in_load"]
    assert found["written"][0] == [0, 0] and found["written"][-1] == [25.7, 114] and found["backup_second"] == 12


@pytest.mark.parametrize("moment", ["2026-11-18T11:06:50Z", "2026-11-18T11:07:02Z"])
def test_a_backup_before_or_after_the_second_half_is_not_in_its_midst(moment):
    assert not known(BACKUP | {"moment": moment})["backup_in_load"]


def test_the_report_of_a_good_test():
    found = test1.report(known(), [result()])
    assert found["ok"] and found["ways"][0]["rpo_seconds"] == 0
    assert "100 puts in 21.0 s, 10 updates, 4 deletes" in found["text"][0]
    assert "merge: RTO 9.5 s (merge 1.5, fill 2.0), RPO 0 s, 60 changes" in found["text"][2]
    assert "    equal to what was written" in found["text"][3]


@pytest.mark.parametrize("bad", [result(equal=False), result(verified=False)])
def test_one_way_that_is_not_equal_fails_the_test(bad):
    found = test1.report(known(), [result(), bad])
    assert not found["ok"] and any("NOT EQUAL" in line for line in found["text"])


def test_what_was_lost_is_told():
    assert test1.report(known(), [result(last="2026-11-18T11:07:00Z")])["ways"][0]["rpo_seconds"] == 5
    assert "RPO unknown" in test1.report(known(), [result(last=None)])["text"][2]
