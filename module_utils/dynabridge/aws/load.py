# SPDX-License-Identifier: MIT
"""Writing the items of a load plan: batches whose leftovers are sent again until none is left, counted and timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import DynabridgeError
from ..load_plan import DELETE, KeySchema, LoadPlan, Profile, backoff, batches, key_of, pause, profile_item
from ..stamps import StampNames
from .answers import error_code
from .botocore_errors import ClientError

BATCH = 25  # BatchWriteItem takes no more
PATIENCE = 300.0  # seconds in which at least one item must get through
COUNTED_FROM = 100
DIMENSIONS = [{"Name": "loader", "Value": "ddb-loader"}]
# The whole batch was refused for now; what DynamoDB could not take singly comes back as UnprocessedItems instead.
BUSY = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
    }
)


class LoadFailed(DynabridgeError):
    """Items could not be written."""


@dataclass(frozen=True)
class Target:
    """Where a load goes and what its items look like. stats_table, metric_namespace: '' = not counted there."""

    table: str
    schema: KeySchema
    operation: str
    region_name: str
    names: StampNames = StampNames()
    stats_table: str = ""
    metric_namespace: str = ""


@dataclass
class Tally:
    """Counts settled items in the stats table and in CloudWatch, at most about once a second."""

    target: Target
    dynamodb: Any
    cloudwatch: Any
    clock: Callable[[], float]
    pending: int = 0
    total: int = 0
    counted_at: float = field(default=float("-inf"))

    def add(self, count: int) -> None:
        self.pending += count
        if self.pending >= COUNTED_FROM and self.clock() - self.counted_at >= 1.0:
            self.flush()

    def flush(self) -> None:
        """Count what is pending. The metric is the running total: of the stats table, or of this process alone."""
        if not self.pending:
            return
        self.total += self.pending
        shown = self._add_to_stats() if self.target.stats_table else self.total
        self.pending = 0
        self.counted_at = self.clock()
        if self.target.metric_namespace:
            self.cloudwatch.put_metric_data(
                Namespace=self.target.metric_namespace,
                MetricData=[
                    {
                        "MetricName": "Total_loaded",
                        "Dimensions": DIMENSIONS,
                        "Value": shown,
                        "Unit": "Count",
                        "StorageResolution": 1,
                    }
                ],
            )

    def _add_to_stats(self) -> int:
        answer = self.dynamodb.update_item(
            TableName=self.target.stats_table,
            Key={"PK": {"S": "loaded_count"}},
            UpdateExpression="ADD cnt :n",
            ExpressionAttributeValues={":n": {"N": str(self.pending)}},
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["cnt"]["N"])


def write_batch(
    client: Any, table: str, requests: list[dict[str, Any]], chance: Callable[[], float], patience: float = PATIENCE
) -> Iterator[int]:
    """Write one batch; yield how many requests were settled by each call until none is left."""
    attempt, progress_at = 0, time.monotonic()
    while requests:
        left, reason = _write_once(client, table, requests)
        if len(left) < len(requests):
            yield len(requests) - len(left)
            attempt, progress_at = 0, time.monotonic()
        elif time.monotonic() - progress_at > patience:
            raise LoadFailed(
                f"Table {table} took none of {len(left)} items for {patience:.0f} s ({reason}): "
                "raise its capacity, or load at a lower rate."
            )
        requests = left
        if requests:
            time.sleep(backoff(attempt, chance()))
            attempt += 1


def _write_once(client: Any, table: str, requests: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    try:
        answer = client.batch_write_item(RequestItems={table: requests})
    except ClientError as error:
        if error_code(error) not in BUSY:
            raise LoadFailed(f"Table {table} refuses the items: {error}") from error
        return requests, error_code(error)
    return answer.get("UnprocessedItems", {}).get(table, []), "all came back unprocessed"


def requests_of(plan: LoadPlan, process: int, target: Target, profiles: Sequence[Profile]) -> Iterator[dict[str, Any]]:
    """The write requests of one process; each item is stamped when it is asked for, just before it is written."""
    random = plan.random(process, "profiles")
    for index in plan.indexes(process):
        key = key_of(plan.run_id, process, index, target.schema)
        if target.operation == DELETE:
            yield {"DeleteRequest": {"Key": key}}
        else:
            stamp = {
                target.names.timestamp: {"N": f"{time.time():.6f}"},
                target.names.region: {"S": target.region_name},
            }
            yield {"PutRequest": {"Item": profile_item(profiles, random) | stamp | key}}


def load(
    plan: LoadPlan,
    process: int,
    target: Target,
    profiles: Sequence[Profile],
    dynamodb: Any,
    cloudwatch: Any,
    report: Callable[[float, int], None],
    note: Callable[[list[dict[str, Any]]], None] | None = None,
) -> None:
    """Do one process's part of the plan; ``report`` hears when how many items were settled, ``note`` which writes."""
    tally = Tally(target, dynamodb, cloudwatch, time.monotonic)
    chance = plan.random(process, "backoff").random
    started, done = time.monotonic(), 0
    for batch in batches(requests_of(plan, process, target, profiles), _batch_size(plan)):
        for settled in write_batch(dynamodb, target.table, batch, chance):
            report(time.time(), settled)
            tally.add(settled)
        if note:
            note(batch)
        done += len(batch)
        time.sleep(pause(done, plan.rate_of_a_process, time.monotonic() - started))
    tally.flush()


def _batch_size(plan: LoadPlan) -> int:
    """Full batches; at a low rate smaller ones, so that the items flow instead of coming in bursts."""
    if not plan.rate:
        return BATCH
    return max(1, min(BATCH, int(plan.rate_of_a_process / 4)))
