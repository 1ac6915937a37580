# SPDX-License-Identifier: GPL-3.0-or-later
"""What the real DynamoDB exported is a base like any other: changes in AWS's format are merged into it, from any prefix."""

import base64
import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from dynabridge.aws.change_sources import Sources
from dynabridge.aws.line_sets import LineSet
from dynabridge.aws.merging import Merging
from dynabridge.catalogue import VERIFIED, backup_from
from dynabridge.exports import SUMMARY, md5_of, read_summary
from dynabridge.restore_plan import MERGE, Plan, named
from tests.export_files import BUCKET
from tests.merge_ground import backup_in, schema_with
from tests.restore_world import World

REAL_EXPORT = Path(__file__).resolve().parents[3] / "shared" / "data" / "real_full_export" / "AWSDynamoDB"
TABLE = "S3ExportTest"

pytestmark = pytest.mark.skipif(not REAL_EXPORT.is_dir(), reason="the real export, no part of the project, is absent")


def change(key, micros, old=None, new=None):
    """A line as AWS's incremental exports have it: compact, members in their order."""
    line = {"Metadata": {"WriteTimestampMicros": {"N": str(micros)}}, "Keys": {"id": {"S": key}}}
    images = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image}
    return json.dumps(line | images, separators=(",", ":")).encode()


@pytest.fixture
def world():
    return World()


@pytest.fixture(params=["", "dynamodb-export", "somewhere/else/2024/05/14/S3ExportTest"])
def base(world, request):
    """The real export under a prefix that it was not written to, and the backup that it is."""
    (source,) = REAL_EXPORT.iterdir()
    folder = f"{request.param}/AWSDynamoDB/{source.name}/".lstrip("/")
    for path in (found for found in source.rglob("*") if found.is_file()):
        world.s3.objects[folder + path.relative_to(source).as_posix()] = path.read_bytes()
    for path in source.glob("manifest-*.json"):
        world.s3.objects[f"{folder}{path.stem}.md5"] = md5_of(path.read_bytes()).encode()
    world.s3.objects[f"{folder}table_schema.json"] = json.dumps(schema_with({"id": "S"}, TABLE)).encode()
    summary = read_summary(world.s3.objects[folder + SUMMARY])
    known = {"bucket": BUCKET, "table": TABLE, "id": source.name, "day": "2024-05-14", "folder": folder}
    times = {"moment": "2024-05-14T11:14:20.608Z", "requested": "2024-05-14T11:14:20.608Z"}
    return backup_from(known | times | {"state": VERIFIED, "kind": "full", "items": summary.items})


def window(world, start, end, lines, prefix):
    """An incremental, which lies under another prefix than its manifest says."""
    folder = world.backup(end, [lines[::2], lines[1::2]], TABLE, window=(start, end))
    found = backup_in(world, folder)
    above = folder.partition("AWSDynamoDB")[0]
    for key in [key for key in world.s3.objects if key.startswith(above)]:
        world.s3.objects[prefix + key.removeprefix(above)] = world.s3.objects.pop(key)
    return replace(found, folder=prefix + folder.removeprefix(above))


def items_of(world, merged):
    lines = [line for file in merged.files for line in gzip.decompress(world.s3.objects[file.key]).splitlines()]
    return {item["id"]["S"]: item for item in (json.loads(line)["Item"] for line in lines)}


def test_changes_are_merged_into_a_real_export(world, base, tmp_path):
    """GIVEN the real export and two incrementals after it, whose prefixes are others THEN the items are those of the second's
    end, what was not changed byte by byte as DynamoDB wrote it."""
    before = {
        item["id"]["S"]: item
        for item in (json.loads(line)["Item"] for line in Sources(world.objects, plan(base)).base_lines())
    }
    assert sorted(before) == ["K3TXQk84Si", "bar", "foo"]
    first = [
        change("foo", 1, before["foo"], {"id": {"S": "foo"}, "bar": {"N": "43"}}),
        change("new", 2, None, {"id": {"S": "new"}}),
    ]
    second = [
        change("bar", 3, before["bar"]),
        change("new", 4, {"id": {"S": "new"}}, {"id": {"S": "new"}, "b": {"B": "AA=="}}),
    ]
    windows = (window(world, 0, 900, first, "w1/"), window(world, 900, 1800, second, "deep/er/w2/"))

    merging = Merging(world.objects, plan(base, windows), "copy", directory=str(tmp_path))
    merged = merging.merge()

    found = items_of(world, merged)
    assert found == {
        "K3TXQk84Si": before["K3TXQk84Si"],
        "foo": {"id": {"S": "foo"}, "bar": {"N": "43"}},
        "new": {"id": {"S": "new"}, "b": {"B": "AA=="}},
    }
    data = next(key for key in world.s3.objects if key.startswith(base.folder + "data/"))
    (untouched,) = (line for line in gzip.decompress(world.s3.objects[data]).splitlines() if b"K3TXQk84Si" in line)
    assert untouched in gzip.decompress(world.s3.objects[merged.files[0].key]).splitlines()
    assert merged.counts == {"kept": 1, "replaced": 1, "removed": 1, "added": 1}
    assert LineSet(world.objects, merging.folder).keys() == (("id", "S"),)


def test_a_real_export_is_compared(world, base):
    """GIVEN the real export as one side of a comparison THEN its items come with bytes for what is binary."""

    class Kept:
        def __init__(self):
            self.items = []

        def add(self, items):
            self.items += items

        def merge(self, other):
            self.items += other.items

    items = {item["id"]["S"]: item for item in LineSet(world.objects, base.folder).reduce(2, Kept).items}
    assert items["K3TXQk84Si"]["j"] == {"B": b"hello"}
    assert items["K3TXQk84Si"]["k"]["BS"] == [base64.b64decode("aXMgZmFzdA=="), b"scylladb"]


def plan(base, windows=()):
    moment = windows[-1].moment if windows else base.moment
    return named(Plan(TABLE, moment, MERGE, BUCKET, "daily", "changes", base, windows))
