# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_merge on the local AWS: a full backup and incrementals become a set that is imported and compared."""

import gzip
import os
import time

import pytest

from dynabridge.aws.data_files import DataFiles
from dynabridge.aws.objects import Objects
from dynabridge.catalogue import backup_from
from dynabridge.exports import md5_of
from dynabridge.restore_plan import Plan, named
from tests.integration.backups import Ground
from tests.local_aws.exports import started_cloud

from ansible.modules import dynamodb_compare_info, dynamodb_merge, dynamodb_restore  # isort: skip - found by tests.integration.backups

LEAST_PART = 5 << 20


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """One side, with quick exports and imports."""
    with started_cloud(tmp_path_factory.mktemp("merge")) as cloud:
        yield cloud


@pytest.fixture
def ground(cloud):
    yield Ground(cloud)
    cloud.reset()


def backed_up(ground, **more):
    result = ground.backup(tables=[ground.victim], **more)
    assert not result.get("failed"), result
    return [backup_from(backup) for backup in result["backups"]]


def compared(ground, monkeypatch, left, right):
    """dynamodb_compare_info's own comparison. A side: a table's name, or a folder."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ground.cloud.side.account_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    where = {"profile": None, "region": ground.cloud.side.region, "endpoint_url": ground.cloud.side.endpoint_url}
    lines = {"bucket": ground.bucket, "bucket_region": None, "bucket_owner": None, "role_arn": None}
    sides = [
        dynamodb_compare_info.connect(
            where | ({"lines": lines | {"folder": side}} if side.endswith("/") else {"table": side}), 2
        )
        for side in (left, right)
    ]
    defaults = {
        name: option["default"] for name, option in dynamodb_compare_info.ARGUMENT_SPEC.items() if "default" in option
    }
    return dynamodb_compare_info.compare(*sides, defaults | {"segments": 2})


def test_a_full_backup_and_incrementals_become_a_table(ground, monkeypatch, tmp_path):
    """GIVEN a full backup, and two incrementals of what was written after it WHEN merged and imported THEN the new table is equal
    to the set, and to the live table; the full backup differs from it where something was written."""
    time.sleep(
        1.1
    )  # the first window begins with the second of the full backup, and tells nothing of what was born and gone in it
    (base,) = backed_up(ground)
    windows = []
    for key in ("five", "six"):
        time.sleep(1.1)
        ground.write(ground.victim, key, "one")
        ground.dynamodb.delete_item(TableName=ground.victim, Key={"PK": {"S": "two"}})
        time.sleep(1.1)
        windows += backed_up(ground, kind="incremental")
    plan = named(
        Plan(ground.victim, windows[-1].moment, "merge", ground.bucket, "daily", "changes", base, tuple(windows))
    )
    arguments = {"plan": plan.as_dict(), "target_table": "restored", "directory": str(tmp_path)}

    merged = ground.run(dynamodb_merge, **arguments)

    assert not merged.get("failed"), merged
    assert merged["changed"] is True and merged["merged"]["items"] == 5 and merged["merged"]["counts"]["removed"] == 1
    assert ground.run(dynamodb_merge, **arguments)["changed"] is False
    restored = ground.run(
        dynamodb_restore,
        source="merged",
        wait_timeout=30,
        poll=0.1,
        **{k: arguments[k] for k in ("plan", "target_table")},
    )
    assert not restored.get("failed"), restored
    for left in (merged["folder"], ground.victim):
        result = compared(ground, monkeypatch, left, "restored")
        assert result["equal"] is True and result["right"]["item_count"] == 5, result
    told = compared(ground, monkeypatch, base.folder, "restored")
    keys = {entry["key"]["PK"]["S"]: entry["state"] for entry in told["differences"]}
    assert keys == {"two": "missing_right", "five": "missing_left", "six": "missing_left"}, told["summary"]


def test_a_file_of_several_parts_arrives_whole(ground):
    """GIVEN a file of three parts, which do not compress THEN S3 holds it as it was sent, and no upload is open."""
    objects = Objects(ground.s3, ground.bucket)
    lines = [os.urandom(1 << 16).hex().encode() + b"\n" for _line in range(220)]
    with DataFiles(objects, "restore/parts/data/", part_bytes=LEAST_PART) as files:
        for line in lines:
            files.write(line)
    (file,) = files.files
    body = ground.read(file.key)
    assert len(body) == file.bytes > 2 * LEAST_PART and md5_of(body) == file.md5
    assert gzip.decompress(body) == b"".join(lines)
    assert not ground.s3.list_multipart_uploads(Bucket=ground.bucket).get("Uploads")
