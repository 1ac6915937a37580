# SPDX-License-Identifier: MIT
"""DynamoDB's import API, and the tables that imports make: refusals become sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import RestoreError
from .answers import error_code
from .botocore_errors import ClientError

IN_PROGRESS, COMPLETED = ("IN_PROGRESS", "CANCELLING"), "COMPLETED"
MISSING = frozenset({"ResourceNotFoundException", "TableNotFoundException"})
HINTS = {
    "ResourceInUseException": "a table of that name exists, or is being made: choose another target_table",
    "LimitExceededException": "too many imports run at once, or the account has too many tables: run again later",
    "ImportConflictException": "its token was used for another request within eight hours: run again",
    "AccessDeniedException": "the caller lacks a right, or the KMS key does not let it in: see docs/restore.md",
}
KEY_HINT = (
    "the KMS key cannot be used: give kms_key_arn of a key of this region that is enabled and lets the caller in, or "
    "alias/aws/dynamodb for AWS's own"
)


class Job(NamedTuple):
    """State of an import. ``log_group``: where DynamoDB names the items that it could not read."""

    arn: str
    status: str
    table_arn: str
    table_id: str
    items: int
    errors: int
    reason: str
    log_group: str
    token: str

    @property
    def is_running(self) -> bool:
        return self.status in IN_PROGRESS


class Imports:
    """Calls DynamoDB through a low-level client."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb

    def table(self, name: str) -> Mapping[str, Any] | None:
        """DescribeTable's answer; None when there is no such table."""
        try:
            return self._dynamodb.describe_table(TableName=name)["Table"]
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise refused(name, "cannot be looked at", error) from error

    def start(self, parameters: Mapping[str, Any], bucket: str, prefix: str, token: str, bucket_owner: str = "") -> Job:
        """Ask for an import of the gzip files under the prefix. ``parameters``: TableCreationParameters."""
        source = {"S3Bucket": bucket, "S3KeyPrefix": prefix}
        if bucket_owner:
            source["S3BucketOwner"] = bucket_owner
        try:
            answer = self._dynamodb.import_table(
                ClientToken=token,
                S3BucketSource=source,
                InputFormat="DYNAMODB_JSON",
                InputCompressionType="GZIP",  # left out, DynamoDB would take the bytes for text
                TableCreationParameters=dict(parameters),
            )
        except ClientError as error:
            raise refused(parameters["TableName"], "cannot be imported", error) from error
        return _job(answer["ImportTableDescription"])

    def create(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make an empty table; ``TableDescription`` of the answer."""
        try:
            return self._dynamodb.create_table(**parameters)["TableDescription"]
        except ClientError as error:
            raise refused(parameters["TableName"], "cannot be created", error) from error

    def remove(self, name: str) -> None:
        """Delete a table."""
        try:
            self._dynamodb.delete_table(TableName=name)
        except ClientError as error:
            raise refused(name, "is half made and cannot be removed", error) from error

    def tags(self, table_arn: str) -> dict[str, str]:
        """The first tags of a table, by name: a table that was just created has one."""
        try:
            found = self._dynamodb.list_tags_of_resource(ResourceArn=table_arn).get("Tags", [])
        except ClientError as error:
            raise refused(table_arn, "cannot be asked for its tags", error) from error
        return {tag["Key"]: tag["Value"] for tag in found}

    def describe(self, arn: str) -> Job | None:
        """How far an import is; None when DynamoDB does not know it (any more: it forgets them after 90 days)."""
        try:
            return _job(self._dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"])
        except ClientError as error:
            if error_code(error) == "ImportNotFoundException":
                return None
            raise refused(arn, "cannot be looked at", error) from error

    def find(self, table_arn: str, token: str) -> Job | None:
        """The import into this table that was asked for with the token: its answer may have been lost."""
        more: dict[str, str] = {}
        while True:
            try:
                page = self._dynamodb.list_imports(TableArn=table_arn, PageSize=25, **more)
            except ClientError as error:
                raise refused(table_arn, "has imports that cannot be listed", error) from error
            for found in page.get("ImportSummaryList", []):
                job = self.describe(found["ImportArn"])
                if job and job.token == token:
                    return job
            if not page.get("NextToken"):
                return None
            more = {"NextToken": page["NextToken"]}


def _job(told: Mapping[str, Any]) -> Job:
    reason = ": ".join(filter(None, (told.get("FailureCode"), told.get("FailureMessage"))))
    return Job(
        told["ImportArn"],
        told["ImportStatus"],
        told.get("TableArn", ""),
        told.get("TableId", ""),
        int(told.get("ImportedItemCount", 0)),
        int(told.get("ErrorCount", 0)),
        reason,
        told.get("CloudWatchLogGroupArn", ""),
        told.get("ClientToken", ""),
    )


def refused(table: str, what: str, error: ClientError) -> RestoreError:
    """The sentence for a call that AWS refused."""
    code, message = error_code(error), error.response["Error"].get("Message", "")
    hint = KEY_HINT if "kms" in message.lower() else HINTS.get(code, "")
    return RestoreError(f"table {table} {what} ({code}){f': {hint}' if hint else ''} [{message}]")
