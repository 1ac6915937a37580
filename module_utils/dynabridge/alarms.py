# SPDX-License-Identifier: MIT
"""CloudWatch alarms: as they are wanted, as they are, and what of them PutMetricAlarm has to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Option of the module cloudwatch_alarms -> member of PutMetricAlarm and of DescribeAlarms' answer.
MEMBERS = {
    "name": "AlarmName",
    "description": "AlarmDescription",
    "metric_name": "MetricName",
    "namespace": "Namespace",
    "dimensions": "Dimensions",
    "statistic": "Statistic",
    "comparison": "ComparisonOperator",
    "threshold": "Threshold",
    "period": "Period",
    "evaluation_periods": "EvaluationPeriods",
    "datapoints_to_alarm": "DatapointsToAlarm",
    "treat_missing_data": "TreatMissingData",
    "alarm_actions": "AlarmActions",
}
# Whoever silences an alarm for a while, or lets it call when all is well again, is not undone: PutMetricAlarm sets all anew.
LEFT_TO_OTHERS = ("ActionsEnabled", "OKActions", "InsufficientDataActions")
MOST_NAMES = 100  # of a call of DescribeAlarms or DeleteAlarms


def wanted_alarm(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """Members of PutMetricAlarm by the options of an alarm, in one spelling."""
    members = {MEMBERS[option]: value for option, value in alarm.items() if value is not None}
    dimensions = members.get("Dimensions") or {}
    return members | {
        "Dimensions": [{"Name": name, "Value": str(value)} for name, value in sorted(dimensions.items())],
        "Threshold": float(members["Threshold"]),
        "DatapointsToAlarm": members.get("DatapointsToAlarm") or members["EvaluationPeriods"],
        "AlarmActions": sorted(members.get("AlarmActions") or []),
    }


def found_alarm(described: Mapping[str, Any]) -> dict[str, Any]:
    """The same members of an entry of DescribeAlarms' MetricAlarms, in the same spelling."""
    members = {member: described[member] for member in MEMBERS.values() if member in described}
    return members | {
        "Dimensions": sorted(described.get("Dimensions") or [], key=lambda pair: pair["Name"]),
        "AlarmActions": sorted(described.get("AlarmActions") or []),
        # What CloudWatch takes when nobody says, which it may leave out of its answer.
        "DatapointsToAlarm": described.get("DatapointsToAlarm") or described.get("EvaluationPeriods"),
        "TreatMissingData": described.get("TreatMissingData") or "missing",
    }


def request_of(wanted: Mapping[str, Any], described: Mapping[str, Any] | None) -> dict[str, Any]:
    """Arguments of PutMetricAlarm: what is wanted, and what of the alarm that is there is left to others."""
    return {name: described[name] for name in LEFT_TO_OTHERS if described and name in described} | dict(wanted)


def chunks(names: Sequence[str]) -> Iterable[list[str]]:
    """No more names than a call takes."""
    return (list(names[start : start + MOST_NAMES]) for start in range(0, len(names), MOST_NAMES))
