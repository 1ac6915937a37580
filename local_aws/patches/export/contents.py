# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of an export: names, lines, manifests, checksums. Pure functions, no I/O.

Developer Guide, "DynamoDB table export output format"; names of the checksum files, the empty data files and
the order of the manifest's fields as seen in real exports.
"""

import base64
import gzip
import hashlib
import json
import uuid
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

from .changelog import NetChange


@dataclass(frozen=True)
class DataFile:
    key: str
    body: bytes
    item_count: int


def root(prefix: str | None) -> str:
    """`foo` and `foo/` both lead to `foo/AWSDynamoDB`; DynamoDB does not touch the prefix otherwise."""
    if not prefix:
        return "AWSDynamoDB"
    return f"{prefix}AWSDynamoDB" if prefix.endswith("/") else f"{prefix}/AWSDynamoDB"


def export_id(started_millis: int) -> str:
    return f"{started_millis:014d}-{uuid.uuid4().hex[:8]}"


def data_folder(prefix: str | None, identifier: str, incremental: bool) -> str:
    """Incremental exports to one prefix share their data folder; a full export has its own."""
    return f"{root(prefix)}/data" if incremental else f"{root(prefix)}/{identifier}/data"


def full_line(image: str) -> str:
    return f'{{"Item":{image}}}'


def incremental_line(change: NetChange, key_names: tuple[str, ...], with_old_image: bool) -> str:
    image = json.loads(change.new or change.old)
    line = {
        "Metadata": {"WriteTimestampMicros": {"N": str(change.micros)}},
        "Keys": {name: image[name] for name in key_names},
    }
    if change.old is not None and with_old_image:
        line["OldImage"] = json.loads(change.old)
    if change.new is not None:
        line["NewImage"] = image
    return _compact(line)


def data_files(folder: str, lines: list[str], items_per_file: int) -> list[DataFile]:
    """The lines spread over files without any order, as partitions are; a file can come out empty."""
    count = 1 + len(lines) // items_per_file
    shares: list[list[str]] = [[] for _ in range(count)]
    for line in lines:
        shares[zlib.crc32(line.encode()) % count].append(line)
    return [_data_file(folder, share) for share in shares]


def _data_file(folder: str, lines: list[str]) -> DataFile:
    text = "".join(f"{line}\n" for line in lines)
    return DataFile(f"{folder}/{_file_name()}.json.gz", gzip.compress(text.encode(), 6, mtime=0), len(lines))


def _file_name() -> str:
    return base64.b32encode(uuid.uuid4().bytes).decode().rstrip("=").lower()


def files_manifest(files: list[tuple[DataFile, str]]) -> bytes:
    """One line per data file; the ETag is the one that S3 answered."""
    return "".join(
        _compact(
            {
                "itemCount": file.item_count,
                "md5Checksum": checksum(file.body),
                "etag": etag,
                "dataFileS3Key": file.key,
            }
        )
        + "\n"
        for file, etag in files
    ).encode()


def summary_manifest(description: dict, manifest_files_key: str) -> bytes:
    """The summary of an export that has ended, from its ExportDescription."""
    window = description.get("IncrementalExportSpecification")
    summary = {
        "version": "2023-08-01" if window else "2020-06-30",
        "exportArn": description["ExportArn"],
        "startTime": timestamp(description["StartTime"]),
        "endTime": timestamp(description["EndTime"]),
        "tableArn": description["TableArn"],
        "tableId": description["TableId"],
    }
    if window:
        summary["exportFromTime"] = timestamp(window["ExportFromTime"])
        summary["exportToTime"] = timestamp(window["ExportToTime"])
    else:
        summary["exportTime"] = timestamp(description["ExportTime"])
    summary.update(
        {
            "s3Bucket": description["S3Bucket"],
            "s3Prefix": description.get("S3Prefix"),
            "s3SseAlgorithm": description["S3SseAlgorithm"],
            "s3SseKmsKeyId": description.get("S3SseKmsKeyId"),
            "manifestFilesS3Key": manifest_files_key,
            "billedSizeBytes": description["BilledSizeBytes"],
            "itemCount": description["ItemCount"],
            "outputFormat": description["ExportFormat"],
        }
    )
    if window:
        summary["outputView"] = window["ExportViewType"]
        summary["exportType"] = description["ExportType"]
    return (_compact(summary) + "\n").encode()


def checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _compact(value) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
