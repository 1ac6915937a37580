# SPDX-License-Identifier: MIT
"""Conditional writes, many a call, each with its own outcome.

Up to ``write_batch`` writes go in one TransactWriteItems. A refusal cancels the transaction and says for each write why:
the refused ones are done (their condition decided against them), the rest is sent again without them. What a transaction
does not settle (another writer on the same item, a write that DynamoDB finds invalid) is written singly, so that one bad
or hot item does not hold up the others. docs/replication.md has the figures and the price of this choice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..attributes import to_boto, to_json
from ..errors import MalformedRecord, TableUnavailable
from .answers import error_code
from .botocore_errors import ClientError

# TransactWriteItems: 100 actions, 4 MB (DynamoDB API reference). Measured here as JSON, which is longer than the item.
TRANSACTION_BYTES = 3_500_000
TRANSACTION_ROUNDS = 3
SINGLE_ATTEMPTS = 6
READ_KEYS = 100  # BatchGetItem takes no more
READ_ATTEMPTS = 8
BUSY = frozenset(
    {
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
    }
)
INVALID = frozenset({"ValidationException", "ItemCollectionSizeLimitExceededException"})
REFUSED = "ConditionalCheckFailedException"
NO_REASON = "None"
# What a cancelled transaction calls the errors of single writes (DynamoDB API reference, TransactWriteItems).
CODES_OF_REASONS = {
    "ConditionalCheckFailed": REFUSED,
    "ItemCollectionSizeLimitExceeded": "ItemCollectionSizeLimitExceededException",
    "TransactionConflict": "TransactionConflictException",
    "ProvisionedThroughputExceeded": "ProvisionedThroughputExceededException",
    "ThrottlingError": "ThrottlingException",
    "ValidationError": "ValidationException",
}
UNAVAILABLE = frozenset({"ResourceNotFoundException", "AccessDeniedException"})


@dataclass(frozen=True)
class Write:
    """One conditional write. subject: whatever the caller calls it by. action: Put, Update or Delete.

    arguments: of the action in TransactWriteItems, with attribute values in JSON form.
    """

    subject: Any
    action: str
    arguments: dict[str, Any]


@dataclass
class Settled:
    """Subjects by what became of their writes.

    applied: written. refused: the condition did not hold. poison: (subject, reason), never going to be written.
    unsettled: (subject, reason), to be tried again later.
    """

    applied: list[Any] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)
    poison: list[tuple[Any, str]] = field(default_factory=list)
    unsettled: list[tuple[Any, str]] = field(default_factory=list)


class Group:
    """Writes that are made in one moment, or not at all; the first speaks for them all.

    left: those that are still to be made, each with its arguments as boto3 takes them.
    """

    def __init__(self, writes: list[Write]) -> None:
        self.subject, self.table = writes[0].subject, writes[0].arguments["TableName"]
        self.left = [(write.action, _to_boto(write.arguments)) for write in writes]
        self.size = sum(len(json.dumps(write.arguments)) for write in writes)
        self.refused = False

    def drop_refused(self, codes: list[str]) -> None:
        """Forget the writes whose conditions did not hold. codes: why each of those left was not made."""
        first = self.left[0]
        self.left = [entry for entry, code in zip(self.left, codes, strict=True) if code != REFUSED]
        # Those after the first can be left alone only when the first was refused.
        self.refused = self.refused or not self.left or self.left[0] is not first


class Writer:
    """Writes through a low-level DynamoDB client. No two writes of a call may be about the same item."""

    def __init__(self, dynamodb: Any, write_batch: int = 100, pause: Callable[[float], None] = time.sleep) -> None:
        self._dynamodb, self._write_batch, self._pause = dynamodb, write_batch, pause

    def write(self, writes: Iterable[Write]) -> Settled:
        """Settle the writes. Raises TableUnavailable when a table is missing or closed to the caller."""
        return self.write_together([write] for write in writes)

    def write_together(self, groups: Iterable[list[Write]]) -> Settled:
        """Settle groups of writes: what of a group is not refused is written in one moment, nobody sees a part of it.

        The outcome is that of each group's first write, once all others are written or refused. Raises TableUnavailable.
        """
        settled = Settled()
        ready: list[Group] = []
        for writes in groups:
            try:
                ready.append(Group(writes))
            except MalformedRecord as error:
                settled.poison.append((writes[0].subject, str(error)))
        for chunk in _chunks(ready, self._write_batch):
            for group in self._transact(chunk, settled):
                self._write_alone(group, settled)
        return settled

    def _transact(self, chunk: list[Group], settled: Settled) -> list[Group]:
        """Write what a transaction can settle; give back the groups that have to be written alone."""
        alone: list[Group] = []
        for _round in range(TRANSACTION_ROUNDS):
            if len(chunk) < 2:
                break
            try:
                self._write_at_once(chunk)
            except ClientError as error:
                if not error.response.get("CancellationReasons"):
                    raise_if_unavailable(error, chunk[0].table)
                    break
                chunk, hindered = _sort_by_reason(chunk, _codes(error), settled)
                alone += hindered
            else:
                _note(chunk, settled)
                return alone
        return alone + chunk

    def _write_alone(self, group: Group, settled: Settled) -> None:
        """One group, however often it is hindered."""
        reason = ""
        for attempt in range(SINGLE_ATTEMPTS):
            try:
                self._write(group)
            except ClientError as error:
                raise_if_unavailable(error, group.table)
                codes, reason = _codes(error, len(group.left)), str(error)
                if INVALID.intersection(codes):
                    settled.poison.append((group.subject, reason))
                    return
                if not (BUSY | {REFUSED}).intersection(codes):
                    raise
                group.drop_refused(codes)
                if group.left:
                    self._pause(0.05 * 2**attempt)
                    continue
            _note([group], settled)
            return
        settled.unsettled.append((group.subject, reason))

    def _write(self, group: Group) -> None:
        if len(group.left) > 1:
            self._write_at_once([group])
        else:
            [(action, arguments)] = group.left
            call = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[action]
            getattr(self._dynamodb, call)(**arguments)

    def _write_at_once(self, chunk: list[Group]) -> None:
        actions = [{action: arguments} for group in chunk for action, arguments in group.left]
        self._dynamodb.transact_write_items(TransactItems=actions)


def read_items(
    dynamodb: Any,
    table: str,
    keys: list[dict[str, Any]],
    pause: Callable[[float], None] = time.sleep,
) -> list[dict[str, Any]]:
    """The items that are there of these different keys; keys and items in JSON form.

    Raises TableUnavailable, and the throttling error itself when DynamoDB does not give them after several tries.
    """
    found = []
    for start in range(0, len(keys), READ_KEYS):
        wanted = {table: {"Keys": [to_boto(key) for key in keys[start : start + READ_KEYS]], "ConsistentRead": True}}
        attempt = 0
        while wanted:
            try:
                answer = dynamodb.batch_get_item(RequestItems=wanted)
            except ClientError as error:
                raise_if_unavailable(error, table)
                if error_code(error) not in BUSY or attempt == READ_ATTEMPTS:
                    raise
            else:
                found += [to_json(item) for item in answer["Responses"].get(table, [])]
                wanted = answer.get("UnprocessedKeys") or {}
            if wanted:
                if attempt == READ_ATTEMPTS:
                    raise TableUnavailable(
                        f"table {table} gives no answer to reads: it is throttled, raise its capacity"
                    )
                pause(0.05 * 2**attempt)
                attempt += 1
    return found


def raise_if_unavailable(error: ClientError, table: str) -> None:
    """Turn 'not there' and 'not allowed' into a sentence."""
    code = error_code(error)
    if code in UNAVAILABLE:
        raise TableUnavailable(
            f"table {table} cannot be read or written ({code}): "
            f"{error.response['Error'].get('Message', '')}; run deploy.yml for this side"
        ) from error


def _to_boto(arguments: dict[str, Any]) -> dict[str, Any]:
    """Item, key and the values of expressions come in JSON form."""
    converted = {
        name: to_boto(arguments[name]) for name in ("Item", "Key", "ExpressionAttributeValues") if name in arguments
    }
    return arguments | converted


def _chunks(groups: list[Group], most: int) -> list[list[Group]]:
    """Groups for a transaction each: so many writes, so many bytes, and one group at least."""
    chunks: list[list[Group]] = []
    writes = room = 0
    for group in groups:
        if not chunks or group.size > room or len(group.left) > writes:
            chunks.append([])
            writes, room = most, TRANSACTION_BYTES
        chunks[-1].append(group)
        writes -= len(group.left)
        room -= group.size
    return chunks


def _sort_by_reason(chunk: list[Group], codes: list[str], settled: Settled) -> tuple[list[Group], list[Group]]:
    """Of a cancelled transaction: note what is refused; (the groups to send again, those that go alone)."""
    again: list[Group] = []
    alone: list[Group] = []
    start = 0
    for group in chunk:
        own = codes[start : start + len(group.left)]
        start += len(own)
        group.drop_refused(own)
        if not group.left:
            _note([group], settled)
        else:
            (again if {NO_REASON, REFUSED}.issuperset(own) else alone).append(group)
    return again, alone


def _codes(error: ClientError, writes: int = 1) -> list[str]:
    """Why each of so many writes of a call was not made, in the words of single writes."""
    reasons = error.response.get("CancellationReasons") or [{"Code": error_code(error)}] * writes
    codes = [reason.get("Code", NO_REASON) for reason in reasons]
    return [CODES_OF_REASONS.get(code, code) for code in codes]


def _note(groups: list[Group], settled: Settled) -> None:
    for group in groups:
        (settled.refused if group.refused else settled.applied).append(group.subject)
