# SPDX-License-Identifier: GPL-3.0-or-later
"""What make says when something is missing: one sentence that names it and what to do."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def venv(python, directory):
    command = ["scripts/venv", str(python), str(directory), "requirements.txt"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def python_without(tmp_path):
    """A Python that runs everything but what contains a word."""

    def make(word):
        shim = tmp_path / "python-shim"
        shim.write_text(f'#!/bin/sh\ncase "$*" in *"{word}"*) exit 1;; esac\nexec python3 "$@"\n')
        shim.chmod(0o755)
        return shim

    return make


@pytest.mark.parametrize(
    ("word", "sentence"),
    [("version_info", "is older than 3.11"), ("ensurepip", "apt-get install python3-venv")],
)
def test_a_python_that_will_not_do_is_named(python_without, tmp_path, word, sentence):
    result = venv(python_without(word), tmp_path / "venv")
    assert result.returncode == 1
    assert result.stderr.startswith("make: ") and sentence in result.stderr and result.stderr.count("\n") == 1


def test_a_python_that_is_not_there_is_named(tmp_path):
    result = venv("python9.9", tmp_path / "venv")
    assert result.returncode == 1 and "python9.9 is not installed" in result.stderr


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    """GIVEN a place that nobody, not even root, can make a directory in THEN the directory is named."""
    (tmp_path / "file").write_text("in the way")
    result = venv("python3", tmp_path / "file" / "venv")
    assert result.returncode == 1
    assert "check permissions and free space" in result.stderr.splitlines()[-1]
