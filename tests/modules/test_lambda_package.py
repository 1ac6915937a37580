# SPDX-License-Identifier: GPL-3.0-or-later
"""lambda_package writes a zip when its bytes change, and only then."""

from __future__ import annotations

import base64
import hashlib
import stat
import zipfile

import pytest
from ansible.modules import lambda_package


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "wire.py").write_text("w = 1\n")
    (tmp_path / "sender.py").write_text("s = 1\n")
    return [{"src": str(tmp_path / "sender.py")}, {"src": str(tmp_path / "kit"), "dest": "dynabridge"}]


def test_builds_the_zip_and_the_next_run_changes_nothing(run_module, tmp_path, sources):
    # GIVEN sources WHEN the module runs twice THEN the first run makes the zip and its directory, the
    # second nothing
    dest = tmp_path / "build" / "sender.zip"
    first = run_module(lambda_package, dest=str(dest), sources=sources)
    assert first["changed"] and first["written"]
    assert first["files"] == ["dynabridge/wire.py", "sender.py"] == zipfile.ZipFile(dest).namelist()
    assert first["size"] == dest.stat().st_size
    assert stat.S_IMODE(dest.stat().st_mode) == 0o644
    written_at = dest.stat().st_mtime_ns
    second = run_module(lambda_package, dest=str(dest), sources=sources)
    assert not second["changed"] and not second["written"]
    assert dest.stat().st_mtime_ns == written_at
    assert [path.name for path in dest.parent.iterdir()] == ["sender.zip"]


def test_tells_the_digest_as_lambda_does(run_module, tmp_path, sources):
    # GIVEN a zip WHEN it is built THEN sha256 is what Lambda answers as CodeSha256
    dest = tmp_path / "x.zip"
    result = run_module(lambda_package, dest=str(dest), sources=sources)
    digest = hashlib.sha256(dest.read_bytes())
    assert result["sha256"] == base64.b64encode(digest.digest()).decode()
    assert result["sha256_hex"] == digest.hexdigest()


def test_a_changed_source_is_seen(run_module, tmp_path, sources):
    # GIVEN a zip WHEN one source changes THEN the zip is made anew, and the diff shows that file only
    dest = tmp_path / "x.zip"
    run_module(lambda_package, dest=str(dest), sources=sources)
    (tmp_path / "sender.py").write_text("s = 2\n")
    result = run_module(lambda_package, dest=str(dest), sources=sources)
    assert result["changed"]
    before, after = (set(result["diff"][part].splitlines()) for part in ("before", "after"))
    assert {line.split()[1] for line in before ^ after} == {"sender.py"}
    assert zipfile.ZipFile(dest).read("sender.py") == b"s = 2\n"


@pytest.mark.parametrize("may_write", [True, False])
def test_check_mode(run_module, tmp_path, sources, may_write):
    # GIVEN no zip WHEN the module runs in check mode THEN it tells the change, and writes unless that is
    # forbidden
    dest = tmp_path / "x.zip"
    result = run_module(lambda_package, check=True, dest=str(dest), sources=sources, write_in_check_mode=may_write)
    assert result["changed"]
    assert result["written"] == dest.exists() == may_write


def test_a_broken_zip_is_replaced(run_module, tmp_path, sources):
    # GIVEN something else at dest WHEN the module runs THEN it is the zip afterwards
    dest = tmp_path / "x.zip"
    dest.write_text("half a download")
    assert run_module(lambda_package, dest=str(dest), sources=sources)["changed"]
    assert zipfile.is_zipfile(dest)


def test_a_missing_source_fails_and_leaves_the_zip(run_module, tmp_path, sources):
    # GIVEN a zip WHEN a source is gone THEN the message names it, and the zip stays
    dest = tmp_path / "x.zip"
    run_module(lambda_package, dest=str(dest), sources=sources)
    kept = dest.read_bytes()
    (tmp_path / "sender.py").unlink()
    result = run_module(lambda_package, dest=str(dest), sources=sources)
    assert result["failed"] and f"{tmp_path}/sender.py is not there" in result["msg"]
    assert dest.read_bytes() == kept


def test_a_dest_that_cannot_be_written_is_named(run_module, tmp_path, sources):
    # GIVEN a file where dest's directory should be WHEN the module runs THEN the message says what is in
    # the way
    (tmp_path / "build").write_text("")
    dest = tmp_path / "build" / "x.zip"
    result = run_module(lambda_package, dest=str(dest), sources=sources)
    assert result["failed"] and str(dest) in result["msg"]
    assert result["msg"].startswith("cannot write")
