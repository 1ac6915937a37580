# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast is a full backup merged with the changes after it, and in how much memory? The figures behind docs/restore.md.

`python benchmarks/merge.py [items changes keys]` (default: 1000000 1000000 200000) writes a full export and captured changes to
a temporary directory, merges them as dynamodb_merge does, with files in the place of S3, and only reads the same files in plain
Python: gunzip, and json of each line. In turns, three rounds, medians, a process of its own each. The ratio counts: seconds are
this machine's. A third row merges with little memory, so that changes go to files.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "module_utils")]

from benchmarks import verification  # noqa: E402 - found by the line above
from dynabridge.aws.change_sources import log_objects  # noqa: E402
from dynabridge.aws.merging import BUDGET, Merging  # noqa: E402
from dynabridge.aws.objects import Listed  # noqa: E402
from dynabridge.catalogue import VERIFIED, Backup  # noqa: E402
from dynabridge.change_log import key_of  # noqa: E402
from dynabridge.restore_plan import MERGE, LogPart, Plan, named, plan_from  # noqa: E402
from dynabridge.table_schema import schema_of  # noqa: E402

MEGABYTE = 10**6
ROUNDS = 3
TABLE, BUCKET = "user", "backups"
BASE_AT = 1_795_226_400.0  # a full hour; what verification.FOLDER says does not matter
BASE_FILE_ITEMS = 200_000
OBJECT_CHANGES = 10_000
POOL = 3000  # images that are varied
DELETES = 0.05
NEW_KEYS = 0.1
LITTLE_BUDGET = 32 << 20
SEQUENCE = 10**21


class Directory:
    """A bucket as files: what Sources and Merging need of Objects."""

    bucket = BUCKET

    def __init__(self, root: Path) -> None:
        self.root = root
        self.s3 = self

    def get(self, key: str) -> bytes | None:
        path = self.root / key
        return path.read_bytes() if path.is_file() else None

    def get_json(self, key: str) -> Any:
        body = self.get(key)
        return None if body is None else json.loads(body)

    def stream(self, key: str) -> Iterator[bytes]:
        return verification.Directory(self.root).stream(key)

    def list(self, prefix: str) -> Iterator[Listed]:
        folder = self.root / prefix
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            if path.is_file():
                yield Listed(path.relative_to(self.root).as_posix(), path.stat().st_size, "STANDARD")

    def put(self, key: str, body: bytes, _content_type: str = "") -> None:
        self._path(key).write_bytes(body)

    def put_json(self, key: str, document: Any) -> None:
        self.put(key, json.dumps(document).encode())

    def ask(self, _what: str, operation: str, key: str, **arguments: Any) -> dict[str, Any]:
        """Of uploads: parts of one come in their order but for a few, each is written at its place."""
        if operation == "put_object":
            self.put(key, arguments["Body"])
        elif operation == "upload_part":
            (self._path(f"{key}.part{arguments['PartNumber']:05}")).write_bytes(arguments["Body"])
        elif operation == "complete_multipart_upload":
            parts = sorted(self._path(key).parent.glob(f"{Path(key).name}.part*"))
            with self._path(key).open("wb") as file:
                for part in parts:
                    file.write(part.read_bytes())
                    part.unlink()
        return {"UploadId": "1", "ETag": "1"}

    def _path(self, key: str) -> Path:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def tails(rng: random.Random, count: int) -> list[str]:
    """Items of some 400 bytes without their keys: what follows the key, to the end of the item."""
    lines = verification.lines(rng, 0, count).decode().splitlines()
    return [line[line.index(",") + 1 : -1] for line in lines]


def make_base_file(path: Path, number: int, items: int) -> tuple[int, str]:
    """Items and checksum of a data file of the full export."""
    rng = random.Random(number)
    text = b"".join(
        verification.lines(rng, number * BASE_FILE_ITEMS + start, min(2000, items - start))
        for start in range(0, items, 2000)
    )
    body = gzip.compress(text, 6, mtime=0)
    path.write_bytes(body)
    return items, verification.spelled(verification.new_md5(body))


def changed_number(rng: random.Random, items: int, keys: int) -> int:
    """Number of the item that changes: spread over the base, some of them beyond it."""
    number = rng.randrange(keys)
    fresh = int(keys * NEW_KEYS)
    return items + number if number < fresh else (number - fresh) * max(1, items // keys)


def make_log_object(root: Path, number: int, count: int, items: int, keys: int) -> None:
    """One object of the captured log, changes in their order."""
    rng = random.Random(10**6 + number)
    images = tails(rng, POOL)
    first = SEQUENCE + number * OBJECT_CHANGES
    lines = []
    for at in range(count):
        key = f'{{"PK":{{"S":"user-{changed_number(rng, items, keys):010d}"}}'
        old, new = (f"{key},{rng.choice(images)}" for _image in range(2))
        image = "" if rng.random() < DELETES else f',"NewImage":{new}'
        lines.append(
            f'{{"Metadata":{{"WriteTimestampMicros":{{"N":"{int(BASE_AT) + 60}000000"}},'
            f'"SequenceNumber":{{"S":"{first + at}"}},"EventId":{{"S":"{rng.getrandbits(128):032x}"}}}},'
            f'"Keys":{key}}},"OldImage":{old}{image}}}\n'
        )
    path = root / key_of(TABLE, BASE_AT, first, first + count - 1)
    path.write_bytes(gzip.compress("".join(lines).encode(), 6, mtime=0))


def make_ground(root: Path, items: int, changes: int, keys: int) -> Plan:
    """The full export, its schema, the log, and the plan to the hour's end."""
    (root / verification.FOLDER / "data").mkdir(parents=True)
    (root / key_of(TABLE, BASE_AT, 0, 0)).parent.mkdir(parents=True)
    files = {
        f"{verification.FOLDER}data/{number:026d}.json.gz": number for number in range(-(-items // BASE_FILE_ITEMS))
    }
    objects = range(-(-changes // OBJECT_CHANGES))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        sizes = [min(BASE_FILE_ITEMS, items - number * BASE_FILE_ITEMS) for number in files.values()]
        made = list(pool.map(make_base_file, [root / key for key in files], files.values(), sizes))
        counts = [min(OBJECT_CHANGES, changes - number * OBJECT_CHANGES) for number in objects]
        total = len(counts)
        list(pool.map(make_log_object, [root] * total, objects, counts, [items] * total, [keys] * total))
    verification.write_manifests(root, dict(zip(files, made, strict=True)))
    (root / verification.FOLDER / "table_schema.json").write_text(json.dumps(schema()), encoding="utf-8")
    return plan(root, items)


def schema() -> dict[str, Any]:
    arn = "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/user"
    table = {
        "TableName": TABLE,
        "TableArn": arn,
        "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "PK", "AttributeType": "S"}],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    }
    off = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}
    return schema_of(table, {"TimeToLiveStatus": "DISABLED"}, {"ContinuousBackupsStatus": "ENABLED"} | off)


def plan(root: Path, items: int) -> Plan:
    listed = [path.stat().st_size for path in (root / verification.FOLDER / "data").iterdir()]
    base = Backup(
        bucket=BUCKET,
        table=TABLE,
        id=verification.FOLDER.split("/")[-2],
        day="2026-11-21",
        folder=verification.FOLDER,
        state=VERIFIED,
        moment=BASE_AT,
        items=items,
        stored_bytes=sum(listed),
        files=len(listed),
    )
    log = list(log_objects(Directory(root), TABLE, BASE_AT, BASE_AT + 3600, "changes"))
    part = LogPart(BASE_AT, BASE_AT + 3600, len(log), sum(found.size for found in log))
    return named(Plan(TABLE, BASE_AT + 3600, MERGE, BUCKET, "daily", "changes", base, (), part))


def read_here(root: Path) -> dict[str, Any]:
    """Only reading, as one writes it first: every line of the same files."""
    lines = 0
    for path in sorted(path for folder in ("daily", "changes") for path in (root / folder).rglob("*.json.gz")):
        with gzip.open(path) as file:
            for line in file:
                json.loads(line)
                lines += 1
    return {"lines": lines}


def merge_here(root: Path, budget: int) -> dict[str, Any]:
    document = plan_from(json.loads((root / "plan.json").read_text(encoding="utf-8")))
    merged = Merging(Directory(root), document, "restored", directory=str(root), budget=budget).merge()
    return {"items": merged.items, "changes": merged.changes, "counts": merged.counts, "phases": merged.phases}


def apart(root: Path, *words: str) -> dict[str, Any]:
    """In a process that does nothing else."""
    command = [sys.executable, str(Path(__file__).resolve()), *words, str(root)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measured(work: Any) -> dict[str, Any]:
    started = time.perf_counter()
    found = work()
    seconds = {"seconds": time.perf_counter() - started, "processor": time.process_time()}
    return found | seconds | {"memory": verification.peak_memory()}


def measure(items: int, changes: int, keys: int, rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Medians by way; prints them."""
    root = Path(tempfile.mkdtemp(prefix="dynabridge-benchmark-merge-"))
    try:
        made = make_ground(root, items, changes, keys)
        (root / "plan.json").write_text(json.dumps(made.as_dict()), encoding="utf-8")
        stored = made.base.stored_bytes + made.log.bytes
        print(
            f"{items:,} items, {changes:,} changes over {keys:,} keys: {stored / MEGABYTE:,.0f} MB compressed; "
            f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors",
            flush=True,
        )
        ways = {
            "only reading, plain Python": ("--read",),
            "merge": ("--merge", str(BUDGET)),
            "merge, changes in files": ("--merge", str(LITTLE_BUDGET)),
        }
        found = [{name: apart(root, *words) for name, words in ways.items()} for _round in range(rounds)]
        return report(found)
    finally:
        shutil.rmtree(root)


def report(rounds: list[dict[str, dict]]) -> dict[str, dict[str, float]]:
    median = {
        name: {
            what: statistics.median(found[name][what] for found in rounds)
            for what in ("seconds", "processor", "memory")
        }
        for name in rounds[0]
    }
    reading, *merges = median
    assert all(found[merges[0]]["items"] == found[name]["items"] for found in rounds for name in merges)
    for name, found in median.items():
        speed, work = (median[reading][what] / found[what] for what in ("seconds", "processor"))
        print(
            f"{name:28}{found['seconds']:7.1f} s  {speed:5.0%} of the speed of reading, by processor time {work:4.0%} "
            f"({found['processor']:.1f} s); {found['memory'] / MEGABYTE:5.0f} MB"
        )
    print(f"merged: {rounds[0][merges[0]]}")
    spread = ["/".join(f"{found[name]['seconds']:.1f}" for name in found) for found in rounds]
    print(f"seconds of each round: {', '.join(spread)}; load {os.getloadavg()[0]:.1f}", flush=True)
    return median


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        print(json.dumps(measured(lambda: read_here(Path(sys.argv[2])))))
    elif sys.argv[1:2] == ["--merge"]:
        print(json.dumps(measured(lambda: merge_here(Path(sys.argv[3]), int(sys.argv[2])))))
    else:
        measure(*([int(number) for number in sys.argv[1:4]] or [10**6, 10**6, 200_000]))
