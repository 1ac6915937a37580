# SPDX-License-Identifier: GPL-3.0-or-later
"""May the function's role read its stream, and send to its on-failure destination?

AWS Lambda Developer Guide, "Execution role permissions": a mapping reads the stream with the permissions of
the function's execution role, and so it sends discarded batches. The emulator checks only calls that arrive
from outside; here its own policy evaluation is asked for the mapping's reads as well.
"""

import time

from ministack import app
from ministack.core import iam_evaluator as evaluator
from ministack.services import iam

READ_ACTIONS = {
    "dynamodb": (
        ("dynamodb:GetRecords",),
        ("dynamodb:GetShardIterator",),
        ("dynamodb:DescribeStream",),
        ("dynamodb:ListStreams",),
    ),
    # Either description will do; Lambda's managed policy grants both.
    "kinesis": (
        ("kinesis:GetRecords",),
        ("kinesis:GetShardIterator",),
        ("kinesis:DescribeStream", "kinesis:DescribeStreamSummary"),
        ("kinesis:ListShards",),
    ),
}
SEND_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}
REMEMBERED_SECONDS = 1.0

_remembered: dict[tuple, tuple[float, bool]] = {}


def cannot_read(stream_arn: str) -> str:
    return (
        f"Cannot access stream {stream_arn}. Please ensure the role can perform the GetRecords, "
        "GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM."
    )


def may_read(function_config: dict, stream_arn: str) -> bool:
    service = stream_arn.split(":")[2]
    return all(
        any(may(function_config, action, stream_arn) for action in alternatives)
        for alternatives in READ_ACTIONS[service]
    )


def may_send(function_config: dict, destination_arn: str) -> bool:
    service = destination_arn.split(":")[2]
    return service in SEND_ACTIONS and may(function_config, SEND_ACTIONS[service], destination_arn)


def may(function_config: dict, action: str, resource_arn: str) -> bool:
    """The role's right to one action; evaluated anew at most once a second."""
    if not app.AUTH:
        return True
    key = (function_config.get("FunctionArn"), function_config.get("Role"), action, resource_arn)
    asked, allowed = _remembered.get(key, (0.0, False))
    if time.monotonic() - asked > REMEMBERED_SECONDS:
        allowed = _evaluate(function_config, action, resource_arn)
        _remembered[key] = (time.monotonic(), allowed)
    return allowed


def forget() -> None:
    _remembered.clear()


def _evaluate(function_config: dict, action: str, resource_arn: str) -> bool:
    role_arn = function_config.get("Role", "")
    partition, account = role_arn.split(":")[1], role_arn.split(":")[4]
    role = role_arn.rsplit("/", 1)[-1]
    context = evaluator.EvalContext(
        principal_arn=f"arn:{partition}:sts::{account}:assumed-role/{role}/{function_config['FunctionName']}",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=resource_arn.split(":")[3],
    )
    limits = evaluator._permissions_boundary(iam._roles, role, account)
    result = evaluator.evaluate(context, evaluator._gather_role_policies(role, account), *limits)
    found = evaluator._resource_policy(action.partition(":")[0], resource_arn)
    if found is not None:
        result = evaluator.combine_resource_policy(result, context, *found, limits=tuple(limits))
    return result.decision == "Allow"
