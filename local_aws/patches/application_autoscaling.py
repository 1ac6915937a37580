# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling remembers targets and policies; nothing is ever scaled.

Application Auto Scaling API Reference: RegisterScalableTarget, PutScalingPolicy, their Describe and Delete counterparts. The
emulator does not know the service and takes its requests for S3's. DynamoDB's tables and indexes are the only resources
that are looked up; those of other services are taken as they come.
"""

import importlib
import json
import time
import uuid

from ministack.core import iam_actions, router
from ministack.core.responses import AccountRegionScopedDict, error_response_json, get_region, json_response
from ministack.services import dynamodb

from ..sides import Side

SERVICE = "application-autoscaling"
LARGEST_PAGE = 50
IDENTITY = ("ServiceNamespace", "ResourceId", "ScalableDimension")

_targets = AccountRegionScopedDict()
_policies = AccountRegionScopedDict()


class Refused(Exception):
    """An error that the service answers: (code, message)."""


def install(side: Side) -> None:
    app = importlib.import_module("ministack.app")
    router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": ["AnyScaleFrontendService"], "credential_scope": SERVICE}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[SERVICE] = SERVICE

    async def handle(_method, _path, headers, body, _query_params):
        operation = OPERATIONS.get(headers.get("x-amz-target", "").rpartition(".")[2])
        try:
            if operation is None:
                raise Refused("UnknownOperationException", "")
            return json_response(operation(side, json.loads(body or b"{}")))
        except Refused as refusal:
            return error_response_json(*refusal.args)

    app.SERVICE_HANDLERS[SERVICE] = handle


def reset() -> None:
    _targets.clear()
    _policies.clear()


def _register_target(side: Side, request: dict) -> dict:
    identity = _identity(request)
    _check_resource(request)
    known = _targets.get(identity) or {
        "CreationTime": time.time(),
        "RoleARN": f"arn:{side.partition}:iam::{side.account_id}:role/aws-service-role/AWSServiceRoleForApplicationAutoScaling",
        "ScalableTargetARN": _arn(side, "scalable-target"),
    }
    target = known | {name: value for name, value in request.items() if name not in ("RoleARN", "Tags")}
    if not {"MinCapacity", "MaxCapacity"} <= target.keys():
        raise Refused("ValidationException", "MinCapacity and MaxCapacity must be specified for a new scalable target")
    if target["MinCapacity"] > target["MaxCapacity"]:
        raise Refused("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    _targets[identity] = target
    return {"ScalableTargetARN": target["ScalableTargetARN"]}


def _deregister_target(_side: Side, request: dict) -> dict:
    identity = _require_target(request)
    del _targets[identity]
    for key in [key for key in _policies if key[:3] == identity]:
        del _policies[key]
    return {}


def _describe_targets(_side: Side, request: dict) -> dict:
    resources = request.get("ResourceIds") or []
    found = [
        target
        for target in _targets.values()
        if _is_meant(target, request) and (not resources or target["ResourceId"] in resources)
    ]
    return _page("ScalableTargets", found, request)


def _put_policy(side: Side, request: dict) -> dict:
    key = (*_require_target(request), request["PolicyName"])
    known = _policies.get(key) or {
        "CreationTime": time.time(),
        "PolicyARN": _arn(side, "scalingPolicy"),
        "PolicyType": "StepScaling",
        "Alarms": [],
    }
    _policies[key] = known | request
    return {"PolicyARN": known["PolicyARN"], "Alarms": []}


def _delete_policy(_side: Side, request: dict) -> dict:
    key = (*_identity(request), request["PolicyName"])
    if key not in _policies:
        raise Refused("ObjectNotFoundException", f"No scaling policy found for {key}")
    del _policies[key]
    return {}


def _describe_policies(_side: Side, request: dict) -> dict:
    names, resource = request.get("PolicyNames") or [], request.get("ResourceId")
    found = [
        policy
        for policy in _policies.values()
        if _is_meant(policy, request)
        and (not names or policy["PolicyName"] in names)
        and resource in (None, policy["ResourceId"])
    ]
    return _page("ScalingPolicies", found, request)


OPERATIONS = {
    "RegisterScalableTarget": _register_target,
    "DeregisterScalableTarget": _deregister_target,
    "DescribeScalableTargets": _describe_targets,
    "PutScalingPolicy": _put_policy,
    "DeleteScalingPolicy": _delete_policy,
    "DescribeScalingPolicies": _describe_policies,
}


def _identity(request: dict) -> tuple:
    return tuple(request[name] for name in IDENTITY)


def _require_target(request: dict) -> tuple:
    identity = _identity(request)
    if identity not in _targets:
        raise Refused(
            "ObjectNotFoundException",
            "No scalable target registered for service namespace: {}, resource ID: {}, scalable dimension: {}".format(
                *identity
            ),
        )
    return identity


def _check_resource(request: dict) -> None:
    """`table/<name>` or `table/<name>/index/<name>` of DynamoDB must be there."""
    if request["ServiceNamespace"] != "dynamodb":
        return
    _table, name, *index = request["ResourceId"].split("/")
    table = dynamodb._tables.get(name)
    indexes = [found["IndexName"] for found in (table or {}).get("GlobalSecondaryIndexes") or []]
    if table is None or (index and index[-1] not in indexes):
        raise Refused("ValidationException", f"DynamoDB table or index does not exist: {request['ResourceId']}")


def _is_meant(found: dict, request: dict) -> bool:
    return found["ServiceNamespace"] == request["ServiceNamespace"] and request.get("ScalableDimension") in (
        None,
        found["ScalableDimension"],
    )


def _page(what: str, found: list[dict], request: dict) -> dict:
    start = int(request.get("NextToken") or 0)
    end = start + min(request.get("MaxResults", LARGEST_PAGE), LARGEST_PAGE)
    return {what: found[start:end]} | ({"NextToken": str(end)} if end < len(found) else {})


def _arn(side: Side, kind: str) -> str:
    return f"arn:{side.partition}:{SERVICE}:{get_region()}:{side.account_id}:{kind}/{uuid.uuid4().hex}"
