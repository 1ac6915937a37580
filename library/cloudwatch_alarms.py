# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: a set of CloudWatch alarms, read in one call, and only what differs written."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudwatch_alarms
short_description: Create, change or remove a set of CloudWatch alarms
version_added: 0.1.0
description:
  - >-
    Looks at all alarms of the set in one call, a hundred names each, and writes those that differ. An alarm a task, as
    M(amazon.aws.cloudwatch_metric_alarm) has it, costs a process and two calls for each of them on every run.
  - Removes alarms of the same kind that are no longer wanted, see O(purge_prefixes).
  - >-
    What others may have set on an alarm stays: whether its actions are enabled, and its actions for the states C(OK) and
    C(INSUFFICIENT_DATA).
  - >-
    Needs C(cloudwatch:DescribeAlarms), C(cloudwatch:PutMetricAlarm), and C(cloudwatch:DeleteAlarms) to remove any.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  alarms:
    description: The alarms, on metrics.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the alarm.
        type: str
        required: true
      description:
        description: What it means that it rings.
        type: str
        default: ''
      metric_name:
        description: Name of the metric.
        type: str
        required: true
      namespace:
        description: Namespace of the metric.
        type: str
        required: true
      dimensions:
        description: Dimensions of the metric, by name.
        type: dict
        default: {}
      statistic:
        description: What is made of the data of a period.
        type: str
        choices: [SampleCount, Average, Sum, Minimum, Maximum]
        default: Sum
      comparison:
        description: How the statistic is compared with the threshold.
        type: str
        choices: [GreaterThanOrEqualToThreshold, GreaterThanThreshold, LessThanThreshold, LessThanOrEqualToThreshold]
        default: GreaterThanThreshold
      threshold:
        description: What the statistic is compared with.
        type: float
        required: true
      period:
        description: Length of a period, in seconds.
        type: int
        default: 60
      evaluation_periods:
        description: How many periods are looked at.
        type: int
        default: 1
      datapoints_to_alarm:
        description: In how many of them it must breach. In all of them when not given.
        type: int
      treat_missing_data:
        description: How a period without data counts.
        type: str
        choices: [breaching, notBreaching, ignore, missing]
        default: missing
      alarm_actions:
        description: ARNs of what is told when it rings.
        type: list
        elements: str
        default: []
  state:
    description: Whether they are to be there.
    type: str
    choices: [present, absent]
    default: present
  purge_prefixes:
    description: Alarms on metrics whose names begin with one of these and are not among O(alarms) are removed.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Says what would change, and changes nothing.
  diff_mode:
    support: full
    description: Shows the alarms that change, as CloudWatch has them.
"""

EXAMPLES = r"""
- name: Let it be heard when backups fail or are missing
  cloudwatch_alarms:
    alarms:
      - name: dynabridge-cn-Backup_failed
        description: A backup failed.
        namespace: DDB-Backup
        metric_name: Failed_count
        dimensions: {backup: ddb-backup}
        threshold: 0
        treat_missing_data: notBreaching
        alarm_actions: ["{{ topic_arn }}"]
    # Those of tables that are no longer backed up.
    purge_prefixes: [dynabridge-cn-Backup_age-]

- name: Remove them
  cloudwatch_alarms:
    alarms: "{{ alarms }}"
    state: absent
"""

RETURN = r"""
names_changed:
  description: Names of the alarms that were made, changed or removed, or would be.
  returned: success
  type: list
  elements: str
  sample: [dynabridge-cn-Backup_failed]
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.connections import patient
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.alarms import chunks, found_alarm, request_of, wanted_alarm
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ALARM = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str", "default": ""},
    "metric_name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "dimensions": {"type": "dict", "default": {}},
    "statistic": {
        "type": "str",
        "choices": ["SampleCount", "Average", "Sum", "Minimum", "Maximum"],
        "default": "Sum",
    },
    "comparison": {
        "type": "str",
        "choices": [
            "GreaterThanOrEqualToThreshold",
            "GreaterThanThreshold",
            "LessThanThreshold",
            "LessThanOrEqualToThreshold",
        ],
        "default": "GreaterThanThreshold",
    },
    "threshold": {"type": "float", "required": True},
    "period": {"type": "int", "default": 60},
    "evaluation_periods": {"type": "int", "default": 1},
    "datapoints_to_alarm": {"type": "int"},
    "treat_missing_data": {
        "type": "str",
        "choices": ["breaching", "notBreaching", "ignore", "missing"],
        "default": "missing",
    },
    "alarm_actions": {"type": "list", "elements": "str", "default": []},
}
ARGUMENT_SPEC = {
    "alarms": {"type": "list", "elements": "dict", "required": True, "options": ALARM},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "purge_prefixes": {"type": "list", "elements": "str", "default": []},
}


def described(client: Any, names: list[str], prefixes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """By name, the alarms on metrics that are there of these names, and all that begin with one of the prefixes."""
    paginator = client.get_paginator("describe_alarms")
    questions = [{"AlarmNames": some} for some in chunks(names)]
    questions += [{"AlarmNamePrefix": prefix} for prefix in prefixes]
    return {
        alarm["AlarmName"]: alarm
        for question in questions
        for page in paginator.paginate(AlarmTypes=["MetricAlarm"], **question)
        for alarm in page["MetricAlarms"]
    }


def settle(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    params = module.params
    asked = {alarm["name"]: wanted_alarm(alarm) for alarm in params["alarms"]}
    there = described(client, list(asked), params["purge_prefixes"])
    wanted = asked if params["state"] == "present" else {}
    before = {name: found_alarm(alarm) for name, alarm in there.items()}
    put = [name for name, alarm in wanted.items() if not alarm.items() <= before.get(name, {}).items()]
    gone = sorted(there.keys() - wanted.keys())
    if not module.check_mode:
        for name in put:
            client.put_metric_alarm(**request_of(wanted[name], there.get(name)))
        for some in chunks(gone):
            client.delete_alarms(AlarmNames=some)
    return {
        "changed": bool(put or gone),
        "names_changed": [*put, *gone],
        "diff": {
            "before": {name: before[name] for name in [*put, *gone] if name in before},
            "after": {name: wanted[name] for name in put},
        },
    }


def check(alarms: list[dict[str, Any]]) -> str:
    """What is wrong with the set; '' when nothing is."""
    twice = [name for name, count in Counter(alarm["name"] for alarm in alarms).items() if count > 1]
    return f"alarms has more than one of the name {', '.join(twice)}: each needs its own" if twice else ""


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if wrong := check(module.params["alarms"]):
        module.fail_json(msg=wrong)
    try:
        result = settle(module, module.client("cloudwatch", config=patient()))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg="the alarms cannot be settled")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
