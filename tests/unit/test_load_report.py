# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a load test: evenly sampled curves, rates that add up, lags; and what its page says of them."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynabridge.curves import cumulative
from dynabridge.load_report import BINS, LAGS, SAMPLES, bin_width, count_at, document, lag_curve, rates, samples
from dynabridge.load_view import view
from tests.report_facts import DIFFERENT, load_facts

events = st.lists(st.tuples(st.floats(0.01, 5000), st.integers(1, 500)), min_size=1, max_size=30)


def both(written, late):
    curve = cumulative(written, 0.0)
    return curve, [[when + late if count else 0.0, count] for when, count in curve]


@given(events, st.floats(0, 300))
@example([(1092.4836752189494, 1), (1092.4836752189494, 1)], 0.0)  # times 120, by 120 is less than itself
def test_samples_rise_evenly_to_all_there_is(written, late):
    """GIVEN curves of any shape WHEN sampled THEN times are even, counts rise, and the last row holds everything."""
    loaded, arrived = both(written, late)
    rows = samples(loaded, arrived, arrived[-1][0])
    assert len(rows) == SAMPLES and rows[0][0] == 0
    assert rows[-1][1:] == [loaded[-1][1], arrived[-1][1]]
    assert all(earlier[column] <= later[column] for earlier, later in pairwise(rows) for column in (0, 1, 2))


@given(events, st.floats(0, 300))
def test_rates_add_up_to_all_there_is(written, late):
    """GIVEN curves of any shape WHEN cut into bins THEN rate by width is every change, and the bins are few."""
    loaded, arrived = both(written, late)
    rows = rates(loaded, arrived, arrived[-1][0])
    edges = [0.0, *(row[0] for row in rows)]
    assert 1 <= len(rows) <= BINS
    for column, curve in ((1, loaded), (2, arrived)):
        total = sum(row[column] * (row[0] - start) for start, row in zip(edges, rows, strict=False))
        assert total == pytest.approx(curve[-1][1], abs=0.06 * edges[-1] + 1)


@given(events, st.floats(0.01, 300))
def test_lags_are_those_between_the_curves(written, late):
    """GIVEN every change arriving the same time after its write THEN each lag is that time."""
    loaded = cumulative(written, 0.0)
    found = lag_curve(loaded, [[when + late, count] for when, count in loaded])
    assert 1 <= len(found) <= LAGS and all(lag == pytest.approx(late, abs=0.002) for _when, lag in found)


def test_a_curve_between_its_points():
    curve = [[1.0, 0], [3.0, 10], [5.0, 10]]
    assert [count_at(curve, when) for when in (0, 1, 2, 3, 4, 9)] == [0, 0, 5, 10, 10, 10]
    assert count_at([], 1.0) == 0


@pytest.mark.parametrize(("seconds", "width"), [(0, 1), (48, 1), (49, 2), (332, 10), (10**9, 50_000)])
def test_a_bin_has_a_width_that_people_can_read(seconds, width):
    assert bin_width(seconds) == width


def test_the_document_of_a_load_of_both_sides():
    """GIVEN the results of both sides THEN the document holds their figures, and survives being kept as JSON."""
    facts = load_facts()
    found = document(facts)
    assert json.loads(json.dumps(found)) == found and found["ok"]
    way, given_way = found["directions"][0], facts["directions"][0]
    assert way["loaded"] == way["replicated"] == way["expected"] == 100_000
    assert way["load_items_per_second"] == given_way["loaded"]["items_per_second"]
    assert way["seconds"] == pytest.approx(
        given_way["replicated"]["ended_at"] - given_way["loaded"]["started_at"], abs=0.01
    )
    assert way["settled_after"] > 0 and way["lag"]["p50"] < way["lag"]["p99"] <= way["lag"]["max"]
    assert way["samples"][-1] == [pytest.approx(way["seconds"], abs=0.01), 100_000, 100_000]


def test_tables_that_differ_or_were_not_compared_are_not_equal():
    different, unknown = document(load_facts(DIFFERENT)), document(load_facts() | {"comparisons": []})
    assert not different["ok"] and view(different)["verdict"]["text"] == DIFFERENT["summary"]
    assert not unknown["ok"] and "not compared" in view(unknown)["verdict"]["text"]


def test_changes_that_were_not_counted_are_told():
    assert "10 of 1,000 changes" in view(document(load_facts(total=1000, missing=10)))["notes"][0]


def test_nothing_that_arrived_is_no_chart_of_lag():
    """GIVEN a load of which nothing arrived THEN there is no lag to draw, and a dash where a figure would be."""
    shown = view(document(load_facts(sides=1, total=50, missing=50)))
    assert [chart["id"] for chart in shown["charts"]] == ["progress", "rate"]
    assert {tile["text"] for tile in shown["tiles"] if tile["label"].startswith("lag")} == {"–"}  # noqa: RUF001
