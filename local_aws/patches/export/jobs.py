# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of an export: objects into S3, then COMPLETED, or FAILED with the reason.

A job is a task of the server's event loop, like a request: the emulator's S3 is not made for other threads.
Only the compressing is done beside it.
"""

import asyncio
import contextlib
import contextvars
import json
import logging
import re
import secrets
import threading
import time
from dataclasses import dataclass

from ministack.core.responses import request_scope
from ministack.services import dynamodb, kms, s3

from . import contents, settings
from .changelog import ChangeLog

AWS_MANAGED_KEY = "alias/aws/s3"

logger = logging.getLogger("local_aws")

_requests: dict[str, dict] = {}
_tasks: set = set()


@dataclass
class Job:
    description: dict  # the record that DescribeExport shows
    request: dict
    log: ChangeLog
    key_names: tuple[str, ...]
    until: int  # a full export shows the table as it was before this moment, in microseconds
    refusal: str | None  # why the caller may not write to the bucket


class Failed(Exception):
    """The export ends FAILED with this code and message."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def request_of(export_arn: str) -> dict | None:
    return _requests.get(export_arn)


def folder(description: dict) -> str:
    return f"{contents.root(description.get('S3Prefix'))}/{_identifier(description)}"


def data_folder(description: dict) -> str:
    incremental = "IncrementalExportSpecification" in description
    return contents.data_folder(description.get("S3Prefix"), _identifier(description), incremental)


def _identifier(description: dict) -> str:
    return description["ExportArn"].rpartition("/")[2]


def start(job: Job) -> None:
    _requests[job.description["ExportArn"]] = job.request
    work = _run(job, dynamodb.get_account_id(), dynamodb.get_region())
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # called by another service of the emulator, from a thread of its own
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(asyncio.run, work), daemon=True).start()
        return
    task = loop.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def cancel_all() -> None:
    """Stop what runs; the emulator may call this from another thread."""
    for task in list(_tasks):
        loop = task.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)
    _tasks.clear()
    _requests.clear()


async def _run(job: Job, account_id: str, region: str) -> None:
    description = job.description
    try:
        with _bucket_scope(job, account_id, region):
            _put(description, f"{folder(description)}/_started", b"")
            await asyncio.sleep(settings.export_seconds())
            result = await _write(job)
    except Failed as failed:
        await asyncio.sleep(settings.export_seconds() / 2)
        result = _failure(failed.code, failed.message)
    except Exception as error:  # a fault of this patch must not look like an export that takes long
        logger.exception("export %s", description["ExportArn"])
        result = _failure("InternalServerError", str(error))
    description.update({"EndTime": _now(), **result})


def _failure(code: str, message: str) -> dict:
    return {"ExportStatus": "FAILED", "FailureCode": code, "FailureMessage": message}


@contextlib.contextmanager
def _bucket_scope(job: Job, account_id: str, region: str):
    """Act in the account that owns the bucket, if the request may."""
    bucket, named_owner = job.description["S3Bucket"], job.description.get("S3BucketOwner")
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        missing = _s3_message("The specified bucket does not exist", 404, "NoSuchBucket")
        raise Failed("S3NoSuchBucket", missing)
    if job.refusal:
        raise Failed("S3AccessDenied", _s3_message(job.refusal, 403, "AccessDenied"))
    if owner != (named_owner or account_id):
        raise Failed("S3AccessDenied", _s3_message("Access Denied", 403, "AccessDenied"))
    _check_key(job.description)
    with request_scope(owner, region):
        yield


def _check_key(description: dict) -> None:
    key = description.get("S3SseKmsKeyId")
    if key and key != AWS_MANAGED_KEY and kms._resolve_key(key) is None:
        raise Failed("KmsNotFoundException", _s3_message(f"Key '{key}' does not exist", 400, "KMS.NotFoundException"))


async def _write(job: Job) -> dict:
    """Data files, then the manifests; what the finished export says of itself."""
    description = job.description
    files, item_count, billed = await asyncio.to_thread(_data, job)
    tagged = []
    for file in files:
        tagged.append((file, _upload(description, file.key, file.body)))
        await asyncio.sleep(0)  # let requests in between
    place = folder(description)
    done = {
        "ItemCount": item_count,
        "BilledSizeBytes": billed,
        "EndTime": _now(),
        "ExportStatus": "COMPLETED",
        "ExportManifest": f"{place}/manifest-summary.json",
    }
    manifest_files_key = f"{place}/manifest-files.json"
    summary = contents.summary_manifest({**description, **done}, manifest_files_key)
    for name, body in (("manifest-files", contents.files_manifest(tagged)), ("manifest-summary", summary)):
        _put(description, f"{place}/{name}.json", body)
        _put(description, f"{place}/{name}.md5", contents.checksum(body).encode())
    return done


def _data(job: Job) -> tuple[list[contents.DataFile], int, int]:
    """The data files, the number of lines in them, and what AWS would bill."""
    window = job.description.get("IncrementalExportSpecification")
    if window:
        with_old = window["ExportViewType"] == "NEW_AND_OLD_IMAGES"
        changes = job.log.net_changes(micros(window["ExportFromTime"]), micros(window["ExportToTime"]))
        lines = [contents.incremental_line(change, job.key_names, with_old) for change in changes]
        billed = max(settings.LEAST_INCREMENTAL_BILL_BYTES, sum(map(len, lines)))
    else:
        images = job.log.images_at(job.until).values()
        lines = [contents.full_line(image) for image in images]
        billed = sum(dynamodb._item_size_bytes(json.loads(image)) for image in images)
    files = contents.data_files(data_folder(job.description), lines, settings.ITEMS_PER_FILE)
    return files, len(lines), billed


def _encryption(description: dict) -> dict:
    if description["S3SseAlgorithm"] == "AES256":
        return {"x-amz-server-side-encryption": "AES256"}
    return {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": description.get("S3SseKmsKeyId", AWS_MANAGED_KEY),
    }


def _put(description: dict, key: str, body: bytes) -> None:
    _checked(s3._put_object(description["S3Bucket"], key, body, _encryption(description)))


def _upload(description: dict, key: str, body: bytes) -> str:
    """DynamoDB uploads data files in parts, so their ETag is no MD5; returns the ETag."""
    bucket = description["S3Bucket"]
    begun = _checked(s3._create_multipart_upload(bucket, key, _encryption(description)))
    upload = {"uploadId": [re.search(rb"<UploadId>(.+?)</UploadId>", begun[2])[1].decode()]}
    part = _checked(s3._upload_part(bucket, key, body, {**upload, "partNumber": ["1"]}, {}))
    etag = part[1]["ETag"]
    request = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    done = _checked(s3._complete_multipart_upload(bucket, key, request.encode(), upload, {}))
    return re.search(r"<ETag>(.+?)</ETag>", done[2].decode())[1].replace("&quot;", "").strip('"')


def _checked(response: tuple) -> tuple:
    status, _headers, body = response
    if status == 200:
        return response
    code = re.search(rb"<Code>(.+?)</Code>", body)
    message = re.search(rb"<Message>(.+?)</Message>", body)
    named = code[1].decode() if code else "InternalError"
    raise Failed(f"S3{named}", _s3_message(message[1].decode() if message else "", status, named))


def _s3_message(message: str, status: int, code: str) -> str:
    return (
        f"{message} (Service: Amazon S3; Status Code: {status}; Error Code: {code}; "
        f"Request ID: {secrets.token_hex(8).upper()}; Proxy: null)"
    )


def micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _now() -> float:
    return time.time_ns() // 1_000_000 / 1000
