# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_merge: a plan becomes a data set, once; check mode says what it would read and write."""

import json

import pytest
from ansible.modules import dynamodb_merge

from dynabridge.change_lines import item_line
from tests.export_files import BUCKET
from tests.merge_ground import plan_of, schema_with
from tests.modules.aws_fakes import aws_error, fake_client
from tests.restore_world import World, record

ITEMS = [item_line({"PK": {"S": f"k{number}"}}).rstrip(b"\n") for number in range(5)]


@pytest.fixture
def world():
    """Five items, of which one is deleted afterwards, and one is added."""
    world = World()
    world.folder = world.backup(0, [ITEMS], schema=schema_with())
    world.capture([record(1, 5, "k1"), record(2, 6, "new", new={"PK": {"S": "new"}})])
    world.plan = plan_of(world, world.folder).as_dict()
    return world


@pytest.fixture
def merge(run_module, world, tmp_path):
    """merge(**params) gives the module's result."""

    def run(check=False, **params):
        given = {"plan": world.plan, "target_table": "user-cn-restored", "directory": str(tmp_path)} | params
        return run_module(dynamodb_merge, {"s3": fake_client("s3", world.s3)}, check=check, **given)

    return run


def test_a_plan_is_merged_once(merge, world, tmp_path):
    """GIVEN a plan THEN its set lies on S3, what was done is told as it goes, and a second run changes nothing."""
    result = merge(progress_file=str(tmp_path / "lines"))
    assert result["changed"] is True and result["folder"] == f"restore/user-cn-restored-{world.plan['id']}/"
    assert result["merged"] == json.loads(world.s3.objects[result["folder"] + "merged.json"])
    assert result["merged"]["counts"] == {"kept": 4, "replaced": 0, "removed": 1, "added": 1}
    assert result["text"].startswith("user-cn: 5 items of 2 changes and the full backup (4 kept, ")
    told = (tmp_path / "lines").read_text(encoding="utf-8")
    assert "2 changes read" in told and "data/00000.json.gz written, 5 items" in told
    objects = dict(world.s3.objects)
    again = merge()
    assert again["changed"] is False and again["merged"] == result["merged"] and "made before" in again["text"]
    assert world.s3.objects == objects


def test_check_mode_says_what_it_would_read(merge, world):
    before = dict(world.s3.objects)
    result = merge(check=True)
    assert result["changed"] is True and "merged" not in result and world.s3.objects == before
    assert result["reads"]["base_items"] == 5 and result["reads"]["log_objects"] == 1
    assert result["text"].startswith("would merge 5 items with 0 incrementals and 1 objects of captured changes")
    merge()
    assert merge(check=True)["changed"] is False


def test_a_key_and_an_account_of_ones_own(merge, world):
    result = merge(kms_key_arn="key-arn", bucket_owner="100000000009", bucket=BUCKET, budget_mb=1, level=9)
    assert world.s3.owners == {"100000000009"}
    assert [world.s3.keys_used[file["key"]] for file in result["merged"]["files"]] == ["key-arn"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"plan": {}}, "plan is none that dynamodb_restore_info gives"),
        ({"target_table": ""}, "target_table is empty"),
        ({"budget_mb": 0}, "budget_mb is 0: it must be from 1 to"),
        ({"level": 10}, "level is 10: it must be from 1 to 9"),
        ({"bucket": "another"}, "bucket another is not there"),
        ({"directory": "/proc/none"}, "/proc/none"),
    ],
)
def test_bad_input_is_refused(merge, world, params, message):
    before = dict(world.s3.objects)
    result = merge(**params)
    assert result["failed"] and message in result["msg"] and world.s3.objects == before


def test_a_refusal_is_one_sentence(merge, world):
    world.s3.errors["get_object", ".json.gz"] = aws_error("AccessDenied", "no kms:Decrypt")
    result = merge()
    assert result["msg"].startswith("Cannot merge into user-cn-restored: s3://") and "kms:Decrypt" in result["msg"]
