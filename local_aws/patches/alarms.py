# SPDX-License-Identifier: GPL-3.0-or-later
"""An alarm judges its own metric, period by period, and silence as it is told to.

Amazon CloudWatch User Guide, "Evaluating an alarm": the alarm looks at the datapoints of its last EvaluationPeriods, and is in
ALARM when DatapointsToAlarm of them breach. "Configuring how CloudWatch alarms treat missing data": a period without data
breaches, or does not; or the alarm keeps its state (ignore), or has INSUFFICIENT_DATA (missing), while nothing is there at all.
API Reference, PutMetricAlarm: "Alarms that evaluate metrics in the AWS/DynamoDB namespace always ignore missing data".

The emulator puts all data of a metric's name together, whatever its dimensions and periods, and an alarm that rang stays so.

Two things differ from AWS, so that nobody has to wait: periods are counted back from now, not from a full minute; and alarms
are judged when data is put and when somebody looks at them, not by a clock. AWS also looks further back than EvaluationPeriods
for data that came late; here it does not count.
"""

import operator
import time

from ministack.services import cloudwatch

from ..sides import Side

BREACHES = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
# What a period without data counts as, where it counts.
FILLED = {"breaching": True, "notBreaching": False}


def install(_side: Side) -> None:
    # The emulator calls it for each alarm when data is put.
    cloudwatch._evaluate_alarm = judge
    emulator_describe = cloudwatch._describe_alarms

    def look_and_describe(*arguments):
        cloudwatch._evaluate_all_alarms()
        return emulator_describe(*arguments)

    cloudwatch._describe_alarms = look_and_describe


def judge(alarm: dict) -> None:
    """Bring the alarm into the state that its data asks for, and tell whom a change concerns."""
    if not alarm.get("MetricName"):  # an alarm on an expression: the emulator knows none
        return
    values = _values(alarm, time.time())
    state = _state(alarm, values)
    if state != alarm["StateValue"]:
        _change(alarm, state, values)


def _values(alarm: dict, now: float) -> list[float | None]:
    """The statistic of each period, the newest first; None where nothing is."""
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm["Dimensions"]))
    key = (alarm["Namespace"], alarm["MetricName"], dimensions)
    periods: list[list[dict]] = [[] for _ in range(alarm["EvaluationPeriods"])]
    for point in cloudwatch._metrics.get(key) or ():
        past = int((now - point["Timestamp"]) // alarm["Period"])
        if 0 <= past < len(periods) and alarm.get("Unit") in (None, "", point["Unit"]):
            periods[past].append(point)
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    return [
        cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points) if points else None
        for points in periods
    ]


def _state(alarm: dict, values: list[float | None]) -> str:
    breaches = BREACHES[alarm["ComparisonOperator"]]
    found = [breaches(value, alarm["Threshold"]) for value in values if value is not None]
    needed = alarm.get("DatapointsToAlarm") or len(values)
    treatment = "ignore" if alarm["Namespace"] == "AWS/DynamoDB" else alarm["TreatMissingData"]
    if treatment in FILLED:
        found += [FILLED[treatment]] * (len(values) - len(found))
    elif not found:
        return alarm["StateValue"] if treatment == "ignore" else "INSUFFICIENT_DATA"
    return "ALARM" if sum(found) >= min(needed, len(found)) else "OK"


def _change(alarm: dict, state: str, values: list[float | None]) -> None:
    old = alarm["StateValue"]
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    reason = (
        f"{statistic} of the last {len(values)} periods: {values}; {alarm['ComparisonOperator']} {alarm['Threshold']}"
    )
    alarm |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
    cloudwatch._record_history(alarm["AlarmName"], old, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)
