# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudwatch_dashboard compares bodies as data, and hands on what CloudWatch says of a mistake."""

from __future__ import annotations

import json

import pytest
from ansible.modules import cloudwatch_dashboard

from tests.modules.aws_fakes import aws_error, fake_client

BODY = {"widgets": [{"type": "text", "x": 0, "y": 0, "width": 24, "height": 1, "properties": {"markdown": "# a"}}]}


class FakeCloudWatch:
    def __init__(self, **dashboards):
        self.dashboards = dashboards
        self.messages = []
        self.error = None

    def get_dashboard(self, DashboardName):
        if self.error:
            raise self.error
        if DashboardName not in self.dashboards:
            raise aws_error("ResourceNotFound", "GetDashboard")
        return {"DashboardName": DashboardName, "DashboardBody": self.dashboards[DashboardName]}

    def put_dashboard(self, DashboardName, DashboardBody):
        self.dashboards[DashboardName] = DashboardBody
        return {"DashboardValidationMessages": self.messages}

    def delete_dashboards(self, DashboardNames):
        for name in DashboardNames:
            del self.dashboards[name]


@pytest.mark.parametrize("check", [False, True])
def test_it_is_made_where_there_is_none(run_module, check):
    # GIVEN no dashboard WHEN one is wanted THEN it is made, in check mode only said
    fake = FakeCloudWatch()
    result = run_module(cloudwatch_dashboard, fake_client("cloudwatch", fake), check=check, name="d", body=BODY)
    assert (result["changed"], result["widgets"]) == (True, 1)
    assert result["diff"] == {"before": {}, "after": BODY}
    assert {name: json.loads(body) for name, body in fake.dashboards.items()} == ({} if check else {"d": BODY})


@pytest.mark.parametrize("check", [False, True])
def test_the_same_body_is_no_change(run_module, check):
    # GIVEN the body with other white space and order WHEN it is wanted THEN nothing is put
    text = json.dumps({"widgets": [dict(reversed(BODY["widgets"][0].items()))]}, indent=3)
    fake = FakeCloudWatch(d=text)
    result = run_module(cloudwatch_dashboard, fake_client("cloudwatch", fake), check=check, name="d", body=BODY)
    assert result["changed"] is False and fake.dashboards == {"d": text}


@pytest.mark.parametrize("there", ['{"widgets": []}', "no JSON"])
def test_another_body_is_replaced(run_module, there):
    fake = FakeCloudWatch(d=there)
    result = run_module(cloudwatch_dashboard, fake_client("cloudwatch", fake), name="d", body=BODY)
    assert result["changed"] is True and json.loads(fake.dashboards["d"]) == BODY


@pytest.mark.parametrize("check", [False, True])
def test_it_is_removed(run_module, check):
    # GIVEN one, and none WHEN none is wanted THEN the one goes, and a second run changes nothing
    fake = FakeCloudWatch(d=json.dumps(BODY), other="{}")
    client = fake_client("cloudwatch", fake)
    assert run_module(cloudwatch_dashboard, client, check=check, name="d", state="absent")["changed"] is True
    assert sorted(fake.dashboards) == (["d", "other"] if check else ["other"])
    assert run_module(cloudwatch_dashboard, client, check=check, name="none", state="absent")["changed"] is False


def test_a_mistake_is_told_in_cloudwatchs_words(run_module):
    fake = FakeCloudWatch()
    fake.messages = [{"DataPath": "/widgets/0/x", "Message": "must be an integer"}]
    result = run_module(cloudwatch_dashboard, fake_client("cloudwatch", fake), name="d", body=BODY)
    assert result["failed"] and "dashboard d: CloudWatch does not understand" in result["msg"]
    assert "/widgets/0/x: must be an integer" in result["msg"]


def test_a_refusal_names_the_dashboard(run_module):
    fake = FakeCloudWatch()
    fake.error = aws_error("AccessDenied", "GetDashboard")
    result = run_module(cloudwatch_dashboard, fake_client("cloudwatch", fake), name="d", body=BODY)
    assert (
        result["failed"]
        and result["msg"].startswith("dashboard d cannot be settled")
        and "AccessDenied" in result["msg"]
    )


def test_a_dashboard_without_a_body_is_refused(run_module):
    result = run_module(cloudwatch_dashboard, fake_client("cloudwatch", FakeCloudWatch()), name="d")
    assert result["failed"] and "body" in result["msg"]
