# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an export is whole: each kind of damage is named, and it takes as many runs as it takes."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.errors import BackupError, DamagedExport
from dynabridge.exports import FILES, SUMMARY, checksum_names, md5_of
from dynabridge.verification import PROBLEMS_KEPT, OutOfTime, Progress, read_manifests, restored_progress, verify
from tests.export_files import MOMENT, Bucket, lines, write_export

MANIFESTS = [SUMMARY, FILES]


class Clock:
    """Goes on by a second with each look."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture
def bucket():
    return Bucket()


@pytest.fixture
def folder(bucket):
    return write_export(bucket)


def problems_of(bucket, folder):
    return verify(bucket, folder)[1].problems


def rewritten(bucket, folder, change):
    """The manifest of files with each entry changed, and its checksum right."""
    entries = [json.loads(line) for line in bucket[folder + FILES].splitlines()]
    body = b"".join(json.dumps(change(number, entry)).encode() + b"\n" for number, entry in enumerate(entries))
    bucket.seal(folder, FILES, body)


class TestWhole:
    @pytest.mark.parametrize("ending", [0, 1])
    def test_a_full_export(self, bucket, ending):
        """GIVEN a full export, with an empty file, with .md5 or .checksum THEN no problem, and all was counted."""
        folder = write_export(bucket, ending=ending)
        summary, progress = verify(bucket, folder)
        assert progress.problems == [] and progress.problem_count == 0
        assert (progress.files, progress.items, summary.items) == (3, 5, 5)
        assert progress.stored_bytes == sum(len(bucket[key]) for key in bucket.data(folder))
        assert progress.text_bytes == sum(len(gzip.decompress(bucket[key])) for key in bucket.data(folder))

    def test_both_checksums_and_spaces_around_them(self, bucket, folder):
        for manifest in MANIFESTS:
            bucket[folder + checksum_names(manifest)[1]] = bucket[folder + checksum_names(manifest)[0]] + b"\n"
        assert problems_of(bucket, folder) == []

    def test_an_export_without_items(self, bucket):
        """GIVEN an empty table THEN its export is whole, be it with empty files or with none."""
        assert problems_of(bucket, write_export(bucket, files=[[], []])) == []
        assert problems_of(bucket, write_export(bucket, files=[], tail=1)) == []

    def test_a_last_line_without_an_end_counts(self, bucket):
        folder = write_export(bucket, files=[lines(2)])
        (key,) = bucket.data(folder)
        bucket[key] = gzip.compress(b"\n".join(lines(2)))
        rewritten(bucket, folder, lambda _number, entry: entry | {"md5Checksum": md5_of(bucket[key])})
        assert problems_of(bucket, folder) == []

    def test_an_incremental_looks_at_its_own_files_only(self, bucket):
        """GIVEN two incrementals whose data files lie together WHEN one's is damaged THEN the other is whole."""
        windows = [(MOMENT - 3600, MOMENT), (MOMENT, MOMENT + 3600)]
        one, other = [
            write_export(bucket, files=[lines(4)], window=window, tail=tail) for tail, window in enumerate(windows)
        ]
        (key,), (others,) = bucket.data(one), bucket.data(other)
        assert key.rpartition("/")[0] == others.rpartition("/")[0]
        bucket[others] = b"garbage"
        assert problems_of(bucket, one) == [] and problems_of(bucket, other) != []

    def test_many_files_are_each_read_once(self, bucket):
        folder = write_export(bucket, files=[lines(1, number) for number in range(23)])
        assert problems_of(bucket, folder) == []
        assert sorted(bucket.read) == sorted(bucket.data(folder))


class TestCopies:
    @pytest.mark.parametrize("window", [None, (MOMENT - 3600, MOMENT)])
    @pytest.mark.parametrize("elsewhere", ["daily/2026/11/21/user-cn", "copies/of/user-cn", "x"])
    def test_a_copy_is_whole(self, bucket, window, elsewhere):
        """GIVEN an export copied to another bucket and prefix, where the old one is gone THEN its own files are read."""
        folder = write_export(bucket, window=window)
        above = folder.partition("/AWSDynamoDB/")[0]
        copy = Bucket({elsewhere + key.removeprefix(above): body for key, body in bucket.items()})
        assert problems_of(copy, elsewhere + folder.removeprefix(above)) == []
        assert all(key.startswith(f"{elsewhere}/AWSDynamoDB/") for key in copy.read)

    def test_an_export_without_a_prefix_copied_under_one(self, bucket):
        """GIVEN an export at the top of its bucket THEN a copy of it under a prefix is whole, too."""
        folder = write_export(bucket)
        above = folder.partition("AWSDynamoDB/")[0]
        top = Bucket({key.removeprefix(above): body for key, body in bucket.items()})
        rewritten(top, folder.removeprefix(above), lambda _n, entry: entry | {
            "dataFileS3Key": entry["dataFileS3Key"].removeprefix(above)})  # fmt: skip
        top.edit(folder.removeprefix(above), manifestFilesS3Key=folder.removeprefix(above) + FILES, s3Prefix=None)
        assert problems_of(top, folder.removeprefix(above)) == []
        copy = Bucket({f"copy/{key}": body for key, body in top.items()})
        assert problems_of(copy, f"copy/{folder.removeprefix(above)}") == []


class TestManifests:
    @pytest.mark.parametrize("manifest", MANIFESTS)
    def test_one_that_is_missing(self, bucket, folder, manifest):
        del bucket[folder + manifest]
        with pytest.raises(DamagedExport, match=f"{folder}{manifest} is missing"):
            verify(bucket, folder)

    @pytest.mark.parametrize("manifest", MANIFESTS)
    def test_a_checksum_that_is_missing(self, bucket, folder, manifest):
        """GIVEN no checksum of a manifest THEN both names that it could have are told."""
        del bucket[folder + checksum_names(manifest)[0]]
        with pytest.raises(DamagedExport, match=f"the checksum of {folder}{manifest} is missing") as caught:
            verify(bucket, folder)
        assert all(name in str(caught.value) for name in checksum_names(manifest))

    @pytest.mark.parametrize("manifest", MANIFESTS)
    @pytest.mark.parametrize("seal", [b"", b"1B2M2Y8AsgTpgAmY7PhCfg==", b"\xff\xfe", b"d41d8cd98f00b204"])
    def test_a_checksum_that_is_wrong(self, bucket, folder, manifest, seal):
        bucket[folder + checksum_names(manifest)[0]] = seal
        with pytest.raises(DamagedExport, match=f"{folder}{manifest} does not match its checksum"):
            verify(bucket, folder)

    @pytest.mark.parametrize("manifest", MANIFESTS)
    def test_of_two_checksums_both_must_be_right(self, bucket, folder, manifest):
        bucket[folder + checksum_names(manifest)[1]] = b"wrong"
        with pytest.raises(DamagedExport, match="does not match its checksum"):
            verify(bucket, folder)

    @pytest.mark.parametrize("manifest", MANIFESTS)
    @given(place=st.integers(0, 5000), change=st.integers(1, 255))
    def test_any_changed_byte_is_found(self, manifest, place, change):
        bucket = Bucket()
        folder = write_export(bucket)
        body = bytearray(bucket[folder + manifest])
        body[place % len(body)] ^= change
        bucket[folder + manifest] = bytes(body)
        with pytest.raises(DamagedExport, match=f"{manifest} does not match its checksum"):
            read_manifests(bucket, folder)

    def test_ion(self, bucket, folder):
        bucket.edit(folder, outputFormat="ION")
        with pytest.raises(DamagedExport, match="ION"):
            verify(bucket, folder)

    def test_a_count_that_is_wrong(self, bucket, folder):
        """GIVEN a summary with another number than its files THEN both numbers are told."""
        bucket.edit(folder, itemCount=1006)
        assert problems_of(bucket, folder) == [f"{SUMMARY} says 1,006 items, the files of {FILES} hold 5"]


class TestDataFiles:
    def test_one_that_is_missing(self, bucket, folder):
        key = bucket.data(folder)[1]
        del bucket[key]
        assert problems_of(bucket, folder) == [f"{key} is missing"]

    @given(place=st.integers(0, 5000), change=st.integers(1, 255))
    def test_any_changed_byte_is_found(self, place, change):
        """GIVEN one byte of a data file changed THEN the file is named, be it for its gzip or its checksum."""
        bucket = Bucket()
        folder = write_export(bucket, files=[lines(40)])
        (key,) = bucket.data(folder)
        body = bytearray(bucket[key])
        body[place % len(body)] ^= change
        bucket[key] = bytes(body)
        (problem,) = problems_of(bucket, folder)
        assert problem.startswith(key) and any(
            words in problem for words in ("does not match its checksum", "is no valid gzip", "is cut short")
        )

    @pytest.mark.parametrize("length", [0, 1, 19, -1])
    def test_one_that_is_cut(self, bucket, folder, length):
        key = bucket.data(folder)[0]
        bucket[key] = bucket[key][:length]
        assert problems_of(bucket, folder) == [f"{key} is cut short"]

    def test_one_cut_between_two_members(self, bucket, folder):
        """GIVEN a file of two members without its second THEN it is a valid gzip, and its checksum is not."""
        key = bucket.data(folder)[0]
        first, second = gzip.compress(lines(1)[0]), gzip.compress(lines(1)[0])
        rewritten(bucket, folder, lambda number, entry: entry if number else entry | {
            "md5Checksum": md5_of(first + second)})  # fmt: skip
        bucket[key] = first
        assert problems_of(bucket, folder) == [f"{key} does not match its checksum"]

    def test_another_one_in_its_place(self, bucket, folder):
        keys = bucket.data(folder)
        bucket[keys[0]], bucket[keys[1]] = bucket[keys[1]], bucket[keys[0]]
        assert problems_of(bucket, folder) == [f"{key} does not match its checksum" for key in keys[:2]]

    def test_a_count_that_is_wrong(self, bucket, folder):
        """GIVEN a file with the right checksum and fewer lines than its manifest says THEN both numbers are told."""
        rewritten(bucket, folder, lambda number, entry: entry if number else entry | {"itemCount": 4})
        bucket.edit(folder, itemCount=6)
        assert problems_of(bucket, folder) == [f"{bucket.data(folder)[0]} holds 3 items, its manifest says 4"]

    def test_many_problems_are_counted_and_the_first_kept(self, bucket):
        folder = write_export(bucket, files=[lines(1, number) for number in range(30)])
        for key in bucket.data(folder):
            bucket[key] = b""
        progress = verify(bucket, folder)[1]
        assert (progress.problem_count, len(progress.problems)) == (30, PROBLEMS_KEPT)

    def test_what_may_not_be_read_is_no_damage(self, bucket, folder):
        """GIVEN a file that cannot be read for now THEN that is raised: no verdict comes of it."""

        def refuse(key):
            raise BackupError("AccessDenied")
            yield key

        bucket.stream = refuse
        with pytest.raises(BackupError, match="AccessDenied") as caught:
            verify(bucket, folder)
        assert not isinstance(caught.value, DamagedExport)


class TestOutOfTime:
    @given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.sets(st.integers(0, 11)), st.integers(0, 6))
    def test_in_several_runs_it_finds_the_same(self, counts, damaged, patience):
        """GIVEN any export, some files damaged WHEN each run has time for a few files THEN the verdict is that of one go."""
        bucket = Bucket()
        folder = write_export(bucket, files=[lines(count) for count in counts])
        for number, key in enumerate(bucket.data(folder)):
            if number in damaged:
                bucket[key] = bucket[key][:-1]
        at_once = verify(bucket, folder)
        progress, runs = None, 0
        while True:
            runs += 1
            try:
                found = verify(bucket, folder, progress, until=patience, clock=Clock())
                break
            except OutOfTime as unfinished:
                # As it goes through S3.
                progress = restored_progress(json.loads(json.dumps(unfinished.progress.as_dict())))
        assert found == at_once
        assert runs <= len(counts), "each run looks at one file at least"

    def test_what_was_looked_at_is_not_read_again(self, bucket):
        folder = write_export(bucket, files=[lines(1, number) for number in range(9)])
        with pytest.raises(OutOfTime, match="5 files so far") as caught:
            verify(bucket, folder, until=4, clock=Clock())
        bucket.read.clear()
        verify(bucket, folder, caught.value.progress)
        assert sorted(bucket.read) == sorted(bucket.data(folder)[5:])

    def test_the_last_file_is_never_out_of_time(self, bucket, folder):
        """GIVEN the time is up with the last file THEN the verdict is given, not put off."""
        assert verify(bucket, folder, until=2, clock=Clock())[1].files == 3

    def test_another_export_begins_at_the_beginning(self, bucket, folder):
        """GIVEN progress of an export that was since replaced THEN it says nothing."""
        stale = Progress(manifest="another", files=2, items=99, problem_count=1, problems=["x"])
        assert verify(bucket, folder, stale)[1].items == 5

    @pytest.mark.parametrize("document", [None, {}, [], [1], "x", 3, {"unknown": 1}])
    def test_what_is_no_progress_is_none(self, document):
        assert restored_progress(document) is None
