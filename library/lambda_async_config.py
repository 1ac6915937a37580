# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: what becomes of a Lambda function's asynchronous invocations that fail."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_async_config
short_description: Manage retries, age and on-failure destination of a Lambda function's asynchronous invocations
version_added: 0.2.0
description:
  - EventBridge, S3 and SNS invoke a function and do not wait. This says how often such an invocation is tried again, for how
    long, and who is told of one that failed for good. C(amazon.aws.lambda) knows none of it.
  - What is there besides, like an on-success destination, is replaced.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  function_name:
    description:
      - Name or ARN of the function.
    type: str
    required: true
  qualifier:
    description:
      - Version or alias that is meant.
    type: str
  state:
    description:
      - With V(absent) the function has AWS's own settings again.
    type: str
    choices: [present, absent]
    default: present
  maximum_retry_attempts:
    description:
      - Retries of an invocation, V(0) to V(2).
    type: int
    default: 2
  maximum_event_age_in_seconds:
    description:
      - Age at which an invocation is given up, V(60) to V(21600).
    type: int
    default: 21600
  on_failure_destination_arn:
    description:
      - ARN of the queue, topic, bus or function that is told of invocations that failed for good; empty for none.
      - The function's role needs the right to send to it.
    type: str
    default: ''
  wait_timeout:
    description:
      - For how many seconds to try again while AWS does not know a new role's rights yet, or changes the function.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Changes nothing, tells what would change; the function may be missing.
  diff_mode:
    support: full
    description: Shows the settings before and after.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: amazon.aws.lambda
"""

EXAMPLES = r"""
- name: What the schedule could not get done goes to a queue
  lambda_async_config:
    function_name: DynamoDBBackupFunction
    maximum_retry_attempts: 2
    maximum_event_age_in_seconds: 3600
    on_failure_destination_arn: "{{ queue_arn }}"
"""

RETURN = r"""
config:
  description: The settings after the run; empty with O(state=absent).
  returned: success
  type: dict
  contains:
    maximum_retry_attempts:
      description: Retries of an invocation.
      type: int
      returned: when there are settings
      sample: 2
    maximum_event_age_in_seconds:
      description: Age at which an invocation is given up.
      type: int
      returned: when there are settings
      sample: 3600
    on_failure_destination_arn:
      description: Who is told of invocations that failed for good, empty for nobody.
      type: str
      returned: when there are settings
      sample: arn:aws-cn:sqs:cn-north-1:100000000001:dynamodbbackupcn
"""

try:
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible.module_utils.dynabridge import desired_state
from ansible.module_utils.dynabridge.aws.answers import error_code
from ansible.module_utils.dynabridge.desired_state import DesiredStateError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    "function_name": {"type": "str", "required": True},
    "qualifier": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "maximum_retry_attempts": {"type": "int", "default": 2},
    "maximum_event_age_in_seconds": {"type": "int", "default": 21600},
    "on_failure_destination_arn": {"type": "str", "default": ""},
    "wait_timeout": {"type": "int", "default": 60},
}
RANGES = {"maximum_retry_attempts": range(3), "maximum_event_age_in_seconds": range(60, 21601)}
AWS_DEFAULTS = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 21600}
YOUNG_ROLE = ("does not have permissions", "not authorized to perform", "cannot be assumed")


def range_problem(params: dict) -> str:
    """A sentence on the first number that AWS would refuse; '' if there is none."""
    for name, allowed in RANGES.items():
        if params[name] not in allowed:
            return f"{name} is {params[name]}, but must be {allowed[0]} to {allowed[-1]}"
    return ""


def told(config: dict | None) -> dict:
    """The settings as this module returns them."""
    if config is None:
        return {}
    known = {**AWS_DEFAULTS, **config}
    failure = (config.get("DestinationConfig") or {}).get("OnFailure") or {}
    return {
        "maximum_retry_attempts": known["MaximumRetryAttempts"],
        "maximum_event_age_in_seconds": known["MaximumEventAgeInSeconds"],
        "on_failure_destination_arn": failure.get("Destination", ""),
    }


def wanted(params: dict) -> dict:
    if params["state"] == "absent":
        return {}
    return {name: params[name] for name in (*RANGES, "on_failure_destination_arn")}


def is_temporary(error: Exception) -> bool:
    """Whether a call may succeed in a while."""
    if not isinstance(error, ClientError):
        return False
    is_young_role = error_code(error) == "InvalidParameterValueException" and any(
        text in str(error) for text in YOUNG_ROLE
    )
    return is_young_role or error_code(error) in ("ResourceConflictException", "TooManyRequestsException")


class AsyncConfig:
    """The calls on one function's settings."""

    def __init__(self, client, params: dict):
        self.client = client
        self.timeout = params["wait_timeout"]
        self.target = {"FunctionName": params["function_name"]}
        if params["qualifier"]:
            self.target["Qualifier"] = params["qualifier"]

    def read(self) -> dict | None:
        try:
            return self.client.get_function_event_invoke_config(**self.target)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise

    def set(self, settings: dict) -> None:
        if not settings:
            self._patiently(self.client.delete_function_event_invoke_config)
            return
        destination = settings["on_failure_destination_arn"]
        self._patiently(
            self.client.put_function_event_invoke_config,
            MaximumRetryAttempts=settings["maximum_retry_attempts"],
            MaximumEventAgeInSeconds=settings["maximum_event_age_in_seconds"],
            DestinationConfig={"OnFailure": {"Destination": destination}} if destination else {},
        )

    def _patiently(self, call, **arguments):
        return desired_state.keep_trying(lambda: call(**self.target, **arguments), is_temporary, self.timeout)


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    problem = range_problem(params)
    if problem:
        module.fail_json(msg=f"{params['function_name']}: {problem}")
    config, after = AsyncConfig(tell(module.client("lambda")), params), wanted(params)
    try:
        found = config.read()
        before = told(found)
        extra = bool(found and (found.get("DestinationConfig") or {}).get("OnSuccess", {}).get("Destination"))
        changed = before != after or extra
        if changed and not module.check_mode:
            config.set(after)
    except DesiredStateError as error:
        module.fail_json(msg=f"{params['function_name']}: {error}")
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"cannot set what becomes of failed invocations of {params['function_name']}")
    module.exit_json(changed=changed, config=after, diff={"before": before, "after": after})


if __name__ == "__main__":
    main()
