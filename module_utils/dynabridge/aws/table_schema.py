# SPDX-License-Identifier: MIT
"""Reading a table's schema through boto3 clients. What cannot be read fails: a restore would leave it out unseen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import TableUnavailable
from ..table_schema import schema_of
from .answers import error_code
from .botocore_errors import ClientError

# Who reads a schema needs these: on the table, those of Application Auto Scaling on *.
SCHEMA_ACTIONS = (
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:ListTagsOfResource",
    "dynamodb:GetResourcePolicy",
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
)
_MISSING = ("ResourceNotFoundException", "TableNotFoundException")
_DENIED = ("AccessDeniedException", "AccessDenied")
# A region whose DynamoDB does not know the operation has no such policies: that is an answer, and a refusal is none.
_NO_POLICY = ("PolicyNotFoundException", "UnknownOperationException")


def read_schema(clients: Callable[[str], Any], table: str, now: Callable[[], float] = time.time) -> dict[str, Any]:
    """The schema of a table (see table_schema.schema_of), by seven kinds of calls that change nothing.

    clients: gives the boto3 client of a service: ``dynamodb``, ``application-autoscaling``. Raises TableUnavailable with
    a sentence that names the table and the call: for a table that is not there or on its way out, and for a call that is
    refused.
    """
    dynamodb, autoscaling = clients("dynamodb"), clients("application-autoscaling")
    ask = _Questions(table, dynamodb.meta.region_name).ask
    description = ask("dynamodb:DescribeTable", dynamodb.describe_table, TableName=table)["Table"]
    if description["TableStatus"] == "DELETING":
        raise TableUnavailable(f"Table {table} is being deleted: it has no schema to save.")
    name, arn = description["TableName"], description["TableArn"]
    ttl = ask("dynamodb:DescribeTimeToLive", dynamodb.describe_time_to_live, TableName=name)
    backups = ask("dynamodb:DescribeContinuousBackups", dynamodb.describe_continuous_backups, TableName=name)
    targets, policies = _scaling(ask, autoscaling, description)
    return schema_of(
        description,
        ttl["TimeToLiveDescription"],
        backups["ContinuousBackupsDescription"],
        list(_pages(ask, "dynamodb:ListTagsOfResource", dynamodb.list_tags_of_resource, "Tags", ResourceArn=arn)),
        targets,
        policies,
        _resource_policy(ask, dynamodb, arn),
        now(),
    )


class _Questions:
    """Calls about one table, whose errors become sentences."""

    def __init__(self, table: str, region: str):
        self.table, self.region = table, region

    def ask(self, action: str, call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
        try:
            return call(**arguments)
        except ClientError as error:
            raise TableUnavailable(self._sentence(action, error)) from error

    def _sentence(self, action: str, error: ClientError) -> str:
        code, said = error_code(error), error.response.get("Error", {}).get("Message", "")
        if code in _MISSING:
            return (
                f"There is no table {self.table} in {self.region} of this account: check the name, the region and the"
                " profile."
            )
        advice = f"Allow {action}: without it the schema would lack a part." if code in _DENIED else "Try again later."
        return f"The schema of table {self.table} in {self.region} cannot be read: {action} answers {code} ({said}). {advice}"


def _scaling(
    ask: Callable[..., Any], autoscaling: Any, description: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Targets and policies of the table and its global indexes."""
    table = f"table/{description['TableName']}"
    indexes = [f"{table}/index/{index['IndexName']}" for index in description.get("GlobalSecondaryIndexes") or []]
    targets = list(
        _pages(
            ask,
            "application-autoscaling:DescribeScalableTargets",
            autoscaling.describe_scalable_targets,
            "ScalableTargets",
            ServiceNamespace="dynamodb",
            ResourceIds=[table, *indexes],
        )
    )
    policies = [
        policy
        for resource in sorted({target["ResourceId"] for target in targets})  # what is no target has no policies
        for policy in _pages(
            ask,
            "application-autoscaling:DescribeScalingPolicies",
            autoscaling.describe_scaling_policies,
            "ScalingPolicies",
            ServiceNamespace="dynamodb",
            ResourceId=resource,
        )
    ]
    return targets, policies


def _pages(ask: Callable[..., Any], action: str, call: Callable[..., Any], what: str, **request: Any) -> Iterator[dict]:
    while True:
        page = ask(action, call, **request)
        yield from page.get(what, [])
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def _resource_policy(ask: Callable[..., Any], dynamodb: Any, arn: str) -> str | None:
    def get(**arguments: Any) -> dict[str, Any]:
        try:
            return dynamodb.get_resource_policy(**arguments)
        except ClientError as error:
            if error_code(error) in _NO_POLICY:
                return {}
            raise

    return ask("dynamodb:GetResourcePolicy", get, ResourceArn=arn).get("Policy")
