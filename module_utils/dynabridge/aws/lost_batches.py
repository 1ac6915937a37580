# SPDX-License-Identifier: MIT
"""Take the messages of an on-failure queue in: records go to the quarantine as long as the stream has them.

A message is deleted when all it stands for is stored, and not before. Whoever is interrupted leaves a message that comes
back, and what was stored meanwhile is stored again under the same keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..errors import DynabridgeError, MalformedRecord
from ..lost_batches import LostBatch, arrived, gap, kinesis_event, read_message, stray_message, table_event
from .answers import error_code
from .botocore_errors import BotoCoreError, ClientError
from .quarantine import Quarantine
from .replays import Store

# A message is ours for this long, counted anew for each: a batch has at most 10,000 records.
VISIBILITY_SECONDS = 900
WRITERS = 8
# GetRecords may answer with nothing though there is more; where nothing comes this often, there is nothing.
EMPTY_PAGES = 20
PAGE_PAUSE = 0.2  # five reads a second and shard (Kinesis)
GONE = frozenset({"ResourceNotFoundException", "TrimmedDataAccessException"})
# What AWS says to a sequence number that it does not know (any more).
UNKNOWN_PLACE = frozenset({"InvalidArgumentException", "TrimmedDataAccessException", "ValidationException"})


class EndNotReached(DynabridgeError):
    """The stream did not show the batch's last record: the message is left for the next time."""


@dataclass
class Collected:
    """What came out of the queues."""

    messages: int = 0
    records: int = 0
    gaps: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class StreamReader:
    """Reads a batch's records from its stream, by a Kinesis or a DynamoDB Streams client."""

    kinesis: Any
    streams: Any
    pause: Callable[[float], None] = time.sleep

    def read(self, batch: LostBatch) -> Iterator[dict[str, Any]]:
        """The records from the batch's first to its last as events; those of other batches between them as well.

        A mapping works on several batches of a shard at once, so a range holds records that were applied: replaying
        them changes nothing. Raises ClientError with a code of GONE where the stream or the shard is no more.
        """
        client = self.kinesis if batch.is_kinesis else self.streams
        convert = kinesis_event if batch.is_kinesis else table_event
        iterator, empty = self._iterator(client, batch), 0
        while iterator and empty < EMPTY_PAGES:
            page = client.get_records(ShardIterator=iterator, Limit=1000)
            for record in page["Records"]:
                number = record["SequenceNumber"] if batch.is_kinesis else record["dynamodb"]["SequenceNumber"]
                if batch.ends_before(number):
                    return
                if batch.holds(number):
                    yield convert(record, batch)
                if number == batch.last:
                    return
            empty = 0 if page["Records"] else empty + 1
            iterator = page.get("NextShardIterator")
            self.pause(PAGE_PAUSE)

    def _iterator(self, client: Any, batch: LostBatch) -> str:
        """From the batch's first record, or from the oldest there is where that one was trimmed."""
        stream = {"StreamARN" if batch.is_kinesis else "StreamArn": batch.source, "ShardId": batch.shard}
        number = "StartingSequenceNumber" if batch.is_kinesis else "SequenceNumber"
        try:
            place = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", number: batch.first}
            return client.get_shard_iterator(**stream, **place)["ShardIterator"]
        except ClientError as error:
            if error_code(error) not in UNKNOWN_PLACE:
                raise
        return client.get_shard_iterator(**stream, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]


@dataclass(frozen=True)
class Inbox:
    """A queue whose messages are deleted when they were taken in, and not before.

    visibility: seconds that a message is ours. looks: how often in a row nothing must come until there is nothing.
    until: time.monotonic after which no other message is taken.
    """

    sqs: Any
    queue: str
    visibility: int = VISIBILITY_SECONDS
    looks: int = 2
    until: float = float("inf")

    def empty(self, take_in: Callable[[dict[str, Any]], None], problems: list[str], most: int) -> int:
        """Take in up to ``most`` messages; gives how many. Raises ClientError where the queue cannot be read."""
        url = self.sqs.get_queue_url(QueueName=self.queue)["QueueUrl"]
        left: list[str] = []
        taken = 0
        try:
            for message in self._messages(url, most):
                handle = message["ReceiptHandle"]
                left.append(handle)
                try:
                    take_in(message)
                except (ClientError, BotoCoreError, DynabridgeError) as error:
                    problems.append(f"queue {self.queue}: message {message['MessageId']} was left there: {error}")
                    continue
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
                left.pop()
                taken += 1
        finally:
            # Not before the end: a message that is visible again at once would be taken again and again.
            for handle in left:
                self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        return taken

    def _messages(self, url: str, most: int) -> Iterator[dict[str, Any]]:
        """One at a time, because each may take a while."""
        taken = empty = 0
        while taken < most and empty < self.looks and time.monotonic() < self.until:
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=1,  # asks all of the queue's servers
                VisibilityTimeout=self.visibility,
                AttributeNames=["SentTimestamp"],
            )
            messages = answer.get("Messages", [])
            taken, empty = taken + len(messages), 0 if messages else empty + 1
            yield from messages


def reread(reader: StreamReader, batch: LostBatch, keep: Callable[[list[dict[str, Any]]], None]) -> tuple[str, str]:
    """Hand what the stream still has of a batch to ``keep``, some hundreds of events at a time.

    Gives the first sequence number of that, '' for none, and what to say of what is missing before it. Raises EndNotReached.
    """
    first = last = ""
    try:
        for events in _chunks(reader.read(batch), 500):
            keep(events)
            first, last = first or _number(events[0]), _number(events[-1])
    except ClientError as error:
        if error_code(error) not in GONE:
            raise
        if not first:
            return "", f"the stream or its shard is gone ({error_code(error)})"
    if not first:
        return "", "the stream has forgotten its records"
    if last != batch.last:
        raise EndNotReached(
            f"shard {batch.shard} showed its records up to {last} and not up to {batch.last}; what it showed is "
            "stored: run again"
        )
    return first, "the stream has forgotten the first of its records"


@dataclass
class Collector:
    """Empties the on-failure queue of one function into the quarantine."""

    sqs: Any
    reader: StreamReader
    quarantine: Quarantine
    store: Store

    def collect(self, queue: str, collected: Collected, most: int) -> None:
        """Take in up to ``most`` messages. Raises ClientError where the queue cannot be read."""

        def take_in(message: dict[str, Any]) -> None:
            self._take_in(message, collected)
            collected.messages += 1

        Inbox(self.sqs, queue).empty(take_in, collected.problems, most)

    def _take_in(self, message: dict[str, Any], collected: Collected) -> None:
        side, function = self.quarantine.side, self.quarantine.function
        try:
            batch = read_message(message["Body"])
        except MalformedRecord as error:
            sent = float(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
            self._keep_gap(stray_message(message["Body"], side, function, str(error), sent), collected)
            return
        first, missing = self._keep_records(batch, collected)
        if first != batch.first:
            self._keep_gap(gap(batch, side, function, missing, until=first), collected)

    def _keep_records(self, batch: LostBatch, collected: Collected) -> tuple[str, str]:
        """Store what the stream has: the first sequence number of that, and what to say of what is missing before it."""
        reason = f"its batch of {batch.size} was given up ({batch.condition})"

        def keep(event: dict[str, Any]) -> None:
            self.quarantine.keep(event, reason, batch.source, _number(event), arrived(event))

        with ThreadPoolExecutor(WRITERS) as pool:

            def keep_all(events: list[dict[str, Any]]) -> None:
                list(pool.map(keep, events))
                self.quarantine.kept.clear()
                collected.records += len(events)

            return reread(self.reader, batch, keep_all)

    def _keep_gap(self, named: tuple[str, dict[str, Any]], collected: Collected) -> None:
        key, content = named
        self.store.write(key, content)
        collected.gaps.append(key)


def _number(event: dict[str, Any]) -> str:
    return event["kinesis"]["sequenceNumber"] if "kinesis" in event else event["dynamodb"]["SequenceNumber"]


def _chunks(events: Iterator[dict[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for event in events:
        chunk.append(event)
        if len(chunk) == most:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def waiting(sqs: Any, queue: str) -> tuple[int, int]:
    """(messages that can be taken, messages that another run holds), as far as SQS knows at the moment."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])
