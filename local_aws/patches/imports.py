# SPDX-License-Identifier: GPL-3.0-or-later
"""ImportTable as DynamoDB does it, where the emulator's is kinder or stricter.

AWS behaviour this patch stands for (Amazon DynamoDB Developer Guide, "DynamoDB data import from Amazon S3", and what has
been observed of the real service):
- a repeated ClientToken is answered with the old job, whatever became of it and of its table;
- a prefix that matches nothing ends COMPLETED, with an empty table;
- the counters stay 0 until the end;
- the first line of an object that is no JSON abandons the rest of the object;
- the source is read with the caller's rights, which shows as FAILED; so does an object in an archive class.

LOCAL_AWS_IMPORT_SECONDS: how long an import takes at least (default 1).
"""

import contextvars
import os

from ..sides import Side

COUNTERS = ("ProcessedSizeBytes", "ProcessedItemCount", "ImportedItemCount", "ErrorCount")
# Why the caller may not read the source; the job's thread takes the request's context over.
_refused: contextvars.ContextVar = contextvars.ContextVar("import_refused", default=None)


def install(side: Side) -> None:
    from ministack.services import dynamodb, s3

    from .export import access

    dynamodb._IMPORT_COMPLETE_AFTER_SEC = float(os.environ.get("LOCAL_AWS_IMPORT_SECONDS", "1.0"))
    emulator_import = dynamodb._import_table
    emulator_description, emulator_objects = dynamodb._import_description, dynamodb._import_source_objects
    emulator_items = dynamodb._import_dynamodb_json_items

    def import_table(data: dict):
        token = data.get("ClientToken")
        for told in dynamodb._imports.values():
            if token and told.get("ClientToken") == token:
                return dynamodb.json_response({"ImportTableDescription": description(told)})
        source = data.get("S3BucketSource") or {}
        refused = _refused.set(source and _refusal(side, access, dynamodb.get_region(), source))
        try:
            return emulator_import(data)
        finally:
            _refused.reset(refused)

    def description(told: dict) -> dict:
        shown = emulator_description(told)
        is_running = shown["ImportStatus"] == "IN_PROGRESS"
        return shown | dict.fromkeys(COUNTERS, 0) if is_running else shown

    def source_objects(source: dict, compression: str):
        if _refused.get():
            raise dynamodb._ImportFailed("S3AccessDenied", _refused.get(), table_created=False)
        try:
            bucket, objects = emulator_objects(source, compression)
        except dynamodb._ImportFailed as failed:
            if failed.code != "S3NoSuchKey":
                raise
            return source["S3Bucket"], []
        for key, _body in objects:
            _refuse_archived(dynamodb, s3, bucket, key)
        return bucket, objects

    def items(blob: bytes):
        good, malformed = emulator_items(blob)
        broken = min((index for index, reason in malformed if "not valid JSON" in reason), default=None)
        if broken is None:
            return good, malformed
        return (
            [entry for entry in good if entry[0] < broken],
            [entry for entry in malformed if entry[0] <= broken],
        )

    dynamodb._import_table = import_table
    dynamodb._import_description = description
    dynamodb._import_source_objects = source_objects
    dynamodb._import_dynamodb_json_items = items


def _refusal(side: Side, access, region: str, source: dict) -> str | None:
    """By the rights of who asks: DynamoDB lists the prefix and reads what is there."""
    bucket = f"arn:{side.partition}:s3:::{source.get('S3Bucket')}"
    wanted = [("s3:ListBucket", bucket), ("s3:GetObject", f"{bucket}/{source.get('S3KeyPrefix') or ''}data.json.gz")]
    return access.refusal("s3", region, wanted, {})


def _refuse_archived(dynamodb, s3, bucket: str, key: str) -> None:
    found = s3._buckets[bucket]["objects"][key]
    if found.get("storage_class") in s3._ARCHIVE_STORAGE_CLASSES and s3._sync_restore(bucket, key, found) != "restored":
        raise dynamodb._ImportFailed(
            "S3InvalidObjectState", "The operation is not valid for the object's storage class", table_created=False
        )
