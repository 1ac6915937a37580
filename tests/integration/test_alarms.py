# SPDX-License-Identifier: GPL-3.0-or-later
"""Every alarm that deploy.yml makes rings by data that breaches, tells its topic, and is quiet again."""

import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.support import eventually
from tests.topics import changes_heard, listened_topic

# The bridge and other tests put data and silence alarms: these ring in a region where nothing is, as they were deployed.
ELSEWHERE = {"cn": "cn-northwest-1", "sg": "eu-central-1"}
# Data so old leaves what an alarm looks at after these seconds; what is put must be judged within them, or is put again.
MARGIN = 5
BELOW = ("LessThanThreshold", "LessThanOrEqualToThreshold")
STRICT = ("GreaterThanThreshold", "LessThanThreshold")


class Copies:
    """The alarms of a side in another region, with a topic there, and a queue that listens to it."""

    def __init__(self, pair, side):
        self.clients = {
            name: pair.session(side).client(
                name, region_name=ELSEWHERE[side], endpoint_url=pair.sides[side]["endpoint_url"]
            )
            for name in ("cloudwatch", "sns", "sqs")
        }
        self.cloudwatch = self.clients["cloudwatch"]
        self.topic, self.queue = listened_topic(self.clients["sns"], self.clients["sqs"], "alarms-rung")
        self.alarms = [self._copy(alarm) for alarm in deployed(pair, side)]
        self.rang: set[str] = set()

    def _copy(self, alarm):
        assert [arn.rpartition(":")[2] for arn in alarm["AlarmActions"]] == ["dynabridge-alarms"]
        members = self.cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
        settings = {name: alarm[name] for name in members if name in alarm}
        self.cloudwatch.put_metric_alarm(**settings | {"AlarmActions": [self.topic]})
        return alarm

    def put(self, data_of):
        """Data of each alarm: its values and their ages in seconds."""
        data = defaultdict(list)
        for alarm in self.alarms:
            about = {"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"]}
            for value, age in data_of(alarm):
                data[alarm["Namespace"]].append((about | {"Value": value}, age))
        for namespace, found in data.items():
            now = datetime.now(UTC)
            some = [datum | {"Timestamp": now - timedelta(seconds=age)} for datum, age in found]
            self.cloudwatch.put_metric_data(Namespace=namespace, MetricData=some)

    def not_in(self, state):
        pages = self.cloudwatch.get_paginator("describe_alarms").paginate()
        found = {alarm["AlarmName"]: alarm["StateValue"] for page in pages for alarm in page["MetricAlarms"]}
        assert len(found) == len(self.alarms)
        return {name: now for name, now in found.items() if now != state}

    def heard(self):
        """Names of the alarms that told the topic that they were OK and ring."""
        changes = changes_heard(self.clients["sqs"], self.queue)
        self.rang |= {name for name, old, new in changes if (old, new) == ("OK", "ALARM")}
        return self.rang

    def remove(self):
        self.cloudwatch.delete_alarms(AlarmNames=[alarm["AlarmName"] for alarm in self.alarms])
        self.clients["sns"].delete_topic(TopicArn=self.topic)
        self.clients["sqs"].delete_queue(QueueUrl=self.queue)


def deployed(pair, side):
    pages = pair.client(side, "cloudwatch").get_paginator("describe_alarms")
    found = pages.paginate(AlarmNamePrefix=f"dynabridge-{side}-")
    return [alarm for page in found for alarm in page["MetricAlarms"]]


@pytest.fixture
def copies(deployed_pair, request):
    made = Copies(deployed_pair, request.param)
    yield made
    made.remove()


def good(alarm):
    """Just not enough, now."""
    assert alarm["ComparisonOperator"] in STRICT, "equal is good"
    yield alarm["Threshold"], 0


def bad(alarm):
    """Just enough, so old that it is soon forgotten: in as many periods as are needed, from the oldest on."""
    value = alarm["Threshold"] + (-1 if alarm["ComparisonOperator"] in BELOW else 1)
    for number in range(alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])):
        yield value, (alarm["EvaluationPeriods"] - number) * alarm["Period"] - MARGIN


@pytest.mark.parametrize("copies", ["cn", "sg"], indirect=True)
def test_each_alarm_rings_is_heard_and_is_quiet_again(copies):
    """GIVEN the alarms of a side, all of them, and good data WHEN data breaches THEN each rings and its topic hears it; when
    the data is over THEN each is OK."""
    assert len(copies.alarms) > 20
    copies.put(good)
    assert copies.not_in("OK") == {}

    def all_ring():
        copies.put(bad)
        return not copies.not_in("ALARM")

    eventually(all_ring)
    names = {alarm["AlarmName"] for alarm in copies.alarms}
    eventually(lambda: copies.heard() == names)
    time.sleep(MARGIN)
    eventually(lambda: copies.not_in("OK") == {})
