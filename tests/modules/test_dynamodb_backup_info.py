# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_backup_info reads S3 alone, to the end of its listings, and says what can be brought back."""

from dataclasses import fields

import pytest
import yaml
from ansible.modules import dynamodb_backup_info

from dynabridge.backup_layout import iso
from dynabridge.catalogue import Backup
from tests.backup_fakes import TABLES, FakeS3, cloud
from tests.export_files import BUCKET, lines, write_export
from tests.modules.aws_fakes import aws_error, fake_client

HOUR = 3600
RULE = {"ID": "backups", "Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 730}}


@pytest.fixture
def look(run_module):
    """look(s3, **params) gives the module's result; there is S3 and nothing else."""

    def run(s3, **params):
        return run_module(dynamodb_backup_info, {"s3": fake_client("s3", s3)}, **({"bucket": BUCKET} | params))

    return run


def backed_up(table="user-cn", windows=2, missing=None):
    """A full backup and hourly incrementals that follow, all verified; of the ``missing`` one there is nothing."""
    aws = cloud()
    aws.s3.rules = [RULE]
    for kind in ["full", *["incremental"] * windows]:
        (backup,) = aws.backups.start(table, kind)
        aws.dynamodb.complete(backup.export_arn)
        aws.backups.settle(backup)
        aws.dynamodb.now += HOUR
    if missing is not None:
        folder = aws.backups.known()[1 + missing].folder
        for key in [key for key in aws.s3.objects if key.startswith(folder)]:
            del aws.s3.objects[key]
    return aws


def test_backups_and_what_they_reach(look):
    """GIVEN a full backup and two incrementals THEN they are listed, oldest first, and reach from the one to the last."""
    aws = backed_up()
    result = look(aws.s3)
    full, first, second = result["backups"]
    assert [full["kind"], first["kind"], second["kind"]] == ["full", "incremental", "incremental"]
    assert {backup["state"] for backup in result["backups"]} == {"verified"}
    assert first["moment"] == second["start"] and full["items"] == 5
    assert result["tables"] == {"user-cn": {"coverage": [{"from": full["moment"], "to": second["moment"]}], "gaps": []}}
    assert result["lifecycle_rules"] == [RULE] and result["changed"] is False


def test_a_gap_is_named(look):
    """GIVEN an incremental that is not there THEN the gap is its window, and the reach ends before it."""
    aws = backed_up(windows=3, missing=1)
    result = look(aws.s3)
    full, first, third = result["backups"]
    assert result["tables"]["user-cn"] == {
        "coverage": [{"from": full["moment"], "to": first["moment"]}],
        "gaps": [{"from": first["moment"], "to": third["start"]}],
    }


def test_tables_and_days_can_be_chosen(look):
    aws = cloud()
    for table in TABLES:
        aws.backups.start(table, "full")
        aws.dynamodb.now += 24 * HOUR
    assert {backup["table"] for backup in look(aws.s3)["backups"]} == set(TABLES)
    result = look(aws.s3, tables=["user-cn", "none-cn"])
    assert [backup["table"] for backup in result["backups"]] == ["user-cn"]
    assert result["tables"] == {table: {"coverage": [], "gaps": []} for table in ("user-cn", "none-cn")}
    chosen = look(aws.s3, since="2026-11-22", until="2026-11-22")["backups"]
    assert [backup["table"] for backup in chosen] == ["orders-cn"]


@pytest.mark.parametrize("name", ["since", "until"])
def test_a_day_written_otherwise_is_refused(look, name):
    result = look(FakeS3(), **{name: "21.11.2026"})
    assert result["failed"] and result["msg"].startswith(f"{name} is '21.11.2026'")


def test_2500_objects(look):
    """GIVEN 2,500 objects under one prefix THEN none beyond the first thousand is lost."""
    s3 = FakeS3()
    write_export(s3.objects, files=[lines(1, number) for number in range(2500)])
    (backup,) = look(s3)["backups"]
    assert (backup["files"], backup["items"], backup["state"]) == (2500, 2500, "unverified")
    assert backup["stored_bytes"] == sum(len(s3.objects[key]) for key in s3.objects.data(backup["folder"]))


def test_an_empty_bucket(look):
    result = look(FakeS3())
    assert (result["backups"], result["tables"], result["lifecycle_rules"]) == ([], {}, [])


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ({("list_objects_v2", ""): aws_error("AccessDenied", "no")}, "cannot be listed (AccessDenied)"),
        ({("list_objects_v2", ""): aws_error("NoSuchBucket")}, f"bucket {BUCKET} is not there"),
        ({("get_bucket_lifecycle_configuration", ""): aws_error("AccessDenied")}, f"of bucket {BUCKET}"),
    ],
)
def test_refusals_are_told(look, errors, words):
    s3 = FakeS3()
    s3.errors = errors
    result = look(s3)
    assert result["failed"] and words in result["msg"]


def test_the_buckets_account_is_held_to(look):
    aws = backed_up()
    aws.s3.owners.clear()
    look(aws.s3, bucket_owner="100000000001")
    assert aws.s3.owners == {"100000000001"}


def test_each_field_of_a_backup_is_documented(look):
    """GIVEN the description of a backup THEN it has all that is returned of one, times as ISO text."""
    documented = yaml.safe_load(dynamodb_backup_info.RETURN)["backups"]["contains"]
    assert set(documented) == {field.name for field in fields(Backup)}
    aws = backed_up(windows=0)
    (backup,) = look(aws.s3)["backups"]
    assert set(backup) == set(documented) and backup["verified"] == iso(aws.dynamodb.now - HOUR)
