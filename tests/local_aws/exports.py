# SPDX-License-Identifier: GPL-3.0-or-later
"""A side of quick exports, and a table with a bucket to export it to, for the tests of exports."""

import base64
import contextlib
import dataclasses
import gzip
import hashlib
import json
import time
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws import launch
from local_aws.sides import SIDES
from local_aws.state import StateDirectory

# AWS takes minutes for an export, wants 15 minutes in an incremental one, and lets an explicit ExportTime
# come no closer than five minutes: here all that is seconds.
SETTINGS = {
    "LOCAL_AWS_EXPORT_SECONDS": "0.3",
    "LOCAL_AWS_EXPORT_MIN_WINDOW": "1",
    "LOCAL_AWS_PITR_LAG": "0",
    "LOCAL_AWS_IMPORT_SECONDS": "0.3",
    "LOCAL_AWS_RETRIEVAL_SECONDS": "0.5",
}


class Cloud:
    """The China side, with clients as root or as a user."""

    def __init__(self, side):
        self.side = side

    def client(self, service, access_key=None, secret_key="test"):
        return boto3.Session(
            region_name=self.side.region,
            aws_access_key_id=access_key or self.side.account_id,
            aws_secret_access_key=secret_key,
        ).client(service, endpoint_url=self.side.endpoint_url)

    def reset(self):
        assert launch.answers(self.side, "POST", "/_ministack/reset")


@contextlib.contextmanager
def started_cloud(path):
    """The China side on its own, with the settings above."""
    directory = StateDirectory(path)
    listener = launch.listening_socket(SIDES["cn"], None)
    side = dataclasses.replace(SIDES["cn"], port=listener.getsockname()[1])
    directory.log_file(side).parent.mkdir(parents=True)
    directory.temporary_directory(side).mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in SETTINGS.items():
            patched.setenv(name, value)
        process = launch.start(side, [listener], directory, uuid.uuid4().hex)
    listener.close()
    try:
        launch.wait_until_answering(side, process, directory)
        yield Cloud(side)
    finally:
        process.terminate()
        process.wait(20)


class Subject:
    """A table under recovery, and a bucket to export it to."""

    def __init__(self, cloud, name):
        self.cloud, self.name, self.bucket = cloud, name, f"{name}-bucket"
        self.dynamodb, self.s3 = cloud.client("dynamodb"), cloud.client("s3")
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": cloud.side.region})
        self.create()
        self.recover(True)

    def create(self):
        self.table = self.dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "PK", "KeyType": "HASH"},
                {"AttributeName": "SK", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "PK", "AttributeType": "S"},
                {"AttributeName": "SK", "AttributeType": "N"},
            ],
        )["TableDescription"]

    def recover(self, enabled):
        return self.dynamodb.update_continuous_backups(
            TableName=self.name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
        )["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]

    def put(self, key, **attributes):
        self.dynamodb.put_item(TableName=self.name, Item={**key_of(key), **attributes})

    def request(self, client=None, **parameters):
        parameters = {"TableArn": self.table["TableArn"], "S3Bucket": self.bucket, **parameters}
        return (client or self.dynamodb).export_table_to_point_in_time(**parameters)["ExportDescription"]

    def incremental(self, start, end=None, view=None):
        window = {"ExportFromTime": start, "ExportToTime": end, "ExportViewType": view}
        window = {name: value for name, value in window.items() if value is not None}
        return self.request(ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=window)

    def ended(self, description):
        deadline = time.monotonic() + 15
        while description["ExportStatus"] == "IN_PROGRESS":
            assert time.monotonic() < deadline, description
            time.sleep(0.05)
            answer = self.dynamodb.describe_export(ExportArn=description["ExportArn"])
            description = answer["ExportDescription"]
        return description

    def export(self, **parameters):
        description = self.ended(self.request(**parameters))
        assert description["ExportStatus"] == "COMPLETED", description
        return description

    def read(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def keys(self, prefix=""):
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return {entry["Key"] for entry in listed.get("Contents", [])}

    def summary(self, description):
        return json.loads(self.read(description["ExportManifest"]))

    def files(self, description):
        return json_lines(self.read(self.summary(description)["manifestFilesS3Key"]))

    def lines(self, description):
        return [
            line
            for file in self.files(description)
            for line in json_lines(gzip.decompress(self.read(file["dataFileS3Key"])))
        ]

    def items(self, description):
        return sorted((line["Item"] for line in self.lines(description)), key=str)


def key_of(name):
    return {"PK": {"S": name}, "SK": {"N": "1"}}


def json_lines(body):
    return [json.loads(line) for line in body.decode().splitlines()]


def md5(body):
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def refusal(call, *arguments, **parameters):
    with pytest.raises(ClientError) as refused:
        call(*arguments, **parameters)
    return refused.value.response["Error"]


def insert(subject, name):
    return f"INSERT INTO \"{subject.name}\" VALUE {{'PK':'{name}','SK':1}}"


def next_second():
    """The API counts in whole seconds: everything before is in an earlier second than what follows."""
    time.sleep(1.02 - time.time() % 1)
    return int(time.time())
