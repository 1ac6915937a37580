# SPDX-License-Identifier: GPL-3.0-or-later
"""Merging a plan into a data set on S3: what lies there afterwards, and that nothing half-done counts."""

import gzip
import json
import tempfile
from pathlib import Path

import pytest

from dynabridge.aws import merging as merging_module
from dynabridge.aws.data_files import DataFiles
from dynabridge.aws.merging import Merging
from dynabridge.catalogue import VERIFIED
from dynabridge.change_lines import item_line
from dynabridge.errors import BackupError, DamagedExport, SettingsError
from dynabridge.exports import md5_of
from dynabridge.merged_set import merged_set_from
from tests.export_files import MOMENT, TABLE
from tests.merge_ground import backup_in, plan_of, schema_with
from tests.modules.aws_fakes import aws_error
from tests.restore_world import World, record

TARGET = "user-cn-restored"
SCHEMA = schema_with()


def item(key, **attributes):
    return {"PK": {"S": key}} | {name: {"S": value} for name, value in attributes.items()}


def lines(*items):
    return [item_line(one).rstrip(b"\n") for one in items]


@pytest.fixture
def world():
    """Three items in two files; afterwards one is changed, one deleted, one added, and one changed after the moment."""
    world = World()
    base = world.backup(0, [lines(item("a"), item("b")), lines(item("c"))], schema=SCHEMA)
    world.capture(
        [
            record(1, 5, "a", new=item("a", name="new"), old=item("a")),
            record(2, 6, "b", old=item("b")),
            record(3, 7, "d", new=item("d")),
            record(4, 3600, "c", old=item("c")),
        ]
    )
    world.plan = plan_of(world, base)
    return world


@pytest.fixture
def merging(world, tmp_path):
    return lambda **more: Merging(world.objects, world.plan, TARGET, **({"directory": str(tmp_path)} | more))


def stored(world, merged):
    """Items of the data files, which are held against what the document says of them."""
    items = []
    for file in merged.files:
        body = world.s3.objects[file.key]
        found = gzip.decompress(body).splitlines()
        assert (file.items, file.md5, file.bytes) == (len(found), md5_of(body), len(body))
        items += [json.loads(line)["Item"] for line in found]
    assert len(items) == merged.items
    return sorted(items, key=lambda one: one["PK"]["S"])


def counts(world):
    return any(key.endswith("merged.json") and json.loads(body) for key, body in world.s3.objects.items())


class TestMerged:
    def test_the_set_of_a_moment(self, world, merging):
        """GIVEN a base and changes before and after the moment WHEN merged THEN the items are those of the moment, and the
        document says how they came about."""
        merged = merging().merge()
        assert stored(world, merged) == [item("a", name="new"), item("c"), item("d")]
        assert (merged.items, merged.changes, merged.last_change) == (3, 3, MOMENT + 7)
        assert merged.counts == {"kept": 1, "replaced": 1, "removed": 1, "added": 1}
        document = json.loads(world.s3.objects[f"restore/{TARGET}-{world.plan.id}/merged.json"])
        assert merged_set_from(document) == merged and document["last_change"] == "2026-11-21T02:00:07Z"
        assert merged.uncompressed_bytes == sum(len(item_line(one)) for one in stored(world, merged))

    def test_again_there_is_nothing_to_do(self, world, merging):
        merged = merging().merge()
        assert merging().done() == merged

    def test_a_set_of_another_version_or_with_a_file_gone_is_made_anew(self, world, merging):
        merged = merging().merge()
        body = world.s3.objects.pop(merged.files[0].key)
        assert merging().done() is None
        world.s3.objects[merged.files[0].key] = body
        assert merging().done() == merged
        key = f"restore/{TARGET}-{world.plan.id}/merged.json"
        world.s3.objects[key] = json.dumps(json.loads(world.s3.objects[key]) | {"version": 2}).encode()
        assert merging().done() is None

    @pytest.mark.parametrize("budget", [1 << 28, 1])
    def test_files_of_a_size(self, world, merging, budget):
        """GIVEN files that are full after a block THEN there are several, each whole lines, in memory or not."""
        big = [item(f"k{number:05}", text="x" * 1000 + str(number)) for number in range(3000)]
        base = world.backup(1, [lines(*big)], schema=SCHEMA)
        world.plan = plan_of(world, base)
        merged = merging(file_bytes=1, budget=budget).merge()
        assert len(merged.files) >= 3
        assert [one for one in stored(world, merged) if one["PK"]["S"].startswith("k")] == big

    def test_an_empty_table_has_a_file(self, world, merging):
        world.plan = plan_of(world, world.backup(3700, [[]], schema=SCHEMA), start=3700, end=3800)
        merged = merging().merge()
        assert merged.items == 0 and merged.last_change is None
        assert [gzip.decompress(world.s3.objects[file.key]) for file in merged.files] == [b""]

    def test_a_key_of_ones_own(self, world, merging):
        merged = merging(kms_key="key-arn").merge()
        assert [world.s3.keys_used[file.key] for file in merged.files] == ["key-arn"]

    def test_large_files_are_sent_in_parts(self, world):
        """GIVEN parts of a kilobyte THEN the file is put together of them, and no upload is left open."""
        body = [item_line(item(f"k{number}", text=md5_of(str(number).encode()))) for number in range(9000)]
        with DataFiles(world.objects, "restore/x/data/", part_bytes=1000) as files:
            for line in body:
                files.write(line)
        (file,) = files.files
        assert gzip.decompress(world.s3.objects[file.key]) == b"".join(body)
        assert (file.md5, file.items) == (md5_of(world.s3.objects[file.key]), 9000)
        assert world.s3.uploads == {}


class TestHazards:
    def test_hazard_19_gap_between_full_export_and_log(self, world, merging):
        """GIVEN a log from before the full export, whose changes the export shows already, put there by later objects first WHEN
        merged THEN each item is as its last sequence number says, not as the last object."""
        base = world.backup(100, [lines(item("a", n="2"), item("z", n="1"))], schema=SCHEMA)
        world.s3.objects.clear_log = [
            world.s3.objects.pop(key) for key in list(world.s3.objects) if key.startswith("changes/")
        ]
        world.capture([record(30, 130, "a", new=item("a", n="4")), record(31, 131, "z")])
        world.capture([record(10, 40, "a", new=item("a", n="1")), record(11, 41, "z", new=item("z", n="1"))])
        world.capture([record(20, 99, "a", new=item("a", n="2")), record(29, 129, "a", new=item("a", n="3"))])
        world.plan = plan_of(world, base, start=40)
        assert stored(world, merging().merge()) == [item("a", n="4")]

    def test_hazard_25_more_than_a_listing_shows_and_other_tables(self, world, merging):
        """GIVEN 1,200 objects of the log in an hour, and logs of tables whose names begin alike beside it WHEN merged THEN every
        change of this table counts, and none of another."""
        for number in range(1200):
            world.capture([record(100 + number, 10, f"n{number:04}", new=item(f"n{number:04}"))])
        for table in (f"{TABLE}-old", f"{TABLE}2", "user", "orders-cn"):
            world.capture([record(9000, 12, "a"), record(9001, 12, "foreign", new=item("foreign"))], table)
        merged = merging().merge()
        names = [one["PK"]["S"] for one in stored(world, merged)]
        assert merged.changes == 1203 and names == ["a", "c", "d", *(f"n{number:04}" for number in range(1200))]

    def test_hazard_26_the_disaster_itself_is_not_replayed(self, world, merging):
        """GIVEN a deploy that deletes all from second 100 on WHEN merged to second 100 THEN nothing of it is applied, though it
        lies in the same object as what counts."""
        batch = [record(50, 99, "late", new=item("late"))]
        batch += [record(51 + number, 100, key) for number, key in enumerate("acd")]
        world.capture(batch)
        world.plan = plan_of(world, world.plan.base.folder, end=100)
        assert [one["PK"]["S"] for one in stored(world, merging().merge())] == ["a", "c", "d", "late"]


class TestErrors:
    """One clear error each, and nothing half-done that counts."""

    def fails(self, world, merging, kind, *words, **more):
        with pytest.raises(kind) as caught:
            merging(**more).merge()
        for word in words:
            assert word in str(caught.value)
        assert not counts(world) and world.s3.uploads == {}
        assert not list(Path(merging().directory).iterdir()), "no parts are left"

    def data_of(self, world):
        return next(key for key in world.s3.objects if key.startswith(world.plan.base.folder + "data/"))

    def test_a_missing_file_of_the_base(self, world, merging):
        key = self.data_of(world)
        del world.s3.objects[key]
        self.fails(world, merging, DamagedExport, key, "is missing")

    def test_a_damaged_file_of_the_base(self, world, merging):
        key = self.data_of(world)
        world.s3.objects[key] = world.s3.objects[key][:-9]
        self.fails(world, merging, DamagedExport, key, "is cut short")

    def test_a_base_of_another_table(self, world, merging):
        world.plan = plan_of(world, world.backup(1, [[b'{"Item":{"id":{"S":"a"}}}']], schema=SCHEMA))
        self.fails(world, merging, DamagedExport, "no item with the key PK")

    def test_a_base_with_fewer_items_than_were_verified(self, world, merging):
        base = world.plan.base.folder
        body = json.loads(world.s3.objects[base + "_SUCCESS"])
        body["backup"]["items"] = 4
        world.s3.objects[base + "_SUCCESS"] = json.dumps(body).encode()
        world.plan = plan_of(world, base)
        self.fails(world, merging, DamagedExport, "holds 3 items, and 4 were verified")

    def test_a_damaged_object_of_the_log(self, world, merging):
        key = next(key for key in world.s3.objects if key.startswith("changes/"))
        world.s3.objects[key] = gzip.compress(b"{}\n")
        self.fails(world, merging, DamagedExport, key, "holds a line that is no change")

    def test_changes_of_another_table(self, world, merging):
        foreign = record(1, 5, "a")
        foreign["dynamodb"]["Keys"] = {"id": {"S": "a"}}
        world.capture([foreign])
        self.fails(world, merging, DamagedExport, "has no key PK")

    @pytest.mark.parametrize("operation", ["get_object", "put_object"])
    def test_kms_denied(self, world, merging, operation):
        denied = aws_error("AccessDenied", "not authorized to perform: kms:Decrypt on resource: the key")
        world.s3.errors[operation, ".json.gz"] = denied
        self.fails(
            world, merging, BackupError, ".json.gz cannot be", "kms:Decrypt to read, kms:GenerateDataKey too to write"
        )

    def test_an_archived_base(self, world, merging):
        world.s3.errors["get_object", ".json.gz"] = aws_error("InvalidObjectState")
        self.fails(world, merging, BackupError, "lies in an archive class: it has to be retrieved first")

    def test_too_little_space_is_told_before(self, world, merging, tmp_path, monkeypatch):
        monkeypatch.setattr(merging_module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10}))
        self.fails(world, merging, BackupError, str(tmp_path), "name another directory", "budget_mb", budget=1)
        assert not [key for key in world.s3.gets if key.endswith(".gz")], "before anything is read"
        assert merging().merge().items == 3, "with enough memory no space is needed"

    def test_disk_full(self, world, merging, tmp_path, monkeypatch):
        def full(*_arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("dynabridge.last_states.SpillFile.flush", full)
        self.fails(world, merging, BackupError, "disk full", str(tmp_path), "is removed", budget=1)

    def test_interrupted_and_begun_anew(self, world, merging):
        """GIVEN a merge that stops after some files WHEN it is run again THEN the set is whole, and a file that the new attempt
        does not reach is empty: an import takes all that lies there."""
        big = [item(f"k{number:05}", text="x" * 1000 + str(number)) for number in range(3000)]
        world.plan = plan_of(world, world.backup(1, [lines(*big), lines(item("last"))], schema=SCHEMA))
        data = [key for key in world.s3.objects if key.startswith(world.plan.base.folder + "data/")]
        kept = world.s3.objects.pop(data[-1])
        with pytest.raises(DamagedExport, match="is missing"):
            merging(file_bytes=1).merge()
        assert merging().done() is None
        further = f"{merging().folder}data/00009.json.gz"
        world.s3.objects[further] = gzip.compress(b"{}")
        world.s3.objects[data[-1]] = kept
        merged = merging().merge()
        assert {file.items for file in merged.files[1:]} == {0} and merged.files[-1].key == further
        assert len(stored(world, merged)) == 3003 and merging().done() == merged

    def test_a_broken_upload_is_aborted(self, world):
        world.s3.errors["complete_multipart_upload", ".json.gz"] = aws_error("InternalError")
        with (
            pytest.raises(BackupError, match=r"00000\.json\.gz cannot be written \(InternalError\)"),
            DataFiles(world.objects, "restore/x/data/", part_bytes=10, file_bytes=1000) as files,
        ):
            files.write(b"{}\n" * 100)
        assert world.s3.uploads == {} and not [key for key in world.s3.objects if key.startswith("restore/")]

    def test_two_at_once(self, world, merging):
        """GIVEN a merge under way THEN another one of the same plan is refused."""
        seen = []

        def sources(*arguments):
            with pytest.raises(SettingsError, match="another run is at work"):
                merging().merge()
            seen.append(True)
            return merging_module.Sources(*arguments)

        merging(sources=sources).merge()
        assert seen == [True]


def test_memory_of_ones_own_directory_is_private(world, merging):
    """GIVEN the system's own directory THEN what is put there is readable for its user only."""
    modes = []

    def sources(*arguments):
        (path,) = Path(tempfile.gettempdir()).glob(f"dynabridge-merge-*{world.plan.id}")
        modes.append(path.stat().st_mode & 0o777)
        return merging_module.Sources(*arguments)

    merging(directory="", sources=sources).merge()
    assert modes == [0o700]


def test_plans_base_is_verified():
    """The plan that these tests use is of a backup that counts."""
    world = World()
    assert backup_in(world, world.backup(0, schema=SCHEMA)).state == VERIFIED
