# SPDX-License-Identifier: MIT
"""The receiver: the peer's changes are applied to this side's tables by the conflict rule."""

from __future__ import annotations

import base64
import binascii
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ..changes import Change, fingerprint
from ..conflict import fold
from ..errors import MalformedRecord
from ..original_wire import is_original, read_original
from ..settings import ReceiverSettings
from ..wire import decode
from .apply import Applier, Outcome
from .counters import Metrics, count_replicated, report
from .quarantine import Quarantine


@dataclass
class Receiver:
    """Handles batches of a Kinesis mapping with ReportBatchItemFailures."""

    settings: ReceiverSettings
    applier: Applier
    quarantine: Quarantine
    dynamodb: Any
    cloudwatch: Any
    now: Callable[[], float] = time.time

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Apply the batch; gives the partial batch response: where the mapping has to begin again."""
        self.quarantine.begin()
        records = event["Records"]
        tally: Counter[str] = Counter(kinesis_records=len(records))
        metrics: Metrics = {}
        try:
            outcome = self._apply(records, tally)
            # Replayed changes are late, but replication is not.
            lag = 0.0 if event.get("replay") else self._lag(outcome.applied)
            metrics = count_replicated(self.dynamodb, self.settings.stats_table, _count(outcome.applied), lag)
        except Exception:
            tally["unsettled"] = len(records)  # an outage is no silence
            raise
        finally:
            report("replicator_kinesis", tally, self.cloudwatch, self.settings.namespace, metrics)
        return self.quarantine.answer(event, self._failures(records, outcome))

    def _apply(self, records: list[dict], tally: Counter[str]) -> Outcome:
        changes = fold(self._changes(records, tally), self.settings.names)
        outcome = self.applier.apply(changes)
        for change, reason in outcome.poison:
            self._keep(records[change.position], reason, tally, change)
        self._tally(outcome, tally)
        return outcome

    def _changes(self, records: list[dict], tally: Counter[str]) -> list[Change]:
        changes: list[Change] = []
        for position, record in enumerate(records):
            try:
                found = self._read(record, position, tally)
            except MalformedRecord as error:
                self._keep(record, str(error), tally)
                continue
            for change in found:
                if change.table in self.settings.tables:
                    changes.append(change)
                else:
                    self._keep(
                        record, f"table {change.table} is not replicated on side {self.settings.side}", tally, change
                    )
        return changes

    def _read(self, record: dict, position: int, tally: Counter[str]) -> list[Change]:
        data = _payload(record)
        if not is_original(data):
            return decode(data, position)[1]
        tally["original_records"] += 1  # while the log says so, the peer has the source documents' sender
        arrived = float(record["kinesis"].get("approximateArrivalTimestamp", 0))
        return [read_original(data, self._only_table(), self.settings.names, arrived, position)]

    def _only_table(self) -> str:
        """The table of a record that names none."""
        if len(self.settings.tables) > 1:
            raise MalformedRecord(
                f"record of the original functions names no table, and side {self.settings.side} replicates several: deploy"
                " with the table of the original functions alone, replay, and add the others then"
            )
        return next(iter(self.settings.tables))

    def _keep(self, record: dict, reason: str, tally: Counter[str], change: Change | None = None) -> None:
        """Keep a whole Kinesis record, or of a readable one just the change that cannot be applied."""
        kinesis = record["kinesis"]
        sequence = kinesis["sequenceNumber"]
        content: Any = record
        if change is not None:
            sequence, content = f"{sequence}-{fingerprint(change)}", asdict(change)
        self.quarantine.keep(
            content, reason, record["eventSourceARN"], sequence, float(kinesis.get("approximateArrivalTimestamp", 0))
        )
        tally["quarantined"] += 1

    def _lag(self, applied: list[Change]) -> float:
        """Seconds from the oldest write of the batch to now; 0 where the other side's clock is ahead.

        AWS rounds the time of the write to the second.
        """
        return max((max(0.0, self.now() - change.at) for change in applied if change.at), default=0.0)

    @staticmethod
    def _tally(outcome: Outcome, tally: Counter[str]) -> None:
        tally.update(
            applied=_count(outcome.applied),
            refused=_count(outcome.refused),
            late=_count(outcome.late),
            items=len(outcome.applied),
            unsettled=len(outcome.unsettled),
        )

    @staticmethod
    def _failures(records: list[dict], outcome: Outcome) -> list[dict]:
        """The mapping begins again at the lowest reported record; what was applied is refused then, not applied twice."""
        if not outcome.unsettled:
            return []
        first = min(change.position for change, _reason in outcome.unsettled)
        return [{"itemIdentifier": records[first]["kinesis"]["sequenceNumber"]}]


def _payload(record: dict) -> bytes:
    try:
        return base64.b64decode(record["kinesis"]["data"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise MalformedRecord(f"Kinesis record without readable data: {error}") from error


def _count(changes: list[Change]) -> int:
    return sum(change.count for change in changes)
