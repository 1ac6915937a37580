# SPDX-License-Identifier: GPL-3.0-or-later
"""The watermark never claims what is not there: a capture that is off, behind, failing or replaced, played by the minute.

The played capture is less kind than AWS: a mapping that is switched on looks well for minutes before it reads, metrics are
two minutes late, and tell the age of the last record of a batch that is only written a minute after.
"""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynabridge.watermark import (
    MOST_HOLES,
    NEAR,
    REPLACED,
    RETENTION,
    SEVERAL,
    STALLED,
    Hole,
    Pace,
    Seen,
    Watermark,
    advanced,
    key_of_watermark,
    watermark_from,
)

MINUTE, HOUR = 60, 3600
START = 1_795_280_400
PACE = Pace(margin=120, settle=300, keep=90 * 86400)
LOOK_BACK = 300
DELAY = 120  # of metrics
BATCH = 3


class Capture:
    """A table, its stream, and a mapping with a function that writes what it gets, a minute later."""

    def __init__(self):
        self.now, self.stream, self.begun = START, 1, START
        self.waiting, self.flying, self.lost, self.ages = [], [], [], []
        self.on, self.fails, self.reads_from = True, False, START

    def replace_stream(self):
        self.lost += self.waiting + self.flying
        self.stream, self.begun, self.waiting, self.flying = self.stream + 1, self.now, [], []

    def switch(self, on, fails, wakes_after):
        if on and not self.on:
            self.reads_from = self.now + wakes_after * MINUTE
        self.on, self.fails = on, fails

    def minute(self, writes, capacity):
        self.now += MINUTE
        self.waiting += sorted(self.now - MINUTE + offset for offset in writes)
        self.flying = []  # is captured
        while self.waiting and self.waiting[0] <= self.now - RETENTION:
            self.lost.append(self.waiting.pop(0))
        if self.on and self.now >= self.reads_from:
            self._read(capacity)

    def _read(self, capacity):
        for _batch in range(capacity):
            batch = self.waiting[:BATCH]
            if not batch:
                return
            self.ages.append((self.now, self.now - batch[-1]))
            if self.fails:
                return
            del self.waiting[:BATCH]
            self.flying += batch

    def seen(self):
        known = [age for at, age in self.ages if self.now - LOOK_BACK <= at <= self.now - DELAY]
        self.ages = [(at, age) for at, age in self.ages if at >= self.now - LOOK_BACK]
        waits = self.on and self.now < self.reads_from
        failing = self.fails and self.waiting and not waits
        problem = "" if self.on and not failing else "off"
        return Seen("t", "id", f"stream {self.stream}", self.now, self.begun, max(known, default=0), problem)


phases = st.lists(
    st.fixed_dictionaries(
        {
            "minutes": st.sampled_from([1, 2, 5, 7, 30, 300, 1439, 1441, 1600]),
            "on": st.booleans(),
            "fails": st.sampled_from([False, False, True]),
            "looks": st.sampled_from([True, True, True, False]),
            "wakes_after": st.integers(0, 3),
            "capacity": st.integers(1, 4),
            "writes": st.lists(st.integers(0, 59), max_size=8),
            "every": st.sampled_from([1, 1, 3, 50, 2000]),
            "replaced": st.sampled_from([False, False, False, False, True]),
        }
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=50, deadline=None)
@given(phases)
def test_it_never_claims_what_is_not_there(phases):
    """GIVEN a capture with any history WHEN looked at each minute, or not THEN what a watermark calls complete is captured."""
    capture, mark = Capture(), None
    for phase in phases:
        if phase["replaced"]:
            capture.replace_stream()
        capture.switch(phase["on"], phase["fails"], phase["wakes_after"])
        for number in range(phase["minutes"]):
            capture.minute(phase["writes"] if number % phase["every"] == 0 else (), phase["capacity"])
            if not phase["looks"]:
                continue
            before, mark = mark, advanced(mark, capture.seen(), PACE)
            assert mark.until <= capture.now and mark.since <= mark.until
            assert before is None or (mark.until >= before.until and mark.since >= before.since)
            check(mark, capture)
            if number % 50 == 0:
                mark = watermark_from(mark.as_dict())


def check(mark, capture):
    open_ones = itertools.takewhile(lambda moment: moment < mark.until, capture.waiting)
    lost = itertools.chain(open_ones, capture.flying, capture.lost[-200:])
    missing = [moment for moment in lost if mark.since <= moment < mark.until and not in_hole(mark, moment)]
    assert not missing, (mark, missing)


def in_hole(mark, moment):
    return any(hole.start <= moment < hole.end for hole in mark.holes)


def look(now, **more):
    return Seen("user-cn", "id", "stream", now, **more)


def well(mark, minutes, start, **more):
    for number in range(minutes):
        mark = advanced(mark, look(start + number * MINUTE, **more), PACE)
    return mark


def test_a_quiet_table_is_complete_up_to_the_margin():
    """GIVEN nothing to do and nothing wrong for a while THEN the watermark follows the clock, a margin behind; no hole."""
    mark = well(None, 60, START, begun=START - 10)
    assert (mark.since, mark.until, mark.holes) == (START - 10, START + 59 * MINUTE - 120, ())


def test_it_waits_until_all_has_been_well_for_a_while():
    """GIVEN a problem WHEN it is over THEN five minutes later the watermark goes on, and not before; it claims all between."""
    mark = well(None, 60, START, begun=START)
    mark = advanced(mark, look(START + HOUR, problem="off"), PACE)
    stood = mark.until
    for number in range(1, 6):
        mark = advanced(mark, look(START + HOUR + number * MINUTE), PACE)
        assert mark.until == stood
    mark = advanced(mark, look(START + HOUR + 6 * MINUTE), PACE)
    assert mark.until == START + HOUR + 6 * MINUTE - 120 and mark.holes == ()


def test_who_was_away_begins_to_trust_anew():
    mark = well(None, 60, START, begun=START)
    mark = advanced(mark, look(START + 3 * HOUR), PACE)
    assert mark.until < START + HOUR and mark.well_since == START + 3 * HOUR


def test_it_follows_the_age_of_what_is_handed_over():
    mark = well(None, 60, START, begun=START, age=1000)
    assert mark.until == START + 59 * MINUTE - 1120


def test_a_stall_of_more_than_a_day_is_a_hole():
    """GIVEN a mapping that was off for 25 hours WHEN it goes on THEN what the stream has forgotten is a hole, named; once."""
    mark = well(None, 60, START, begun=START)
    stood = mark.until
    mark = well(mark, 30, START + 26 * HOUR)
    goes_on = START + 26 * HOUR + 300
    assert mark.holes == (Hole(stood, goes_on - RETENTION, STALLED),)
    assert mark.until == START + 26 * HOUR + 29 * MINUTE - 120


def test_a_stall_of_less_than_a_day_is_made_up_for():
    mark = well(well(None, 60, START, begun=START), 30, START + 24 * HOUR)
    assert mark.holes == () and mark.until > START + 24 * HOUR


@pytest.mark.parametrize("other", [{"stream_arn": "another"}, {"table_id": "another"}])
def test_another_stream_leaves_a_hole(other):
    """GIVEN the stream switched off and on, or the table made again WHEN seen THEN there is a hole up to the new one's begin."""
    mark = well(None, 60, START, begun=START)
    began = START + 2 * HOUR
    after = advanced(mark, replace(look(began + 100, begun=began), **other), PACE)
    assert after.holes == (Hole(mark.until, began, REPLACED),)
    assert (after.since, after.until, after.stream_arn, after.table_id) == (
        START,
        began,
        other.get("stream_arn", "stream"),
        other.get("table_id", "id"),
    )


def test_an_old_stream_is_captured_from_when_it_is_seen():
    """GIVEN a stream that is older than what it keeps WHEN it is first captured THEN nothing before is claimed."""
    mark = advanced(None, look(START, begun=START - 30 * HOUR), PACE)
    assert (mark.since, mark.until) == (START, START)
    assert advanced(None, look(START, begun=0), PACE).since == START


def test_what_expires_is_claimed_no_more():
    """GIVEN a log of more than its days THEN the begin moves on, and holes before it go."""
    old = Watermark(
        "user-cn",
        "id",
        "stream",
        START,
        START + 89 * 86400,
        0,
        (Hole(START, START + 5, "x"), Hole(START, START + 10**8, "y")),
    )
    mark = advanced(old, look(START + 91 * 86400), PACE)
    assert mark.since == START + 86400 and [hole.why for hole in mark.holes] == ["y"]


class TestHoles:
    mark = advanced(None, look(START, begun=START), PACE)

    def test_a_hole_named_twice_is_one(self):
        hole = Hole(START, START + 2, "lost")
        assert self.mark.with_holes([hole]).with_holes([hole, hole]).holes == (hole,)

    def test_neighbours_of_one_cause_are_one(self):
        """GIVEN a hole a second for an hour, of one cause, and one of another THEN they are two: memory is bounded."""
        many = [Hole(START + 2 * second, START + 2 * second + 1, "unreadable") for second in range(1800)]
        found = self.mark.with_holes(many).with_holes([Hole(START, START + 1, "other")]).holes
        assert found == (Hole(START, START + 1, "other"), Hole(START, START + 3599, "unreadable"))

    def test_distant_ones_stay_apart(self):
        two = (Hole(START, START + 1, "x"), Hole(START + 2 + NEAR, START + 3 + NEAR, "x"))
        assert self.mark.with_holes(two).holes == two

    def test_very_many_become_few(self):
        """GIVEN a thousand holes, each of its own cause THEN few are left that cover them and say so."""
        many = [Hole(START + 100 * number, START + 100 * number + 5, f"batch {number}") for number in range(1000)]
        found = self.mark.with_holes(many).holes
        assert len(found) <= MOST_HOLES and found[0].why == SEVERAL + "batch 0"
        assert all(any(one.start <= hole.start and hole.end <= one.end for one in found) for hole in many)
        assert self.mark.with_holes(found).with_holes(many).holes == found

    @given(st.lists(st.tuples(st.integers(0, 999), st.integers(1, 200), st.sampled_from("ab")), max_size=20))
    def test_no_second_of_a_hole_is_lost(self, found):
        """GIVEN holes of any kind THEN each second of them is in one afterwards, in whatever order they came."""
        holes = [Hole(START + start, START + start + length, why) for start, length, why in found]
        together = self.mark.with_holes(holes)
        one_by_one = self.mark
        for hole in reversed(holes):
            one_by_one = one_by_one.with_holes([hole])
        assert together.with_holes(holes).holes == together.holes
        for hole in holes:
            for mark in (together, one_by_one):
                assert any(
                    one.start <= hole.start and hole.end <= one.end and one.why == hole.why for one in mark.holes
                )


class TestDocument:
    def test_there_and_back(self):
        mark = well(None, 30, START, begun=START).with_holes([Hole(START + 1, START + 5, "why")])
        assert watermark_from(mark.as_dict()) == mark

    def test_fractions_claim_less(self):
        mark = Watermark("t", "id", "s", START + 0.4, START + 9.9, START + 20.5, (Hole(START + 2.5, START + 3.1, "x"),))
        read = watermark_from(mark.as_dict())
        assert (read.since, read.until, read.holes) == (START + 1, START + 9, (Hole(START + 2, START + 4, "x"),))

    def test_the_key(self):
        assert key_of_watermark("user-cn") == "changes/user-cn/watermark.json"

    @pytest.mark.parametrize(
        "broken",
        [
            {},
            [],
            None,
            {"version": 2},
            {"until": "x"},
            {"since": None},
            {"holes": [{"start": 1}]},
            {"until": "2001-01-01T00:00:00Z"},
        ],
    )
    def test_anything_else_is_none(self, broken):
        good = advanced(None, look(START, begun=START), PACE).as_dict()
        document = good | broken if broken else broken
        with pytest.raises((ValueError, KeyError, TypeError)):
            watermark_from(document)
