# SPDX-License-Identifier: MIT
"""The capture: every record of a batch of a table's stream goes to the log of changes on S3.

A batch that comes again writes the same objects again. What S3 does not take fails the whole batch, and Lambda brings it
again. A record that cannot be read is kept in the quarantine, and the watermark is told that it is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..capture import check_record, hole_message, hole_of, table_of, written_at
from ..capture_settings import CaptureSettings
from ..change_log import objects_of
from ..errors import MalformedRecord
from .counters import log, publish
from .objects import Objects
from .quarantine import Quarantine

FUNCTION = "stream_to_s3"
TYPE = "application/gzip"
Record = dict[str, Any]


@dataclass
class Capture:
    """Handles batches of DynamoDB stream mappings."""

    settings: CaptureSettings
    objects: Objects
    quarantine: Quarantine
    sqs: Any
    cloudwatch: Any
    now: Callable[[], float] = time.time

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Write the batch; gives the partial batch response, which is always that all is done. Raises what S3 raises."""
        self.quarantine.begin()
        tables, unreadable = self._sorted(event["Records"])
        for table, records in tables.items():
            self.write(table, records)
        if unreadable:
            self._keep(event["Records"], unreadable)
        counts = {table: len(records) for table, records in tables.items()}
        log(function=self.settings.function, captured=counts, quarantined=len(unreadable))
        publish(self.cloudwatch, self.settings.namespace, [_count(table, count) for table, count in counts.items()])
        return self.quarantine.answer(event, [])

    def write(self, table: str, records: list[Record]) -> None:
        """Records of one table, which can be read, in the order of their stream."""
        for key, body in objects_of(table, records, self.settings.prefix):
            self.objects.put(key, body, TYPE)

    def take(self, records: list[Record]) -> int:
        """Records that a mapping gave up, read from the stream once more; gives how many of them could be read."""
        tables, unreadable = self._sorted(records)
        for table, readable in tables.items():
            self.write(table, readable)
        if unreadable:
            self._keep(records, unreadable)
        return len(records) - len(unreadable)

    def _sorted(self, records: list[Record]) -> tuple[dict[str, list[Record]], list[tuple[Record, str]]]:
        """Table -> its readable records, and the others with the reasons."""
        tables: dict[str, list[Record]] = {}
        unreadable: list[tuple[Record, str]] = []
        for record in records:
            try:
                check_record(record)
                tables.setdefault(_table(record), []).append(record)
            except MalformedRecord as error:
                unreadable.append((record, str(error)))
        return tables, unreadable

    def _keep(self, records: list[Record], unreadable: list[tuple[Record, str]]) -> None:
        """Whole in the quarantine first: the hole says that they are there."""
        for record, reason in unreadable:
            data = record.get("dynamodb") or {}
            number = str(data.get("SequenceNumber") or record.get("eventID"))
            self.quarantine.keep(record, reason, record.get("eventSourceARN") or "", number, written_at(record) or 0)
        tables = {table_of(record.get("eventSourceARN") or "") for record, _reason in unreadable}
        # Of whichever table it is that a record does not name.
        tables = set(self.settings.tables) if "" in tables else tables
        hole = hole_of(records, [record for record, _reason in unreadable], self.now())
        url = self.sqs.get_queue_url(QueueName=self.settings.queue)["QueueUrl"]
        self.sqs.send_message(QueueUrl=url, MessageBody=hole_message(tables, hole))


def _table(record: Record) -> str:
    table = table_of(record.get("eventSourceARN") or "")
    if not table:
        raise MalformedRecord(f"stream record of the source {record.get('eventSourceARN')!r}")
    return table


def _count(table: str, count: int) -> dict[str, Any]:
    return {
        "MetricName": "Captured_count",
        "Dimensions": [{"Name": "Table", "Value": table}],
        "Value": count,
        "Unit": "Count",
    }
