# SPDX-License-Identifier: MIT
"""Messages of the on-failure queues: a batch that a mapping gave up, by its place in the stream and without its records.

What the stream still holds becomes entries of the quarantine, just as the function would have kept them; what it has
forgotten becomes a *gap*, which says by name what is missing and how it is mended.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .attributes import to_json
from .errors import MalformedRecord
from .replays import GAPS, tables_of

INFOS = ("KinesisBatchInfo", "DDBStreamBatchInfo")
IMAGES = ("Keys", "NewImage", "OldImage")


@dataclass(frozen=True)
class LostBatch:
    """Where a batch lies: stream, shard, first and last sequence number, how many records, and why it was given up."""

    source: str
    shard: str
    first: str
    last: str
    size: int
    condition: str
    first_arrived: float = 0.0
    last_arrived: float = 0.0

    @property
    def is_kinesis(self) -> bool:
        return ":kinesis:" in self.source

    def holds(self, sequence_number: str) -> bool:
        """Sequence numbers are numbers, of up to 40 digits and not always of one length."""
        return int(self.first) <= int(sequence_number) <= int(self.last)

    def ends_before(self, sequence_number: str) -> bool:
        return int(sequence_number) > int(self.last)


def read_message(text: str) -> LostBatch:
    """A message of an on-failure queue. Raises MalformedRecord for anything else that somebody put there."""
    try:
        body = json.loads(text)
        info = next(body[name] for name in INFOS if name in body)
        batch = LostBatch(
            source=str(info["streamArn"]),
            shard=str(info["shardId"]),
            first=_digits(info["startSequenceNumber"]),
            last=_digits(info["endSequenceNumber"]),
            size=int(info["batchSize"]),
            condition=str(body.get("requestContext", {}).get("condition", "given up")),
            first_arrived=_seconds(info.get("approximateArrivalOfFirstRecord")),
            last_arrived=_seconds(info.get("approximateArrivalOfLastRecord")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise MalformedRecord(f"not a message of a mapping's on-failure destination: {error!r}") from error
    return batch


def _digits(text: str) -> str:
    """A sequence number as it stands. Raises ValueError for what is none."""
    int(text)
    return text


def _seconds(text: str | None) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0


def gap(batch: LostBatch, side: str, function: str, reason: str, until: str = "") -> tuple[str, dict[str, Any]]:
    """(object key, content) of the gap that a batch leaves, or its part before the sequence number ``until``.

    The key follows from the content: the same message leaves the same object.
    """
    tables = list(tables_of(batch.source))
    stream = batch.source.rsplit(":", 1)[-1].replace("/", "-")
    content = {
        "version": 1,
        "side": side,
        "function": function,
        "reason": f"{batch.condition}; {reason}",
        "source": batch.source,
        "tables": tables,
        "shard": batch.shard,
        "first_sequence_number": batch.first,
        "last_sequence_number": batch.last,
        "lost_before": until,
        "batch_size": batch.size,
        "arrived": batch.first_arrived,
        "last_arrived": batch.last_arrived,
        "advice": f"run resync.yml -e table=... for {', '.join(tables) or 'each table that this stream carries'}, "
        "then discard this gap",
    }
    key = f"{GAPS}{function}/{_day(batch.first_arrived)}/{stream}/{batch.shard}-{batch.first}-{batch.last}.json"
    return key, content


def stray_message(text: str, side: str, function: str, reason: str, sent: float) -> tuple[str, dict[str, Any]]:
    """A message that nobody can read, kept as a gap: what it stood for is not known."""
    content = {
        "version": 1,
        "side": side,
        "function": function,
        "reason": reason,
        "source": "",
        "tables": [],
        "first_sequence_number": "",
        "arrived": sent,
        "message": text,
        "advice": "compare the tables; read the message; then discard this gap",
    }
    name = hashlib.sha256(text.encode()).hexdigest()[:24]
    return f"{GAPS}{function}/{_day(sent)}/message/{name}.json", content


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y/%m/%d")


# -- what the stream still holds, as Lambda hands it to a function ---------------------------


def kinesis_event(record: Mapping[str, Any], batch: LostBatch) -> dict[str, Any]:
    """A record of Kinesis' GetRecords (boto3)."""
    number = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": base64.b64encode(record["Data"]).decode("ascii"),
            "approximateArrivalTimestamp": _epoch(record["ApproximateArrivalTimestamp"]),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{batch.shard}:{number}",
        "eventName": "aws:kinesis:record",
        "awsRegion": batch.source.split(":")[3],
        "eventSourceARN": batch.source,
    }


def table_event(record: Mapping[str, Any], batch: LostBatch) -> dict[str, Any]:
    """A record of DynamoDB Streams' GetRecords (boto3): binary as base64, times as numbers, small letters in names."""
    data = dict(record["dynamodb"])
    data |= {name: to_json(data[name]) for name in IMAGES if name in data}
    if "ApproximateCreationDateTime" in data:
        data["ApproximateCreationDateTime"] = _epoch(data["ApproximateCreationDateTime"])
    event = {**record, "dynamodb": data, "eventSourceARN": batch.source}
    if "userIdentity" in record:
        event["userIdentity"] = {name[0].lower() + name[1:]: value for name, value in record["userIdentity"].items()}
    return event


def arrived(event: Mapping[str, Any]) -> float:
    """Epoch seconds, as the functions take them for an object's key."""
    if "kinesis" in event:
        return float(event["kinesis"]["approximateArrivalTimestamp"])
    return float(event["dynamodb"].get("ApproximateCreationDateTime", 0))


def _epoch(moment: Any) -> float:
    return moment.timestamp() if hasattr(moment, "timestamp") else float(moment)
