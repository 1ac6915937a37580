# SPDX-License-Identifier: GPL-3.0-or-later
"""What an alarm makes of data, of silence, and whom it tells (`local_aws.patches.alarms`)."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.local_aws.functions import eventually
from tests.topics import changes_heard, listened_topic

MINUTE = 60
# Ages in seconds lie in the midst of a period: the machine may be slow.
THIS, BEFORE, LONG_AGO = 20, 80, 1000
TWO_OF_THREE = {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}


class Alarm:
    """An alarm on a metric of the test's own; it rings above 5, by the sum of a minute, unless told otherwise."""

    def __init__(self, pair, name, side="cn", **settings):
        self.cloudwatch, self.name = pair.client(side, "cloudwatch"), name
        self.namespace = settings.pop("Namespace", "Trial")
        self.settings = {
            "AlarmName": name, "Namespace": self.namespace, "MetricName": name, "Period": MINUTE, "EvaluationPeriods": 1,
            "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
            "Dimensions": [{"Name": "of", "Value": "this"}],
        } | ({} if "ExtendedStatistic" in settings else {"Statistic": "Sum"}) | settings  # fmt: skip
        self.cloudwatch.put_metric_alarm(**self.settings)

    def put(self, value, age=THIS, of="this"):
        when = datetime.now(UTC) - timedelta(seconds=age)
        datum = {"MetricName": self.name, "Value": value, "Timestamp": when}
        dimensions = [{"Name": "of", "Value": of}]
        self.cloudwatch.put_metric_data(Namespace=self.namespace, MetricData=[datum | {"Dimensions": dimensions}])

    @property
    def state(self):
        (found,) = self.cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"]
        return found["StateValue"]


@pytest.mark.parametrize("side", ["cn", "sg"])
def test_an_alarm_hears_its_own_metric_only(pair, unique, side):
    """GIVEN an alarm on a metric of one thing WHEN another thing has that metric THEN it is quiet; its own makes it ring."""
    alarm = Alarm(pair, unique, side)
    alarm.put(9, of="another")
    assert alarm.state == "OK"
    alarm.put(9)
    assert alarm.state == "ALARM"


@pytest.mark.parametrize(
    ("settings", "points", "state"),
    [
        pytest.param({}, [(3, THIS), (3, THIS)], "ALARM", id="what one period holds is added up"),
        pytest.param({}, [(3, THIS), (3, BEFORE)], "OK", id="what two periods hold is not"),
        pytest.param({}, [(9, LONG_AGO)], "OK", id="what is too old does not count"),
        pytest.param({}, [(5, THIS)], "OK", id="equal is not above"),
        pytest.param({"ComparisonOperator": "GreaterThanOrEqualToThreshold"}, [(5, THIS)], "ALARM", id="at least"),
        pytest.param({"ComparisonOperator": "LessThanThreshold"}, [(4, THIS)], "ALARM", id="below"),
        pytest.param(TWO_OF_THREE, [(9, THIS)], "OK", id="one of three"),
        pytest.param(TWO_OF_THREE, [(9, THIS), (9, THIS + 2 * MINUTE)], "ALARM", id="two of three"),
        pytest.param({"EvaluationPeriods": 2}, [(9, THIS), (1, BEFORE)], "OK", id="all, where nothing else is said"),
        pytest.param({"Statistic": "Maximum"}, [(3, THIS), (3, THIS)], "OK", id="maximum"),
        pytest.param({"Statistic": "Minimum"}, [(9, THIS), (3, THIS)], "OK", id="minimum"),
        pytest.param({"ExtendedStatistic": "p50"}, [(1, THIS), (2, THIS), (99, THIS)], "OK", id="median"),
        pytest.param({"ExtendedStatistic": "p99"}, [(1, THIS), (2, THIS), (99, THIS)], "ALARM", id="percentile"),
    ],
)
def test_data_is_judged_period_by_period(pair, unique, settings, points, state):
    alarm = Alarm(pair, unique, **settings)
    for value, age in points:
        alarm.put(value, age)
    assert alarm.state == state


@pytest.mark.parametrize("before", ["OK", "ALARM"])
@pytest.mark.parametrize(
    ("treatment", "namespace", "state"),
    [
        ("breaching", "Trial", "ALARM"),
        ("notBreaching", "Trial", "OK"),
        ("missing", "Trial", "INSUFFICIENT_DATA"),
        ("ignore", "Trial", None),
        ("notBreaching", "AWS/DynamoDB", None),
    ],
)
def test_silence_is_judged_as_the_alarm_says(pair, unique, treatment, namespace, state, before):
    """GIVEN an alarm without data, in either state WHEN it is judged THEN silence breaches, or not, or tells nothing; DynamoDB's
    metrics are always told to tell nothing."""
    alarm = Alarm(pair, unique, TreatMissingData=treatment, Namespace=namespace)
    alarm.cloudwatch.set_alarm_state(AlarmName=unique, StateValue=before, StateReason="trial")
    assert alarm.state == (state or before)


def test_whoever_listens_is_told_once_of_each_change(pair, unique):
    """GIVEN an alarm with a topic for both WHEN it rings, goes on, and is quiet again THEN each change is heard once."""
    topic, queue = listened_topic(pair.client("cn", "sns"), pair.client("cn", "sqs"), unique)
    # The period is nearly over for what rings, so it is soon forgotten.
    alarm = Alarm(pair, unique, AlarmActions=[topic], OKActions=[topic])
    alarm.put(0)
    assert alarm.state == "OK"
    alarm.put(9, MINUTE - 5)
    alarm.put(9, MINUTE - 5)
    assert alarm.state == "ALARM"
    eventually(lambda: alarm.state, lambda state: state == "OK", 60)
    heard = changes_heard(pair.client("cn", "sqs"), queue)
    assert sorted(heard) == [(unique, "ALARM", "OK"), (unique, "INSUFFICIENT_DATA", "OK"), (unique, "OK", "ALARM")]
