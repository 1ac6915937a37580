# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports as DynamoDB writes them to S3, made in memory, and the objects of a bucket to read them from."""

import gzip
import json
from datetime import UTC, datetime

from dynabridge.backup_layout import folder_of, iso
from dynabridge.errors import DamagedExport
from dynabridge.exports import FILES, SUMMARY, checksum_names, md5_of

BUCKET, PREFIX, DAY, TABLE = "dynabridge-backup-cn-100000000001", "daily", "2026-11-21", "user-cn"
MOMENT = datetime(2026, 11, 21, 2, tzinfo=UTC).timestamp()
TABLE_ID = "9b1b4b39-97a2-4e6b-8b3c-a7a9c5c9e001"


def table_arn(table=TABLE):
    return f"arn:aws-cn:dynamodb:cn-north-1:100000000001:table/{table}"


def identifier(moment=MOMENT, tail=0):
    return f"{round(moment * 1000):014}-{tail:08x}"


def lines(count, first=0):
    return [json.dumps({"Item": {"PK": {"S": f"k{first + number}"}}}).encode() for number in range(count)]


class Bucket(dict):
    """Objects by key; ``stream`` gives ``piece`` bytes at a time. ``read`` counts the streams of each key."""

    def __init__(self, *arguments, piece=7):
        super().__init__(*arguments)
        self.piece, self.read = piece, []

    def stream(self, key):
        self.read.append(key)
        if key not in self:
            raise DamagedExport("is missing")
        for start in range(0, len(self[key]), self.piece):
            yield self[key][start : start + self.piece]

    def seal(self, folder, manifest, body, ending=0):
        """A manifest with its checksum; ``ending``: which of the names the checksum bears."""
        self[folder + manifest] = body
        self[folder + checksum_names(manifest)[ending]] = md5_of(body).encode()

    def edit(self, folder, **changes):
        """Change the summary, and its checksum with it."""
        self.seal(folder, SUMMARY, json.dumps(json.loads(self[folder + SUMMARY]) | changes).encode())

    def data(self, folder):
        """The keys of the data files, in the manifest's order."""
        return [json.loads(line)["dataFileS3Key"] for line in self[folder + FILES].splitlines()]


def write_export(bucket, files=None, table=TABLE, day=DAY, moment=MOMENT, window=None, ending=0, tail=0, **changes):
    """Write an export, a data file for each list of lines, and give its folder. ``window``: of an incremental one."""
    files = [lines(3), lines(2, 3), []] if files is None else files
    folder = folder_of(PREFIX, day, table, identifier(moment, tail))
    place = folder if window is None else folder.removesuffix(f"{identifier(moment, tail)}/")
    entries = []
    for number, content in enumerate(files):
        body = gzip.compress(b"".join(line + b"\n" for line in content), mtime=0)
        key = f"{place}data/{identifier(moment, tail)[-8:]}{number:018}.json.gz"
        bucket[key] = body
        entries.append({"itemCount": len(content), "md5Checksum": md5_of(body), "etag": "x-1", "dataFileS3Key": key})
    bucket[folder + "_started"] = b""
    bucket.seal(folder, FILES, b"".join(json.dumps(entry).encode() + b"\n" for entry in entries), ending)
    summary = summary_of(folder, table, moment, window) | {"itemCount": sum(len(content) for content in files)}
    bucket.seal(folder, SUMMARY, json.dumps(summary | changes).encode(), ending)
    return folder


def summary_of(folder, table=TABLE, moment=MOMENT, window=None):
    """``manifest-summary.json`` as real exports have it, without items."""
    times = {"version": "2020-06-30", "exportTime": iso(moment)}
    if window is not None:
        times = {
            "version": "2023-08-01",
            "exportFromTime": iso(window[0]),
            "exportToTime": iso(window[1]),
            "outputView": "NEW_AND_OLD_IMAGES",
            "exportType": "INCREMENTAL_EXPORT",
        }
    return times | {
        "exportArn": f"{table_arn(table)}/export/{folder.rstrip('/').rpartition('/')[2]}",
        "startTime": iso(moment),
        "endTime": iso(moment + 300),
        "tableArn": table_arn(table),
        "tableId": TABLE_ID,
        "s3Bucket": BUCKET,
        "s3Prefix": folder.partition("/AWSDynamoDB/")[0],
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": folder + FILES,
        "billedSizeBytes": 4096,
        "itemCount": 0,
        "outputFormat": "DYNAMODB_JSON",
    }
