# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring one batch of a lane to its end: invoke, and on failure retry, bisect or discard.

AWS Lambda Developer Guide, "Handling errors" of both stream kinds:
* a failed batch is retried whole until MaximumRetryAttempts are used up or its records are too old;
* BisectBatchOnFunctionError splits it in two first, and "splitting a batch does not count towards the retry
  quota"; with partial responses the batch is split at the reported record;
* without bisection a partial failure retries what is left, without new records, and counts as a retry;
* throttled invocations are no function errors: they are tried again without counting.
"""

import logging
import time
from collections import deque
from dataclasses import dataclass, replace

from . import failure, outcomes

logger = logging.getLogger("local_aws.mappings")


@dataclass(frozen=True)
class Part:
    """A run of records that is invoked together, and what has happened to it."""

    records: list
    failures: int = 0
    invocations: int = 0
    function_error: str | None = None


class Delivery:
    """Uses of its lane: `settings`, `shard`, `invoke`, `checkpoint`, `pause`, `stopped`, `report`."""

    def __init__(self, lane):
        self.lane = lane

    def run(self, records: list) -> bool:
        """Settle all records, oldest first; False if the lane was stopped before the end."""
        pending = deque([Part(records)])
        while pending:
            if self.lane.stopped():
                return False
            part = self._without_expired(self._still_readable(pending.popleft()))
            if part.records:
                pending.extendleft(reversed(self._attempt(part)))
        return True

    def _attempt(self, part: Part) -> list[Part]:
        """Invoke once; the answer is what still has to be done."""
        settings = self.lane.settings
        result = self.lane.invoke(part.records)
        if result is None:  # no such function at present
            self.lane.pause(1.0)
            return [part]
        reports = "ReportBatchItemFailures" in (settings.get("FunctionResponseTypes") or [])
        outcome = outcomes.judge(result, [record.sequence_number for record in part.records], reports)
        part = replace(part, invocations=part.invocations + 1, function_error=outcome.function_error)
        if outcome.done:
            self.lane.checkpoint(part.records[outcome.done - 1].place)
        if outcome.done == len(part.records):
            self.lane.report("OK")
            return []
        self.lane.report("PROBLEM: Function call failed")
        return self._after_failure(part, outcome, settings)

    def _after_failure(self, part: Part, outcome: outcomes.Outcome, settings: dict) -> list[Part]:
        left = replace(part, records=part.records[outcome.done :])
        if self.lane.stopped():
            return [left]
        if outcome.throttled:
            self.lane.pause(outcomes.pause(left.invocations))
            return [left]
        if settings.get("BisectBatchOnFunctionError"):
            if outcome.done:
                return [left]
            if len(left.records) > 1:
                middle = len(left.records) // 2
                return [replace(left, records=left.records[:middle]), replace(left, records=left.records[middle:])]
        return self._retried(replace(left, failures=left.failures + 1), settings)

    def _retried(self, part: Part, settings: dict) -> list[Part]:
        allowed = settings.get("MaximumRetryAttempts", -1)
        if 0 <= allowed < part.failures:
            self._discard(part, "RetryAttemptsExhausted")
            return []
        self.lane.pause(outcomes.pause(part.failures))
        return [part]

    def _still_readable(self, part: Part) -> Part:
        """What the stream still holds: its retention ends every retry, and so does its deletion."""
        if not part.failures:
            return part
        oldest = self.lane.shard.first_place()
        held = [record for record in part.records if oldest is not None and record.place >= oldest]
        return replace(part, records=held)

    def _without_expired(self, part: Part) -> Part:
        arrivals = [record.arrival for record in part.records]
        expired = outcomes.expired_count(arrivals, self.lane.settings.get("MaximumRecordAgeInSeconds", -1), time.time())
        if expired:
            self._discard(replace(part, records=part.records[:expired]), "RecordAgeExceeded")
        return replace(part, records=part.records[expired:])

    def _discard(self, part: Part, condition: str) -> None:
        shard, config = self.lane.shard, self.lane.function_config()
        target = ((self.lane.settings.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        logger.warning("%s: %d records of %s discarded (%s)", self.lane.name, len(part.records), shard.arn, condition)
        if target:
            body = failure.message(
                shard, part.records, condition, self.lane.settings["FunctionArn"], part.invocations, part.function_error
            )
            try:
                failure.send(target, body, config)
            except Exception as error:
                logger.warning("%s: no on-failure message to %s: %s", self.lane.name, target, error)
                self.lane.report(f"PROBLEM: on-failure message not sent: {error}")
        self.lane.checkpoint(part.records[-1].place)
