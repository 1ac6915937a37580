# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket and a DynamoDB that exports to it, in memory, to be handed to ``fake_client``."""

import io
from datetime import UTC, datetime
from types import SimpleNamespace

from botocore.response import StreamingBody

from dynabridge.aws.backups import Backups
from dynabridge.aws.exports import Exports, Target
from dynabridge.aws.objects import Objects
from dynabridge.table_schema import schema_of
from tests.export_files import BUCKET, MOMENT, PREFIX, TABLE_ID, Bucket, identifier, lines, table_arn, write_export
from tests.modules.aws_fakes import aws_error, fake_client
from tests.table_answers import OFF, RECOVERY, TTL, description

TABLES = ("user-cn", "orders-cn", "huge-cn")
SCHEMA_DOCUMENT = schema_of(description(), TTL, RECOVERY)
DAY_SECONDS = 86400


class FakeS3:
    """One bucket. ``errors``: by operation, or by operation and end of key, what is raised instead."""

    def __init__(self, bucket=BUCKET):
        self.bucket, self.objects, self.classes, self.errors = bucket, Bucket(), {}, {}
        self.rules, self.owners, self.pages, self.gets = [], set(), 0, []
        self.uploads, self.keys_used = (
            {},
            {},
        )  # parts of uploads that are neither finished nor aborted; KMS keys by object

    def _asked(self, operation, bucket, owner, key=""):
        self.owners.add(owner)
        for (name, end), error in self.errors.items():
            if name == operation and key.endswith(end):
                raise error
        if bucket != self.bucket:
            raise aws_error("NoSuchBucket")

    def list_objects_v2(self, Bucket, Prefix, Delimiter="", ContinuationToken="", ExpectedBucketOwner=""):
        self._asked("list_objects_v2", Bucket, ExpectedBucketOwner, Prefix)
        self.pages += 1
        entries = []  # in order: objects, and folders where there is a delimiter
        for key in sorted(key for key in self.objects if key.startswith(Prefix)):
            rest = key.removeprefix(Prefix)
            name = Prefix + rest.partition(Delimiter)[0] + Delimiter if Delimiter and Delimiter in rest else key
            if name not in entries[-1:]:
                entries.append(name)
        entries = [name for name in entries if name > ContinuationToken]
        page, more = entries[:1000], entries[1000:]
        answer = {
            "Contents": [self._listed(name) for name in page if name in self.objects],
            "CommonPrefixes": [{"Prefix": name} for name in page if name not in self.objects],
            "IsTruncated": bool(more),
        }
        return answer | ({"NextContinuationToken": page[-1]} if more else {})

    def _listed(self, key):
        return {"Key": key, "Size": len(self.objects[key]), "StorageClass": self.classes.get(key, "STANDARD")}

    def get_object(self, Bucket, Key, ExpectedBucketOwner=""):
        self._asked("get_object", Bucket, ExpectedBucketOwner, Key)
        self.gets.append(Key)
        if Key not in self.objects:
            raise aws_error("NoSuchKey")
        return {"Body": StreamingBody(io.BytesIO(self.objects[Key]), len(self.objects[Key]))}

    def put_object(self, Bucket, Key, Body, ContentType, ChecksumAlgorithm, ExpectedBucketOwner="", **encryption):
        assert ChecksumAlgorithm, "Object Lock wants one"
        self._asked("put_object", Bucket, ExpectedBucketOwner, Key)
        self.objects[Key] = Body
        self.keys_used[Key] = encryption.get("SSEKMSKeyId", "")

    def create_multipart_upload(
        self, Bucket, Key, ContentType, ChecksumAlgorithm, ExpectedBucketOwner="", **encryption
    ):
        assert ChecksumAlgorithm, "Object Lock wants one"
        self._asked("create_multipart_upload", Bucket, ExpectedBucketOwner, Key)
        self.keys_used[Key] = encryption.get("SSEKMSKeyId", "")
        self.uploads[Key] = {}
        return {"UploadId": Key}

    def upload_part(self, Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm, ExpectedBucketOwner=""):
        self._asked("upload_part", Bucket, ExpectedBucketOwner, Key)
        self.uploads[UploadId][PartNumber] = Body
        return {"ETag": f'"{PartNumber}"', "ChecksumCRC32": "AAAAAA=="}

    def complete_multipart_upload(self, Bucket, Key, UploadId, MultipartUpload, ExpectedBucketOwner=""):
        self._asked("complete_multipart_upload", Bucket, ExpectedBucketOwner, Key)
        parts = self.uploads.pop(UploadId)
        numbers = [part["PartNumber"] for part in MultipartUpload["Parts"]]
        assert numbers == sorted(parts) and all(
            part["ETag"] == f'"{part["PartNumber"]}"' for part in MultipartUpload["Parts"]
        )
        self.objects[Key] = b"".join(parts[number] for number in numbers)

    def abort_multipart_upload(self, Bucket, Key, UploadId, ExpectedBucketOwner=""):
        self._asked("abort_multipart_upload", Bucket, ExpectedBucketOwner, Key)
        del self.uploads[UploadId]

    def get_bucket_lifecycle_configuration(self, Bucket, ExpectedBucketOwner=""):
        self._asked("get_bucket_lifecycle_configuration", Bucket, ExpectedBucketOwner)
        if not self.rules:
            raise aws_error("NoSuchLifecycleConfiguration")
        return {"Rules": self.rules}

    def names(self, folder):
        """What lies in a folder, its data apart."""
        found = (key.removeprefix(folder) for key in self.objects if key.startswith(folder))
        return {name for name in found if not name.startswith("data/")}


class FakeDynamoDB:
    """Tables that can be exported to ``s3``. Exports go on until ``complete`` or ``fail``.

    ``now``: the time, which each export takes on by a second. ``errors``: by operation and table.
    """

    def __init__(self, s3, tables=TABLES):
        self.s3, self.now, self.errors, self.asked = s3, MOMENT, {}, []
        self.ids = dict.fromkeys(tables, TABLE_ID)
        self.recoverable_from = dict.fromkeys(tables, MOMENT - 35 * DAY_SECONDS)
        self.exports, self.tokens = {}, {}

    def _table(self, operation, name):
        if (operation, name) in self.errors:
            raise self.errors[operation, name]
        if name not in self.ids:
            raise aws_error("ResourceNotFoundException" if operation == "describe_table" else "TableNotFoundException")
        return name

    def describe_table(self, TableName):
        name = self._table("describe_table", TableName)
        return {"Table": {"TableName": name, "TableArn": table_arn(name), "TableId": self.ids[name]}}

    def describe_continuous_backups(self, TableName):
        since = self.recoverable_from[self._table("describe_continuous_backups", TableName)]
        on = {"PointInTimeRecoveryStatus": "ENABLED", "EarliestRestorableDateTime": since and _datetime(since)}
        recovery = OFF if since is None else {"PointInTimeRecoveryDescription": on}
        return {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED"} | recovery}

    def update_continuous_backups(self, TableName, PointInTimeRecoverySpecification):
        assert PointInTimeRecoverySpecification == {"PointInTimeRecoveryEnabled": True}
        self.recoverable_from[self._table("update_continuous_backups", TableName)] = self.now
        return {}

    def export_table_to_point_in_time(self, TableArn, **request):
        name = self._table("export_table_to_point_in_time", TableArn.rpartition("/")[2])
        if self.recoverable_from[name] is None:
            raise aws_error("PointInTimeRecoveryUnavailableException")
        request["TableArn"] = TableArn
        self.asked.append(request)
        token = request.get("ClientToken")
        if token in self.tokens:
            arn = self.tokens[token]
            if self.exports[arn]["request"] != request:
                raise aws_error("ExportConflictException")
            return {"ExportDescription": self.exports[arn]["description"]}
        self.now += 1
        arn = f"{TableArn}/export/{identifier(self.now, len(self.exports))}"
        told = {"ExportArn": arn, "ExportStatus": "IN_PROGRESS", "StartTime": _datetime(self.now), "TableArn": TableArn}
        told |= {name: request[name] for name in ("IncrementalExportSpecification", "S3Bucket") if name in request}
        self.exports[arn] = {"description": told, "request": request, "tail": len(self.exports), "moment": self.now}
        if token:
            self.tokens[token] = arn
        return {"ExportDescription": told}

    def describe_export(self, ExportArn):
        self._table("describe_export", ExportArn.split("/")[1])
        if ExportArn not in self.exports:
            raise aws_error("ExportNotFoundException")
        return {"ExportDescription": self.exports[ExportArn]["description"]}

    def list_exports(self, TableArn, MaxResults, NextToken="0"):
        found = [arn for arn in self.exports if arn.startswith(f"{TableArn}/")][::-1]
        start = int(NextToken)
        page = [{"ExportArn": arn} for arn in found[start : start + 2]]  # two a page, whatever is allowed
        return {"ExportSummaries": page} | ({"NextToken": str(start + 2)} if start + 2 < len(found) else {})

    def complete(self, arn, files=None, **changes):
        """DynamoDB writes the export, with five items where no lines are given, and says that it is done."""
        export = self.exports[arn]
        *_top, year, month, day, table = export["request"]["S3Prefix"].split("/")
        given = export["request"].get("IncrementalExportSpecification")
        window = given and (given["ExportFromTime"].timestamp(), given["ExportToTime"].timestamp())
        files = [lines(3), lines(2, 3)] if files is None else files
        at = {"table": table, "day": f"{year}-{month}-{day}", "moment": export["moment"], "tail": export["tail"]}
        folder = write_export(
            self.s3.objects, files, window=window, tableId=self.ids.get(table, TABLE_ID), **at, **changes
        )
        export["description"] |= {"ExportStatus": "COMPLETED", "ItemCount": sum(map(len, files))}
        return folder

    def complete_all(self):
        for arn, export in self.exports.items():
            if export["description"]["ExportStatus"] == "IN_PROGRESS":
                self.complete(arn)

    def fail(self, arn, code="S3NoSuchBucket", message="The specified bucket does not exist"):
        reason = {"FailureCode": code, "FailureMessage": message} if code else {}
        self.exports[arn]["description"] |= {"ExportStatus": "FAILED", **reason}


class FakeCloudWatch:
    """Metrics by name and dimension."""

    def __init__(self):
        self.metrics, self.namespaces = {}, set()

    def put_metric_data(self, Namespace, MetricData):
        self.namespaces.add(Namespace)
        for data in MetricData:
            (dimension,) = data["Dimensions"]
            self.metrics.setdefault((data["MetricName"], dimension["Name"], dimension["Value"]), []).append(
                data["Value"]
            )


def cloud(tables=TABLES, owner="", **more):
    """A bucket, a DynamoDB, and Backups of the one in the other, by the fake DynamoDB's clock."""
    s3 = FakeS3()
    dynamodb = FakeDynamoDB(s3, tables)
    backups = Backups(
        Objects(fake_client("s3", s3), BUCKET, owner),
        Exports(fake_client("dynamodb", dynamodb)),
        lambda _table: SCHEMA_DOCUMENT,
        Target(BUCKET, owner),
        PREFIX,
        now=lambda: dynamodb.now,
        **more,
    )
    return SimpleNamespace(s3=s3, dynamodb=dynamodb, backups=backups)


def _datetime(seconds):
    return datetime.fromtimestamp(seconds, UTC)
