# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudwatch_alarms reads a set of alarms at once, writes what differs, and leaves to others what is theirs."""

from __future__ import annotations

import pytest
from ansible.modules import cloudwatch_alarms

from tests.modules.aws_fakes import aws_error, calls_of, fake_client

RINGS = {"name": "d-rings", "metric_name": "M", "namespace": "N", "threshold": 0, "dimensions": {"b": 1, "a": "x"}}
QUIET = {"name": "d-quiet", "metric_name": "M", "namespace": "N", "threshold": 2.5, "alarm_actions": ["arn:2", "arn:1"]}


class FakeCloudWatch:
    """Answers as CloudWatch does: what was never said is left out."""

    def __init__(self):
        self.alarms = {}
        self.error = None

    def describe_alarms(self, AlarmTypes, AlarmNames=None, AlarmNamePrefix=None, **_page):
        assert AlarmTypes == ["MetricAlarm"]
        if self.error:
            raise self.error
        wanted = [
            alarm
            for name, alarm in self.alarms.items()
            if (name in AlarmNames if AlarmNames else name.startswith(AlarmNamePrefix))
        ]
        return {"MetricAlarms": [dict(alarm, StateValue="OK") for alarm in wanted]}

    def put_metric_alarm(self, **alarm):
        self.alarms[alarm["AlarmName"]] = alarm

    def delete_alarms(self, AlarmNames):
        for name in AlarmNames:
            del self.alarms[name]


@pytest.fixture
def fake():
    return FakeCloudWatch()


@pytest.fixture
def settle(run_module, fake):
    """settle(*alarms, **params) runs the module; settle.client has its calls."""
    client = fake_client("cloudwatch", fake)

    def run(*alarms, check=False, **params):
        client.reset_mock()
        return run_module(cloudwatch_alarms, client, check=check, alarms=list(alarms), **params)

    run.client = client
    return run


@pytest.mark.parametrize("check", [False, True])
def test_they_are_made_where_there_are_none(settle, fake, check):
    # GIVEN no alarms WHEN two are wanted THEN both are made, in check mode only said
    result = settle(RINGS, QUIET, check=check)
    assert result["changed"] and result["names_changed"] == ["d-rings", "d-quiet"]
    assert result["diff"]["before"] == {} and list(result["diff"]["after"]) == ["d-rings", "d-quiet"]
    assert sorted(fake.alarms) == ([] if check else ["d-quiet", "d-rings"])
    if not check:
        assert fake.alarms["d-rings"]["Dimensions"] == [{"Name": "a", "Value": "x"}, {"Name": "b", "Value": "1"}]


def test_a_second_time_is_no_change_and_one_call(settle, fake):
    # GIVEN what a first run made, in another order of dimensions and actions, without what CloudWatch may leave out
    settle(RINGS, QUIET)
    fake.alarms["d-rings"]["Dimensions"].reverse()
    fake.alarms["d-quiet"]["AlarmActions"].reverse()
    del fake.alarms["d-quiet"]["DatapointsToAlarm"], fake.alarms["d-quiet"]["TreatMissingData"]
    # WHEN they are wanted again THEN nothing is written
    result = settle(RINGS, QUIET)
    assert (result["changed"], result["names_changed"]) == (False, [])
    assert calls_of(settle.client, "describe", "put", "delete") == ["describe_alarms"]


@pytest.mark.parametrize(
    "other",
    [
        {"threshold": 1},
        {"dimensions": {}},
        {"treat_missing_data": "breaching"},
        {"alarm_actions": ["arn:3"]},
        {"evaluation_periods": 5, "datapoints_to_alarm": 2},
        {"description": "Something else."},
    ],
)
def test_one_that_differs_is_written_and_no_other(settle, fake, other):
    settle(RINGS, QUIET)
    result = settle(RINGS | other, QUIET)
    assert result["names_changed"] == ["d-rings"]
    assert list(result["diff"]["before"]) == list(result["diff"]["after"]) == ["d-rings"]
    assert settle(RINGS | other, QUIET)["changed"] is False
    assert settle(RINGS, QUIET)["names_changed"] == ["d-rings"]


def test_what_others_set_stays(settle, fake):
    # GIVEN an alarm that somebody silenced, and lets call when all is well WHEN its threshold changes THEN both stay
    settle(RINGS)
    theirs = {"ActionsEnabled": False, "OKActions": ["arn:theirs"]}
    fake.alarms["d-rings"].update(theirs)
    assert settle(RINGS)["changed"] is False
    settle(RINGS | {"threshold": 7})
    assert fake.alarms["d-rings"].items() >= {**theirs, "Threshold": 7.0}.items()


@pytest.mark.parametrize("check", [False, True])
def test_those_no_longer_wanted_go(settle, fake, check):
    # GIVEN alarms of two tables, and another's WHEN those of one table are wanted THEN only the other table's go
    settle(RINGS, QUIET, RINGS | {"name": "theirs"})
    result = settle(RINGS, purge_prefixes=["d-"], check=check)
    assert result["names_changed"] == ["d-quiet"] and list(result["diff"]["before"]) == ["d-quiet"]
    assert sorted(fake.alarms) == (["d-quiet", "d-rings", "theirs"] if check else ["d-rings", "theirs"])


@pytest.mark.parametrize("check", [False, True])
def test_all_are_removed(settle, fake, check):
    settle(RINGS, QUIET)
    assert settle(RINGS, QUIET, state="absent", check=check)["names_changed"] == ["d-quiet", "d-rings"]
    assert sorted(fake.alarms) == (["d-quiet", "d-rings"] if check else [])
    fake.alarms.clear()
    assert settle(RINGS, QUIET, state="absent", check=check)["changed"] is False


def test_more_than_a_call_takes(settle, fake):
    # GIVEN 205 alarms WHEN they are made and removed THEN no call names more than a hundred
    many = [RINGS | {"name": f"d-{number}"} for number in range(205)]
    settle(*many)
    assert len(fake.alarms) == 205 and len(calls_of(settle.client, "describe")) == 3
    settle(*many, state="absent")
    assert fake.alarms == {} and len(calls_of(settle.client, "delete")) == 3
    named = [len(call.kwargs["AlarmNames"]) for call in settle.client.delete_alarms.call_args_list]
    assert named == [100, 100, 5]


def test_a_name_that_is_there_twice_is_refused(settle, fake):
    result = settle(RINGS, QUIET, RINGS)
    assert result["failed"] and "more than one of the name d-rings" in result["msg"] and fake.alarms == {}


def test_a_refusal_is_told(settle, fake):
    fake.error = aws_error("AccessDenied", "DescribeAlarms")
    result = settle(RINGS)
    assert result["failed"] and "the alarms cannot be settled" in result["msg"] and "AccessDenied" in result["msg"]
