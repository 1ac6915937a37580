# SPDX-License-Identifier: GPL-3.0-or-later
"""What the proxy costs: the sender's PutRecords through a real squid against straight ones, in turns, in one run.

`python benchmarks/proxy.py [rounds]`, as root, with squid and iproute2. One endpoint (a local AWS over TLS), one client each
that keeps its connection, calls of the sender's shape: 500 changes packed to 16 records. The ratio is of the medians. It is
measured with one caller, and with ten as in ten batches a shard; and against a server that takes calls without looking at
them, where the proxy has nothing to hide behind.
"""

import contextlib
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "module_utils")]

from dynabridge.aws.peer import PeerStream  # noqa: E402 - found by the line above
from dynabridge.changes import PUT, Change  # noqa: E402
from dynabridge.wire import LANES, WireRecord, pack  # noqa: E402
from tests.local_pair import started_pair  # noqa: E402
from tests.proxy_world.far_side import tls_serving  # noqa: E402
from tests.proxy_world.requirements import what_is_missing  # noqa: E402
from tests.proxy_world.world import World, endpoint, proxy_world  # noqa: E402

REGION, STREAM = "ap-southeast-1", "stream"
CHANGES = 500
SECONDS = 1.0  # of each turn
CALLERS = (1, 10)


def batch() -> list[WireRecord]:
    """A full batch of the sender's: user profiles."""
    changes = []
    for number in range(CHANGES):
        keys = {"PK": {"S": f"user-{number:08d}"}}
        image = keys | {f"attribute_{n}": {"S": f"{number * 7919 + n:024d}"} for n in range(10)}
        image |= {"last_update_timestamp": {"N": "1700000000.5"}, "last_updater_region": {"S": "cn-north-1"}}
        changes.append(Change(PUT, "user-sg", keys, image))
    return pack(changes, "cn", LANES)[0]


@contextlib.contextmanager
def willing_server(address: str, certificate: Path) -> Iterator[None]:
    """Takes PutRecords and says yes, with keep-alive."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            records = [{"SequenceNumber": "1", "ShardId": "shardId-000000000000"} for _each in body["Records"]]
            answer = json.dumps({"FailedRecordCount": 0, "Records": records}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments):
            pass

    with tls_serving(address, certificate, Handler):
        yield


@contextlib.contextmanager
def resolving(name: str, address: str) -> Iterator[None]:
    """For who goes straight, the name means the same server as for squid."""
    real = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *more, **named: real(address if host == name else host, *more, **named)
    try:
        yield
    finally:
        socket.getaddrinfo = real


def stream(world: World, account: str, through_proxy: bool) -> PeerStream:
    """As the sender has it, with a client of its own."""
    proxies = {"https": f"http://{world.network.proxy}:80"} if through_proxy else {}

    def connect(access_key: str, secret_key: str):
        return boto3.Session().client(
            "kinesis",
            region_name=REGION,
            endpoint_url=f"https://{endpoint('kinesis', REGION)}",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            verify=str(world.bundle),
            config=Config(proxies=proxies, retries={"total_max_attempts": 1}),
        )

    return PeerStream(STREAM, lambda: (account, "test"), connect)


def rate(streams: list[PeerStream], records: list[WireRecord]) -> float:
    """Calls a second of all callers, one stream each."""
    deadline = time.perf_counter() + SECONDS

    def call(peer: PeerStream) -> int:
        number = 0
        while time.perf_counter() < deadline:
            assert peer.put(records) == []
            number += 1
        return number

    began = time.perf_counter()
    with ThreadPoolExecutor(len(streams)) as pool:
        calls = sum(pool.map(call, streams))
    return calls / (time.perf_counter() - began)


def compare(what: str, world: World, account: str, rounds: int) -> None:
    records = batch()
    for callers in CALLERS:
        ways = {way: [stream(world, account, way) for _each in range(callers)] for way in (False, True)}
        for streams in ways.values():
            for peer in streams:
                peer.put(records)  # the connection is made before the clock runs
        rates: dict[bool, list[float]] = {False: [], True: []}
        for number in range(rounds):
            for way in (False, True) if number % 2 else (True, False):
                rates[way].append(rate(ways[way], records))
        straight, proxied = (statistics.median(rates[way]) for way in (False, True))
        size = sum(len(record.data) for record in records)
        print(
            f"{what:14} {callers:3} callers  straight {straight:6.1f}  proxy {proxied:6.1f} calls/s"
            f"  {proxied / straight:5.0%}  ({len(records)} records, {size:,} bytes a call)",
            flush=True,
        )


def main() -> None:
    if what_is_missing():
        sys.exit(f"benchmarks/proxy.py {what_is_missing()}.")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    name = endpoint("kinesis", REGION)
    allowed = {"squid_proxy_region": REGION, "squid_proxy_services": ["kinesis"]}
    with proxy_world({name: 0}, allowed) as world, resolving(name, world.network.servers[0]):
        with willing_server(world.network.servers[0], world.certificate):
            compare("willing server", world, "200000000002", rounds)
        door = (f"--sg-tls={world.network.servers[0]}", f"--tls-certificate={world.certificate}")
        with tempfile.TemporaryDirectory() as directory, started_pair(Path(directory) / "local", *door) as pair:
            pair.client("sg", "kinesis").create_stream(StreamName=STREAM, ShardCount=1)
            compare("local AWS", world, pair.sides["sg"]["account_id"], rounds)
        world.squid.stop()
        print(f"tunnels: {len(world.squid.log('TCP_TUNNEL/200'))} for {2 * sum(CALLERS)} clients through the proxy")


if __name__ == "__main__":
    main()
