# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of archive classes: what is asked for, with what, what is awaited, and what S3 answers on the way."""

import pytest

from dynabridge.aws import retrieval
from dynabridge.aws.objects import Listed, Objects
from dynabridge.aws.retrieval import CHUNK, Retrieving, archived, look, retrieve, wait
from dynabridge.catalogue import Backup
from dynabridge.errors import BackupError, RestoreError
from dynabridge.restore_plan import Plan, named
from tests.backup_fakes import FakeS3
from tests.export_files import MOMENT, write_export
from tests.modules.aws_fakes import aws_error, fake_client

BUCKET = "b"


class FakeArchive:
    """Objects by key: their class. ``restores``: what HEAD says of each; ``asked``: requests; ``errors``: by key."""

    def __init__(self, **classes):
        self.classes, self.restores, self.asked, self.errors, self.heads = classes, {}, {}, {}, 0
        self.tiers = {}

    def head_object(self, Bucket, Key):
        self.heads += 1
        if Key not in self.classes:
            raise aws_error("404")
        told = {"StorageClass": self.classes[Key]}
        if Key in self.restores:
            told["Restore"] = self.restores[Key]
        return told | ({"ArchiveStatus": self.tiers[Key]} if Key in self.tiers else {})

    def restore_object(self, Bucket, Key, RestoreRequest):
        if Key in self.errors:
            raise aws_error(self.errors[Key])
        self.asked[Key] = RestoreRequest
        self.restores[Key] = 'ongoing-request="true"'

    def bring(self, *keys):
        for key in keys:
            self.restores[key] = 'ongoing-request="false", expiry-date="Fri, 21 Nov 2026 00:00:00 GMT"'


def objects_of(archive):
    return Objects(fake_client("s3", archive), BUCKET)


def test_what_is_archived_is_asked_for_once():
    """GIVEN objects of all classes WHEN retrieved twice THEN those in archives are asked for once, with tier and days."""
    archive = FakeArchive(plain="STANDARD_IA", cold="GLACIER", colder="DEEP_ARCHIVE")
    first = retrieve(objects_of(archive), archive.classes, "Bulk", 5)
    assert (first.asked, first.ready, sorted(first.pending)) == (2, 1, ["cold", "colder"])
    assert archive.asked["cold"] == {"GlacierJobParameters": {"Tier": "Bulk"}, "Days": 5}
    text = first.text("Bulk")
    assert "2 archived objects" in text and "5 to 12 hours" in text and "up to 48 hours" in text
    again = retrieve(objects_of(archive), archive.classes, "Bulk", 5)
    assert (again.asked, len(again.pending)) == (0, 2)


def test_what_is_there_is_ready():
    archive = FakeArchive(cold="GLACIER")
    archive.bring("cold")
    found = retrieve(objects_of(archive), ["cold"], "Standard", 3)
    assert (found.asked, found.ready, found.pending) == (0, 1, [])


def test_archive_tiers_of_intelligent_tiering_take_no_days():
    """GIVEN an archived object of INTELLIGENT_TIERING and one that is not WHEN retrieved THEN only the former, for good."""
    archive = FakeArchive(warm="INTELLIGENT_TIERING", cold="INTELLIGENT_TIERING")
    archive.tiers["cold"] = "DEEP_ARCHIVE_ACCESS"
    found = retrieve(objects_of(archive), ["warm", "cold"], "Standard", 3)
    assert (found.ready, found.pending, found.classes) == (1, ["cold"], {"DEEP_ARCHIVE": 1})
    assert archive.asked == {"cold": {"GlacierJobParameters": {"Tier": "Standard"}}}


def test_a_tier_that_the_class_lacks_is_refused_before_anything_is_asked():
    archive = FakeArchive(cold="GLACIER", colder="DEEP_ARCHIVE")
    with pytest.raises(RestoreError, match="DEEP_ARCHIVE, which has no tier Expedited"):
        retrieve(objects_of(archive), archive.classes, "Expedited", 3)
    assert archive.asked == {}


def test_an_object_that_is_gone_is_named():
    with pytest.raises(RestoreError, match="s3://b/gone is not there any more"):
        retrieve(objects_of(FakeArchive()), ["gone"], "Standard", 3)


@pytest.mark.parametrize(
    ("code", "pending"), [("RestoreAlreadyInProgress", ["cold"]), ("ObjectAlreadyInActiveTierError", [])]
)
def test_answers_that_say_how_it_stands_are_no_errors(code, pending):
    """GIVEN somebody who asked between HEAD and the request WHEN S3 says so THEN it is awaited, or read."""
    archive = FakeArchive(cold="GLACIER")
    archive.errors["cold"] = code
    found = retrieve(objects_of(archive), ["cold"], "Standard", 3)
    assert (found.asked, found.pending) == (0, pending)


def test_other_refusals_are_a_sentence():
    archive = FakeArchive(cold="GLACIER")
    archive.errors["cold"] = "GlacierExpeditedRetrievalNotAvailable"
    with pytest.raises(BackupError, match=r"s3://b/cold cannot be retrieved \(GlacierExpeditedRetrievalNotAvailable"):
        retrieve(objects_of(archive), ["cold"], "Expedited", 3)


def test_waiting_looks_no_further_than_what_is_missing():
    """GIVEN many objects of which an early one is missing WHEN looked at THEN one chunk is, and the rest counts as missing."""
    keys = [f"k{number:04}" for number in range(3 * CHUNK)]
    archive = FakeArchive(**dict.fromkeys(keys, "GLACIER"))
    found = retrieve(objects_of(archive), keys, "Standard", 3)
    assert found.asked == len(found.pending) == 3 * CHUNK
    archive.bring(*keys[1:])
    archive.heads = 0
    found = look(objects_of(archive), found)
    assert archive.heads == CHUNK and len(found.pending) == 1 + 2 * CHUNK
    archive.bring(keys[0])
    assert look(objects_of(archive), found).pending == []


def test_it_waits_until_all_is_there_or_time_is_up():
    """GIVEN an object that comes after the third look WHEN awaited THEN progress is told; with too little time it is pending."""
    archive, told, now = FakeArchive(cold="GLACIER"), [], [0.0]
    objects = objects_of(archive)

    def pause(seconds):
        now[0] += seconds
        if now[0] >= 30:
            archive.bring("cold")

    found = retrieve(objects, ["cold"], "Expedited", 1)
    late = wait(objects, found, "Expedited", 20, 10, told.append, pause, lambda: now[0])
    assert late.pending == ["cold"] and len(told) == 2 and "1 to 5 minutes" in told[0]
    assert wait(objects, late, "Expedited", 100, 10, told.append, pause, lambda: now[0]).pending == []


def test_a_listing_says_what_may_be_archived():
    listed = [Listed(name, 1, name) for name in ("STANDARD", "GLACIER_IR", "GLACIER", "INTELLIGENT_TIERING")]
    assert archived(listed) == ["GLACIER", "INTELLIGENT_TIERING"]
    with pytest.raises(RestoreError, match="tier is 'Fast'"):
        retrieval.check_tier("Fast", 3)


class ArchivingS3(FakeS3):
    """A bucket whose archived objects can be asked for, and then are there at once."""

    def __init__(self):
        super().__init__()
        self.restores, self.asked = {}, []

    def head_object(self, Bucket, Key):
        told = {"StorageClass": self.classes.get(Key, "STANDARD")}
        return told | ({"Restore": self.restores[Key]} if Key in self.restores else {})

    def restore_object(self, Bucket, Key, RestoreRequest):
        self.asked.append(Key)
        self.restores[Key] = 'ongoing-request="false", expiry-date="Fri, 21 Nov 2026 00:00:00 GMT"'

    def get_object(self, Bucket, Key, ExpectedBucketOwner=""):
        if self.classes.get(Key) == "GLACIER" and Key not in self.restores:
            raise aws_error("InvalidObjectState")
        return super().get_object(Bucket, Key)


def test_hazard_24_manifests_come_before_what_they_name():
    """GIVEN a window of a day whose files and manifest are all archived, beside another window WHEN its plan is retrieved THEN
    the manifest is first, then its files and no others."""
    s3 = ArchivingS3()
    base = write_export(s3.objects, tail=1)
    ours = write_export(s3.objects, window=(MOMENT, MOMENT + 900), tail=2)
    others = write_export(s3.objects, window=(MOMENT + 900, MOMENT + 1800), tail=3)
    s3.classes = dict.fromkeys((key for key in s3.objects if not key.endswith((".md5", "_started"))), "GLACIER")
    plan = named(Plan("user-cn", MOMENT + 900, "merge", s3.bucket, "daily", "changes", _backup(base), (_backup(ours),)))
    retrieving = Retrieving(Objects(fake_client("s3", s3), s3.bucket), plan, "Bulk", 3, print)
    assert retrieving.run(0, 1).pending, "the manifests have been asked for just now"
    retrieving.run(10, 0.01)
    wanted = {*s3.objects.data(base), *s3.objects.data(ours)}
    manifests = {folder + name for folder in (base, ours) for name in ("manifest-summary.json", "manifest-files.json")}
    assert set(s3.asked) == wanted | manifests
    assert not set(s3.asked) & set(s3.objects.data(others))
    assert s3.asked.index(ours + "manifest-files.json") < min(s3.asked.index(key) for key in s3.objects.data(ours))


def _backup(folder):
    return Backup("b", "user-cn", folder.rstrip("/").rpartition("/")[2], "2026-11-21", folder, state="verified")
