# SPDX-License-Identifier: GPL-3.0-or-later
"""replication_progress waits for the counter, says how it goes, and gives up with what to look at."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.modules import replication_progress

from tests.modules.aws_fakes import aws_error, fake_client

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "action" / "replication_progress.py"


class FakeStats:
    """A stats table; each reading gives the next of ``counts``, the last one for ever."""

    def __init__(self, *counts, error=None):
        self.counts, self.reads, self.error = list(counts), 0, error

    def get_item(self, TableName, Key, ConsistentRead):
        assert (TableName, Key, ConsistentRead) == ("replicator_stats", {"PK": {"S": "replicated_count"}}, True)
        self.reads += 1
        if self.error:
            raise self.error
        count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        return {} if count is None else {"Item": {"PK": Key["PK"], "cnt": {"N": str(count)}}}


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def progress(run_module, monkeypatch):
    """progress(fake, **params) runs the module on a clock that does not wait."""
    clock = Clock()
    monkeypatch.setattr(replication_progress, "time", SimpleNamespace(time=clock, sleep=clock.sleep))
    wait = replication_progress.wait_for
    monkeypatch.setattr(
        replication_progress,
        "wait_for",
        lambda read, state, params, lines: wait(read, state, params, lines, clock, clock.sleep),
    )

    def run(fake, check=False, **params):
        client = fake_client("dynamodb", fake)
        client.meta = SimpleNamespace(region_name="cn-north-1")
        return run_module(replication_progress, client, check=check, **params)

    return run


def test_waits_until_the_counter_has_grown(progress):
    # GIVEN a counter at 100 WHEN 50 more are expected THEN the module returns once it is at 150
    result = progress(FakeStats(100, 100, 120, 120, 150), expected=50, baseline=100)
    assert (result["complete"], result["replicated"], result["count"], result["baseline"]) == (True, 50, 150, 100)
    assert result["changed"] is False
    counts = [count for _when, count in result["curve"]]
    assert counts == [0, 20, 50]
    assert result["seconds"] == pytest.approx(0.75)
    assert result["items_per_second"] == pytest.approx(66.7, abs=0.1)


def test_without_a_baseline_it_begins_where_it_stands(progress):
    result = progress(FakeStats(7, 7, 9), expected=2)
    assert (result["baseline"], result["count"]) == (7, 9)


def test_without_expectation_it_only_reads(progress):
    fake = FakeStats(42)
    result = progress(fake)
    assert (result["count"], result["complete"], fake.reads) == (42, True, 1)


def test_a_missing_row_is_zero(progress):
    assert progress(FakeStats(None))["count"] == 0


def test_check_mode_does_not_wait(progress):
    fake = FakeStats(5)
    result = progress(fake, check=True, expected=100)
    assert (result["complete"], fake.reads) == (False, 1)


def test_more_than_expected_is_complete(progress):
    assert progress(FakeStats(0, 500), expected=100)["replicated"] == 500


def test_a_standstill_is_given_up_with_what_to_look_at(progress):
    # GIVEN a counter that stops at 60 WHEN it stands still for 5 s THEN the failure names counters and places to look
    result = progress(FakeStats(10, 70), expected=100, stall_timeout=5)
    assert result["failed"]
    assert result["msg"].startswith(
        "cn-north-1: no progress for 5 s: replicated 60 of 100 "
        "(replicated_count in table replicator_stats went from 10 to 70)."
    )
    for place in ("receiver function", "sender function", "on-failure queues", "quarantine", "event source mappings"):
        assert place in result["msg"]
    assert result["replicated"] == 60


def test_progress_puts_the_standstill_off(progress):
    # GIVEN progress every 4 s WHEN the limit is 5 s THEN it goes on to the end
    steps = [count for count in range(10) for _ in range(16)]
    assert progress(FakeStats(*steps, 10), expected=10, stall_timeout=5)["complete"]


def test_time_is_up_even_with_progress(progress):
    result = progress(FakeStats(*range(1000)), expected=900, timeout=10)
    assert "not done after 10 s" in result["msg"]


def test_a_standstill_can_be_left_to_the_caller(progress):
    result = progress(FakeStats(0), expected=1, stall_timeout=1, on_stall="return", label="side")
    assert not result.get("failed")
    assert result["complete"] is False
    assert result["msg"].startswith("side: no progress for 1 s")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"expected": -1}, "expected is -1: it must be at least 0"),
        ({"timeout": 0}, "timeout is 0"),
        ({"stall_timeout": 0}, "stall_timeout is 0"),
        ({"interval": 0}, "interval is 0"),
    ],
)
def test_parameters_without_sense_are_refused(progress, params, message):
    assert message in progress(FakeStats(0), **params)["msg"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ResourceNotFoundException", "There is no table replicator_stats in cn-north-1: deploy the side first."),
        ("AccessDeniedException", "Cannot read replicated_count of table replicator_stats: "),
    ],
)
def test_a_table_that_cannot_be_read_is_named(progress, code, message):
    assert progress(FakeStats(error=aws_error(code)))["msg"].startswith(message)


def test_lines_tell_how_it_goes(progress, tmp_path):
    # GIVEN 10 s of steady progress, read four times a second WHEN followed THEN a line every 2 s and one at the end
    path = tmp_path / "lines"
    path.touch()
    progress(FakeStats(*range(0, 4100, 100)), expected=4000, baseline=0, progress_file=str(path), label="cn-north-1")
    lines = path.read_text().splitlines()
    assert lines[-1] == "cn-north-1: replicated 4,000 of 4,000 (100%), 400 items/s"
    assert lines[2] == "cn-north-1: replicated 1,700 of 4,000 (42%), 400 items/s"
    assert 5 <= len(lines) <= 7


def test_the_plugin_shows_each_line_once_as_it_comes(tmp_path, monkeypatch):
    # GIVEN a file that grows, also by half lines WHEN relayed THEN whole lines are shown once, and the last before the end
    spec = importlib.util.spec_from_file_location("progress_plugin", PLUGIN)
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    monkeypatch.setattr(plugin, "LOOK_EVERY", 0.01)
    path, shown, stop, first_seen = tmp_path / "lines", [], threading.Event(), threading.Event()
    path.write_text("one\ntw")

    def show(line):
        shown.append(line)
        first_seen.set()

    relayer = threading.Thread(target=plugin.relay, args=(str(path), stop, show))
    relayer.start()
    assert first_seen.wait(5)
    assert shown == ["one"]
    with path.open("a") as file:
        file.write("o\nthree\n")
    stop.set()
    relayer.join(5)
    assert shown == ["one", "two", "three"]
