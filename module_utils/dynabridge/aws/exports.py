# SPDX-License-Identifier: MIT
"""DynamoDB's export API: ask for an export, look at one, find a table's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..backup_plan import Wanted
from ..desired_state import keep_trying
from ..errors import BackupError
from .answers import error_code
from .botocore_errors import ClientError

RECOVERY_SECONDS = 60
VIEW = "NEW_AND_OLD_IMAGES"
IN_PROGRESS, COMPLETED, FAILED, UNKNOWN = "IN_PROGRESS", "COMPLETED", "FAILED", "UNKNOWN"
HINTS = {
    "PointInTimeRecoveryUnavailableException": "its point-in-time recovery is off: run deploy.yml --tags tables",
    "TableNotFoundException": "there is no such table here: correct dynabridge_tables, or run deploy.yml --tags tables",
    "ResourceNotFoundException": "there is no such table here: correct dynabridge_tables, or run deploy.yml --tags tables",
    "InvalidExportTimeException": "recovery does not reach that far, or the window is not of 15 minutes to 24 hours",
    "LimitExceededException": "too many exports run at once: run again when some have ended",
    "ExportConflictException": "its token was used for another request within eight hours",
    "AccessDeniedException": "the caller may not do this",
}


class Target(NamedTuple):
    """Where exports go. ``owner``: the bucket's account where it is another one; ``kms_key``: '' for AES256."""

    bucket: str
    owner: str = ""
    kms_key: str = ""


class Table(NamedTuple):
    """What an export must know of its table. ``recoverable_from``: epoch seconds, None while recovery is off."""

    name: str
    arn: str
    id: str
    recoverable_from: float | None


class Export(NamedTuple):
    """State of an export; ``reason``: why it failed, in AWS's words."""

    arn: str
    state: str
    reason: str
    begun: float
    description: Mapping[str, Any]


class Exports:
    """Calls DynamoDB through a low-level client; its refusals become sentences that name the table."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb

    def table(self, name: str) -> Table:
        """The table as it is now. Raises BackupError when it is not there."""
        try:
            found = self._dynamodb.describe_table(TableName=name)["Table"]
            backups = self._dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        except ClientError as error:
            raise _refused(name, "cannot be looked at", error) from error
        recovery = backups.get("PointInTimeRecoveryDescription") or {}
        on = recovery.get("PointInTimeRecoveryStatus") == "ENABLED"
        since = recovery.get("EarliestRestorableDateTime") if on else None
        return Table(name, found["TableArn"], found["TableId"], since and since.timestamp())

    def recoverable(self, name: str) -> Table:
        """The table, which can be exported. Raises BackupError when it cannot, having no point-in-time recovery."""
        table = self.table(name)
        if table.recoverable_from is None:
            raise BackupError(f"table {name} cannot be exported: {HINTS['PointInTimeRecoveryUnavailableException']}")
        return table

    def switch_recovery_on(self, name: str) -> bool:
        """Switch point-in-time recovery on; whether it was off. What was before that moment cannot be exported."""
        if self.table(name).recoverable_from is not None:
            return False
        try:
            self._dynamodb.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )
        except ClientError as error:
            raise _refused(name, "cannot have point-in-time recovery switched on", error) from error
        # It is there at once, or after a few seconds.
        keep_trying(lambda: self.recoverable(name), lambda error: isinstance(error, BackupError), RECOVERY_SECONDS)
        return True

    def start(
        self,
        table: Table,
        wanted: Wanted,
        target: Target,
        prefix: str,
        token: str = "",
        view_type: str = VIEW,
        export_time: datetime | None = None,
    ) -> Export:
        """Ask for the export. ``export_time``: what a full one is to show, None for now."""
        arguments = {
            "TableArn": table.arn,
            "S3Bucket": target.bucket,
            "ExportFormat": "DYNAMODB_JSON",
            **_encryption(target.kms_key),
            **({"S3Prefix": prefix} if prefix else {}),
            **({"ClientToken": token} if token else {}),
            **({"S3BucketOwner": target.owner} if target.owner else {}),
            **({"ExportTime": export_time} if export_time else {}),
            **_window(wanted, view_type),
        }
        try:
            return _export(self._dynamodb.export_table_to_point_in_time(**arguments)["ExportDescription"])
        except ClientError as error:
            raise _refused(table.name, "cannot be exported", error) from error

    def describe(self, arn: str, table: str) -> Export:
        """How far the export is. UNKNOWN: DynamoDB does not know it (any more)."""
        try:
            return _export(self._dynamodb.describe_export(ExportArn=arn)["ExportDescription"])
        except ClientError as error:
            if error_code(error) == "ExportNotFoundException":
                return Export(arn, UNKNOWN, "DynamoDB does not know the export any more", 0, {})
            raise _refused(table, "has an export that cannot be looked at", error) from error

    def arns(self, table_arn: str) -> Iterator[str]:
        """All exports of a table that DynamoDB still lists (90 days), newest first."""
        more: dict[str, str] = {}
        while True:
            try:
                page = self._dynamodb.list_exports(TableArn=table_arn, MaxResults=25, **more)
            except ClientError as error:
                raise _refused(table_arn, "has exports that cannot be listed", error) from error
            yield from (found["ExportArn"] for found in page["ExportSummaries"])
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}


def _encryption(kms_key: str) -> dict[str, str]:
    return {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": kms_key} if kms_key else {"S3SseAlgorithm": "AES256"}


def _window(wanted: Wanted, view_type: str) -> dict[str, Any]:
    if wanted.window is None:
        return {"ExportType": "FULL_EXPORT"}
    start, end = (datetime.fromtimestamp(edge, UTC) for edge in wanted.window)
    window = {"ExportFromTime": start, "ExportToTime": end, "ExportViewType": view_type}
    return {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": window}


def _export(description: Mapping[str, Any]) -> Export:
    reason = ": ".join(filter(None, (description.get("FailureCode"), description.get("FailureMessage"))))
    begun = description["StartTime"].timestamp() if "StartTime" in description else 0.0
    return Export(description["ExportArn"], description["ExportStatus"], reason, begun, description)


def _refused(table: str, what: str, error: ClientError) -> BackupError:
    code = error_code(error)
    message = error.response["Error"].get("Message", "")
    hint = HINTS.get(code, "")
    return BackupError(f"table {table} {what} ({code}){f': {hint}' if hint else ''} [{message}]")
