# SPDX-License-Identifier: GPL-3.0-or-later
"""Which exports to ask for: whatever happened before, after the plan every second since the last full backup is held."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dynabridge.backup_plan import LONGEST_WINDOW, SHORTEST_WINDOW, Wanted, token_of, wanted_exports
from dynabridge.catalogue import DAMAGED, FAILED, RUNNING, UNVERIFIED, VERIFIED, Backup, Span, carried
from dynabridge.errors import BackupError
from dynabridge.exports import FULL, INCREMENTAL
from tests.export_files import TABLE_ID, table_arn

START = 1763690400  # 2025-11-21T02:00:00Z
MINUTE, HOUR, DAY = 60, 3600, 86400
HOPEFUL = [VERIFIED, RUNNING, UNVERIFIED]
NONE = Backup("b", "user-cn", "x", "d", "f", table_id=TABLE_ID)


def full(moment, state=VERIFIED):
    return replace(NONE, kind=FULL, moment=START + moment, state=state)


def window(start, end, state=VERIFIED):
    return replace(NONE, kind=INCREMENTAL, start=START + start, moment=START + end, state=state)


def plan(backups, now, earliest=0, kind=INCREMENTAL):
    """The windows asked for, from START on."""
    return [
        (wanted.window.start - START, wanted.window.end - START)
        for wanted in wanted_exports(backups, kind, START + now, START + earliest)
    ]


fulls = st.builds(full, st.integers(0, 4 * DAY * 10).map(lambda tenth: tenth / 10), st.sampled_from([*HOPEFUL, FAILED]))
windows = st.builds(
    lambda start, length, state: window(start, start + length, state),
    st.integers(-DAY, 5 * DAY),
    st.integers(SHORTEST_WINDOW, LONGEST_WINDOW),
    st.sampled_from([*HOPEFUL, VERIFIED, FAILED, DAMAGED]),
)


@st.composite
def histories(draw):
    """Backups of up to a week, and the time it is now: later than all of them."""
    backups = draw(st.lists(fulls, min_size=1, max_size=4)) + draw(st.lists(windows, max_size=10))
    assume(any(backup.kind == FULL and backup.state in HOPEFUL for backup in backups))
    latest = max(backup.moment for backup in backups)
    return backups, latest + draw(st.integers(0, 3 * DAY * 10)) / 10


class TestPlan:
    @given(st.lists(st.tuples(st.integers(1, 2 * DAY), st.booleans(), st.integers(0, 7)), max_size=12))
    def test_what_is_taken_by_plan_carries_the_newest_full_backup_on(self, runs):
        """GIVEN runs at any times, of either kind, parts of which failed WHEN the next two go well THEN the newest full backup is
        carried on to at most 15 minutes ago, by a chain that leaves nothing out."""
        backups, now = [full(0.5)], 0.0
        for later, is_full, bad in [*runs, (HOUR, False, 0), (HOUR, False, 0)]:
            now += later
            if is_full:
                backups.append(full(now + 0.3, VERIFIED if bad < 6 else FAILED))
                continue
            for number, wanted in enumerate(wanted_exports(backups, INCREMENTAL, START + now)):
                state = FAILED if bad and number % bad == 0 else VERIFIED
                backups.append(
                    replace(NONE, kind=INCREMENTAL, start=wanted.window.start, moment=wanted.window.end, state=state)
                )
        newest = max((b for b in backups if b.kind == FULL and b.state == VERIFIED), key=lambda b: b.moment)
        assert max(carried(newest, backups)) >= START + now - SHORTEST_WINDOW

    @given(histories())
    def test_windows_are_such_as_dynamodb_takes(self, history):
        """GIVEN any history THEN windows last 15 minutes to 24 hours, in whole seconds, and do not end in the future."""
        backups, now = history
        edges = [wanted.window for wanted in wanted_exports(backups, INCREMENTAL, now)]
        for start, end in edges:
            assert start == int(start) and end == int(end) <= now
            assert SHORTEST_WINDOW <= end - start <= LONGEST_WINDOW
        assert edges == sorted(edges)

    @given(histories(), st.integers(0, 14 * MINUTE))
    def test_asked_again_at_once_there_is_nothing_to_do(self, history, later):
        """GIVEN a plan that was carried out WHEN planned again within 15 minutes THEN it is not asked for again."""
        backups, now = history
        wanted = wanted_exports(backups, INCREMENTAL, now)
        begun = [replace(NONE, kind=INCREMENTAL, start=one.window.start, moment=one.window.end) for one in wanted]
        again = wanted_exports(backups + begun, INCREMENTAL, now + later)
        assert not {one.window for one in again} & {one.window for one in wanted}
        assert len(again) <= 1, "at most what was too short before"
        assert wanted_exports(backups + begun, INCREMENTAL, now) == []

    def test_the_hours_since_the_last_one(self):
        assert plan([full(0.5)], HOUR) == [(0, HOUR)]
        assert plan([full(0.5), window(0, HOUR)], 2 * HOUR + 0.7) == [(HOUR, 2 * HOUR)]

    def test_too_early_is_nothing(self):
        assert plan([full(0)], SHORTEST_WINDOW - 1) == [] and plan([full(0)], SHORTEST_WINDOW) == [(0, SHORTEST_WINDOW)]

    def test_a_failed_window_is_asked_for_again(self):
        """GIVEN a window that failed, with good ones after it THEN just that one, and what is new."""
        backups = [full(0), window(0, HOUR), window(HOUR, 2 * HOUR, FAILED), window(2 * HOUR, 3 * HOUR, RUNNING)]
        assert plan(backups, 4 * HOUR) == [(HOUR, 2 * HOUR), (3 * HOUR, 4 * HOUR)]

    def test_a_hole_too_short_for_a_window_reaches_into_what_follows(self):
        backups = [full(0), window(0, HOUR), window(HOUR + MINUTE, 2 * HOUR)]
        assert plan(backups, 2 * HOUR) == [(HOUR, 2 * HOUR)]

    def test_a_week_without_any_is_made_up_for_in_days(self):
        edges = plan([full(0)], 7 * DAY + 1)
        assert len(edges) == 8 and edges[0][0] == 0 and edges[-1][1] == 7 * DAY + 1
        assert plan([full(0)], 7 * DAY) == [(day * DAY, (day + 1) * DAY) for day in range(7)]

    def test_the_chain_goes_on_over_a_new_full_backup(self):
        """GIVEN a full backup since the last window THEN the next one begins where that ended: the older full reaches on; and
        one more begins at the new full backup and ends with it: both chains go on together."""
        backups = [full(0), window(0, 2 * HOUR), full(3 * HOUR)]
        assert plan(backups, 4 * HOUR) == [(2 * HOUR, 4 * HOUR), (3 * HOUR, 4 * HOUR)]
        backups += [window(2 * HOUR, 4 * HOUR), window(3 * HOUR, 4 * HOUR)]
        assert plan(backups, 5 * HOUR) == [(4 * HOUR, 5 * HOUR)]

    def test_a_full_backup_of_just_now_waits_for_the_next_window(self):
        backups = [full(0), window(0, 2 * HOUR), full(4 * HOUR - MINUTE)]
        assert plan(backups, 4 * HOUR) == [(2 * HOUR, 4 * HOUR)]
        assert plan([*backups, window(2 * HOUR, 4 * HOUR)], 5 * HOUR) == [
            (4 * HOUR - MINUTE, 5 * HOUR),
            (4 * HOUR, 5 * HOUR),
        ]

    def test_a_chain_that_ended_long_ago_is_left(self):
        """GIVEN no window for days before the last full backup THEN that one begins a new chain."""
        assert plan([full(0), window(0, HOUR), full(3 * DAY)], 3 * DAY + HOUR) == [(3 * DAY, 3 * DAY + HOUR)]

    def test_a_verified_full_backup_is_followed_rather_than_a_hoped_for_one(self):
        assert plan([full(0), full(2 * HOUR, RUNNING)], 3 * HOUR) == [(0, 3 * HOUR)]
        assert plan([full(2 * HOUR, RUNNING)], 3 * HOUR) == [(2 * HOUR, 3 * HOUR)]

    def test_a_full_one_needs_nothing(self):
        assert wanted_exports([], FULL, START) == [Wanted(FULL)]


class TestRefused:
    @pytest.mark.parametrize("backups", [[], [full(0, FAILED)], [full(0, DAMAGED), window(0, HOUR)], [window(0, HOUR)]])
    def test_without_a_full_backup(self, backups):
        with pytest.raises(
            BackupError, match="has no full backup that incrementals could follow: take a full one first"
        ):
            plan(backups, 2 * HOUR)

    def test_where_recovery_begins_after_the_full_backup(self):
        """GIVEN recovery that was off since the full backup THEN the changes are lost, and a new one is asked for."""
        with pytest.raises(
            BackupError, match=r"can be recovered only from 2025-11-21T03:00:00Z on.*take a full one first"
        ):
            plan([full(0)], 2 * HOUR, earliest=HOUR)

    def test_a_full_backup_after_that_begins_a_new_chain(self):
        """GIVEN recovery off and on again, and a full backup since THEN incrementals follow it, though a chain ended before."""
        backups = [full(0), window(0, HOUR), full(3 * HOUR)]
        assert plan(backups, 4 * HOUR, earliest=2 * HOUR) == [(3 * HOUR, 4 * HOUR)]
        assert plan(backups, 4 * HOUR, earliest=HOUR) == [(HOUR, 4 * HOUR), (3 * HOUR, 4 * HOUR)]


class TestTokens:
    ARN, PLACE = table_arn(), "daily/2026/11/21/user-cn"
    WINDOW = Wanted(INCREMENTAL, Span(START, START + HOUR))

    def test_the_same_request_of_a_run_has_the_same(self):
        one = token_of(self.ARN, Wanted(FULL), self.PLACE, "run-1")
        assert one == token_of(self.ARN, Wanted(FULL), self.PLACE, "run-1")
        assert len(one) == 36

    def test_another_one_has_another(self):
        """GIVEN another run, table, day or kind THEN another token: each is an export of its own."""
        tokens = [
            token_of(self.ARN, Wanted(FULL), self.PLACE, "run-1"),
            token_of(self.ARN, Wanted(FULL), self.PLACE, "run-2"),
            token_of(self.ARN + "2", Wanted(FULL), self.PLACE, "run-1"),
            token_of(self.ARN, Wanted(FULL), "daily/2026/11/22/user-cn", "run-1"),
            token_of(self.ARN, self.WINDOW, self.PLACE, "run-1"),
            token_of(self.ARN, Wanted(INCREMENTAL, Span(START, START + HOUR + 1)), self.PLACE, "run-1"),
        ]
        assert len(set(tokens)) == len(tokens)

    def test_two_runs_share_a_window(self):
        one, other = (token_of(self.ARN, self.WINDOW, self.PLACE, run) for run in ("run-1", "run-2"))
        assert one == other

    @pytest.mark.parametrize("state", [FAILED, DAMAGED])
    def test_a_window_that_failed_is_another_request(self, state):
        """GIVEN a failed window WHEN asked for again THEN by another token: the old one would give the failed export."""
        backups = [full(0), window(HOUR, 2 * HOUR, state), window(2 * HOUR, 3 * HOUR)]
        first, again = (
            wanted_exports([full(0), window(0, HOUR), *failed], INCREMENTAL, START + 3 * HOUR)[0]
            for failed in ([window(2 * HOUR, 3 * HOUR)], backups[1:])
        )
        assert first.window == again.window and (first.attempt, again.attempt) == (0, 1)
        assert token_of(self.ARN, first, self.PLACE, "") != token_of(self.ARN, again, self.PLACE, "")
