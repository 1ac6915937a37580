# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sides end equal, with nothing that wins missing, after any history; the plain rule does not."""

import contextlib
import io

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.convergence.bridges import FullRule, PlainRule
from tests.convergence.histories import Histories


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


class PlainRuleHistories(Histories):
    make_bridge = PlainRule
    ways = ("application",)

    def _must_hold(self):
        self._equal("after all has arrived")


def test_500_histories_end_equal():
    """GIVEN puts, updates, deletes, re-inserts, copies, writes without stamps, equal stamps, clocks off by five minutes,
    delays, repetitions, reordering, quarantine, crashes and writers in between WHEN all has arrived THEN both sides are equal."""
    run(FullRuleHistories, 500)


@pytest.mark.long
def test_10_000_histories_end_equal():
    run(FullRuleHistories, 10_000)


def test_the_plain_rule_diverges():
    """GIVEN the same histories WHEN the plain rule (strict <, no memory of deletes) runs them THEN a difference is found:
    the test above can fail."""
    with pytest.raises(AssertionError, match="cn has"):
        run(PlainRuleHistories, 500)
