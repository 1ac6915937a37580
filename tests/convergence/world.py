# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sides and what lies between them, in memory: the real functions on a DynamoDB that evaluates their conditions.

Time is the world's. Writers' and functions' clocks are off from it. The transport delays, repeats, reorders across keys,
loses nothing for good: what it drops lies in a quarantine until it is replayed.
"""

import base64
import itertools
from dataclasses import dataclass, field

from dynabridge.wire import decode
from tests.dynamodb import FakeDynamoDB

START = 1_700_000_000.0
REGIONS = {"cn": "cn-north-1", "sg": "ap-southeast-1"}
TIME, REGION = "last_update_timestamp", "last_updater_region"


class Crash(Exception):
    """The function died here: its batch comes again."""


@dataclass
class Side:
    """One side's table, the stream that it writes, and the Kinesis stream that it reads.

    incoming, quarantined: lane -> records. batches, deliveries: all that the sender and the receiver were handed.
    """

    name: str
    peer: str
    writer_offset: float = 0.0
    bridge_offset: float = 0.0
    dynamodb: FakeDynamoDB = field(default_factory=FakeDynamoDB)
    stream: list = field(default_factory=list)
    incoming: dict = field(default_factory=dict)
    quarantined: list = field(default_factory=list)
    batches: list = field(default_factory=list)
    deliveries: list = field(default_factory=list)

    @property
    def table(self):
        return f"user-{self.name}"

    @property
    def region(self):
        return REGIONS[self.name]

    def rows(self):
        return {item["PK"]["S"]: item for item in self.dynamodb.items(self.table)}


class World:
    """``make_bridge(world, side)`` gives an object with ``send(records)`` and ``receive(records)``, both giving the position
    where to begin again or None, for each side."""

    def __init__(self, make_bridge):
        self.now, self.numbers, self.seen, self.fine = START, itertools.count(1), {}, False
        self.sides = {"cn": Side("cn", "sg"), "sg": Side("sg", "cn")}
        for side in self.sides.values():
            side.dynamodb.stream = self._recorder(side)
        self.bridges = {name: make_bridge(self, side) for name, side in self.sides.items()}

    def _recorder(self, side):
        def record(table, old, new):
            if table != side.table:
                return
            name = "REMOVE" if new is None else "MODIFY" if old else "INSERT"
            data = {
                "Keys": {"PK": (new or old)["PK"]},
                "SequenceNumber": f"{next(self.numbers):030d}",
                "ApproximateCreationDateTime": float(int(self.now)),
            }
            data |= ({"OldImage": dict(old)} if old else {}) | ({"NewImage": dict(new)} if new else {})
            source = f"arn:aws:dynamodb:{side.region}:1:table/{side.table}/stream/x"
            side.stream.append({"eventName": name, "dynamodb": data, "eventSourceARN": source})
            if new:
                self.seen.setdefault(new["PK"]["S"], []).append(dict(new))

        return record

    # -- writers -----------------------------------------------------------------------------

    def stamp(self, side, jitter):
        """Whole seconds, so that stamps are often equal; ``fine``: exact ones, no two alike."""
        time = f"{self.now:.3f}" if self.fine else int(self.now + side.writer_offset) + jitter
        return {TIME: {"N": str(time)}, REGION: {"S": side.region}}

    def content(self):
        self.now += 0.001
        return {"content": {"S": f"w{next(self.numbers)}"}}

    # -- the transport -----------------------------------------------------------------------

    def put_records(self, side, records):
        """What side's sender puts for its peer."""
        peer = self.sides[side.peer]
        for record in records:
            kinesis = {
                "data": base64.b64encode(record["Data"]).decode(),
                "sequenceNumber": f"{next(self.numbers):056d}",
                "partitionKey": record["PartitionKey"],
                "approximateArrivalTimestamp": self.now,
            }
            entry = {"kinesis": kinesis, "eventSourceARN": f"arn:aws:kinesis:{peer.region}:1:stream/s"}
            peer.incoming.setdefault(record["PartitionKey"], []).append(entry)

    def send(self, side, keys, most):
        """A batch of the stream: the first records of these items, each item's in order; others wait."""
        batch = [r for r in side.stream if r["dynamodb"]["Keys"]["PK"]["S"] in keys][:most]
        if batch:
            side.batches.append(batch)
            done = batch[: self._run(self.bridges[side.name].send, batch)]
            side.stream = [r for r in side.stream if not any(r is one for one in done)]

    def receive(self, side, lane, most):
        batch = side.incoming.get(lane, [])[:most]
        if batch:
            side.deliveries.append(batch)
            del side.incoming[lane][: self._run(self.bridges[side.name].receive, batch)]

    def quarantine(self, side, lane):
        if side.incoming.get(lane):
            side.quarantined.append(side.incoming[lane].pop(0))

    def replay(self, side, number):
        if number < len(side.quarantined):
            batch = [side.quarantined.pop(number)]
            side.deliveries.append(batch)
            if self._run(self.bridges[side.name].receive, batch) == 0:
                side.quarantined.append(batch[0])

    @staticmethod
    def _run(handle, batch):
        """Hand the batch over; gives how many records are done with."""
        try:
            first = handle(batch)
        except Crash:
            return 0
        return len(batch) if first is None else first

    # -- the end -----------------------------------------------------------------------------

    def settle(self):
        """Let everything arrive, with nobody writing. Bounded: a bridge whose sides answer each other for ever fails."""
        for _round in range(60):
            self.now += 1
            for side in self.sides.values():
                self.send(side, {r["dynamodb"]["Keys"]["PK"]["S"] for r in side.stream}, 1000)
            for side in self.sides.values():
                for lane in list(side.incoming):
                    self.receive(side, lane, 1000)
                while side.quarantined:
                    self.replay(side, 0)
            if not any(side.stream or any(side.incoming.values()) for side in self.sides.values()):
                return
        raise AssertionError("the sides do not come to rest")

    def replay_everything(self):
        """Both functions are handed again all that they ever were."""
        for side in self.sides.values():
            batches, deliveries = list(side.batches), list(side.deliveries)
            for batch in batches:
                self._run(self.bridges[side.name].send, batch)
            for batch in deliveries:
                self._run(self.bridges[side.name].receive, batch)

    def sent(self):
        """Every change that ever travelled."""
        for side in self.sides.values():
            for batch in side.deliveries:
                for record in batch:
                    yield from decode(base64.b64decode(record["kinesis"]["data"]))[1]
