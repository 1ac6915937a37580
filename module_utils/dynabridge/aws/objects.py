# SPDX-License-Identifier: MIT
"""A bucket's objects: paged listings, streamed bodies, and refusals in a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import ArchivedObject, BackupError, DamagedExport
from ..exports import CHUNK
from .answers import error_code
from .botocore_errors import BotoCoreError, ClientError

MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
KMS_HINT = ". The key that encrypts must let the caller use it: kms:Decrypt to read, kms:GenerateDataKey too to write"
ALREADY_ACTIVE = "ObjectAlreadyInActiveTierError"
UNDER_WAY = frozenset({"RestoreAlreadyInProgress", ALREADY_ACTIVE})


class Overtaken(BackupError):
    """The object is another one than was read before."""


class Listed(NamedTuple):
    """An object as a listing shows it."""

    key: str
    size: int
    storage_class: str


class Objects:
    """A bucket. ``owner``: account it must belong to, '' for any. ``kms_key``: of what is put, '' for the bucket's own."""

    def __init__(self, s3: Any, bucket: str, owner: str = "", kms_key: str = "") -> None:
        self.s3, self.bucket = s3, bucket
        self._where = {"Bucket": bucket} | ({"ExpectedBucketOwner": owner} if owner else {})
        self._how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}

    def list(self, prefix: str) -> Iterator[Listed]:
        """All objects under the prefix, however many."""
        for page in self._pages(prefix):
            for found in page.get("Contents", []):
                yield Listed(found["Key"], found["Size"], found.get("StorageClass", "STANDARD"))

    def folders(self, prefix: str) -> Iterator[str]:
        """What lies directly under ``prefix`` (ending with a slash): ``daily/2026/`` -> ``daily/2026/11/``."""
        for page in self._pages(prefix, Delimiter="/"):
            yield from (found["Prefix"] for found in page.get("CommonPrefixes", []))

    def get(self, key: str) -> bytes | None:
        """The object's bytes; None when it is not there."""
        try:
            return self.s3.get_object(**self._where, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise self._refused("read", key, error) from error

    def get_tagged(self, key: str) -> tuple[bytes, str] | None:
        """The object's bytes and its tag, by which ``put`` replaces just that; None when it is not there."""
        try:
            answer = self.s3.get_object(**self._where, Key=key)
            return answer["Body"].read(), answer["ETag"]
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise self._refused("read", key, error) from error

    def get_json(self, key: str) -> Any:
        """The object parsed; None when it is not there or no JSON."""
        body = self.get(key)
        try:
            return None if body is None else json.loads(body)
        except ValueError:
            return None

    def stream(self, key: str) -> Iterator[bytes]:
        """The object's bytes in pieces."""
        try:
            yield from self.s3.get_object(**self._where, Key=key)["Body"].iter_chunks(CHUNK)
        except ClientError as error:
            if error_code(error) in MISSING:
                raise DamagedExport("is missing") from error
            raise self._refused("read", key, error) from error
        except BotoCoreError as error:  # the connection broke on the way
            raise BackupError(f"cannot be read to its end ({error})") from error

    def head(self, key: str) -> dict[str, Any] | None:
        """What S3 says of the object: StorageClass, Restore, ArchiveStatus; None when it is not there."""
        try:
            return self.s3.head_object(**self._where, Key=key)
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise self._refused("looked at", key, error) from error

    def fetch_from_archive(self, key: str, request: dict[str, Any]) -> str:
        """Ask for a copy of an archived object; '' or the code of S3's answer where that says how it stands already."""
        try:
            self.s3.restore_object(**self._where, Key=key, RestoreRequest=request)
        except ClientError as error:
            if error_code(error) in UNDER_WAY:
                return error_code(error)
            raise self._refused("retrieved", key, error) from error
        return ""

    def put(self, key: str, body: bytes, content_type: str = "application/json", tag: str | None = None) -> None:
        """``tag``: of the object that is replaced, '' = there is none yet. Raises Overtaken when that is not so any more."""
        condition = {} if tag is None else {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        # A bucket with Object Lock takes nothing without a checksum, and not every boto3 sends one by itself.
        how = {"ContentType": content_type, "ChecksumAlgorithm": "CRC32"} | self._how | condition
        try:
            self.s3.put_object(**self._where, Key=key, Body=body, **how)
        except ClientError as error:
            if condition and error_code(error) in OVERTAKEN:
                raise Overtaken(f"s3://{self.bucket}/{key} was written by another at the same time") from error
            raise self._refused("written", key, error) from error

    def put_json(self, key: str, document: Any) -> None:
        self.put(key, json.dumps(document, indent=1).encode() + b"\n")

    def ask(self, what: str, operation: str, key: str, **arguments: Any) -> Any:
        """Any other call about one object; ``what`` is done to it, as ``written``."""
        try:
            return getattr(self.s3, operation)(**self._where, Key=key, **arguments)
        except ClientError as error:
            raise self._refused(what, key, error) from error

    def _pages(self, prefix: str, **more: str) -> Iterator[dict]:
        try:
            yield from self.s3.get_paginator("list_objects_v2").paginate(**self._where, Prefix=prefix, **more)
        except ClientError as error:
            raise self._refused("listed", prefix, error) from error

    def _refused(self, what: str, key: str, error: ClientError) -> BackupError:
        code = error_code(error)
        if code == "NoSuchBucket":
            return BackupError(f"bucket {self.bucket} is not there: run deploy.yml --tags backup, or correct its name")
        if code == "InvalidObjectState":
            return ArchivedObject(f"s3://{self.bucket}/{key} lies in an archive class: it has to be retrieved first")
        message = error.response["Error"].get("Message", "")
        hint = KMS_HINT if "kms" in f"{code} {message}".lower() else ""
        return BackupError(f"s3://{self.bucket}/{key} cannot be {what} ({code}): {message}{hint}")
