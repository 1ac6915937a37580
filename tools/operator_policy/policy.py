# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy documents of calls: what is called on which kind of resource, a statement for each kind."""

import copy
import json
from collections.abc import Iterable

from .resources import Place, filled

# AWS's quota for a managed policy; white space does not count.
LARGEST = 6144
Calls = dict[str, set[str]]  # action: patterns of its resources

# A right that would be too much without a condition, of an action or of a service whose resources have no names of ours.
# Service principals are the same in every partition.
CONDITIONS = {
    "ec2": {"StringEquals": {"aws:RequestedRegion": ["${region}"]}},
    "cloudwatch:PutMetricData": {"StringEquals": {"cloudwatch:namespace": ["DDB-Loader"]}},
    "iam:PassRole": {"StringEquals": {"iam:PassedToService": ["lambda.amazonaws.com"]}},
}


# What only reads dynabridge's own: from three of a kind on they are written as one, for the quota's sake.
READS = ("iam:List", "s3:GetBucket")


def document(calls: Calls) -> dict:
    kinds: dict[str, Calls] = {}
    for action, patterns in calls.items():
        for pattern in patterns:
            kinds.setdefault(_conditioned(action) or _kind(pattern), {}).setdefault(action, set()).add(pattern)
    return {"Version": "2012-10-17", "Statement": [_statement(kind, kinds[kind]) for kind in sorted(kinds)]}


def _conditioned(action: str) -> str:
    """What has a condition of its own: the action, or its service."""
    return next((one for one in (action, action.split(":", maxsplit=1)[0]) if one in CONDITIONS), "")


def _kind(pattern: str) -> str:
    """Service and type of resource: what is allowed on one of a kind is allowed on its brothers."""
    if pattern == "*":
        return "Anything"
    _, _, service, _, _, resource = pattern.split(":", 5)
    if service == "s3":
        return "s3 object" if "/" in resource else "s3 bucket"
    kind = resource.replace(":", "/").split("/")[0] if "/" in resource or ":" in resource else ""
    inner = " stream" if "/stream/" in resource else ""
    return f"{service} {kind}{inner}"


def _statement(kind: str, calls: Calls) -> dict:
    statement = {
        "Sid": "".join(letter for letter in kind.replace("-", " ").title() if letter.isalnum()),
        "Effect": "Allow",
        "Action": _briefly(calls),
        "Resource": sorted(set().union(*calls.values())),
    }
    return statement | ({"Condition": CONDITIONS[kind]} if kind in CONDITIONS else {})


def _briefly(actions: Iterable[str]) -> list[str]:
    brief = set(actions)
    for prefix in READS:
        alike = {action for action in brief if action.startswith(prefix)}
        if len(alike) >= 3:
            brief = brief - alike | {f"{prefix}*"}
    return sorted(brief)


def for_place(policy: dict, place: Place) -> dict:
    """A policy with the values of a side."""
    own = copy.deepcopy(policy)
    for statement in own["Statement"]:
        statement["Resource"] = [arn for pattern in statement["Resource"] for arn in filled(pattern, place)]
        for keys in statement.get("Condition", {}).values():
            keys.update(
                {key: [one for value in values for one in filled(value, place)] for key, values in keys.items()}
            )
    return own


def size(policy: dict) -> int:
    return len("".join(json.dumps(policy).split()))
