# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of CloudWatch, EventBridge, IAM, Kinesis, SNS and Systems Manager are authorised on the resources that they name.

Service Authorization Reference, the pages of these services: alarms by AlarmName or AlarmNames, dashboards (their ARN has no
region) by DashboardName or DashboardNames, rules of the default bus as `rule/<name>` by Name or Rule, instance profiles by
InstanceProfileName, an access key by the user that has it, a stream by the iterator that reads it, parameters by Path, what
has tags by its ARN. The emulator authorises such calls on `*`, or a rule on `rule/default/<name>`, which policies that are true
on AWS do not allow.
"""

import contextlib
import json
import re

from ministack.core import iam_actions
from ministack.services import iam, kinesis

from ..sides import Side
from .parameter_lists import SEPARATOR


def install(side: Side) -> None:
    emulator_resource = iam_actions.extract_resource_arn

    def resource(service, method, path, headers, body, query_params, region, account_id):
        names_of, named = NAMED.get(service), []
        if names_of:
            fields = _Fields(body, query_params)
            tails = names_of(fields, f"{region}:{account_id}", account_id)
            named = [f"arn:{side.partition}:{tail}" for tail in tails] or fields.all("Resource(ARN|Arn)")
        if named:
            return SEPARATOR.join(named)
        return emulator_resource(service, method, path, headers, body, query_params, region, account_id)

    iam_actions.extract_resource_arn = resource


class _Fields:
    """What a request says, by any of the protocols: one value or several under a name."""

    def __init__(self, body: bytes, query_params: dict):
        self._query = query_params
        self._body = {}
        if body[:1] == b"{":
            with contextlib.suppress(ValueError):  # the emulator refuses it
                self._body = json.loads(body)

    def all(self, name: str) -> list[str]:
        member = re.compile(rf"{name}(\.member)?(\.\d+)?")
        found = [value for key, value in (self._query | self._body).items() if member.fullmatch(key)]
        return [str(one) for value in found for one in (value if isinstance(value, list) else [value])]


def _cloudwatch(fields: _Fields, place: str, account_id: str) -> list[str]:
    alarms = [*fields.all("AlarmName"), *fields.all("AlarmNames")]
    boards = [*fields.all("DashboardName"), *fields.all("DashboardNames")]
    return [
        *(f"cloudwatch:{place}:alarm:{name}" for name in alarms),
        *(f"cloudwatch::{account_id}:dashboard/{name}" for name in boards),
    ]


def _events(fields: _Fields, place: str, _account_id: str) -> list[str]:
    if fields.all("EventBusName") not in ([], ["default"]) or fields.all("Entries"):
        return []
    return [f"events:{place}:rule/{name}" for name in [*fields.all("Name"), *fields.all("Rule")]]


def _iam(fields: _Fields, _place: str, account_id: str) -> list[str]:
    keys = [] if fields.all("UserName") else fields.all("AccessKeyId")
    users = [(iam._access_keys.get(key) or {}).get("UserName", "") for key in keys]
    return [
        *(f"iam::{account_id}:instance-profile/{name}" for name in fields.all("InstanceProfileName")),
        *(f"iam::{account_id}:user/{name}" for name in users if name),
    ]


def _parameters(fields: _Fields, place: str, _account_id: str) -> list[str]:
    return [f"ssm:{place}:parameter/{path.strip('/')}" for path in fields.all("Path")]


def _streams(fields: _Fields, place: str, _account_id: str) -> list[str]:
    read = [kinesis._shard_iterators.get(token) for token in fields.all("ShardIterator")]
    return [f"kinesis:{place}:stream/{iterator['stream']}" for iterator in read if iterator]


def _topics(_fields: _Fields, _place: str, _account_id: str) -> list[str]:
    return []  # the emulator knows them, but for their tags


NAMED = {
    "kinesis": _streams,
    "sns": _topics,
    "monitoring": _cloudwatch,
    "events": _events,
    "iam": _iam,
    "ssm": _parameters,
}
