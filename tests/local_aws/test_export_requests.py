# SPDX-License-Identifier: GPL-3.0-or-later
"""Which exports the local AWS takes, fails and lists. Each test names the AWS behaviour it stands for."""

import time
import uuid

import pytest

from local_aws.patches.export import requests
from local_aws.patches.export.changelog import ChangeLog

from .exports import key_of, refusal

HOUR, MINUTE = 3600, 60


def test_export_needs_point_in_time_recovery(subject):
    """AWS: PointInTimeRecoveryUnavailableException, at once, and before the bucket is looked at."""
    subject.recover(False)

    refused = refusal(subject.request, S3Bucket="no-such-bucket-anywhere")

    assert refused["Code"] == "PointInTimeRecoveryUnavailableException"
    assert refused["Message"] == f"Point in time recovery is not enabled for table '{subject.name}'"


@pytest.mark.parametrize("offset", [-3600, 3600])
def test_export_time_outside_the_recovery_window(subject, offset):
    """AWS: InvalidExportTimeException for a moment before recovery began, and for one in the future."""
    refused = refusal(subject.request, ExportTime=time.time() + offset)

    assert (refused["Code"], refused["Message"]) == ("InvalidExportTimeException", "Export Time is invalid")


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-49 * HOUR, -47 * HOUR, "from time cannot be less than the table creation time"),
        (-HOUR, HOUR, "to time cannot be greater than the current time"),
        (-HOUR, -2 * HOUR, "from time should not be greater or equal to incremental export period to time"),
        (-15 * MINUTE + 1, None, "is less than 15 minutes"),
        (-25 * HOUR, -5, "is greater than 24 hours"),
    ],
)
def test_incremental_window_is_checked(start, end, message):
    """AWS: every fault of a window is an InvalidExportTimeException."""
    now = int(time.time())
    log = ChangeLog({}, period_days=35, now=now - 48 * HOUR)
    window = {"ExportFromTime": now + start} | ({} if end is None else {"ExportToTime": now + end})

    with pytest.raises(requests.Refused) as refused:
        requests.window({"IncrementalExportSpecification": window}, log)

    assert refused.value.code == "InvalidExportTimeException"
    assert message in refused.value.message


def test_incremental_window_of_15_minutes_up_to_now():
    """AWS: 15 minutes are enough, and the window ends now unless the request says otherwise."""
    now = int(time.time())
    log = ChangeLog({}, period_days=35, now=now - HOUR)

    window = requests.window({"IncrementalExportSpecification": {"ExportFromTime": now - 15 * MINUTE}}, log)

    assert window["ExportToTime"] - now in (0, 1)
    assert window["ExportViewType"] == "NEW_AND_OLD_IMAGES"


def test_explicit_export_time_stays_five_minutes_behind():
    """AWS: LatestRestorableDateTime is about five minutes ago, and an ExportTime after it is refused."""
    now = int(time.time())
    log = ChangeLog({}, period_days=35, now=now - HOUR)

    with pytest.raises(requests.Refused) as refused:
        requests.full_time({"ExportTime": now - 4 * MINUTE}, log, "table")

    assert refused.value.message == "Point in Time Recovery is not available for specified export time"
    assert requests.full_time({"ExportTime": now - 6 * MINUTE}, log, "table") == now - 6 * MINUTE


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"ExportType": "INCREMENTAL_EXPORT"}, "Incremental Export Specification expected"),
        ({"IncrementalExportSpecification": {"ExportFromTime": 1}}, "Export Type expected to be Incremental"),
        (
            {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": {}},
            "ExportFromTime must be provided",
        ),
        ({"S3SseKmsKeyId": "key"}, "KMS Key Id is not supported for this encryption type"),
        ({"ExportFormat": "CSV"}, "Value 'CSV' at 'exportFormat' failed to satisfy constraint"),
        ({"S3Bucket": "arn:aws:s3:::bucket"}, "at 's3Bucket' failed to satisfy constraint"),
        ({"TableArn": "just-a-name"}, "tableArn is not a valid ARN"),
    ],
)
def test_malformed_requests(subject, parameters, message):
    """AWS: ValidationException, at once."""
    refused = refusal(subject.request, **parameters)

    assert refused["Code"] == "ValidationException"
    assert message in refused["Message"]


def test_tables_that_are_not_there(subject):
    """AWS: TableNotFoundException; another account's table is AccessDeniedException."""
    arn = subject.table["TableArn"]

    assert refusal(subject.request, TableArn=f"{arn}x")["Code"] == "TableNotFoundException"
    foreign = arn.replace(subject.cloud.side.account_id, "999999999999")
    assert refusal(subject.request, TableArn=foreign)["Code"] == "AccessDeniedException"


def test_missing_bucket_fails_the_export(subject):
    """AWS: accepted as IN_PROGRESS, then FAILED with S3NoSuchBucket; the record stays."""
    begun = subject.request(S3Bucket="no-such-bucket-anywhere")
    description = subject.ended(begun)

    assert begun["ExportStatus"] == "IN_PROGRESS"
    assert (description["ExportStatus"], description["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert description["FailureMessage"].startswith("The specified bucket does not exist (Service: Amazon S3")
    assert "ExportManifest" not in description and "ItemCount" not in description
    listed = subject.dynamodb.list_exports(TableArn=subject.table["TableArn"])["ExportSummaries"]
    assert [summary["ExportStatus"] for summary in listed] == ["FAILED"]


def test_wrong_bucket_owner_fails_the_export(subject):
    """AWS: S3BucketOwner that is not the bucket's owner ends in S3AccessDenied."""
    description = subject.ended(subject.request(S3BucketOwner="999999999999"))

    assert (description["ExportStatus"], description["FailureCode"]) == ("FAILED", "S3AccessDenied")


def test_kms_key(subject):
    """AWS: objects are encrypted with the key; a key that does not exist fails the export."""
    kms = subject.cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]

    description = subject.export(S3SseAlgorithm="KMS", S3SseKmsKeyId=key)
    unknown = subject.ended(subject.request(S3SseAlgorithm="KMS", S3SseKmsKeyId=f"{key[:-4]}0000"))

    head = subject.s3.head_object(Bucket=subject.bucket, Key=description["ExportManifest"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    summary = subject.summary(description)
    assert (summary["s3SseAlgorithm"], summary["s3SseKmsKeyId"]) == ("KMS", key)
    assert (unknown["ExportStatus"], unknown["FailureCode"]) == ("FAILED", "KmsNotFoundException")


def test_client_token(subject):
    """AWS: the same token and parameters answer the same export, also when it has ended; others conflict."""
    token = uuid.uuid4().hex
    first = subject.request(ClientToken=token)
    again = subject.request(ClientToken=token)
    subject.ended(first)
    afterwards = subject.request(ClientToken=token)

    refused = refusal(subject.request, ClientToken=token, S3Prefix="other")

    assert first["ExportArn"] == again["ExportArn"] == afterwards["ExportArn"]
    assert afterwards["ExportStatus"] == "COMPLETED"
    assert refused["Code"] == "ExportConflictException"
    assert subject.request()["ExportArn"] != subject.request()["ExportArn"]


def test_list_exports_newest_first_in_pages(subject):
    """AWS: summaries of a table's exports, newest first, a page at a time."""
    exports = [subject.request()["ExportArn"] for _ in range(3)]
    arn = subject.table["TableArn"]

    first = subject.dynamodb.list_exports(TableArn=arn, MaxResults=2)
    rest = subject.dynamodb.list_exports(TableArn=arn, MaxResults=2, NextToken=first["NextToken"])

    listed = first["ExportSummaries"] + rest["ExportSummaries"]
    assert [summary["ExportArn"] for summary in listed] == exports[::-1]
    assert "NextToken" not in rest
    assert {summary["ExportType"] for summary in listed} == {"FULL_EXPORT"}


def test_list_exports_forgets_a_deleted_table(subject):
    """AWS: ListExports forgets, also when a table of that name is made again; DescribeExport remembers."""
    description = subject.export()
    arn = subject.table["TableArn"]

    subject.dynamodb.delete_table(TableName=subject.name)
    gone = subject.dynamodb.list_exports(TableArn=arn)["ExportSummaries"]
    subject.create()
    made_again = subject.dynamodb.list_exports(TableArn=arn)["ExportSummaries"]

    assert gone == made_again == []
    assert subject.ended(description)["ExportStatus"] == "COMPLETED"


def test_export_goes_on_when_its_table_is_deleted(subject):
    """AWS: an export that was accepted before DeleteTable completes after the table is gone."""
    subject.put("one")
    begun = subject.request()

    subject.dynamodb.delete_table(TableName=subject.name)
    description = subject.ended(begun)
    subject.create()

    assert description["ExportStatus"] == "COMPLETED"
    assert subject.items(description) == [key_of("one")]


@pytest.mark.parametrize(
    ("tail", "code"),
    [("/export/01700000000000-12345678", "ExportNotFoundException"), ("", "ValidationException")],
)
def test_describe_export_that_is_not_there(subject, tail, code):
    """AWS: ExportNotFoundException; what is no export's ARN is a ValidationException."""
    refused = refusal(subject.dynamodb.describe_export, ExportArn=f"{subject.table['TableArn']}{tail}")

    assert refused["Code"] == code


def test_reset_forgets_running_exports(subject):
    """The emulator's reset: no export goes on writing into a bucket that was made after it."""
    subject.request()

    subject.cloud.reset()
    subject.s3.create_bucket(
        Bucket=subject.bucket, CreateBucketConfiguration={"LocationConstraint": subject.cloud.side.region}
    )
    time.sleep(0.6)

    assert subject.keys() == set()
    assert subject.dynamodb.list_exports()["ExportSummaries"] == []
    subject.create()
