# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip is the same bytes for the same entries, and readable by anybody."""

import base64
import hashlib
import io
import os
import stat
import string
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge import packaging
from dynabridge.packaging import PackagingError, build_zip, collect

ENTRIES = [("sender.py", b"print()\n"), ("dynabridge/wire.py", b""), ("dynabridge/ä.txt", "ä".encode())]
NAMES = st.text(string.ascii_letters + string.digits + "._-äß", min_size=1, max_size=8).filter(
    lambda name: name.strip(".")
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def opened(archive: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(archive))


def tree(root, **files):
    """Files under root: {path with __ for /: text}."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def test_the_bytes_are_fixed_for_ever():
    # GIVEN known entries WHEN they are zipped by any Python on any machine THEN the digest is the one noted
    # here
    assert packaging.sha256_hex(build_zip(ENTRIES)) == (
        "3a0577b17665e260d0c0cfb858f0a16713d64e4b0e24be452919d70ea91f9aff"
    )


@given(st.dictionaries(PATHS, st.binary(max_size=64), max_size=6), st.randoms())
def test_order_does_not_count_and_everything_comes_back(contents, random):
    # GIVEN entries WHEN they come in another order THEN the bytes are the same, and hold what was put in
    entries = list(contents.items())
    archive = build_zip(entries)
    random.shuffle(entries)
    assert build_zip(entries) == archive
    with opened(archive) as read:
        assert read.testzip() is None
        assert {name: read.read(name) for name in read.namelist()} == contents
        assert read.namelist() == sorted(contents)


def test_time_mode_and_compression_are_fixed():
    # GIVEN entries WHEN they are zipped THEN each is a plain readable file of 1980, stored
    for info in opened(build_zip(ENTRIES)).infolist():
        assert info.date_time == (1980, 1, 1, 0, 0, 0)
        assert info.compress_type == zipfile.ZIP_STORED
        assert info.create_system == 3
        assert info.external_attr >> 16 == stat.S_IFREG | 0o644


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.py", "a/../../up.py", "", ".", "\\\\host\\x"])
def test_names_outside_the_zip_are_refused(name):
    # GIVEN a name that leads out of the folder it is unpacked in WHEN it is zipped THEN that is refused
    with pytest.raises(PackagingError, match="no path within a zip"):
        build_zip([(name, b"")])


def test_a_name_twice_is_refused():
    # GIVEN two entries that are one file when unpacked WHEN they are zipped THEN that is refused
    with pytest.raises(PackagingError, match=r"a/b\.py is there twice"):
        build_zip([("a/b.py", b"1"), ("a/./b.py", b"2")])


def test_collects_files_and_directories(tmp_path):
    # GIVEN a directory with compiled files WHEN it is collected THEN they are left out, and names are sorted
    kit = tree(tmp_path / "kit", wire_dot_py="w", aws__peer_dot_py="p", __pycache___dot_x="", old_dot_pyc="c")
    tree(tmp_path / "kit" / "__pycache__", wire_dot_cpython="c")
    handler = tree(tmp_path, sender_dot_py="s") + "/sender.py"
    entries = collect([{"src": kit, "dest": "dynabridge"}, {"src": handler, "dest": ""}])
    names = [name for name, _content in entries]
    assert names == sorted(names)
    assert ("dynabridge/aws/peer.py", b"p") in entries
    assert ("sender.py", b"s") in entries
    assert not [name for name in names if "__pycache__/" in name or name.endswith(".pyc")]


@pytest.mark.parametrize(
    ("dest", "name"),
    [("", "sender.py"), ("lib/", "lib/sender.py"), ("main.py", "main.py"), ("a/main.py", "a/main.py")],
)
def test_where_a_file_goes(tmp_path, dest, name):
    # GIVEN a file WHEN its dest is empty, a folder or a name THEN it goes there
    src = tree(tmp_path, sender_dot_py="s") + "/sender.py"
    assert collect([{"src": src, "dest": dest}]) == [(name, b"s")]


def test_times_modes_and_creation_order_do_not_count(tmp_path):
    # GIVEN two copies of the same files, made in another order, with other times and modes WHEN both are
    # packed THEN the zips are equal
    one = tree(tmp_path / "one", b_dot_py="b", a_dot_py="a")
    two = tree(tmp_path / "two", a_dot_py="a", b_dot_py="b")
    os.utime(f"{two}/a.py", (1, 1))
    os.chmod(f"{two}/a.py", 0o700)
    zips = [build_zip(collect([{"src": directory, "dest": "x"}])) for directory in (one, two)]
    assert zips[0] == zips[1]


def test_two_sources_for_one_name_are_refused(tmp_path):
    # GIVEN two files that would be one in the zip WHEN they are collected THEN both are named
    one, two = tree(tmp_path / "one", a_dot_py="1"), tree(tmp_path / "two", a_dot_py="2")
    with pytest.raises(PackagingError, match=f"{one}/a.py and {two}/a.py would both be a.py"):
        collect([{"src": one}, {"src": two}])


def test_a_missing_source_is_named(tmp_path):
    # GIVEN a source that is not there WHEN it is collected THEN it is named
    with pytest.raises(PackagingError, match=r"source .*nowhere is not there"):
        collect([{"src": str(tmp_path / "nowhere")}])


def test_nothing_to_pack_is_refused(tmp_path):
    # GIVEN an empty directory WHEN it is collected THEN that is refused: a function without code is a mistake
    with pytest.raises(PackagingError, match="no files to pack"):
        collect([{"src": str(tmp_path)}])


def test_digests_are_those_of_lambda_and_sha256sum():
    # GIVEN bytes WHEN they are digested THEN both spellings are of the same SHA-256
    digest = hashlib.sha256(b"x").digest()
    assert base64.b64decode(packaging.sha256_base64(b"x")) == digest
    assert bytes.fromhex(packaging.sha256_hex(b"x")) == digest


def test_listing_tells_digest_and_name():
    # GIVEN a zip WHEN it is listed THEN each line is as sha256sum writes it; what is no zip gives none
    lines = packaging.listing(build_zip([("b", b"2"), ("a", b"1")])).splitlines()
    assert lines == [f"{hashlib.sha256(b'1').hexdigest()}  a", f"{hashlib.sha256(b'2').hexdigest()}  b"]
    assert packaging.listing(b"no zip") == ""
