# SPDX-License-Identifier: MIT
"""The sender: a batch of a table's stream goes to the peer, without what the peer wrote itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..changes import Change, Policy, Verdict, judge, last_of_each_item, read_record, steps_back
from ..errors import MalformedRecord
from ..settings import SenderSettings
from ..wire import WireRecord, pack
from .counters import log, report
from .peer import PeerStream
from .quarantine import Quarantine


@dataclass
class Sender:
    """Handles batches of a DynamoDB stream mapping with ReportBatchItemFailures."""

    settings: SenderSettings
    peer: PeerStream
    quarantine: Quarantine
    cloudwatch: Any

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Send the batch; gives the partial batch response: where the mapping has to begin again."""
        records = event["Records"]
        tally: Counter[str] = Counter(records=len(records))
        changes = self._changes(records, tally)
        latest = last_of_each_item(changes)
        packed, too_large = pack(latest, self.settings.side, self.settings.lanes)
        for change in too_large:
            self._keep(records[change.position], "change is larger than a Kinesis record", tally)
        unsent = self.peer.put(packed)
        tally.update(
            sent=len(changes) - _count(unsent), kinesis_records=len(packed) - len(unsent), unsent=_count(unsent)
        )
        report("ddb_send_to_kinesis", tally, self.cloudwatch, self.settings.namespace)
        return {"batchItemFailures": self._failures(records, unsent)}

    def _changes(self, records: list[dict], tally: Counter[str]) -> list[Change]:
        policy = Policy(self.settings.target_region, self.settings.names, self.settings.replicate_ttl_deletes)
        changes = []
        for position, record in enumerate(records):
            try:
                verdict = judge(record, policy)
                if verdict is Verdict.SEND:
                    table = self.settings.target_table(_table_of(record))
                    changes.append(read_record(record, table, self.settings.names, position))
                    if steps_back(record, self.settings.names):
                        _name(
                            record,
                            "stale",
                            tally,
                            "write with an older stamp than it replaced: the peer keeps the later one",
                        )
                    continue
            except MalformedRecord as error:
                self._keep(record, str(error), tally)
                continue
            if verdict is Verdict.UNSTAMPED:
                _name(record, verdict.value, tally, "write without a new stamp does not replicate")
            else:
                tally[verdict.value] += 1
        return changes

    def _keep(self, record: dict, reason: str, tally: Counter[str]) -> None:
        data = record.get("dynamodb") or {}
        sequence = str(data.get("SequenceNumber") or record.get("eventID"))
        arrived = float(data.get("ApproximateCreationDateTime", 0))
        self.quarantine.keep(record, reason, record.get("eventSourceARN", ""), sequence, arrived)
        tally["quarantined"] += 1

    @staticmethod
    def _failures(records: list[dict], unsent: list[WireRecord]) -> list[dict]:
        """The mapping begins again at the lowest reported record, so one identifier says it all."""
        if not unsent:
            return []
        first = min(record.position for record in unsent)
        return [{"itemIdentifier": records[first]["dynamodb"]["SequenceNumber"]}]


def _table_of(record: dict) -> str:
    """``arn:aws-cn:dynamodb:region:account:table/NAME/stream/label`` -> NAME."""
    return record["eventSourceARN"].split("/")[1]


def _count(records: list[WireRecord]) -> int:
    return sum(change.count for record in records for change in record.changes)


def _name(record: dict, kind: str, tally: Counter[str], warning: str) -> None:
    """Count a write that the rule cannot carry over, and say which item it was, for the first few of a batch."""
    tally[kind] += 1
    if tally[kind] <= 5:
        log(warning=warning, table=_table_of(record), keys=record["dynamodb"]["Keys"])
