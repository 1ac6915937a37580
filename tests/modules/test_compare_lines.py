# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_compare_info with items on S3 in the place of a table: a restored table against what it was made of."""

import base64
import json
from types import SimpleNamespace

import boto3
import pytest
from ansible.modules import dynamodb_compare_info
from ansible.modules.dynamodb_compare_info import Lines, LineSet, Objects, Side, connect

from dynabridge.attributes import to_boto
from dynabridge.aws.merging import Merging
from dynabridge.change_lines import item_line
from tests.export_files import BUCKET
from tests.merge_ground import plan_of, schema_with
from tests.modules.aws_fakes import aws_error, fake_client
from tests.modules.test_dynamodb_compare_info import FakeTable
from tests.restore_world import World, record

SCHEMA = schema_with({"id": "B", "at": "N"})
KEYS = (("id", "B"), ("at", "N"))


def item(number, **more):
    """An item of every type, as an export has it."""
    text = base64.b64encode(b"\x00%d" % number).decode()
    nested = {
        "M": {"list": {"L": [{"B": text}, {"NULL": True}]}, "set": {"BS": [text, "AA=="]}, "n": {"NS": ["1", "2.50"]}}
    }
    return {"id": {"B": text}, "at": {"N": str(number)}, "nested": nested, **more}


def lines(*items):
    return [item_line(one).rstrip(b"\n") for one in items]


@pytest.fixture
def world():
    """Seven items in three files."""
    world = World()
    world.items = [item(number) for number in range(7)]
    files = [lines(*world.items[:3]), lines(*world.items[3:]), []]
    world.folder = world.backup(0, files, schema=SCHEMA)
    return world


@pytest.fixture
def compare(run_module, monkeypatch, world):
    """compare(left, right, **params): a side is a folder, or a fake table."""

    def run(left, right, **params):
        sides = {"left": left, "right": right}

        def connect_fake(side, segments):
            given = sides.get(side["table"]) or side["lines"]["folder"]
            if isinstance(given, str):
                return Lines(LineSet(Objects(fake_client("s3", world.s3), BUCKET), given))
            client = fake_client("dynamodb", given)
            client.meta = SimpleNamespace(region_name="cn-north-1", endpoint_url="http://fake")
            return Side(side["table"], client)

        monkeypatch.setattr(dynamodb_compare_info, "connect", connect_fake)
        arguments = {
            name: {"lines": {"bucket": BUCKET, "folder": side}} if isinstance(side, str) else {"table": name}
            for name, side in sides.items()
        }
        return run_module(dynamodb_compare_info, **arguments, **params)

    return run


def table_of(items):
    return FakeTable([to_boto(one) for one in items], KEYS)


@pytest.mark.parametrize("segments", [1, 4])
def test_a_table_with_the_items_of_a_backup_is_equal(compare, world, segments):
    """GIVEN a table with the items of a full backup, numbers and sets spelled otherwise THEN both are equal."""
    items = json.loads(json.dumps(world.items))
    items[2]["at"]["N"] = "2.0"
    items[5]["nested"]["M"]["set"]["BS"].reverse()
    result = compare(world.folder, table_of(items), segments=segments)
    assert result["equal"] is True, result
    assert result["left"] == {"table": f"s3://{BUCKET}/{world.folder}", "item_count": 7} and result["changed"] is False


def test_each_kind_of_difference_is_named(compare, world):
    """GIVEN a table that lacks an item, has another one, and one changed THEN these are named, with the attributes."""
    changed = item(3, name={"S": "x"}) | {"nested": {"M": {}}}
    result = compare(table_of([*world.items[1:3], changed, *world.items[4:], item(9)]), world.folder)
    states = {entry["key"]["at"]["N"]: (entry["state"], entry["attributes"]) for entry in result["differences"]}
    assert states == {
        "0": ("missing_left", []),
        "3": ("different", ["name", "nested"]),
        "9": ("missing_right", []),
    }
    assert result["differing"] == 3 and f"missing in s3://{BUCKET}/{world.folder}" in result["summary"]


def test_a_merged_set_is_the_expected_state(compare, world, tmp_path):
    """GIVEN a merged set THEN a table with its items is equal to it, one with those of the base is not, and the base is not."""
    batch = [record(1, 1, "")]
    batch[0]["dynamodb"]["Keys"] = {name: world.items[0][name] for name in ("id", "at")}
    world.capture(batch)
    merging = Merging(world.objects, plan_of(world, world.folder), "copy", directory=str(tmp_path))
    merging.merge()
    assert compare(merging.folder, table_of(world.items[1:]))["equal"] is True
    assert compare(merging.folder.rstrip("/"), table_of(world.items))["differing"] == 1
    assert compare(merging.folder, world.folder)["differences"][0]["state"] == "missing_left"


def test_hazard_25_every_item_is_read(compare, world):
    """GIVEN 5,000 items in eleven files THEN all are counted, on S3 as in the table."""
    many = [item(number) for number in range(5000)]
    folder = world.backup(1, [lines(*many[start::11]) for start in range(11)], schema=SCHEMA)
    result = compare(folder, table_of(many), buckets=7)
    assert result["equal"] is True and result["left"]["item_count"] == result["right"]["item_count"] == 5000


class TestErrors:
    @pytest.fixture
    def file(self, world):
        return next(key for key in world.s3.objects if key.startswith(world.folder + "data/"))

    def test_a_file_that_is_gone(self, compare, world, file):
        del world.s3.objects[file]
        assert f"{file} is missing" in compare(world.folder, table_of([]))["msg"]

    def test_a_file_with_fewer_items(self, compare, world, file):
        other = next(key for key in world.s3.objects if key.startswith(world.folder + "data/") and key != file)
        world.s3.objects[file] = world.s3.objects[other]
        assert "items, said were" in compare(world.folder, table_of([]))["msg"]

    def test_no_set_at_all(self, compare, world):
        assert "name a full backup or a merged set" in compare("restore/none/", table_of([]))["msg"]

    def test_an_incremental_backup(self, compare, world):
        folder = world.backup(900, [[]], window=(0, 900), schema=SCHEMA)
        assert "is an incremental backup" in compare(folder, table_of([]))["msg"]

    def test_a_schema_that_is_gone(self, compare, world):
        del world.s3.objects[world.folder + "table_schema.json"]
        assert "table_schema.json is missing" in compare(world.folder, table_of([]))["msg"]

    def test_another_key(self, compare, world):
        result = compare(world.folder, FakeTable([]))
        assert "their keys differ" in result["msg"] and "has id (B) + at (N), right has PK (S)" in result["msg"]

    def test_kms_denied(self, compare, world):
        world.s3.errors["get_object", ".json.gz"] = aws_error("AccessDenied", "no kms:Decrypt")
        assert "cannot be read (AccessDenied)" in compare(world.folder, table_of([]))["msg"]

    @pytest.mark.parametrize(
        ("side", "message"),
        [
            ({}, "one of the following is required: table, lines"),
            ({"table": "t", "lines": {"bucket": "b", "folder": "f"}}, "mutually exclusive: table|lines"),
            ({"lines": {"bucket": "b"}}, "missing required arguments: folder"),
        ],
    )
    def test_a_side_is_one_of_both(self, run_module, side, message):
        result = run_module(dynamodb_compare_info, left=side, right={"table": "t"})
        assert message in result["msg"]


def test_lines_are_reached_in_their_buckets_region(monkeypatch):
    """GIVEN a bucket in another region than the side THEN the client is of that region, and checks the bucket's account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    lines = {"bucket": "b", "folder": "f", "bucket_region": "cn-northwest-1", "bucket_owner": "1", "role_arn": None}
    side = {"table": None, "lines": lines, "profile": "", "region": "cn-north-1", "endpoint_url": ""}
    objects = connect(side, 2).lines.objects
    assert objects.s3.meta.region_name == "cn-northwest-1" and objects.bucket == "b"
    assert boto3.Session().get_partition_for_region(objects.s3.meta.region_name) == "aws-cn"
