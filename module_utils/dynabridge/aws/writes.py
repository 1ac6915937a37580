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

from botocore.exceptions import ClientError

from ..attributes import to_boto, to_json
from ..errors import MalformedRecord, TableUnavailable
from .answers import error_code

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


class Writer:
    """Writes through a low-level DynamoDB client. No two writes of a call may be about the same item."""

    def __init__(self, dynamodb: Any, write_batch: int = 100, pause: Callable[[float], None] = time.sleep) -> None:
        self._dynamodb, self._write_batch, self._pause = dynamodb, write_batch, pause

    def write(self, writes: Iterable[Write]) -> Settled:
        """Settle the writes. Raises TableUnavailable when a table is missing or closed to the caller."""
        settled = Settled()
        ready = []
        for write in writes:
            try:
                ready.append((write, _to_boto(write.arguments)))
            except MalformedRecord as error:
                settled.poison.append((write.subject, str(error)))
        for chunk in _chunks(ready, self._write_batch):
            for write, arguments in self._transact(chunk, settled):
                self._write_singly(write, arguments, settled)
        return settled

    def _transact(self, chunk: list[tuple], settled: Settled) -> list[tuple]:
        """Write what a transaction can settle; give back what has to be written singly."""
        singly: list[tuple] = []
        for _round in range(TRANSACTION_ROUNDS):
            if len(chunk) < 2:
                break
            try:
                self._dynamodb.transact_write_items(
                    TransactItems=[{write.action: arguments} for write, arguments in chunk]
                )
            except ClientError as error:
                reasons = error.response.get("CancellationReasons")
                if not reasons:
                    raise_if_unavailable(error, chunk[0][0].arguments["TableName"])
                    break
                chunk = _sort_by_reason(chunk, reasons, settled, singly)
            else:
                settled.applied.extend(write.subject for write, _arguments in chunk)
                return singly
        return singly + chunk

    def _write_singly(self, write: Write, arguments: dict[str, Any], settled: Settled) -> None:
        call = getattr(
            self._dynamodb, {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[write.action]
        )
        reason = ""
        for attempt in range(SINGLE_ATTEMPTS):
            try:
                call(**arguments)
            except ClientError as error:
                raise_if_unavailable(error, arguments["TableName"])
                code, reason = error_code(error), str(error)
                if code == "ConditionalCheckFailedException":
                    settled.refused.append(write.subject)
                elif code in INVALID:
                    settled.poison.append((write.subject, reason))
                elif code in BUSY:
                    self._pause(0.05 * 2**attempt)
                    continue
                else:
                    raise
            else:
                settled.applied.append(write.subject)
            return
        settled.unsettled.append((write.subject, reason))


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


def _chunks(writes: list[tuple], most: int) -> list[list[tuple]]:
    chunks: list[list[tuple]] = []
    room = 0
    for write, arguments in writes:
        size = len(json.dumps(write.arguments))
        if not chunks or size > room or len(chunks[-1]) == most:
            chunks.append([])
            room = TRANSACTION_BYTES
        chunks[-1].append((write, arguments))
        room -= size
    return chunks


def _sort_by_reason(chunk: list[tuple], reasons: list[dict], settled: Settled, singly: list[tuple]) -> list[tuple]:
    """Of a cancelled transaction: note the refused, put aside what needs a single write, give back the rest."""
    again = []
    for entry, reason in zip(chunk, reasons, strict=True):
        code = reason.get("Code", "None")
        if code == "ConditionalCheckFailed":
            settled.refused.append(entry[0].subject)
        elif code == "None":
            again.append(entry)
        else:
            singly.append(entry)
    return again
