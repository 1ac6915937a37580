# SPDX-License-Identifier: GPL-3.0-or-later
"""`ssm:GetParameters` is authorised on each parameter that is asked for.

Service Authorization Reference, "Actions, resources, and condition keys for AWS Systems Manager": GetParameters has the
resource type `parameter`, so a policy that names two parameters allows a request for just these. The emulator authorises
the request on `*`, so that only a policy on everything would do.
"""

import json

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_region

from ..sides import Side

SEPARATOR = "\n"  # in no ARN


def install(side: Side) -> None:
    emulator_resource, emulator_enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce

    def resource_arn(service, method, path, headers, body, *more):
        names = _names_asked_for(headers, body) if service == "ssm" else []
        if not names:
            return emulator_resource(service, method, path, headers, body, *more)
        return SEPARATOR.join(_parameter_arn(side, name) for name in names)

    def enforce(access_key, action, service, region, resource_arn="*", **more):
        for one in resource_arn.split(SEPARATOR):
            denied = emulator_enforce(access_key, action, service, region, resource_arn=one, **more)
            if denied:
                return denied
        return None

    iam_actions.extract_resource_arn = resource_arn
    iam_evaluator.enforce = enforce


def _names_asked_for(headers: dict, body: bytes) -> list[str]:
    if not headers.get("x-amz-target", "").endswith(".GetParameters"):
        return []
    return [name for name in json.loads(body or b"{}").get("Names", []) if isinstance(name, str)]


def _parameter_arn(side: Side, name: str) -> str:
    return f"arn:{side.partition}:ssm:{get_region()}:{side.account_id}:parameter/{name.lstrip('/')}"
