# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill comes to: good only when the table was restored, verified, in time, with little lost, and removed again."""

import pytest

from dynabridge.backup_layout import iso
from dynabridge.drills import Limits, Outcome, check_limits, history_lines, record_from, record_of, sentence
from dynabridge.errors import SettingsError

BEGAN = 1_795_000_000.0
LIMITS = Limits(rto=600, rpo=300)
TARGET = {"table": "user-cn-drill-20261120T000000Z", "region": "cn-northwest-1"}
EQUAL = {"equal": True, "differing": 0, "summary": "the tables are equal", "differences": []}


def report(**changes):
    """Of a restore that took 100 s, to a moment 60 s before the drill began."""
    return {
        "moment": iso(BEGAN - 60),
        "rows": 1234,
        "rto_seconds": 100.0,
        "holes": [],
        "left_out": [],
        "verification": EQUAL,
        **changes,
    }


def drill(date="latest", limits=LIMITS, **outcome):
    given = {"report": report()} | outcome
    return record_of("user-cn", TARGET, date, BEGAN, BEGAN + 120, limits, Outcome(**given))


def test_a_good_drill():
    """GIVEN a verified restore within the limits THEN the drill is good, and its sentence has every figure."""
    record = drill()
    assert record["ok"] and record["problems"] == [] and record["rpo_seconds"] == 60 and record["rows"] == 1234
    assert sentence(record) == (
        f"table user-cn: 1,234 rows as they were at {iso(BEGAN - 60)}, verified; RTO 100.0 s of 600, RPO 60.0 s of 300"
    )


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"report": None, "failure": "no backup"}, "it was not restored: no backup"),
        ({"report": None}, "nobody said why"),
        ({"report": report(verification=None)}, "not verified"),
        (
            {"report": report(verification=EQUAL | {"equal": False, "summary": "2 differ"})},
            "is not what it was: 2 differ",
        ),
        ({"report": report(rto_seconds=601.0)}, "took 601 s, and may take 600 s (RTO)"),
        ({"report": report(moment=iso(BEGAN - 301))}, "changes of 301 s would be lost, and 300 s may be (RPO)"),
        ({"left": "access denied"}, f"the scratch table {TARGET['table']} is left in cn-northwest-1: access denied"),
    ],
)
def test_each_thing_that_is_wrong_fails_the_drill(outcome, words):
    """GIVEN one thing that is not as it should be THEN the drill failed, and the sentence says which table and why."""
    record = drill(**outcome)
    assert not record["ok"] and len(record["problems"]) == 1
    told = sentence(record)
    assert told.startswith("table user-cn: the drill of ") and "FAILED" in told and words in told


def test_a_restore_that_found_a_difference_has_stopped_for_it():
    """GIVEN a report that differs, and the stop for it THEN both are told."""
    different = report(verification=EQUAL | {"equal": False, "summary": "2 differ"})
    assert len(drill(report=different, failure="it is NOT what it was")["problems"]) == 2


def test_nothing_is_lost_of_a_moment_that_was_asked_for():
    """GIVEN a drill of a time long ago WHEN every change up to it is there THEN nothing is lost; a hole would be."""
    old = report(moment=iso(BEGAN - 86400))
    assert drill("2026-11-20T10:00:00Z", report=old)["rpo_seconds"] == 0
    hole = {"start": iso(BEGAN - 86900), "end": iso(BEGAN - 86800), "why": "lost"}
    assert drill("2026-11-20T10:00:00Z", report=old | {"holes": [hole]})["rpo_seconds"] == 500


def test_a_live_table_that_has_gone_on_fails_nothing():
    record = drill(source={"equal": False, "differing": 3, "summary": "3 differ", "left": {}})
    assert record["ok"] and record["source"] == {"equal": False, "differing": 3, "summary": "3 differ"}


def test_what_a_table_lacks_is_told():
    assert "it lacks: a policy" in sentence(drill(report=report(left_out=["a policy"])))


def test_the_history_of_good_and_failed_drills():
    """GIVEN a good drill and one that was not restored THEN a line each, with - for what is not known."""
    header, good, failed = history_lines([drill(), drill(report=None, failure="no backup")])
    assert header.split() == ["table", "drill", "of", "as", "of", "rows", "RTO", "s", "RPO", "s"]
    assert good.split()[0] == "user-cn" and good.split()[-4:] == ["1,234", "100.0", "60.0", "ok"]
    assert failed.split()[-5:] == ["-", "-", "-", "-", "FAILED"]
    assert history_lines([]) == ["no drill so far"]


def test_a_record_is_known_again_and_nothing_else_is():
    record = drill()
    assert record_from(record) == record
    for document in (None, [], "x", {}, record | {"version": 2}, {"version": 1}):
        assert record_from(document) is None


@pytest.mark.parametrize("limits", [Limits(0, 1), Limits(1, -1)])
def test_a_limit_that_nothing_can_hold_is_refused(limits):
    with pytest.raises(SettingsError, match="must be more than 0 seconds"):
        check_limits(limits)
