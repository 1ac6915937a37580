# SPDX-License-Identifier: GPL-3.0-or-later
"""A lane: one thread that reads its share of one shard and delivers it batch by batch.

An idle lane sleeps on an event without a timeout. Producers call `wake_lanes_with_news` after they have
appended a record; a lane registers as idle *before* it looks for records a last time, so none is missed.
"""

import contextlib
import json
import logging
import threading
import time

from ministack.core.responses import request_scope
from ministack.services import lambda_svc

from ..faults import regions
from . import access, ages
from .delivery import Delivery

logger = logging.getLogger("local_aws.mappings")

# "Lambda ... batch payload limit of 6 MB": Lambda Developer Guide, batching behaviour.
PAYLOAD_BYTES = 6 * 1024 * 1024
READ_AT_ONCE = 1000  # GetRecords' limit
DENIED_PAUSE_SECONDS = 1.0

_idle: set["Lane"] = set()
_idle_lock = threading.Lock()


def wake_lanes_with_news() -> None:
    if not _idle:
        return
    with _idle_lock:
        waiting = tuple(_idle)
    for lane in waiting:
        if lane.has_news():
            lane.wake.set()


@contextlib.contextmanager
def _idle_listed(lane: "Lane"):
    with _idle_lock:
        _idle.add(lane)
    try:
        yield
    finally:
        with _idle_lock:
            _idle.discard(lane)


class Lane:
    """Lane `index` of `count` of one shard of one mapping."""

    def __init__(self, mapping: dict, shard, index: int, count: int, position: int, predecessors=()):
        self.settings, self.shard, self.index, self.count = mapping, shard, index, count
        self.position = position  # everything of this lane up to here is settled
        self.scanned = position
        self.wake = threading.Event()
        self._ended = threading.Event()
        self._predecessors = predecessors
        self.name = f"mapping {mapping['UUID'][:8]} {shard.shard_id} lane {index}"
        self.thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    # -- for the supervisor ------------------------------------------------------------------

    def end(self) -> None:
        self._ended.set()
        self.wake.set()

    def ended(self) -> bool:
        return self._ended.is_set()

    def has_news(self) -> bool:
        return self.shard.last_place() > self.scanned

    # -- for the delivery --------------------------------------------------------------------

    def stopped(self) -> bool:
        return self._ended.is_set() or not self.settings.get("Enabled", True) or regions.is_down(self.shard.region)

    def checkpoint(self, place: int) -> None:
        self.position = place

    def pause(self, seconds: float) -> None:
        self._ended.wait(seconds)

    def report(self, result: str) -> None:
        self.settings["LastProcessingResult"] = result

    def function_config(self) -> dict:
        return self._function()[1] or {}

    def invoke(self, records: list) -> dict | None:
        function, _config = self._function()
        if function is None:
            self.report(f"PROBLEM: Function not found: {self.settings['FunctionArn']}")
            return None
        ages.publish(self.settings["FunctionName"], records)
        result = lambda_svc._execute_function(function, {"Records": [record.event for record in records]})
        if result.get("error"):
            logger.warning(
                "%s: %s failed: %s\n%s",
                self.name,
                self.settings["FunctionName"],
                result.get("body"),
                result.get("log", ""),
            )
        return result

    def _function(self) -> tuple:
        return lambda_svc._get_func_record_for_qualifier(self.settings["FunctionName"], self.settings.get("Qualifier"))

    # -- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        with request_scope(self.shard.account, self.shard.region):
            self._read_until_ended()

    def _read_until_ended(self) -> None:
        for lane in self._predecessors:  # the same records must not run twice at once
            lane.thread.join()
            self.position = self.scanned = min(self.position, lane.position)
        while not self.ended():
            try:
                self._step()
            except Exception:
                logger.exception("%s: unexpected failure", self.name)
                self.pause(1.0)

    def _step(self) -> None:
        if not self._wait_for_news():
            return
        config = self.function_config()
        if config and not access.may_read(config, self.shard.arn):
            self.report(f"PROBLEM: {access.cannot_read(self.shard.arn)}")
            self.pause(DENIED_PAUSE_SECONDS)
            return
        records, end = self._gather(config.get("Role", ""))
        if not records or Delivery(self).run(records):
            self.position = end

    def _wait_for_news(self) -> bool:
        """True if there is something to read; False after a wake-up that only asks to look around."""
        self.scanned = self.position
        self.wake.clear()
        if self.stopped():
            self.wake.wait(None if not self.ended() else 0)
            return False
        with _idle_listed(self):
            if not self.has_news():
                self.wake.wait()
        return not self.stopped() and self.has_news()

    def _gather(self, role: str) -> tuple[list, int]:
        """One batch and the place up to which the shard was looked through for it."""
        batch = _Batch(self.settings.get("BatchSize", 100), self.position)
        window = self.settings.get("MaximumBatchingWindowInSeconds") or 0
        deadline = time.monotonic() + window
        while True:
            found = self.shard.read(batch.end, READ_AT_ONCE)
            batch.add(found, self, role)
            if batch.full or self.stopped():
                break
            if len(found) == READ_AT_ONCE:
                continue
            if not batch.records or not self._more_within(deadline, batch.end):
                break
        return batch.records, batch.end

    def _more_within(self, deadline: float, scanned: int) -> bool:
        """Whether further records come before the batching window closes."""
        self.scanned = scanned
        while (left := deadline - time.monotonic()) > 0 and not self.stopped():
            self.wake.clear()
            with _idle_listed(self):
                if self.has_news() or (self.wake.wait(left) and self.has_news()):
                    return True
        return False


class _Batch:
    """Records of one lane up to the batch size and the payload limit."""

    def __init__(self, size: int, end: int):
        self.size, self.end = size, end
        self.records: list = []
        self.full = False
        self._bytes = 0

    def add(self, found: list[dict], lane: Lane, role: str) -> None:
        for raw in found:
            if lane.shard.lane(raw, lane.count) == lane.index:
                record = lane.shard.record(raw, role)
                if lambda_svc._apply_filter_criteria([record.event], lane.settings) and not self._take(record):
                    return
            self.end = lane.shard.place(raw)
            if self.full:
                return

    def _take(self, record) -> bool:
        weight = len(json.dumps(record.event))
        if self.records and self._bytes + weight > PAYLOAD_BYTES:
            self.full = True
            return False
        self._bytes += weight
        self.records.append(record)
        self.full = len(self.records) >= self.size
        return True
