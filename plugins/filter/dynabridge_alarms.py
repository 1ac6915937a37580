# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter for alarms: from a role's list to what the module cloudwatch_alarms takes."""


def alarms(entries, side, defaults):
    """entries: shaped as replication_alarms_list. defaults: what an alarm has that says nothing else, and its topic."""
    return [_alarm({**defaults, **entry}, side) for entry in entries]


def _alarm(entry, side):
    return {
        "name": f"dynabridge-{side}-{entry.get('name', entry['metric'])}",
        "description": f"Side {side}: {entry['means']} See {entry['page']}.",
        "metric_name": entry["metric"],
        "namespace": entry["namespace"],
        "dimensions": entry["dimensions"],
        "statistic": entry.get("statistic", "Sum"),
        "comparison": entry.get("comparison", "GreaterThanThreshold"),
        "threshold": entry["threshold"],
        "period": entry["period_seconds"],
        "evaluation_periods": entry["evaluation_periods"],
        "datapoints_to_alarm": entry["datapoints_to_alarm"],
        # Most metrics are published when there is cause: no news is good news, unless the alarm says otherwise.
        "treat_missing_data": entry.get("missing_data", "notBreaching"),
        "alarm_actions": [entry["topic_arn"]] if entry["topic_arn"] else [],
    }


class FilterModule:
    def filters(self):
        return {"dynabridge_alarms": alarms}
