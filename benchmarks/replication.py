# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication end to end against the plain way (benchmarks/baseline), both directions at once, in one run.

`python benchmarks/replication.py [items a side]` starts its own pair of sides and deploys to it. For each way of
replicating, in turns: the functions get its code; with the mappings off the items are written on both sides; then the
mappings are switched on, and the clock runs until both tables hold all items. Then the same items are written at a steady
rate with the mappings on, for the lag. Throughput is a ratio of one to the other; the seconds are this machine's.
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "module_utils")]

from dynabridge.packaging import build_zip, collect  # noqa: E402 - found by the line above
from tests.local_pair import run_playbook, started_pair  # noqa: E402

TABLES = {"cn": "user-cn", "sg": "user-sg"}
STREAMS = {"cn": "ddb_replication_stream_cn", "sg": "ddb_replication_stream_sg"}
FUNCTIONS = {"sender": "ddb_send_to_kinesis", "receiver": "replicator_kinesis"}
KINDS = ("insert", "update", "delete")
ROUNDS = 3
WARM_UP = (
    500  # items a side before the clock runs: starting a function's process is the machine's affair, not the way's
)
LAG_RATE = 100  # items a second and side: well below what either way can do


def own_code(kind: str) -> bytes:
    sources = [
        {"src": str(ROOT / "files" / "lambda" / FUNCTIONS[kind] / "handler.py"), "dest": "handler.py"},
        {"src": str(ROOT / "module_utils" / "dynabridge"), "dest": "dynabridge"},
    ]
    return build_zip(collect(sources))


def plain_code(kind: str) -> bytes:
    return build_zip([("handler.py", (ROOT / "benchmarks" / "baseline" / f"{kind}.py").read_bytes())])


class Bridge:
    """A deployed pair and what the benchmark does with it."""

    def __init__(self, pair):
        self.pair = pair
        self.dynamodb = {side: pair.client(side, "dynamodb") for side in TABLES}
        self.functions = {side: pair.client(side, "lambda") for side in TABLES}

    def install(self, code) -> None:
        for client in self.functions.values():
            for kind, function in FUNCTIONS.items():
                client.update_function_code(FunctionName=function, ZipFile=code(kind))

    def switch(self, enabled: bool) -> None:
        for client in self.functions.values():
            for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
                client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def write(self, side: str, run: str, items: int, rate: float = 0, delete: bool = False) -> None:
        """Put or delete items by batches of 25."""
        began = time.time()
        for start in range(0, items, 25):
            keys = [f"{run}-{side}-{number}" for number in range(start, min(start + 25, items))]
            if delete:
                requests = [{"DeleteRequest": {"Key": {"PK": {"S": key}}}} for key in keys]
            else:
                requests = [{"PutRequest": {"Item": self.item(key, side)}} for key in keys]
            while requests:
                answer = self.dynamodb[side].batch_write_item(RequestItems={TABLES[side]: requests})
                requests = answer["UnprocessedItems"].get(TABLES[side], [])
            if rate:
                time.sleep(max(0.0, began + (start + 25) / rate - time.time()))

    def item(self, key: str, side: str) -> dict:
        item = {"PK": {"S": key}} | {f"attribute_{number}": {"S": f"{key} value" * 2} for number in range(10)}
        region = self.pair.sides[side]["region"]
        return item | {"last_update_timestamp": {"N": f"{time.time():.6f}"}, "last_updater_region": {"S": region}}

    def wait_for(self, counts: dict[str, int], timeout: float = 300) -> None:
        deadline = time.time() + timeout
        while any(self._count(side) != count for side, count in counts.items()):
            if time.time() > deadline:
                raise SystemExit(
                    f"not converged after {timeout} s: {[self._count(side) for side in counts]} of {counts}"
                )
            time.sleep(0.1)

    def wait_for_update(self, run: str, items: int, since: float, timeout: float = 300) -> None:
        """Wait until both sides hold the peer's items as they were written after ``since``."""
        deadline = time.time() + timeout
        for side, peer in (("cn", "sg"), ("sg", "cn")):
            for start in range(0, items, 100):
                keys = [{"PK": {"S": f"{run}-{peer}-{number}"}} for number in range(start, min(start + 100, items))]
                while not self._all_since(side, keys, since):
                    if time.time() > deadline:
                        raise SystemExit(f"not converged after {timeout} s: {keys[0]} and others on {side}")
                    time.sleep(0.1)

    def _all_since(self, side: str, keys: list[dict], since: float) -> bool:
        request = {TABLES[side]: {"Keys": keys, "ProjectionExpression": "last_update_timestamp"}}
        found = self.dynamodb[side].batch_get_item(RequestItems=request)["Responses"][TABLES[side]]
        return len(found) == len(keys) and all(float(item["last_update_timestamp"]["N"]) >= since for item in found)

    def _count(self, side: str) -> int:
        return self.dynamodb[side].describe_table(TableName=TABLES[side])["Table"]["ItemCount"]

    def wire_records(self) -> int:
        """Kinesis records on both streams, read from their beginning."""
        return sum(count_records(self.pair.client(side, "kinesis"), stream) for side, stream in STREAMS.items())


def count_records(kinesis, stream: str) -> int:
    total = 0
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            page = kinesis.get_records(ShardIterator=iterator, Limit=10000)
            total += len(page["Records"])
            if not page["Records"]:
                break
            iterator = page["NextShardIterator"]
    return total


def in_parallel(*calls) -> list:
    results: list = [None] * len(calls)

    def run(index, call):
        results[index] = call()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def drain(bridge: Bridge, name: str, items: int, present: dict[str, int], kind: str = "insert") -> tuple[float, int]:
    """Changes/s of both directions together from a standing start, and the Kinesis records it took.

    update and delete: of the items that an insert of the same name left.
    """
    bridge.switch(False)
    written = time.time()
    in_parallel(*(lambda side=side: bridge.write(side, name, items, delete=kind == "delete") for side in TABLES))
    before = bridge.wire_records()
    began = time.time()
    bridge.switch(True)
    for side in present:
        # A side's own writes are in its table already.
        present[side] += {"insert": 2, "update": 0, "delete": -2}[kind] * items
    bridge.wait_for(present)
    if kind == "update":
        bridge.wait_for_update(name, items, written)
    return 2 * items / (time.time() - began), bridge.wire_records() - before


def lag(bridge: Bridge, name: str, probes: int, present: dict[str, int]) -> list[float]:
    """Seconds from a write on cn to its arrival on sg, one probe after the other, while both sides write steadily."""
    noise = LAG_RATE * 10
    writers = [threading.Thread(target=bridge.write, args=(side, f"{name}-noise", noise, LAG_RATE)) for side in TABLES]
    for writer in writers:
        writer.start()
    lags = sorted(probe(bridge, f"{name}-probe-{number}") for number in range(probes))
    for writer in writers:
        writer.join()
    for side in present:
        present[side] += probes + 2 * noise
    bridge.wait_for(present)
    return lags


def probe(bridge: Bridge, key: str) -> float:
    bridge.dynamodb["cn"].put_item(TableName=TABLES["cn"], Item=bridge.item(key, "cn"))
    written = time.time()
    while "Item" not in bridge.dynamodb["sg"].get_item(TableName=TABLES["sg"], Key={"PK": {"S": key}}):
        if time.time() > written + 60:
            raise SystemExit(f"{key} did not arrive within 60 s")
        time.sleep(0.01)
    return time.time() - written


def main() -> None:
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as directory, started_pair(Path(directory) / "local") as pair:
        print(f"deploying; then {ROUNDS} rounds of {items} items a side, both directions at once", flush=True)
        result = run_playbook(pair, "deploy.yml", "--skip-tags", "backup")
        if result.returncode:
            raise SystemExit(result.stdout + result.stderr)
        bridge, present, rates = Bridge(pair), {"cn": 0, "sg": 0}, {}
        for turn in range(ROUNDS):
            for name, code in (("plain", plain_code), ("dynabridge", own_code)):
                bridge.install(code)
                drain(bridge, f"{name}-{turn}-warm", WARM_UP, present)
                for kind in KINDS:
                    rate, records = drain(bridge, f"{name}-{turn}", items, present, kind)
                    rates.setdefault((name, kind), []).append(rate)
                    print(
                        f"{name:10} {kind} {rate:7.0f} items/s   {2 * items} changes in {records} Kinesis records",
                        flush=True,
                    )
        for name, code in (("plain", plain_code), ("dynabridge", own_code)):
            bridge.install(code)
            drain(bridge, f"{name}-lag-warm", WARM_UP, present)
            lags = lag(bridge, name, 40, present)
            print(
                f"{name:10} lag at {LAG_RATE} items/s: p50 {lags[len(lags) // 2]:.2f} s, p99 {lags[int(len(lags) * 0.99)]:.2f} s",
                flush=True,
            )
        median = {way: sorted(found)[len(found) // 2] for way, found in rates.items()}
        for kind in KINDS:
            ratio = median["dynabridge", kind] / median["plain", kind]
            print(f"median of {kind}s: dynabridge {ratio:.1f} times the plain way")


if __name__ == "__main__":
    main()
