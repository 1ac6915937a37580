# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests and data files of exports, as DynamoDB really writes them."""

import gzip
import json
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.errors import DamagedExport
from dynabridge.exports import (
    FILES,
    FULL,
    INCREMENTAL,
    INFLATED,
    SUMMARY,
    DataFile,
    checksum_names,
    inflate,
    lines_of,
    md5_of,
    read_files,
    read_summary,
    read_time,
)
from dynabridge.verification import read_manifests, verify
from tests.export_files import MOMENT, Bucket, summary_of, write_export

REAL = Path(__file__).parents[3] / "shared" / "data" / "real_full_export"
REAL_FOLDER = "dynamodb-export/AWSDynamoDB/01715685260608-c488b4e1/"


@pytest.fixture
def real():
    """The real export under its own keys, with the checksums that its publisher left out."""
    if not REAL.is_dir():
        pytest.skip("the real export is not on this machine")
    bucket = Bucket({f"dynamodb-export/{p.relative_to(REAL)}": p.read_bytes() for p in REAL.rglob("*") if p.is_file()})
    for manifest in (SUMMARY, FILES):
        bucket.seal(REAL_FOLDER, manifest, bucket[REAL_FOLDER + manifest])
    return bucket


def cut(text, sizes):
    """The bytes in pieces of these sizes, over and over."""
    start, number = 0, 0
    while start < len(text):
        size = sizes[number % len(sizes)]
        yield text[start : start + size]
        start, number = start + size, number + 1


class TestARealExport:
    def test_its_manifests_are_read(self, real):
        """GIVEN what DynamoDB wrote in 2024 THEN the summary and the files say what they are."""
        manifests = read_manifests(real, REAL_FOLDER)
        summary = manifests.summary
        assert (summary.kind, summary.items, summary.billed_bytes, summary.start) == (FULL, 3, 19, None)
        assert summary.moment == read_time("2024-05-14T11:14:20.608Z") == 1715685260.608
        assert summary.export_arn.endswith("table/S3ExportTest/export/01715685260608-c488b4e1")
        assert [(file.items, file.md5) for file in manifests.files] == [(3, "rzAeIrtALbOlNdK5Hh8tgA==")]

    def test_it_is_whole(self, real):
        """GIVEN the real data file THEN its checksum is the MD5 of its bytes, and it holds three lines with an item each."""
        _summary, progress = verify(real, REAL_FOLDER)
        assert (progress.problems, progress.files, progress.items) == ([], 1, 3)
        (key,) = real.data(REAL_FOLDER)
        items = [json.loads(line)["Item"] for line in lines_of(real.stream(key))]
        assert len(items) == 3 and all(isinstance(item, dict) for item in items)


class TestManifests:
    def test_a_full_summary(self):
        found = read_summary(json.dumps(summary_of("daily/2026/11/21/user-cn/AWSDynamoDB/x/")).encode())
        assert (found.kind, found.start, found.moment, found.view) == (FULL, None, MOMENT, "")

    def test_an_incremental_summary(self):
        """GIVEN the summary of an incremental export THEN its moment is the end of its window."""
        body = json.dumps(summary_of("p/AWSDynamoDB/x/", window=(MOMENT - 3600, MOMENT))).encode()
        found = read_summary(body)
        assert (found.kind, found.start, found.moment) == (INCREMENTAL, MOMENT - 3600, MOMENT)
        assert found.view == "NEW_AND_OLD_IMAGES"

    @pytest.mark.parametrize("name", sorted(set(summary_of("p/AWSDynamoDB/x/")) & {
        "exportArn", "tableArn", "tableId", "exportTime", "itemCount", "billedSizeBytes", "s3Bucket",
        "manifestFilesS3Key", "outputFormat",
    }))  # fmt: skip
    @pytest.mark.parametrize("instead", ["nothing", "null", "a list"])
    def test_a_field_that_is_missing_or_wrong_is_damage(self, name, instead):
        """GIVEN a summary without a field, or with a value of another type THEN that is damage, and no other error."""
        document = summary_of("p/AWSDynamoDB/x/")
        document[name] = [] if instead == "a list" else None
        if instead == "nothing":
            del document[name]
        with pytest.raises(DamagedExport, match=f"{SUMMARY} is no summary of an export") as caught:
            read_summary(json.dumps(document).encode())
        assert name in str(caught.value) or instead != "nothing"

    @pytest.mark.parametrize("body", [b"", b"[]", b"3", b"null", b'"x"', b"{", b"\xff\xfe", b"{}"])
    def test_what_is_no_summary_is_damage(self, body):
        with pytest.raises(DamagedExport, match=SUMMARY):
            read_summary(body)

    @pytest.mark.parametrize("arn", ["", "table/user-cn", "arn:aws-cn:dynamodb:cn-north-1"])
    def test_a_table_that_is_no_arn_is_damage(self, arn):
        document = summary_of("p/AWSDynamoDB/x/") | {"tableArn": arn}
        with pytest.raises(DamagedExport, match="tableArn"):
            read_summary(json.dumps(document).encode())

    def test_ion_cannot_be_restored(self):
        body = json.dumps(summary_of("p/AWSDynamoDB/x/") | {"outputFormat": "ION"}).encode()
        with pytest.raises(DamagedExport, match="the export is in ION: only DYNAMODB_JSON can be restored"):
            read_summary(body)

    def test_the_files(self):
        body = b'{"itemCount":3,"md5Checksum":"x==","etag":"e-1","dataFileS3Key":"p/data/a.json.gz"}\n' * 2
        assert read_files(body) == [DataFile("p/data/a.json.gz", 3, "x==")] * 2
        assert read_files(b"") == []

    @pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"x", b'{"itemCount": "many"}', b"\xff"])
    def test_a_line_that_names_no_file_is_named(self, line):
        good = b'{"itemCount":0,"md5Checksum":"x","dataFileS3Key":"k"}\n'
        with pytest.raises(DamagedExport, match=f"line 2 of {FILES} names no data file"):
            read_files(good + line + b"\n" + good)

    def test_both_names_of_checksums(self):
        """GIVEN real exports and the documentation THEN a checksum may have either name."""
        assert checksum_names(SUMMARY) == ["manifest-summary.md5", "manifest-summary.checksum"]

    @pytest.mark.parametrize("ending", [0, 1])
    def test_manifests_with_either_checksum_are_read(self, ending):
        bucket = Bucket()
        folder = write_export(bucket, ending=ending)
        assert read_manifests(bucket, folder).summary.items == 5

    def test_an_md5_is_spelled_in_base64(self):
        assert md5_of(b"") == "1B2M2Y8AsgTpgAmY7PhCfg=="


members = st.lists(st.binary(max_size=200), min_size=1, max_size=4)


class TestInflate:
    @given(members, st.lists(st.integers(1, 50), min_size=1, max_size=5))
    def test_any_split_of_any_members_gives_the_text(self, texts, sizes):
        """GIVEN a gzip of one or more members, some empty WHEN read in pieces of any size THEN the text is gzip's own."""
        packed = b"".join(gzip.compress(text, mtime=0) for text in texts)
        assert b"".join(inflate(cut(packed, sizes))) == gzip.decompress(packed) == b"".join(texts)

    def test_an_empty_data_file(self):
        """GIVEN the 20 bytes that DynamoDB writes for a partition without items THEN there is no text, and no damage."""
        empty = gzip.compress(b"", mtime=0)
        assert len(empty) == 20
        assert list(inflate([empty])) == [] and list(lines_of([empty])) == []

    @pytest.mark.parametrize("texts", [[b"three lines\n" * 3], [b"one\n", b"", b"two\n"]])
    def test_cut_at_any_byte_it_is_damage(self, texts):
        """GIVEN a file cut short anywhere but between two members THEN that is told, whatever came before."""
        packed = [gzip.compress(text, mtime=0) for text in texts]
        whole = b"".join(packed)
        ends = {sum(map(len, packed[:count])) for count in range(1, len(packed) + 1)}
        for length in range(len(whole)):
            if length not in ends:
                with pytest.raises(DamagedExport, match="is cut short"):
                    list(inflate([whole[:length]]))

    @given(st.binary(max_size=200))
    def test_garbage_is_damage(self, garbage):
        """GIVEN any bytes that gzip does not take THEN DamagedExport, and no other error."""
        try:
            expected = gzip.decompress(garbage)
        except (OSError, EOFError, zlib.error):
            expected = None
        if expected is None or not garbage:
            with pytest.raises(DamagedExport):
                list(inflate([garbage]))

    @given(st.integers(0, 10_000), st.integers(1, 255))
    def test_a_changed_byte_is_damage_or_leaves_the_text(self, place, change):
        """GIVEN one byte changed THEN the text is the same (a byte of the header), or damage is told."""
        text = b"".join(b'{"Item": {"PK": {"S": "%d"}}}\n' % number for number in range(40))
        packed = bytearray(gzip.compress(text, mtime=0))
        packed[place % len(packed)] ^= change
        with suppress(DamagedExport):
            assert b"".join(inflate(cut(bytes(packed), [64]))) == text

    def test_garbage_after_the_end_is_damage(self):
        with pytest.raises(DamagedExport):
            list(inflate([gzip.compress(b"x"), b"garbage"]))

    def test_a_bomb_stays_bounded(self):
        """GIVEN 200 KB that inflate to 200 MB WHEN read THEN never more than a megabyte at a time."""
        member = gzip.compress(bytes(20 << 20), 9)
        sizes = [len(text) for text in inflate([member] * 10)]
        assert sum(sizes) == 200 << 20 and max(sizes) <= INFLATED


# Half a surrogate pair is no text that UTF-8 knows.
line_texts = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=30)


class TestLines:
    @given(st.lists(line_texts, max_size=20), st.integers(1, 40))
    def test_lines_survive_any_split(self, texts, size):
        """GIVEN lines of any text WHEN read in pieces THEN they are the same lines; the last may lack its end."""
        wanted = [text.encode() for text in texts]
        for end in (b"\n", b""):
            packed = gzip.compress(b"\n".join(wanted) + (end if wanted else b""), mtime=0)
            expected = wanted[:-1] if wanted and not end and not wanted[-1] else wanted
            assert list(lines_of(cut(packed, [size]))) == expected

    def test_a_line_longer_than_a_piece(self):
        long = b"x" * (3 * INFLATED + 5)
        assert list(lines_of([gzip.compress(b"a\n" + long + b"\nb\n")])) == [b"a", long, b"b"]
