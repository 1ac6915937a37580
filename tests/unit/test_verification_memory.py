# SPDX-License-Identifier: GPL-3.0-or-later
"""A verification's memory does not grow with the export: watched in a process of its own, as a module is one."""

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import verification as benchmark
from dynabridge.exports import md5_of

MEGABYTE = 10**6
TEXT = 300 * MEGABYTE
LIMIT = 200 * MEGABYTE


def many_members(text_bytes: int) -> tuple[int, bytes]:
    """Items and bytes of a data file whose text does not repeat within a gzip's reach."""
    lines = benchmark.lines(random.Random(0), 0, benchmark.BLOCK_LINES)
    times = text_bytes // len(lines)
    return benchmark.BLOCK_LINES * times, gzip.compress(lines, 1) * times


def one_line_over_and_over(text_bytes: int) -> tuple[int, bytes]:
    """A data file that inflates to hundreds of times its size."""
    line = benchmark.lines(random.Random(0), 0, 1)
    times = text_bytes // len(line)
    return times, gzip.compress(line * times, 1)


@pytest.mark.parametrize(("files", "make"), [(6, many_members), (1, one_line_over_and_over)], ids=["long", "dense"])
def test_memory_stays_bounded(tmp_path, files, make):
    """GIVEN an export of 300 MB WHEN it is verified THEN it is whole, and less than 200 MB were held."""
    (tmp_path / benchmark.FOLDER / "data").mkdir(parents=True)
    items, body = make(TEXT // files)
    written = {}
    for number in range(files):
        key = f"{benchmark.FOLDER}data/{number:026d}.json.gz"
        (tmp_path / key).write_bytes(body)
        written[key] = items, md5_of(body)
    benchmark.write_manifests(tmp_path, written)

    command = [sys.executable, str(Path(benchmark.__file__)), "--verify", str(tmp_path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)

    assert found["problems"] == [] and found["items"] == items * files
    assert found["text_bytes"] > 0.99 * TEXT
    assert found["memory"] < LIMIT
