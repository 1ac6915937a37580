# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast does a table come back, verified, against dynamodump's restore of the same rows? The figures in docs/restore.md.

`python benchmarks/restore.py [items]` (default: 20000) starts its own pair of sides and deploys what a backup needs. It fills
the table, backs it up in both ways, and times whole commands in turns, three rounds, medians: `ansible-playbook dr_restore.yml`,
which imports, sets all that an import leaves out, compares every row and reports; and `dynamodump -m restore`, which writes
the rows and looks at none. dynamodump gets a virtual environment of its own: it pins boto3. Seconds are this machine's.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "module_utils")]

from tests.local_pair import run_playbook, started_pair  # noqa: E402 - found by the line above

PEER = "dynamodump==1.11.1"
SIDE, HOST, TABLE = "sg", "ap-southeast-1", "user-sg"
TARGET_REGION = "ap-southeast-2"
ROUNDS = 3


def play(pair, *arguments: str) -> float:
    """Seconds that the playbook took."""
    began = time.monotonic()
    result = run_playbook(pair, *arguments, "--limit", HOST)
    if result.returncode:
        raise SystemExit(result.stdout + result.stderr)
    return time.monotonic() - began


class Peer:
    """dynamodump on the side's endpoint, with its files in ``directory``."""

    def __init__(self, pair, directory: Path) -> None:
        venv.create(directory / "venv", with_pip=True)
        subprocess.run([directory / "venv/bin/pip", "install", "-q", PEER], check=True)
        side = pair.sides[SIDE]
        where = ["--host", "127.0.0.1", "--port", str(side["port"]), "-r", side["region"]]
        self.command = [
            directory / "venv/bin/dynamodump",
            *where,
            "--accessKey",
            side["account_id"],
            "--secretKey",
            "test",
        ]
        self.directory = directory

    def run(self, *arguments: str) -> float:
        began = time.monotonic()
        done = subprocess.run(
            [*self.command, *arguments], cwd=self.directory, capture_output=True, text=True, check=False, timeout=1800
        )
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        return time.monotonic() - began


def fill(dynamodb, items: int) -> None:
    rng = random.Random(1)
    for start in range(0, items, 25):
        batch = [
            {"PK": {"S": f"user-{number:08d}"}}
            | {f"attribute_{n}": {"S": f"{rng.getrandbits(96):024x}"} for n in range(10)}
            for number in range(start, min(start + 25, items))
        ]
        dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": item}} for item in batch]})


def count(dynamodb, table: str) -> int:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, Select="COUNT", ConsistentRead=True)
    return sum(page["Count"] for page in pages)


def race(items: int, directory: Path) -> tuple[list[float], list[float]]:
    with started_pair(directory / "local") as pair:
        play(pair, "deploy.yml", "--tags", "tables,backup")
        home = pair.client(SIDE, "dynamodb")
        away = pair.session(SIDE).client(
            "dynamodb", region_name=TARGET_REGION, endpoint_url=pair.sides[SIDE]["endpoint_url"]
        )
        fill(home, items)
        play(pair, "backup.yml", "-e", "table=user")
        peer = Peer(pair, directory)
        peer.run("-m", "backup", "-s", TABLE)
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        ours, theirs = [], []
        for number in range(ROUNDS):
            wanted = ("-e", f"date={today}", "-e", "table=user", "-e", f"target_table=ours-{number}")
            ours.append(play(pair, "dr_restore.yml", *wanted, "-e", f"dynabridge_restore_report_dir={directory}"))
            target = f"theirs-{number}"
            theirs.append(
                peer.run("-m", "restore", "-s", TABLE, "-d", target, "--noConfirm", "--billingMode", "PAY_PER_REQUEST")
            )
            found = count(away, f"ours-{number}"), count(home, target)
            if found != (items, items):
                raise SystemExit(f"of {items:,} rows {found[0]:,} and {found[1]:,} came back")
    return ours, theirs


def main() -> None:
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = race(items, Path(directory))
    ratios = sorted(peer / own for own, peer in zip(ours, theirs, strict=True))
    print(f"{items:,} rows, {ROUNDS} rounds, medians (single rounds)")
    for name, seconds in (("dr_restore.yml, verified", ours), (f"{PEER} restore, not verified", theirs)):
        print(f"{name:40} {statistics.median(seconds):8.1f} s  ({', '.join(f'{value:.1f}' for value in seconds)})")
    print(
        f"dynamodump takes {statistics.median(ratios):.1f} times as long ({', '.join(f'{ratio:.1f}' for ratio in ratios)})"
    )


if __name__ == "__main__":
    main()
