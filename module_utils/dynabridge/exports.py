# SPDX-License-Identifier: MIT
"""What DynamoDB writes to S3 for an export: manifests, their checksums, and files of compressed lines.

Developer Guide, "DynamoDB table export output format", and real exports where these differ (the names of the checksum
files). Files are streamed: memory does not depend on their size.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .errors import DamagedExport

FULL, INCREMENTAL = "full", "incremental"
SUMMARY, FILES = "manifest-summary.json", "manifest-files.json"
# Of `manifest-files.json`: `.md5` is what real exports have, `.checksum` what the documentation says.
CHECKSUM_ENDINGS = (".md5", ".checksum")
CHUNK = (
    1 << 18
)  # bytes of an object that are read at a time; of a larger piece the rest is copied for each that is inflated
INFLATED = 1 << 20  # bytes that are inflated at a time, whatever the rate of compression
GZIP = 31  # window bits: a gzip member


@dataclass(frozen=True)
class Summary:
    """``manifest-summary.json``. Times are epoch seconds; ``start``: of an incremental's window, else None."""

    kind: str
    export_arn: str
    table_arn: str
    table_id: str
    start: float | None
    moment: float
    items: int
    billed_bytes: int
    bucket: str
    files_key: str
    format: str
    view: str


@dataclass(frozen=True)
class DataFile:
    """A line of ``manifest-files.json``. ``md5``: base64 of the MD5 of the object's bytes."""

    key: str
    items: int
    md5: str


def checksum_names(manifest: str) -> list[str]:
    """Names that the checksum of a manifest may have."""
    return [manifest.removesuffix(".json") + ending for ending in CHECKSUM_ENDINGS]


def md5_of(body: bytes) -> str:
    """As DynamoDB writes it: base64 of the MD5."""
    return spelled(new_md5(body))


def new_md5(body: bytes = b"") -> Any:
    """DynamoDB's checksums are MD5; nothing rests on it but the finding of damage."""
    return hashlib.md5(body, usedforsecurity=False)


def spelled(digest: Any) -> str:
    """A digest as DynamoDB writes it."""
    return base64.b64encode(digest.digest()).decode()


def read_summary(body: bytes) -> Summary:
    """Raises DamagedExport for what is no summary of an export, or not of one in DYNAMODB_JSON."""
    try:
        found = json.loads(body)
        incremental = found.get("exportType") == "INCREMENTAL_EXPORT"
        summary = Summary(
            kind=INCREMENTAL if incremental else FULL,
            export_arn=_text(found, "exportArn"),
            table_arn=_arn(found, "tableArn"),
            table_id=_text(found, "tableId"),
            start=read_time(found["exportFromTime"]) if incremental else None,
            moment=read_time(found["exportToTime" if incremental else "exportTime"]),
            items=int(found["itemCount"]),
            billed_bytes=int(found["billedSizeBytes"]),
            bucket=_text(found, "s3Bucket"),
            files_key=_text(found, "manifestFilesS3Key"),
            format=_text(found, "outputFormat"),
            view=found.get("outputView") or "",
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedExport(f"{SUMMARY} is no summary of an export ({_named(error)})") from error
    if summary.format != "DYNAMODB_JSON":
        raise DamagedExport(f"the export is in {summary.format}: only DYNAMODB_JSON can be restored")
    return summary


def read_files(body: bytes) -> list[DataFile]:
    """The data files of ``manifest-files.json``. Raises DamagedExport naming the line that is none."""
    files = []
    for number, line in enumerate(body.splitlines(), start=1):
        try:
            found = json.loads(line)
            files.append(DataFile(_text(found, "dataFileS3Key"), int(found["itemCount"]), _text(found, "md5Checksum")))
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedExport(f"line {number} of {FILES} names no data file ({_named(error)})") from error
    return files


def inflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The text of a gzip object, at most ``INFLATED`` bytes at a time. Raises DamagedExport when it is cut or no gzip."""
    member = zlib.decompressobj(GZIP)
    try:
        for chunk in chunks:
            while chunk:
                if member.eof:  # a gzip file may have several members
                    member = zlib.decompressobj(GZIP)
                yield from _inflated(member, chunk)
                chunk = member.unused_data
    except zlib.error as error:
        raise DamagedExport(f"is no valid gzip ({error})") from error
    if not member.eof:
        raise DamagedExport("is cut short")


def _inflated(member: Any, data: bytes) -> Iterator[bytes]:
    while True:
        text = member.decompress(data, INFLATED)
        if text:
            yield text
        data = member.unconsumed_tail
        if member.eof or (not data and len(text) < INFLATED):
            return


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a data file. Each is ``{"Item": ...}``, or of an incremental export Metadata, Keys and images."""
    rest = b""
    for text in inflate(chunks):
        *lines, rest = (rest + text).split(b"\n")
        yield from lines
    if rest:
        yield rest


def read_time(text: str) -> float:
    """Epoch seconds of ``2024-05-14T11:14:20.608Z``."""
    return datetime.fromisoformat(text).timestamp()


def _text(found: Mapping[str, Any], name: str) -> str:
    if not isinstance(found[name], str):
        raise ValueError(f"{name} is {found[name]!r}")
    return found[name]


def _arn(found: Mapping[str, Any], name: str) -> str:
    if _text(found, name).count(":") < 5:
        raise ValueError(f"{name} is {found[name]!r}")
    return found[name]


def _named(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
