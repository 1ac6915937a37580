# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a moment: it leads there with every change, or says what is missing."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dynabridge.catalogue import DAMAGED, FULL, INCREMENTAL, VERIFIED, Backup
from dynabridge.errors import BackupError
from dynabridge.moments import Asked
from dynabridge.restore_plan import Lack
from dynabridge.restore_route import CapturedLog, check_holes, moment_of, recoverable, route_to, said

MARGIN = 3
DAY = 86_400


def full(moment, state=VERIFIED):
    return Backup(
        "bucket", "user-cn", f"f{moment}", "2026-11-21", f"f{moment}/", state, FULL, table_id="one", moment=moment
    )


def window(start, end, table_id="one"):
    name = f"w{start}-{end}"
    return Backup(
        "bucket",
        "user-cn",
        name,
        "2026-11-21",
        f"{name}/",
        VERIFIED,
        INCREMENTAL,
        table_id=table_id,
        start=start,
        moment=end,
    )


def log(since, until, *holes, last=0):
    return CapturedLog(since, until, tuple(Lack(*hole, "a batch was given up") for hole in holes), last)


moments = st.integers(1, 60)
spans = st.tuples(moments, moments).filter(lambda pair: pair[0] < pair[1])
backups = st.tuples(
    st.lists(moments, min_size=1, max_size=4, unique=True), st.lists(spans, max_size=5, unique=True)
).map(lambda both: [full(moment) for moment in both[0]] + [window(*span) for span in both[1]])
logs = st.none() | st.tuples(spans, st.lists(spans, max_size=3)).map(lambda both: log(*both[0], *both[1]))


def has_every_change(route, moment, captured):
    """Whether nothing can be missing, told in another way than the route does: second by second."""
    reached = route.base.moment
    for taken in route.windows:
        if not taken.start == reached < taken.moment <= moment:
            return False
        reached = taken.moment
    if reached == moment:
        return True
    if route.log_start is None:
        return False
    needed = range(reached - MARGIN, moment)
    return route.log_start <= reached - MARGIN and all(
        captured.since <= second < captured.until
        and not any(hole.start <= second < hole.end for hole in captured.holes)
        for second in needed
    )


@given(backups, logs, moments)
def test_a_way_without_holes_has_every_change_and_one_with_holes_lacks_some(known, captured, moment):
    assume(any(backup.kind == FULL and backup.moment <= moment for backup in known))
    route = route_to(moment, known, captured, MARGIN)
    assert route.base.moment <= moment
    assert has_every_change(route, moment, captured) == (not route.holes)


@given(backups, logs, moments)
def test_what_is_called_recoverable_is_just_what_has_a_way(known, captured, moment):
    spans = recoverable(known, captured, MARGIN)
    inside = any(span.start <= moment <= span.end for span in spans)
    oldest = min(backup.moment for backup in known if backup.kind == FULL)
    assert inside == (moment >= oldest and not route_to(moment, known, captured, MARGIN).holes)


def test_hazard_19_the_log_begins_before_the_base():
    """GIVEN hazard 19, a full backup while writes go on WHEN changes are applied THEN from before its moment."""
    route = route_to(50, [full(40)], log(1, 60), MARGIN)
    assert route.log_start == 40 - MARGIN and not route.holes


def test_a_log_that_begins_at_the_base_has_a_hole():
    route = route_to(50, [full(40)], log(40, 60), MARGIN)
    assert [(hole.start, hole.end) for hole in route.holes] == [(37, 40)]


def test_hazard_21_latest_never_takes_one_that_does_not_count():
    """GIVEN hazard 21, a later backup that is damaged THEN the last verified one is taken, of two of a day the later."""
    known = [full(10), full(20), full(30, DAMAGED)]
    assert route_to(60, known, None, MARGIN).base.moment == 20
    assert moment_of(Asked(day="1970-01-01"), known, None) == 20
    assert moment_of(Asked(), known, log(1, 50, last=55)) == 55


def test_an_older_base_is_taken_where_the_newer_one_has_a_hole_after_it():
    """GIVEN a newer base whose moment the log does not reach back to, and windows from an older one THEN the older one."""
    route = route_to(50, [full(10), full(45)], log(20, 60, (42, 44)), MARGIN)
    assert route.base.moment == 45 and route.holes
    route = route_to(50, [full(10), full(45), window(10, 50)], log(20, 60, (42, 44)), MARGIN)
    assert route.base.moment == 10 and [w.moment for w in route.windows] == [50] and not route.holes


def test_a_window_that_begins_before_the_base_does_not_carry_it_on():
    """GIVEN an item that was made before the full backup and deleted after it, both within a window, which has no line of it then
    THEN the way is the one from the full backup that the window begins at, or has a hole."""
    assert route_to(50, [full(20), window(10, 50)], None, MARGIN).holes
    route = route_to(50, [full(10), full(20), window(10, 50)], None, MARGIN)
    assert route.base.moment == 10 and not route.holes
    assert not route_to(50, [full(10.6), window(10, 50)], None, MARGIN).holes, "windows begin with whole seconds"


def test_what_was_captured_before_a_hole_does_not_undo_the_base():
    """GIVEN a hole that ends just before the base THEN the log is applied from its end on only."""
    assert route_to(50, [full(40)], log(1, 60, (38, 39)), MARGIN).log_start == 39


@pytest.mark.parametrize(
    ("asked", "known", "said_so"),
    [
        (Asked(day="1970-01-02"), [full(40)], "no verified full backup of 1970-01-02; it has some of 1970-01-01"),
        (Asked(), [], "has no backup"),
        (Asked(), [full(40, DAMAGED)], "only such that are damaged"),
        (Asked(moment=1), [], "has no backup"),
    ],
)
def test_nothing_to_begin_from_is_said(asked, known, said_so):
    with pytest.raises(BackupError, match=said_so):
        moment_of(asked, known, None)


def test_before_the_first_backup():
    with pytest.raises(BackupError, match="its oldest verified full backup is of 1970-01-01T00:00:40Z"):
        route_to(39, [full(40)], log(1, 60), MARGIN)


def test_a_hole_is_refused_and_named_unless_it_is_allowed():
    known, captured = [full(10)], log(1, 60, (20, 22))
    route, reach = route_to(50, known, captured, MARGIN), recoverable(known, captured, MARGIN)
    with pytest.raises(
        BackupError, match="from 1970-01-01T00:00:20Z to 1970-01-01T00:00:22Z a batch was given up"
    ) as caught:
        check_holes(route, 50, reach, allowed=False)
    assert "every second from 1970-01-01T00:00:10Z to 1970-01-01T00:00:20Z" in str(caught.value)
    check_holes(route, 50, reach, allowed=True)


def test_many_spans_are_told_by_the_newest():
    known = [full(DAY * number) for number in range(1, 9)]
    assert said(recoverable(known, None)).endswith("1970-01-09T00:00:00Z (and 3 earlier)")
    assert said([]) == "nothing"
