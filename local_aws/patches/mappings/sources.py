# SPDX-License-Identifier: GPL-3.0-or-later
"""The shards a mapping reads: a DynamoDB stream has one here, a Kinesis stream as many as it was given.

A place in a shard is the number in the last ten digits of a record's sequence number: the emulator counts
records there. Unlike the digits before them, which are the clock's, they never run backwards, and unlike an
index into the emulator's list they survive the expiry of old records.
"""

import base64
import bisect
import json
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

from ministack.services import dynamodb, kinesis

BEGINNING = 0


def place(sequence_number: str) -> int:
    return int(sequence_number[-10:])


@dataclass(frozen=True)
class StreamRecord:
    """One record as the mapping handles it."""

    place: int
    sequence_number: str
    arrival: float
    event: dict


class Shard(ABC):
    """What both kinds of shard share: reading onwards from a place."""

    info_key = ""  # of the on-failure message

    def __init__(self, arn: str, shard_id: str):
        self.arn, self.shard_id = arn, shard_id
        _arn, _partition, _service, self.region, self.account, self.resource = arn.split(":", 5)

    @abstractmethod
    def raw(self) -> list[dict]:
        """The live records, oldest first; none if the stream is gone."""

    @abstractmethod
    def sequence_number(self, raw: dict) -> str:
        """The record's sequence number."""

    @abstractmethod
    def arrival(self, raw: dict) -> float:
        """Epoch seconds of its arrival."""

    @abstractmethod
    def key(self, raw: dict) -> str:
        """What records of one item have in common: they share a lane."""

    @abstractmethod
    def event(self, raw: dict, role: str) -> dict:
        """The record as the function gets it."""

    def read(self, after: int, limit: int) -> list[dict]:
        raw = self.raw()
        start = bisect.bisect_right(raw, after, key=self.place)
        return raw[start : start + limit]

    def place(self, raw: dict) -> int:
        return place(self.sequence_number(raw))

    def last_place(self) -> int:
        raw = self.raw()
        return self.place(raw[-1]) if raw else BEGINNING

    def first_place(self) -> int | None:
        raw = self.raw()
        return self.place(raw[0]) if raw else None

    def starting_place(self, position: str, timestamp: float | None) -> int:
        if position == "LATEST":
            return self.last_place()
        if position == "AT_TIMESTAMP" and timestamp is not None:
            earlier = [self.place(raw) for raw in self.raw() if self.arrival(raw) < timestamp]
            return max(earlier, default=BEGINNING)
        return BEGINNING

    def lane(self, raw: dict, lanes: int) -> int:
        return zlib.crc32(self.key(raw).encode()) % lanes if lanes > 1 else 0

    def record(self, raw: dict, role: str) -> StreamRecord:
        return StreamRecord(self.place(raw), self.sequence_number(raw), self.arrival(raw), self.event(raw, role))


class TableShard(Shard):
    """The stream of a table; a disabled one stays readable for 24 hours ("Change data capture", DynamoDB)."""

    info_key = "DDBStreamBatchInfo"

    def __init__(self, arn: str, shard_id: str):
        super().__init__(arn, shard_id)
        self.table = self.resource.split("/")[1]

    def raw(self) -> list[dict]:
        table = dynamodb._tables.get_scoped(self.account, self.region, self.table)
        if table and table.get("LatestStreamArn") == self.arn and _stream_enabled(table):
            return dynamodb._stream_records.get_scoped(self.account, self.region, self.table) or []
        closed = dynamodb._closed_streams.get_scoped(self.account, self.region, self.arn)
        return closed["records"] if closed else []

    def sequence_number(self, raw: dict) -> str:
        return raw["dynamodb"]["SequenceNumber"]

    def arrival(self, raw: dict) -> float:
        return float(raw["dynamodb"]["ApproximateCreationDateTime"])

    def key(self, raw: dict) -> str:
        """The partition key; the emulator puts it before the sort key."""
        return json.dumps(next(iter(raw["dynamodb"]["Keys"].items())))

    def event(self, raw: dict, role: str) -> dict:
        return raw


class KinesisShard(Shard):
    """One shard of a Kinesis stream."""

    info_key = "KinesisBatchInfo"

    def raw(self) -> list[dict]:
        stream = kinesis._streams.get_scoped(self.account, self.region, self.resource.split("/")[1])
        shard = stream["shards"].get(self.shard_id) if stream else None
        return shard["records"] if shard else []

    def sequence_number(self, raw: dict) -> str:
        return raw["SequenceNumber"]

    def arrival(self, raw: dict) -> float:
        return raw["ApproximateArrivalTimestamp"]

    def key(self, raw: dict) -> str:
        return raw["PartitionKey"]

    def event(self, raw: dict, role: str) -> dict:
        data = raw["Data"]
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": raw["PartitionKey"],
                "sequenceNumber": raw["SequenceNumber"],
                "data": base64.b64encode(data).decode() if isinstance(data, bytes) else data,
                "approximateArrivalTimestamp": raw["ApproximateArrivalTimestamp"],
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self.shard_id}:{raw['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": role,
            "awsRegion": self.region,
            "eventSourceARN": self.arn,
        }


def shards(arn: str) -> list[Shard]:
    """The stream's shards as they are now; none if there is no such stream."""
    _arn, _partition, service, region, account, resource = arn.split(":", 5)
    name = resource.split("/")[1]
    if service == "dynamodb":
        table = dynamodb._tables.get_scoped(account, region, name)
        known = (table and table.get("LatestStreamArn") == arn) or dynamodb._closed_streams.get_scoped(
            account, region, arn
        )
        return [TableShard(arn, "shardId-00000000000000000000-00000000")] if known else []
    stream = kinesis._streams.get_scoped(account, region, name)
    return [KinesisShard(arn, shard_id) for shard_id in stream["shards"]] if stream else []


def _stream_enabled(table: dict) -> bool:
    return bool((table.get("StreamSpecification") or {}).get("StreamEnabled"))
