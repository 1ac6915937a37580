# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether DynamoDB would take an export request. Codes and messages as the real service gives them.

Everything here is refused at once; what is wrong with the bucket comes out later, when the job runs.
"""

import re
import time

from . import settings
from .changelog import ChangeLog

LENGTH = "Difference between export period from time and export period to time"
VIEWS = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
ENUMS = {
    "ExportFormat": ("DYNAMODB_JSON", "ION"),
    "ExportType": ("FULL_EXPORT", "INCREMENTAL_EXPORT"),
    "S3SseAlgorithm": ("AES256", "KMS"),
}
PATTERNS = {
    "S3Bucket": r"^[a-z0-9A-Z]+[\.\-\w]*[a-z0-9A-Z]+$",
    "S3BucketOwner": r"[0-9]{12}",
    "ClientToken": r"^[^\$]+$",
    "S3Prefix": r".+",
}


class Refused(Exception):
    """The request is answered with this error."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def check_members(request: dict) -> None:
    for name in ("TableArn", "S3Bucket"):
        if request.get(name) is None:
            raise _invalid(_wire(name), None, "not be null")
    for name, allowed in ENUMS.items():
        _check_enum(_wire(name), request.get(name), allowed)
    for name, pattern in PATTERNS.items():
        value = request.get(name)
        if value is not None and not re.fullmatch(pattern, value):
            raise _invalid(_wire(name), value, f"satisfy regular expression pattern: {pattern}")
    if request.get("S3SseKmsKeyId") is not None and request.get("S3SseAlgorithm") != "KMS":
        raise _unsuitable("KMS Key Id is not supported for this encryption type")
    if request.get("ExportFormat") == "ION":
        raise _unsuitable("the local AWS writes exports in DYNAMODB_JSON only")
    if "FilterSpecification" in request:
        raise _unsuitable("the local AWS does not emulate FilterSpecification")
    _check_specification(request)


def _check_specification(request: dict) -> None:
    incremental = request.get("ExportType") == "INCREMENTAL_EXPORT"
    given = request.get("IncrementalExportSpecification")
    if given is None and incremental:
        raise _unsuitable("Incremental Export Specification expected when export type is set as Incremental Export")
    if given is None:
        return
    _check_enum("incrementalExportSpecification.exportViewType", given.get("ExportViewType"), VIEWS)
    if "ExportType" not in request:
        raise _unsuitable(
            "Export Type expected to be Incremental Export when incremental export specification is provided"
        )
    if not incremental:
        raise _unsuitable("When Export Type is Full Export , Incremental Export Specification should not be provided")
    if given.get("ExportFromTime") is None:
        raise _unsuitable("ExportFromTime must be provided in IncrementalExportSpecification")


def table_name(arn: str, partition: str, region: str, account_id: str) -> str:
    """The name of the table that the ARN names, in the region that is asked."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        raise Refused("ValidationException", "One or more parameter values were invalid: tableArn is not a valid ARN")
    kind, _, name = parts[5].partition("/")
    if kind != "table" or not name or "/" in name:
        raise _unsuitable("Table ARN is invalid.")
    if (parts[1], parts[4]) != (partition, account_id):
        raise Refused("AccessDeniedException", "Access is denied")
    if parts[3] != region:
        raise Refused("TableNotFoundException", f"Table not found: {arn}")
    return name


def full_time(request: dict, log: ChangeLog | None, table: str) -> float | None:
    """The moment that a full export is to show; None for now."""
    if log is None:
        raise Refused(
            "PointInTimeRecoveryUnavailableException",
            f"Point in time recovery is not enabled for table '{table}'",
        )
    wanted = request.get("ExportTime")
    if wanted is None:
        return None
    if not log.earliest_restorable() <= wanted <= time.time():
        raise Refused("InvalidExportTimeException", "Export Time is invalid")
    if wanted > log.latest_restorable():
        raise Refused("InvalidExportTimeException", "Point in Time Recovery is not available for specified export time")
    return wanted


def window(request: dict, log: ChangeLog | None) -> dict:
    """The window of an incremental export, with its defaults filled in."""
    given = request["IncrementalExportSpecification"]
    start, end = given["ExportFromTime"], given.get("ExportToTime", int(time.time()))
    # AWS says "table creation time" where it means the start of the recovery window, and also without any.
    if log is None or start < log.earliest_restorable():
        raise _wrong_time(
            f"Incremental export period from time cannot be less than the table creation time : {_iso(start)}"
        )
    if end > time.time():
        raise _wrong_time(f"Incremental export period to time cannot be greater than the current time : {_iso(end)}")
    if start >= end:
        raise _wrong_time(
            "Incremental export period from time should not be greater or equal to incremental export period to time"
        )
    if end - start < settings.min_window_seconds():
        raise _wrong_time(f"{LENGTH} is less than {settings.min_window_seconds() / 60:g} minutes")
    if end - start > settings.MAX_WINDOW_SECONDS:
        raise _wrong_time(f"{LENGTH} is greater than 24 hours")
    return {
        "ExportFromTime": start,
        "ExportToTime": end,
        "ExportViewType": given.get("ExportViewType", "NEW_AND_OLD_IMAGES"),
    }


def _check_enum(name: str, value, allowed: tuple) -> None:
    if value is not None and value not in allowed:
        raise _invalid(name, value, f"satisfy enum value set: [{', '.join(allowed)}]")


def _invalid(name: str, value: str | None, demand: str) -> Refused:
    shown = "null" if value is None else f"'{value}'"
    return Refused(
        "ValidationException",
        f"1 validation error detected: Value {shown} at '{name}' failed to satisfy constraint: Member must {demand}",
    )


def _unsuitable(message: str) -> Refused:
    return Refused("ValidationException", f"Invalid Request: {message}")


def _wrong_time(message: str) -> Refused:
    return Refused("InvalidExportTimeException", message)


def _wire(name: str) -> str:
    return name[0].lower() + name[1:]


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
