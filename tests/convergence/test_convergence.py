# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sides end equal, with nothing that wins missing, after any history; the plain rule does not."""

import contextlib
import io

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from dynabridge.clock import issued
from dynabridge.stamps import read_stamp
from tests.convergence.bridges import FullRule, PlainRule
from tests.convergence.histories import NAMES, PAIR, Histories


def bounded(histories, steps=40):
    return settings(
        max_examples=histories,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        report_multiple_bugs=False,
    )


def run(histories, number):
    with contextlib.redirect_stdout(io.StringIO()):
        run_state_machine_as_test(histories, settings=bounded(number))


class FullRuleHistories(Histories):
    make_bridge = FullRule


class PerfectClocks(FullRuleHistories):
    """No clock is off, no two stamps are equal, nobody puts back what was: then the latest write is plain to see."""

    ways = ("application",)
    put_back_an_old_version = put_with_milliseconds = None

    def begin_world(self):
        self.world.fine = True
        for side in self.sides.values():
            side.writer_offset = side.bridge_offset = 0

    def _must_hold(self):
        super()._must_hold()
        lifted = [item for items in self.world.seen.values() for item in items if self._given(item)]
        assert not lifted, f"a stamp was given where every writer's was right: {lifted}"

    @staticmethod
    def _given(item):
        return issued(read_stamp(item, NAMES), PAIR, {"PK": item["PK"]})

    def _what_comes_last_stands(self):
        """With a clock that is behind, which is not for here."""


class PlainRuleHistories(Histories):
    make_bridge = PlainRule
    ways = ("application",)

    def _must_hold(self):
        self._equal("after all has arrived")


def test_500_histories_end_equal():
    """GIVEN puts, updates, deletes, re-inserts, copies, writes without stamps, equal stamps, clocks off by five minutes,
    delays, repetitions, reordering, quarantine, crashes and writers in between WHEN all has arrived THEN both sides are equal."""
    run(FullRuleHistories, 500)


def test_with_perfect_clocks_the_latest_write_or_delete_stands():
    """GIVEN the same histories on perfect clocks THEN no late write comes back by being taken for a new one."""
    run(PerfectClocks, 300)


@pytest.mark.long
def test_10_000_histories_end_equal():
    run(FullRuleHistories, 10_000)


def test_the_plain_rule_diverges():
    """GIVEN the same histories WHEN the plain rule (strict <, no memory of deletes) runs them THEN a difference is found:
    the test above can fail."""
    with pytest.raises(AssertionError, match="cn has"):
        run(PlainRuleHistories, 500)
