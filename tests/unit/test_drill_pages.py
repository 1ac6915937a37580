# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of drills and of the test of a lost table, and what their pages say of them."""

import json

import pytest

from dynabridge.drill_report import OTHER, drill_document, lost_table_document
from dynabridge.drill_view import DRAWN, drill_view, lost_table_view
from dynabridge.report_figures import at, every, number, point
from tests.report_facts import BEGAN, drill_facts, failed_drill_facts, lost_table_facts, record


def charts(shown):
    return {chart["id"]: chart for chart in shown["charts"]}


def test_phases_add_up_to_the_time_to_recovery():
    """GIVEN phases and the whole time THEN what no phase accounts for stands beside them."""
    found = drill_document(drill_facts())
    assert json.loads(json.dumps(found)) == found
    for drill in found["drills"]:
        assert sum(drill["phases"].values()) == pytest.approx(drill["rto_seconds"], abs=0.01)
        assert list(drill["phases"])[-1] == OTHER
    last = charts(drill_view(found))["phases"]["panels"][0]["rows"][-1]
    assert last["start"] + last["seconds"] == pytest.approx(found["drills"][0]["rto_seconds"], abs=0.01)


def test_a_missed_target_is_said_in_words():
    found = drill_document(drill_facts())
    shown = drill_view(found)
    assert not found["ok"] and [drill["rto_met"] for drill in found["drills"]] == [True, False]
    rows = {row["name"]: row["met"] for row in charts(shown)["targets"]["panels"][0]["rows"]}
    assert rows == {"user-cn RTO": "met", "user-cn RPO": "met", "orders-cn RTO": "MISSED", "orders-cn RPO": "met"}
    assert shown["notes"] == ["orders-cn: the restore took 700 s, and may take 600 s (RTO)"]


def test_the_history_is_by_time_and_holds_the_drill_without_a_figure():
    found = drill_document(drill_facts())
    times = [past["began"] for past in found["history"]]
    assert times == sorted(times) and len(times) == 24
    rto, _rpo = charts(drill_view(found))["history"]["panels"]
    values = {series["name"]: series["points"] for series in rto["series"]}
    assert len(values["orders-cn"]) == 12 and values["orders-cn"][6][1:] == [None, False]


def test_a_target_far_above_all_figures_is_not_drawn():
    """GIVEN targets of hours and drills of seconds THEN their line would press the figures to the axis: there is none."""
    facts = drill_facts()
    near = charts(drill_view(drill_document(facts)))["history"]["panels"][0]["limit"]
    for past in facts["history"]:
        past["limits"] = {"rto_seconds": 14400, "rpo_seconds": 900}
    assert near == 600 and charts(drill_view(drill_document(facts)))["history"]["panels"][0]["limit"] is None


def test_a_drill_that_did_not_come_so_far_has_no_charts_and_says_why():
    shown = drill_view(drill_document(failed_drill_facts()))
    assert shown["charts"] == [] and "has no backup" in shown["notes"][0] and shown["verdict"]["word"] == "Failed"


def test_of_many_tables_the_worst_are_drawn_and_all_are_listed():
    """GIVEN more tables than a chart has room for THEN the failed one and the slowest are drawn; tables hold all."""
    drills = [record(f"t{number}", BEGAN, 100.0 + number) for number in range(9)]
    drills[0] = record("t0", BEGAN, report=None, failure="gone")
    shown = drill_view(drill_document({"side": "cn", "drills": drills, "history": drills}))
    assert [panel["title"] for panel in charts(shown)["phases"]["panels"]] == ["t4", "t5", "t6", "t7", "t8"]
    assert DRAWN == 6 and {tile["note"].partition(":")[0] for tile in shown["tiles"]} == {"t0", "t8"}
    assert [column for table in shown["tables"] for column in table["columns"]] == [f"t{number}" for number in range(9)]


def test_the_test_of_a_lost_table_keeps_its_report_and_adds_targets():
    facts = lost_table_facts()
    found = lost_table_document(facts)
    kept = {name: value for name, value in facts["report"].items() if name != "ways"}
    assert {name: found[name] for name in kept} == kept
    assert [(way["rto_met"], way["rpo_met"]) for way in found["ways"]] == [(True, True), (True, True)]
    shown = lost_table_view(found)
    assert list(charts(shown)) == ["written", "targets", "phases"]
    assert charts(shown)["written"]["panels"][0]["markers"] == [{"name": "full backup", "at": 90.0}]


@pytest.mark.parametrize(("count", "rows"), [(0, 12), (1, 12), (12, 12), (13, 12), (1000, 12)])
def test_some_rows_of_many(count, rows):
    found = every(count, rows)
    assert len(found) == min(count, rows) and found == sorted(set(found))
    assert not found or (found[0], found[-1]) == (0, count - 1)


def test_figures_as_people_read_them():
    assert (number(1234567), number(1234.56, 1), number(None)) == ("1,234,567", "1,234.6", "–")  # noqa: RUF001
    assert [point(value) for value in (0, 7, 0.25, 12.34, 1234.5)] == ["0", "7", "0.25", "12.3", "1,234"]
    assert at({"a": [{"b": 1}]}, "a.0.b") == 1
