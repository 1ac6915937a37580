# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast are changes applied, against one PutItem or DeleteItem a change in their order? The figures in docs/restore.md.

`python benchmarks/apply.py [items] [changes of each]` (default: 2000 5) starts its own pair of sides, puts the changes as
captured lines into a bucket, and applies them to a table in both ways, in turns, three rounds, medians. Both ways read the same
objects from the same endpoint; afterwards both tables hold the same. Seconds are this machine's, so look at the ratio.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "module_utils")]

from botocore.config import Config  # noqa: E402 - found by the line above

from dynabridge.apply_state import ApplyState  # noqa: E402
from dynabridge.attributes import to_boto  # noqa: E402
from dynabridge.aws.apply_changes import ApplyRun, BatchWriter, GraveSources, Patience, Tally  # noqa: E402
from dynabridge.aws.objects import Objects  # noqa: E402
from dynabridge.catalogue import Backup  # noqa: E402
from dynabridge.change_log import objects_of  # noqa: E402
from dynabridge.last_states import LastStates  # noqa: E402
from dynabridge.pace import Pace  # noqa: E402
from dynabridge.restore_plan import APPLY, LogPart, Plan  # noqa: E402
from tests.local_pair import started_pair  # noqa: E402

TABLE, BUCKET = "user", "apply-benchmark"
START = 1_795_226_400
A_SECOND = 500  # changes
AN_OBJECT = 1000  # lines
DELETED = 0.1  # of the changes
ROUNDS = 3
WORKERS = 4  # as the module's default


def records(items: int, each: int) -> list[dict]:
    """Changes of user profiles, mixed, as a stream has them."""
    rng = random.Random(1)
    order = [number for number in range(items) for _change in range(each)]
    rng.shuffle(order)
    images: dict[int, dict | None] = {}
    made = []
    for position, number in enumerate(order):
        keys, old = {"PK": {"S": f"user-{number:08d}"}}, images.get(number)
        deletes = old is not None and rng.random() < DELETED
        new = None if deletes else keys | {f"attribute_{n}": {"S": f"{rng.getrandbits(96):024x}"} for n in range(10)}
        images[number] = new
        data = {"Keys": keys, "SequenceNumber": f"{position + 1:025d}"}
        data["ApproximateCreationDateTime"] = START + position // A_SECOND
        data |= ({"NewImage": new} if new else {}) | ({"OldImage": old} if old else {})
        made.append({"eventID": f"e{position}", "dynamodb": data})
    return made


class Bench:
    """One side with the changes in a bucket."""

    def __init__(self, pair, items: int, each: int) -> None:
        config = {"endpoint_url": pair.sides["sg"]["endpoint_url"]}
        session = pair.session("sg")
        self.dynamodb = session.client(
            "dynamodb", **config, config=Config(parameter_validation=False, max_pool_connections=10)
        )
        self.plain = session.client("dynamodb", **config)
        self.s3 = session.client("s3", **config)
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": pair.sides["sg"]["region"]}
        )
        made = records(items, each)
        self.end = START + len(made) // A_SECOND + 1
        for start in range(0, len(made), AN_OBJECT):
            for key, body in objects_of(TABLE, made[start : start + AN_OBJECT]):
                self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        self.count = len(made)

    def sources(self) -> GraveSources:
        base, log = Backup(BUCKET, TABLE, "", "", ""), LogPart(START, self.end)
        plan = Plan(TABLE, self.end, APPLY, BUCKET, "daily", "changes", base, (), log)
        found = GraveSources(Objects(self.s3, BUCKET), plan)
        found.key_names = lambda: ("PK",)
        return found

    def by_kit(self, table: str) -> float:
        """Read, keep the last state of each item, write by batches."""
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as directory:
            states: LastStates = self.sources().last_states(Path(directory), 256 << 20)
            tally, patience = Tally(SimpleNamespace(line=lambda text: None)), Patience(table)
            writer = BatchWriter(self.dynamodb, table, states.names, Pace(0), patience, tally)
            state = ApplyState(directory, table)
            state.anew({})
            ApplyRun(writer, table, state, tally, patience.stop, WORKERS).run(states)
        return time.perf_counter() - began

    def one_by_one(self, table: str) -> float:
        """Read, and write each change when it comes."""
        began = time.perf_counter()
        for change, _phase in self.sources_as_they_are():
            if change.new is None:
                self.plain.delete_item(TableName=table, Key=to_boto(change.keys))
            else:
                self.plain.put_item(TableName=table, Item=to_boto(change.new))
        return time.perf_counter() - began

    def sources_as_they_are(self):
        return super(GraveSources, self.sources()).changes()

    def make(self, table: str) -> None:
        self.plain.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        )

    def content(self, table: str) -> dict:
        pages = self.plain.get_paginator("scan").paginate(TableName=table)
        return {item["PK"]["S"]: item for page in pages for item in page["Items"]}


def main() -> None:
    items, each = [int(given) for given in sys.argv[1:3]] or [2000, 5]
    with tempfile.TemporaryDirectory() as directory, started_pair(Path(directory) / "local") as pair:
        bench = Bench(pair, items, each)
        ways = {"the kit": bench.by_kit, "one call a change, in order": bench.one_by_one}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS):
            contents = []
            for which, (name, way) in enumerate(ways.items()):
                table = f"apply-{number}-{which}"
                bench.make(table)
                seconds[name].append(way(table))
                contents.append(bench.content(table))
                bench.plain.delete_table(TableName=table)
            assert contents[0] == contents[1], "both ways leave the same"
        print(f"{bench.count:,} changes of {items:,} items, {len(contents[0]):,} left; {ROUNDS} rounds, medians")
        kit = statistics.median(seconds["the kit"])
        for name, found in seconds.items():
            median = statistics.median(found)
            rounds = ", ".join(f"{one:.2f}" for one in found)
            rate = f"{bench.count / median:8,.0f} changes/s"
            print(f"{name:30} {median:7.2f} s {rate} {median / kit:6.1f} x the kit's time ({rounds})")


if __name__ == "__main__":
    main()
