# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves of progress and the lag between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.curves import (
    DIRECTION_HEADER,
    cumulative,
    direction_line,
    lag_percentiles,
    progress_line,
    rate,
    thin,
    when_reached,
)

START = 1_700_000_000.0
events = st.lists(
    st.tuples(st.floats(0.01, 1000).map(lambda late: START + late), st.integers(1, 500)), min_size=1, max_size=30
)


@given(events, st.floats(0, 500))
def test_a_curve_shifted_in_time_lags_by_the_shift(loaded, shift):
    # GIVEN every change arriving the same time after its write WHEN lags are read off THEN all are that time
    curve = cumulative(loaded, START)
    lags = lag_percentiles(curve, [[when + shift, count] for when, count in curve], (0, 50, 99, 100))
    assert all(lag == pytest.approx(shift, abs=1e-5) for lag in lags.values())


@given(events, events)
def test_percentiles_rise(loaded, replicated):
    lags = lag_percentiles(cumulative(loaded, START), cumulative(replicated, START), (1, 50, 99))
    assert 0 <= lags[1] <= lags[50] <= lags[99] <= 1000


@given(events)
def test_a_cumulative_curve_rises_from_nothing_to_all(loaded):
    curve = cumulative(loaded, START)
    assert curve[0] == [START, 0]
    assert curve[-1][1] == sum(count for _when, count in loaded)
    assert curve == sorted(curve)


@given(events, st.integers(2, 10))
def test_a_thinned_curve_keeps_its_ends(loaded, points):
    curve = cumulative(loaded, START)
    thinned = thin(curve, points)
    assert len(thinned) == min(points, len(curve))
    assert [thinned[0], thinned[-1]] == [curve[0], curve[-1]]
    assert all(point in curve for point in thinned)


def test_the_slow_tail_shows_in_the_99th_percentile_only():
    # GIVEN 100 changes, the last two 10 s late, the others at once WHEN lags are read off THEN p50 is 0 and p99 is not
    loaded = [[START, 0], [START + 100, 100]]
    replicated = [[START, 0], [START + 98, 98], [START + 108, 98.0001], [START + 110, 100]]
    lags = lag_percentiles(loaded, replicated, (50, 99))
    assert lags[50] == pytest.approx(0, abs=1e-6)
    assert lags[99] == pytest.approx(10, abs=0.1)


def test_only_changes_that_arrived_are_counted():
    loaded = [[START, 0], [START + 10, 1000]]
    assert lag_percentiles(loaded, [[START, 0], [START + 2, 100]], (99,))[99] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("loaded", "replicated"), [([], []), ([[START, 0]], [[START, 0], [START + 1, 5]])])
def test_without_changes_there_is_no_lag(loaded, replicated):
    assert lag_percentiles(loaded, replicated, (50, 99)) == {50: None, 99: None}


def test_a_count_that_is_never_reached_is_an_error():
    with pytest.raises(ValueError, match="never reaches 6"):
        when_reached([[START, 0], [START + 1, 5]], 6)


def test_times_between_points_are_interpolated():
    assert when_reached([[10, 0], [20, 100], [40, 200]], 150) == 30


def test_no_time_makes_no_rate():
    assert (rate(10, 0), rate(10, 4)) == (0, 2.5)


@pytest.mark.parametrize(
    ("count", "expected", "speed", "line"),
    [
        (12000, 20000, 1450.4, "cn-north-1: replicated 12,000 of 20,000 (60%), 1,450 items/s"),
        (19999, 20000, 0, "cn-north-1: replicated 19,999 of 20,000 (99%), 0 items/s"),
        (20000, 20000, 9, "cn-north-1: replicated 20,000 of 20,000 (100%), 9 items/s"),
    ],
)
def test_a_line_of_progress(count, expected, speed, line):
    assert progress_line("cn-north-1", count, expected, speed) == line


def test_the_summary_lines_stand_under_their_header():
    line = direction_line("cn-north-1 -> ap-southeast-1", 100000, 100000, 61.25, {50: 1.234, 99: None})
    assert len(line) == len(DIRECTION_HEADER)
    assert line.split() == ["cn-north-1", "->", "ap-southeast-1", "100,000", "100,000", "61.2", "1,633", "1.23", "-"]
