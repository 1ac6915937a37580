# SPDX-License-Identifier: GPL-3.0-or-later
"""dr_restore.yml met with what makes no sense: one sentence each, and nothing is changed."""

import re
import time

import pytest

from tests.integration.support import Bridge
from tests.integration.test_bad_input import flat
from tests.local_pair import run_playbook

REGIONS = ("cn-north-1", "cn-northwest-1")


@pytest.fixture(scope="module")
def backed_up(deployed_pair):
    """The deployed pair with a verified backup of the table of one side."""
    result = run_playbook(deployed_pair, "backup.yml", "-e", "table=user", "--limit", "cn-north-1")
    assert result.returncode == 0, result.stdout + result.stderr
    return Bridge.of(deployed_pair)


def state_of(bridge: Bridge) -> tuple:
    """Tables of both regions, and what restores have left in the bucket."""
    side = bridge.cn.pair.sides["cn"]
    session = bridge.cn.pair.session("cn")
    tables = [
        session.client("dynamodb", region_name=region, endpoint_url=side["endpoint_url"]).list_tables()["TableNames"]
        for region in REGIONS
    ]
    bucket = f"dynabridge-backup-cn-{side['account_id']}"
    kept = bridge.cn.client("s3").list_objects_v2(Bucket=bucket, Prefix="restore/").get("Contents", [])
    return tables, [entry["Key"] for entry in kept]


def refusal(bridge: Bridge, *said: str) -> str:
    """What dr_restore.yml says to ``name=value`` arguments that it must refuse, without any change."""
    before = state_of(bridge)
    arguments = [word for argument in said for word in ("-e", argument)]
    result = run_playbook(bridge.cn.pair, "dr_restore.yml", "--limit", "cn-north-1", *arguments)
    assert result.returncode != 0, result.stdout
    assert not re.search(r"changed=[1-9]", result.stdout), result.stdout
    assert state_of(bridge) == before
    return flat(result.stdout + result.stderr)


TODAY = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime())


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (("date=2099-01-01T00:00:00Z", "table=user"), "that is in the future, it is"),
        (("date=yesterday", "table=user"), "date is 'yesterday': write a day of UTC (2025-10-26)"),
        (("date=2026-11-20T10:15:03", "table=user"), "a time without its zone: add Z for UTC"),
        (("date=2020-01-01T00:00:00Z", "table=user"), "has no backup of user-cn up to 2020-01-01"),
        ((f"date={TODAY}", "table=user"), "its oldest verified full backup is of"),
        (("date=latest", "table=nobody"), "has no backup of nobody; it has backups of user-cn: correct -e table="),
        (
            ("date=latest", "target_table=one"),
            "goes with one table (-e table=...): several cannot be restored into one",
        ),
        (("date=latest", "method=magic"), "it must be merge, apply or full_only"),
        (
            ("date=latest", "table=user", "target_table=user-cn", "target_region=cn-north-1"),
            "table user-cn exists in cn-north-1 and is not of this restore",
        ),
        (
            ("date=latest", "table=user", "method=apply", "target_table=one", "into_existing=other"),
            "writes changes to a table that is there: it goes with -e method=apply",
        ),
    ],
    ids=["future", "malformed", "zone", "before", "just before", "unknown", "several", "method", "exists", "existing"],
)
def test_what_makes_no_sense_is_refused(backed_up, said, sentence):
    """GIVEN a wrong argument WHEN a restore is asked for THEN one sentence names it, and nothing is changed."""
    assert sentence in refusal(backed_up, *said)


def test_a_bucket_of_another_table_is_named_with_what_it_has(backed_up):
    """GIVEN a bucket with backups of another table THEN the restore says of which, and does nothing."""
    s3, bucket = backed_up.cn.client("s3"), "dynabridge-other-cn"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": backed_up.cn.region})
    folder = "daily/2026/11/20/orders-cn/AWSDynamoDB/01795226400000-0000000a/"
    s3.put_object(Bucket=bucket, Key=f"{folder}_started", Body=b"")
    try:
        shown = refusal(backed_up, "date=latest", "table=user", f"dr_restore_bucket={bucket}", "dr_restore_role=")
    finally:
        s3.delete_object(Bucket=bucket, Key=f"{folder}_started")
        s3.delete_bucket(Bucket=bucket)
    assert f"bucket {bucket} has no backup of user-cn; it has backups of orders-cn" in shown
