# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast can changes be written conditionally? The figures behind WRITE_BATCH (docs/replication.md).

Run against a local AWS (`make local-up`): `python benchmarks/write_paths.py [items]`. Every path writes the same new items
with a per-item outcome, into its own table; the last line of each is its ratio to one conditional PutItem at a time.
"""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "module_utils"))

from dynabridge.aws.apply import Applier  # noqa: E402 - the kit is found by the line above
from dynabridge.changes import PUT, Change  # noqa: E402
from dynabridge.stamps import StampNames  # noqa: E402

NAMES = StampNames()


def changes(table: str, items: int) -> list[Change]:
    """New items of a user profile's size."""
    made = []
    for number in range(items):
        keys = {"PK": {"S": f"user-{number:08d}"}}
        image = keys | {f"attribute_{n}": {"S": "x" * 24} for n in range(10)}
        image |= {NAMES.timestamp: {"N": "1700000000.5"}, NAMES.region: {"S": "cn-north-1"}}
        made.append(Change(PUT, table, keys, image))
    return made


def by_kit(client, batch: list[Change], write_batch: int) -> int:
    return len(Applier(client, NAMES, write_batch).apply(batch).applied)


def by_threads(client, batch: list[Change], threads: int) -> int:
    parts = [batch[start::threads] for start in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(lambda part: by_kit(client, part, 1), parts))


def by_partiql(client, batch: list[Change]) -> int:
    """INSERT is refused for a key that exists: a condition of its own, but none on the stamp."""
    written = 0
    for start in range(0, len(batch), 25):
        statements = []
        for change in batch[start : start + 25]:
            body = ", ".join(f"'{name}': ?" for name in change.image)
            statement = f'INSERT INTO "{change.table}" VALUE {{{body}}}'
            statements.append({"Statement": statement, "Parameters": list(change.image.values())})
        answer = client.batch_execute_statement(Statements=statements)
        written += sum("Error" not in response for response in answer["Responses"])
    return written


PATHS: dict[str, Callable[[object, list[Change]], int]] = {
    "conditional PutItem, one at a time": lambda client, batch: by_kit(client, batch, 1),
    "conditional PutItem, 8 threads": lambda client, batch: by_threads(client, batch, 8),
    "PartiQL INSERT, batches of 25": by_partiql,
    "transactions of 25": lambda client, batch: by_kit(client, batch, 25),
    "transactions of 100": lambda client, batch: by_kit(client, batch, 100),
}


def main() -> None:
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    os.environ.setdefault("AWS_CONFIG_FILE", str(ROOT / ".local_aws" / "aws" / "config"))
    client = boto3.Session(profile_name="sg").client("dynamodb")
    first = None
    for number, (name, path) in enumerate(PATHS.items()):
        table = f"write-paths-{number}"
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        )
        batch = changes(table, items)
        began = time.perf_counter()
        written = path(client, batch)
        rate = written / (time.perf_counter() - began)
        client.delete_table(TableName=table)
        first = first or rate
        print(f"{name:36} {written:6} written {rate:7.0f} items/s {rate / first:5.1f} x", flush=True)


if __name__ == "__main__":
    main()
