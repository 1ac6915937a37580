# SPDX-License-Identifier: GPL-3.0-or-later
"""What exports of the local AWS write. Each test names the AWS behaviour it stands for."""

import gzip
import json
import re
import time
from pathlib import Path

import pytest

from .exports import insert, json_lines, key_of, md5, next_second, refusal
from .functions import eventually

REAL_EXPORT = Path(__file__).resolve().parents[3] / "shared" / "data" / "real_full_export" / "AWSDynamoDB"


def test_export_layout_manifests_and_checksums(subject):
    """AWS: `<prefix>/AWSDynamoDB/<14 digits>-<8 hex>/` with its objects, checksummed by MD5 in base64."""
    # GIVEN items of every attribute type
    attributes = {
        "s": {"S": "汉字"},
        "empty": {"S": ""},
        "n": {"N": "12345678901234567890123456789012345678"},
        "b": {"B": b"\x00"},
        "bs": {"BS": [b"", b"a"]},
        "ss": {"SS": ["x"]},
        "ns": {"NS": ["1", "2"]},
        "l": {"L": [{"NULL": True}, {"B": b"\xff"}]},
        "m": {"M": {"t": {"BOOL": False}}},
    }
    subject.put("one", **attributes)

    # WHEN it is exported
    begun = subject.request(S3Prefix="backup/daily")
    started = subject.keys()
    description = subject.ended(begun)

    # THEN it began as IN_PROGRESS, with nothing but `_started`
    assert begun["ExportStatus"] == "IN_PROGRESS"
    assert "ItemCount" not in begun and "ExportType" not in begun
    identifier = begun["ExportArn"].rpartition("/")[2]
    assert re.fullmatch(r"\d{14}-[0-9a-f]{8}", identifier)
    assert begun["ExportArn"] == f"{subject.table['TableArn']}/export/{identifier}"
    assert begun["TableArn"].startswith("arn:aws-cn:dynamodb:cn-north-1:")
    assert int(identifier[:14]) == round(begun["StartTime"].timestamp() * 1000)
    folder = f"backup/daily/AWSDynamoDB/{identifier}"
    assert started == {f"{folder}/_started"}

    # AND ended with all objects, the manifests checksummed
    assert description["ExportManifest"] == f"{folder}/manifest-summary.json"
    (file,) = subject.files(description)
    assert subject.keys() == {file["dataFileS3Key"]} | {
        f"{folder}/{name}"
        for name in (
            "_started",
            "manifest-summary.json",
            "manifest-summary.md5",
            "manifest-files.json",
            "manifest-files.md5",
        )
    }
    for name in ("summary", "files"):
        assert subject.read(f"{folder}/manifest-{name}.md5").decode() == md5(
            subject.read(f"{folder}/manifest-{name}.json")
        )

    # AND the data file is gzip of one `{"Item": ...}` a line, uploaded in parts
    assert re.fullmatch(rf"{folder}/data/[a-z2-7]{{26}}\.json\.gz", file["dataFileS3Key"])
    assert file["md5Checksum"] == md5(subject.read(file["dataFileS3Key"]))
    head = subject.s3.head_object(Bucket=subject.bucket, Key=file["dataFileS3Key"])
    assert head["ETag"].strip('"') == file["etag"] and file["etag"].endswith("-1")
    assert head["ServerSideEncryption"] == "AES256"
    (item,) = subject.items(description)
    assert item["b"] == {"B": "AA=="} and item["n"] == attributes["n"] and item["empty"] == {"S": ""}
    assert set(item["bs"]["BS"]) == {"", "YQ=="} and item["l"] == {"L": [{"NULL": True}, {"B": "/w=="}]}

    # AND the summary says what the description says
    summary = subject.summary(description)
    assert summary["version"] == "2020-06-30"
    assert (summary["itemCount"], summary["billedSizeBytes"]) == (1, description["BilledSizeBytes"])
    assert summary["tableId"] == subject.table["TableId"]
    assert (summary["s3SseAlgorithm"], summary["s3SseKmsKeyId"]) == ("AES256", None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", summary["exportTime"])


@pytest.mark.skipif(not REAL_EXPORT.is_dir(), reason="the real export, no part of the project, is absent")
def test_manifests_have_the_fields_of_a_real_export(subject):
    """AWS: the fields of both manifests, and their order, as in an export of the real service."""
    (real,) = REAL_EXPORT.iterdir()
    subject.put("one")

    description = subject.export()

    real_summary = json.loads((real / "manifest-summary.json").read_bytes())
    assert list(subject.summary(description)) == list(real_summary)
    for line in subject.files(description):
        assert list(line) == list(json_lines((real / "manifest-files.json").read_bytes())[0])
    real_lines = json_lines(gzip.decompress(next((real / "data").iterdir()).read_bytes()))
    assert [set(line) for line in subject.lines(description)] == [set(real_lines[0])]


@pytest.mark.parametrize(
    ("prefix", "root"), [("a", "a/AWSDynamoDB/"), ("a/", "a/AWSDynamoDB/"), (None, "AWSDynamoDB/")]
)
def test_prefix_is_joined_with_one_slash(subject, prefix, root):
    """AWS: with or without a slash at its end a prefix leads to the same folder; it is echoed as given."""
    description = subject.export(**({"S3Prefix": prefix} if prefix else {}))

    assert description["ExportManifest"].startswith(root)
    assert description.get("S3Prefix") == prefix
    assert subject.summary(description)["s3Prefix"] == prefix


def test_empty_table_has_an_empty_data_file(subject):
    """AWS: an export of nothing is COMPLETED with a data file that is a gzip of 20 bytes."""
    description = subject.export()

    (file,) = subject.files(description)
    assert (file["itemCount"], description["ItemCount"]) == (0, 0)
    assert len(subject.read(file["dataFileS3Key"])) == 20


def test_larger_table_has_several_data_files(subject):
    """AWS: the items are spread over several files, whose counts add up to the summary's."""
    # GIVEN 2,600 items
    names = [f"item{number}" for number in range(2600)]
    for start in range(0, len(names), 25):
        puts = [{"PutRequest": {"Item": key_of(name)}} for name in names[start : start + 25]]
        assert not subject.dynamodb.batch_write_item(RequestItems={subject.name: puts})["UnprocessedItems"]

    # WHEN they are exported
    description = subject.export()

    # THEN every item is there once
    counts = [file["itemCount"] for file in subject.files(description)]
    assert len(counts) > 1 and sum(counts) == description["ItemCount"] == len(names)
    assert {item["PK"]["S"] for item in subject.items(description)} == set(names)


def test_full_export_shows_the_table_at_its_export_time(subject):
    """AWS: "a snapshot of the table's state at this point in time", deletes and all."""
    # GIVEN a state, a moment, and another state
    subject.put("kept", v={"S": "old"})
    subject.put("deleted")
    moment = next_second()
    subject.put("kept", v={"S": "new"})
    subject.put("born")
    subject.dynamodb.delete_item(TableName=subject.name, Key=key_of("deleted"))

    # WHEN both are exported
    then = subject.export(ExportTime=moment)
    now = subject.export()

    # THEN each shows its own
    assert subject.items(then) == [key_of("deleted"), {**key_of("kept"), "v": {"S": "old"}}]
    assert subject.items(now) == [key_of("born"), {**key_of("kept"), "v": {"S": "new"}}]
    assert then["ExportTime"].timestamp() == moment


def test_items_from_before_recovery_are_exported(subject):
    """AWS: recovery protects what is there when it is switched on; switching it on again keeps its start."""
    subject.recover(False)
    subject.put("old")
    first = subject.recover(True)
    time.sleep(1.1)

    again = subject.recover(True)

    assert subject.items(subject.export()) == [key_of("old")]
    assert again["EarliestRestorableDateTime"] == first["EarliestRestorableDateTime"]
    assert again["RecoveryPeriodInDays"] == 35


def test_incremental_export_holds_the_net_changes_of_its_window(subject):
    """AWS: one line a key with its net change, start inclusive, end exclusive; none if it came and went."""
    # GIVEN changes before, in and after a window, by every kind of write, on a table without a stream
    subject.put("updated", v={"N": "1"})
    subject.put("deleted", v={"N": "1"})
    subject.put("untouched")
    start = next_second()
    for value in ("2", "3"):
        subject.dynamodb.update_item(
            TableName=subject.name,
            Key=key_of("updated"),
            UpdateExpression="SET v = :v",
            ExpressionAttributeValues={":v": {"N": value}},
        )
    subject.dynamodb.batch_write_item(RequestItems={subject.name: [{"DeleteRequest": {"Key": key_of("deleted")}}]})
    subject.dynamodb.execute_statement(Statement=insert(subject, "partiql"))
    subject.dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": subject.name, "Item": key_of("transaction")}}]
    )
    subject.put("came and went")
    subject.dynamodb.delete_item(TableName=subject.name, Key=key_of("came and went"))
    end = next_second()
    subject.put("late")
    next_second()

    # WHEN the window is exported
    description = subject.ended(subject.incremental(start, end))

    # THEN there is one line for each of its four items
    lines = {line["Keys"]["PK"]["S"]: line for line in subject.lines(description)}
    assert set(lines) == {"updated", "deleted", "partiql", "transaction"}
    assert description["ItemCount"] == len(subject.lines(description)) == 4
    assert lines["updated"]["OldImage"]["v"] == {"N": "1"} and lines["updated"]["NewImage"]["v"] == {"N": "3"}
    assert "NewImage" not in lines["deleted"] and lines["deleted"]["OldImage"]["v"] == {"N": "1"}
    assert "OldImage" not in lines["partiql"] and lines["partiql"]["NewImage"] == key_of("partiql")
    for line in lines.values():
        assert start <= int(line["Metadata"]["WriteTimestampMicros"]["N"]) / 1e6 < end
        assert line["Keys"].keys() == {"PK", "SK"}


def test_incremental_manifest_and_shared_data_folder(subject):
    """AWS: version 2023-08-01, window, view, type; one data folder for all; at least 10 MB are billed."""
    start = next_second()
    subject.put("one", v={"S": "x"})
    next_second()

    descriptions = [subject.ended(subject.incremental(start, view=view)) for view in (None, "NEW_IMAGE")]

    for description in descriptions:
        summary = subject.summary(description)
        assert list(summary)[6:8] == ["exportFromTime", "exportToTime"] and "exportTime" not in summary
        assert (summary["version"], summary["exportType"]) == ("2023-08-01", "INCREMENTAL_EXPORT")
        assert summary["billedSizeBytes"] == 10_000_000
        (file,) = subject.files(description)
        assert file["dataFileS3Key"].startswith("AWSDynamoDB/data/")
    views = [subject.summary(description)["outputView"] for description in descriptions]
    assert views == ["NEW_AND_OLD_IMAGES", "NEW_IMAGE"]
    assert len(subject.keys("AWSDynamoDB/data/")) == 2


def test_failed_partiql_transaction_leaves_no_change(subject):
    """AWS: a transaction is applied as a whole or not at all, so a cancelled one is in no export."""
    start = next_second()
    statements = [insert(subject, name) for name in ("a", "b")]
    subject.put("b")

    refused = refusal(
        subject.dynamodb.execute_transaction,
        TransactStatements=[{"Statement": statement} for statement in statements],
    )
    next_second()

    assert refused["Code"] == "TransactionCanceledException"
    keys = [line["Keys"] for line in subject.lines(subject.ended(subject.incremental(start)))]
    assert keys == [key_of("b")]


@pytest.mark.parametrize("side", ["cn", "sg"])
def test_export_on_the_launchers_sides(pair, unique, side):
    """Both sides of the launcher export, each under its own partition, with the launcher's own settings."""
    dynamodb, s3 = pair.client(side, "dynamodb"), pair.client(side, "s3")
    arn = dynamodb.create_table(
        TableName=unique,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
    )["TableDescription"]["TableArn"]
    region = pair.sides[side]["region"]
    s3.create_bucket(Bucket=unique, CreateBucketConfiguration={"LocationConstraint": region})
    dynamodb.update_continuous_backups(
        TableName=unique, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )

    begun = dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=unique)["ExportDescription"]
    ended = eventually(
        lambda: dynamodb.describe_export(ExportArn=begun["ExportArn"])["ExportDescription"],
        lambda description: description["ExportStatus"] != "IN_PROGRESS",
    )
    dynamodb.delete_table(TableName=unique)

    partition = {"cn": "aws-cn", "sg": "aws"}[side]
    assert begun["ExportArn"].startswith(f"arn:{partition}:dynamodb:{region}:")
    assert ended["ExportStatus"] == "COMPLETED"
    summary = json.loads(s3.get_object(Bucket=unique, Key=ended["ExportManifest"])["Body"].read())
    assert summary["tableArn"] == arn
