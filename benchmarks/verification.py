# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast is an export verified, and in how much memory? The figures behind docs/backups.md.

`python benchmarks/verification.py [GB ...]` (default: 1 5) makes an export of so many GB of text in a temporary directory,
verifies it with the kit in a process of its own, and reads the same files with `zcat | md5sum` and `md5sum`, which is what
one would type by hand: the text's checksum and the file's. In turns, three rounds, medians. MB/s are of text; seconds are
this machine's, so look at the ratio, and at the ratio of processor time where other work goes on. Files lie on a disk,
mostly in its cache: on AWS the network comes on top, of both.
"""

from __future__ import annotations

import base64
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "module_utils")]

from dynabridge.exports import CHUNK, new_md5, spelled  # noqa: E402 - found by the line above
from dynabridge.verification import verify  # noqa: E402

MEGABYTE, GIGABYTE = 10**6, 10**9
FILE_TEXT = 320 * MEGABYTE  # of text in a data file: some 80 MB compressed
BLOCK_LINES = 2000
ROUNDS = 3
FOLDER = "daily/2026/11/21/user/AWSDynamoDB/01795000000000-0123abcd/"
WORDS = [f"{head}{middle}{tail}" for head in "bdfgklmnprst" for middle in ("a", "e", "io", "u") for tail in "lmnrst"]
# One by one, as somebody would type it; then with a process for each processor, as the kit works.
BY_HAND = 'for file in "$@"; do zcat "$file" | md5sum; md5sum "$file"; done'
BY_HAND_AT_ONCE = (
    'printf "%s\\0" "$@" | xargs -0 -n 1 -P "$(nproc)" sh -c \'zcat "$1" | md5sum; md5sum "$1"\' sh'  # same words
)


class Directory:
    """A verification's source: objects as files."""

    def __init__(self, root: Path):
        self.root = root

    def get(self, key: str) -> bytes | None:
        path = self.root / key
        return path.read_bytes() if path.is_file() else None

    def stream(self, key: str) -> Iterator[bytes]:
        with (self.root / key).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def lines(rng: random.Random, start: int, count: int) -> bytes:
    """Users of some 400 bytes; the words differ from each to the next."""
    made = []
    for number in range(start, start + count):
        words = rng.choices(WORDS, k=22)
        name, digits = " ".join(words[:2]), f"{rng.getrandbits(64):016x}"
        made.append(
            f'{{"Item":{{"PK":{{"S":"user-{number:010d}"}},"name":{{"S":"{name}"}},'
            f'"mail":{{"S":"{words[0]}.{words[1]}@{words[2]}.example"}},"about":{{"S":"{" ".join(words[3:])}"}},'
            f'"visits":{{"N":"{rng.randrange(10**6)}"}},"session":{{"S":"{digits}"}},'
            f'"settings":{{"M":{{"news":{{"BOOL":true}},"language":{{"S":"{words[3][:2]}"}}}}}},'
            f'"last_update_timestamp":{{"N":"17{rng.randrange(10**8):08d}.{rng.randrange(10**6)}"}},'
            f'"last_updater_region":{{"S":"cn-north-1"}}}}}}\n'
        )
    return "".join(made).encode()


def make_file(path: Path, seed: int, text_bytes: int) -> tuple[int, int, str]:
    """Items, bytes of text and checksum of a data file; it is written as it is made."""
    rng, digest = random.Random(seed), new_md5()
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)
    items = text = 0
    with path.open("wb") as file:
        while text < text_bytes:
            block = lines(rng, seed * 10**7 + items, BLOCK_LINES)
            items, text = items + BLOCK_LINES, text + len(block)
            written = squeeze.compress(block)
            digest.update(written)
            file.write(written)
        written = squeeze.flush()
        digest.update(written)
        file.write(written)
    return items, text, spelled(digest)


def make_export(root: Path, text_bytes: int) -> int:
    """An export as DynamoDB leaves one, under ``root``; gives its bytes of text."""
    (root / FOLDER / "data").mkdir(parents=True)
    names = [f"{FOLDER}data/{number:026d}.json.gz" for number in range(max(1, round(text_bytes / FILE_TEXT)))]
    shares = [text_bytes // len(names)] * len(names)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(make_file, [root / name for name in names], range(len(names)), shares))
    write_manifests(root, {name: (items, md5) for name, (items, _text, md5) in zip(names, made, strict=True)})
    return sum(text for _items, text, _md5 in made)


def write_manifests(root: Path, files: dict[str, tuple[int, str]]) -> None:
    """Both manifests and their checksums. ``files``: items and checksum by key."""
    table = "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/user"
    summary = {
        "version": "2020-06-30",
        "exportArn": f"{table}/export/{FOLDER.split('/')[-2]}",
        "startTime": "2026-11-21T02:00:00.000Z",
        "endTime": "2026-11-21T02:10:00.000Z",
        "tableArn": table,
        "tableId": "11111111-2222-3333-4444-555555555555",
        "exportTime": "2026-11-21T02:00:00.000Z",
        "s3Bucket": "backups",
        "s3Prefix": FOLDER.partition("/AWSDynamoDB/")[0],
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{FOLDER}manifest-files.json",
        "billedSizeBytes": 0,
        "itemCount": sum(items for items, _md5 in files.values()),
        "outputFormat": "DYNAMODB_JSON",
    }
    listed = [
        {"itemCount": items, "md5Checksum": md5, "etag": "0-1", "dataFileS3Key": key}
        for key, (items, md5) in files.items()
    ]
    for name, documents in (("manifest-summary", [summary]), ("manifest-files", listed)):
        body = "".join(f"{json.dumps(document)}\n" for document in documents).encode()
        (root / FOLDER / f"{name}.json").write_bytes(body)
        (root / FOLDER / f"{name}.md5").write_bytes(base64.b64encode(new_md5(body).digest()))


def peak_memory() -> int:
    """Bytes that this process held at most. (ru_maxrss would count the process that started it, too.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024


def verify_here(root: Path) -> dict:
    """In a process that does nothing else: seconds, peak memory, and what was found."""
    started = time.perf_counter()
    _summary, progress = verify(Directory(root), FOLDER)
    seconds = {"seconds": time.perf_counter() - started, "processor": time.process_time()}
    return seconds | {"memory": peak_memory()} | progress.as_dict()


def verify_apart(root: Path) -> dict:
    command = [sys.executable, str(Path(__file__).resolve()), "--verify", str(root)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert not found["problems"], found["problems"]
    return found


def by_hand(root: Path, script: str) -> dict:
    files = sorted(str(path) for path in (root / FOLDER / "data").iterdir())
    started, before = time.perf_counter(), processor_time()
    subprocess.run(["sh", "-c", script, "sh", *files], check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - started, "processor": processor_time() - before}


def processor_time() -> float:
    """Of the processes that this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(gigabytes: float) -> None:
    root = Path(tempfile.mkdtemp(prefix="dynabridge-verification-"))
    try:
        text = make_export(root, int(gigabytes * GIGABYTE))
        stored = sum(path.stat().st_size for path in (root / FOLDER / "data").iterdir())
        files = len(list((root / FOLDER / "data").iterdir()))
        print(
            f"\n{text / GIGABYTE:.2f} GB of text, {stored / GIGABYTE:.2f} GB compressed (1:{text / stored:.1f}), "
            f"{files} files of {stored / files / MEGABYTE:.0f} MB; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        )
        ways = {
            "kit": lambda: verify_apart(root),
            "zcat | md5sum; md5sum, one by one": lambda: by_hand(root, BY_HAND),
            "the same, a process a processor": lambda: by_hand(root, BY_HAND_AT_ONCE),
        }
        rounds = [{name: way() for name, way in ways.items()} for _round in range(ROUNDS)]
        report(text, rounds)
    finally:
        shutil.rmtree(root)


def report(text: int, rounds: list[dict[str, dict]]) -> None:
    median = {
        name: {what: statistics.median(found[name][what] for found in rounds) for what in ("seconds", "processor")}
        for name in rounds[0]
    }
    kit = median["kit"]
    for name, found in median.items():
        times, work = (found[what] / kit[what] for what in ("seconds", "processor"))
        print(
            f"{name:36}{text / found['seconds'] / MEGABYTE:6,.0f} MB/s  {times:5.2f} of the kit's time; "
            f"processor {found['processor']:6.1f} s  {work:5.2f} of the kit's"
        )
    print(f"peak memory of the kit: {max(found['kit']['memory'] for found in rounds) / MEGABYTE:.0f} MB")
    spread = ["/".join(f"{found[name]['seconds']:.1f}" for name in found) for found in rounds]
    print(f"seconds of each round: {', '.join(spread)}; load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--verify"]:
        print(json.dumps(verify_here(Path(sys.argv[2]))))
    else:
        for size in [float(size) for size in sys.argv[1:]] or [1.0, 5.0]:
            measure(size)
