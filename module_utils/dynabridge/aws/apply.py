# SPDX-License-Identifier: MIT
"""Apply changes to tables by the conflict rule, many a call, each with its own outcome.

Up to ``write_batch`` conditional writes go in one TransactWriteItems. A refusal cancels the transaction and says for each
write why: the refused ones are done (the rule decided against them), the rest is sent again without them. What a
transaction does not settle (another writer on the same item, a write that DynamoDB finds invalid) is written singly, so
that one bad or hot item does not hold up the others. docs/replication.md has the figures and the price of this choice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ..attributes import to_boto
from ..changes import PUT, Change
from ..conflict import condition
from ..errors import MalformedRecord, TableUnavailable
from ..stamps import StampNames
from .answers import error_code

# TransactWriteItems: 100 actions, 4 MB (DynamoDB API reference). Measured here as JSON, which is longer than the item.
TRANSACTION_BYTES = 3_500_000
TRANSACTION_ROUNDS = 3
SINGLE_ATTEMPTS = 6
BUSY = frozenset(
    {
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "InternalServerError",
    }
)
INVALID = frozenset({"ValidationException", "ItemCollectionSizeLimitExceededException"})
UNAVAILABLE = frozenset({"ResourceNotFoundException", "AccessDeniedException"})


@dataclass
class Outcome:
    """What became of each change.

    applied: written. refused: the rule decided for what is stored. poison: (change, reason), never going to be written.
    unsettled: (change, reason), to be tried again later.
    """

    applied: list[Change] = field(default_factory=list)
    refused: list[Change] = field(default_factory=list)
    poison: list[tuple[Change, str]] = field(default_factory=list)
    unsettled: list[tuple[Change, str]] = field(default_factory=list)


class Applier:
    """Writes changes through a low-level DynamoDB client. At most one change an item may be given at a time."""

    def __init__(
        self, dynamodb: Any, names: StampNames, write_batch: int = 100, pause: Callable[[float], None] = time.sleep
    ):
        self._dynamodb, self._names, self._write_batch, self._pause = dynamodb, names, write_batch, pause

    def apply(self, changes: list[Change]) -> Outcome:
        """Settle the changes. Raises TableUnavailable when a table is missing or closed to the caller."""
        outcome = Outcome()
        writes = []
        for change in changes:
            try:
                writes.append((change, self._write_of(change)))
            except MalformedRecord as error:
                outcome.poison.append((change, str(error)))
        for chunk in _chunks(writes, self._write_batch):
            for write in self._transact(chunk, outcome):
                self._write_singly(*write, outcome)
        return outcome

    def _write_of(self, change: Change) -> dict[str, Any]:
        """The change as an action of TransactWriteItems."""
        arguments = {"TableName": change.table, **_boto_condition(condition(change, self._names))}
        if change.operation == PUT:
            return {"Put": arguments | {"Item": to_boto(change.image)}}
        return {"Delete": arguments | {"Key": to_boto(change.keys)}}

    def _transact(self, writes: list[tuple], outcome: Outcome) -> list[tuple]:
        """Write what a transaction can settle; give back what has to be written singly."""
        singly: list[tuple] = []
        for _round in range(TRANSACTION_ROUNDS):
            if len(writes) < 2:
                break
            try:
                self._dynamodb.transact_write_items(TransactItems=[write for _change, write in writes])
            except ClientError as error:
                reasons = error.response.get("CancellationReasons")
                if not reasons:
                    self._raise_if_unavailable(error, writes[0][0])
                    break
                writes = _sort_by_reason(writes, reasons, outcome, singly)
            else:
                outcome.applied.extend(change for change, _write in writes)
                return singly
        return singly + writes

    def _write_singly(self, change: Change, write: dict[str, Any], outcome: Outcome) -> None:
        reason = ""
        for attempt in range(SINGLE_ATTEMPTS):
            try:
                self._call(write)
            except ClientError as error:
                self._raise_if_unavailable(error, change)
                code, reason = error_code(error), str(error)
                if code == "ConditionalCheckFailedException":
                    outcome.refused.append(change)
                elif code in INVALID:
                    outcome.poison.append((change, reason))
                elif code in BUSY:
                    self._pause(0.05 * 2**attempt)
                    continue
                else:
                    raise
            else:
                outcome.applied.append(change)
            return
        outcome.unsettled.append((change, reason))

    def _call(self, write: dict[str, Any]) -> None:
        ((action, arguments),) = write.items()
        (self._dynamodb.put_item if action == "Put" else self._dynamodb.delete_item)(**arguments)

    @staticmethod
    def _raise_if_unavailable(error: ClientError, change: Change) -> None:
        code = error_code(error)
        if code in UNAVAILABLE:
            raise TableUnavailable(
                f"table {change.table} cannot be written ({code}): "
                f"{error.response['Error'].get('Message', '')}; run deploy.yml for this side"
            ) from error


def _boto_condition(arguments: dict[str, Any]) -> dict[str, Any]:
    """The stamp in a condition comes from the image, which is in JSON form."""
    if "ExpressionAttributeValues" not in arguments:
        return arguments
    return arguments | {"ExpressionAttributeValues": to_boto(arguments["ExpressionAttributeValues"])}


def _chunks(writes: list[tuple], most: int) -> list[list[tuple]]:
    chunks: list[list[tuple]] = []
    room = 0
    for change, write in writes:
        size = len(json.dumps(change.image)) + len(json.dumps(change.keys))
        if not chunks or size > room or len(chunks[-1]) == most:
            chunks.append([])
            room = TRANSACTION_BYTES
        chunks[-1].append((change, write))
        room -= size
    return chunks


def _sort_by_reason(writes: list[tuple], reasons: list[dict], outcome: Outcome, singly: list[tuple]) -> list[tuple]:
    """Of a cancelled transaction: note the refused, put aside what needs a single write, give back the rest."""
    again = []
    for write, reason in zip(writes, reasons, strict=True):
        code = reason.get("Code", "None")
        if code == "ConditionalCheckFailed":
            outcome.refused.append(write[0])
        elif code == "None":
            again.append(write)
        else:
            singly.append(write)
    return again
