# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridges that are let loose on a world: the real functions, and the plain rule of the source documents."""

import base64
import json
from decimal import Decimal

from dynabridge.aws.apply import Applier
from dynabridge.aws.memory import Memory
from dynabridge.aws.own_side import OwnSide
from dynabridge.aws.peer import PeerStream
from dynabridge.aws.quarantine import Quarantine
from dynabridge.aws.receiver import Receiver
from dynabridge.aws.sender import Sender
from dynabridge.aws.stamper import Stamper
from dynabridge.settings import receiver_settings, sender_settings
from tests.convergence.world import REGION, TIME
from tests.fakes import FakeCloudWatch, FakeS3


def no_pause(_seconds):
    pass


class WatchedOwnSide(OwnSide):
    """Notes the items whose writes do not replicate: in application mode those are named, and may differ."""

    def settle(self, findings, policy):
        self.named |= {found.keys["PK"]["S"] for _position, found in findings if found.tally["unstamped"]}
        return super().settle(findings, policy)


class FullRule:
    """Sender and receiver as they are deployed, wired to a side of the world."""

    def __init__(self, world, side, managed):
        self.world, self.side, self.lost_lanes, self.named = world, side, set(), set()
        env = {
            "SIDE": side.name,
            "AWS_REGION": side.region,
            "PARAMETER_STORE_PATH_PREFIX": "/p/",
            "TARGET_REGION": world.sides[side.peer].region,
            "TARGET_STREAM": "s",
            "QUARANTINE_BUCKET": "q",
            "TOMBSTONES_TABLE": "tombstones",
            "STATS_TABLE": "stats",
            "MANAGED_TABLES": side.table if managed else "",
        }
        self.s3 = FakeS3()
        self.sender = self._sender(sender_settings(env | {"TARGET_TABLE": f"user-{side.peer}"}))
        self.receiver = self._receiver(receiver_settings(env | {"TARGET_TABLE": side.table}))

    def clock(self):
        return self.world.now + self.side.bridge_offset

    def send(self, records):
        return self._first(self.sender.handle({"Records": records}), [r["dynamodb"]["SequenceNumber"] for r in records])

    def receive(self, records):
        return self._first(
            self.receiver.handle({"Records": records}), [r["kinesis"]["sequenceNumber"] for r in records]
        )

    def put_records(self, StreamName, Records):
        """The peer's Kinesis: takes all but one lost lane, once."""
        lost, self.lost_lanes = self.lost_lanes, set()
        taken = [record for record in Records if record["PartitionKey"] not in lost]
        self.world.put_records(self.side, taken)
        return {"Records": [{} if record in taken else {"ErrorCode": "InternalFailure"} for record in Records]}

    def _first(self, answer, sequences):
        assert not self.s3.objects, f"in the quarantine: {self.s3.objects}"
        failures = answer["batchItemFailures"]
        return sequences.index(failures[0]["itemIdentifier"]) if failures else None

    def _sender(self, settings):
        dynamodb, names = self.side.dynamodb, settings.names
        stamper = Stamper(dynamodb, names, settings.region, self.clock, no_pause)
        own_side = WatchedOwnSide(dynamodb, names, self._memory(settings), stamper)
        own_side.named = self.named
        peer = PeerStream("s", lambda: ("k", "s"), lambda key, secret: self, no_pause)
        return Sender(settings, peer, self._quarantine(settings), own_side, FakeCloudWatch())

    def _receiver(self, settings):
        dynamodb = self.side.dynamodb
        applier = Applier(dynamodb, settings.names, self._memory(settings), pause=no_pause)
        return Receiver(settings, applier, self._quarantine(settings), dynamodb, FakeCloudWatch(), self.clock)

    def _memory(self, settings):
        return Memory(self.side.dynamodb, "tombstones", settings.names, now=self.clock, pause=no_pause)

    def _quarantine(self, settings):
        return Quarantine(self.s3, "q", settings.side, "f")


class PlainRule:
    """The source documents' way: skip what bears the peer's region, apply where the stored time is less, remember nothing."""

    def __init__(self, world, side, managed):
        self.world, self.side, self.lost_lanes, self.named = world, side, set(), set()

    def send(self, records):
        for record in records:
            data = record["dynamodb"]
            image = data.get("NewImage") or data["OldImage"]
            if image.get(REGION) == {"S": self.world.sides[self.side.peer].region} and "NewImage" in data:
                continue
            payload = json.dumps([record["eventName"] == "REMOVE", data["Keys"], image]).encode()
            self.world.put_records(self.side, [{"Data": payload, "PartitionKey": data["Keys"]["PK"]["S"]}])

    def receive(self, records):
        for record in records:
            deleted, keys, image = json.loads(base64.b64decode(record["kinesis"]["data"]))
            stored = self.side.dynamodb.get(self.side.table, **keys)
            if deleted and stored and self._time(stored) <= self._time(image):
                self.side.dynamodb.delete(self.side.table, keys)
            elif not deleted and (stored is None or self._time(stored) < self._time(image)):
                self.side.dynamodb.put(self.side.table, image)

    @staticmethod
    def _time(item):
        return Decimal(item.get(TIME, {"N": "0"})["N"])
