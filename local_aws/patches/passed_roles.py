# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gives a role to a function or an instance needs the right to pass it.

IAM User Guide, "Grant a user permissions to pass a role to an AWS service": iam:PassRole on the role, with the condition key
`iam:PassedToService`. Service Authorization Reference: CreateFunction, UpdateFunctionConfiguration, RunInstances and
AddRoleToInstanceProfile depend on it. The emulator gives the role away without asking.
"""

import contextvars
import json

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam

from ..sides import Side

ACTION = "iam:PassRole"
# Paths of the requests that name a function's role; the body of an invocation is anybody's.
SETTINGS = ("/functions", "/configuration")
TO_FUNCTION = {"lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"}
TO_INSTANCE = {"ec2:RunInstances", "iam:AddRoleToInstanceProfile"}
# ARN of the role that the current request gives away.
_given: contextvars.ContextVar = contextvars.ContextVar("passed_role", default=None)


def install(side: Side) -> None:
    emulator_resource, emulator_enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce

    def resource(service, method, path, headers, body, query_params, region, account_id):
        _given.set(_role_in(side, service, path, body, query_params))
        return emulator_resource(service, method, path, headers, body, query_params, region, account_id)

    def enforce(access_key_id, iam_action, service, region, *more, **named):
        denied = emulator_enforce(access_key_id, iam_action, service, region, *more, **named)
        role, receiver = _given.get(), _receiver(iam_action)
        if denied or not role or not receiver:
            return denied
        # The service principal is the same in every partition.
        context = {"iam:PassedToService": f"{receiver}.amazonaws.com"}
        return emulator_enforce(access_key_id, ACTION, "iam", region, resource_arn=role, service_context=context)

    iam_actions.extract_resource_arn = resource
    iam_evaluator.enforce = enforce


def _receiver(action: str) -> str:
    if action in TO_FUNCTION:
        return "lambda"
    return "ec2" if action in TO_INSTANCE else ""


def _role_in(side: Side, service: str, path: str, body: bytes, query_params: dict) -> str | None:
    if service == "lambda":
        return _role_of_function(body) if path.rstrip("/").endswith(SETTINGS) else None
    role = None
    if service == "iam":
        role = _value(query_params, "RoleName")
    elif service == "ec2":
        role = _role_of_profile(query_params)
    return f"arn:{side.partition}:iam::{side.account_id}:role/{role}" if role else None


def _role_of_function(body: bytes) -> str | None:
    try:
        return json.loads(body or b"{}").get("Role")
    except (ValueError, AttributeError):
        return None  # the emulator refuses it


def _role_of_profile(query_params: dict) -> str | None:
    named, arn = (_value(query_params, f"IamInstanceProfile.{kind}") for kind in ("Name", "Arn"))
    profile = iam._instance_profiles.get(named or (arn or "").rpartition("/")[2])
    return profile["Roles"][0] if profile and profile["Roles"] else None


def _value(query_params: dict, name: str) -> str | None:
    value = query_params.get(name)
    return value[0] if isinstance(value, list) else value
