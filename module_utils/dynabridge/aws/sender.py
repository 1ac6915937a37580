# SPDX-License-Identifier: MIT
"""The sender: a batch of a table's stream goes to the peer, without what the peer wrote itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..changes import Change, identity, keys_of
from ..errors import MalformedRecord
from ..history import Findings, Policy, asks_memory, walk
from ..settings import SenderSettings
from ..wire import WireRecord, pack
from .counters import log, report
from .own_side import OwnSide
from .peer import PeerStream
from .quarantine import Quarantine

NAMED = 5  # items of a kind that one batch names in the log
WARNINGS = {
    "unstamped": "write without a new stamp does not replicate",
    "lifted": "write with an older stamp than it replaced: its writer's clock is behind; it gets a later stamp",
    "ahead": "write with a stamp beyond MAX_CLOCK_SKEW_SECONDS: its writer's clock is ahead; the stamp is brought back",
    "overwritten": "write was overwritten by the peer's before it had a stamp",
    "taken_back": "older version of the peer's came in behind a delete: it is taken back",
    "old_echoes": "write bears an old stamp of the peer's: normal in a backlog, else an item copied with its stamp",
}
Numbered = tuple[int, dict[str, Any]]


@dataclass
class Sender:
    """Handles batches of a DynamoDB stream mapping with ReportBatchItemFailures."""

    settings: SenderSettings
    peer: PeerStream
    quarantine: Quarantine
    own_side: OwnSide
    cloudwatch: Any

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Send the batch; gives the partial batch response: where the mapping has to begin again."""
        self.quarantine.begin()
        records = event["Records"]
        tally: Counter[str] = Counter(records=len(records))
        try:
            again = self._handle(records, tally)
        except Exception:
            tally["unsent"] = len(records)  # an outage is no silence
            raise
        finally:
            report("ddb_send_to_kinesis", tally, self.cloudwatch, self.settings.namespace)
        return self.quarantine.answer(event, _failures(records, again))

    def _handle(self, records: list[dict], tally: Counter[str]) -> list[int]:
        """Gives the positions of the records that have to come again."""
        again: list[int] = []
        changes: list[Change] = []
        for table, items in self._by_table(records, tally).items():
            changes += self._settle(self.settings.policy(table), items, records, tally, again)
        tally["unsettled"] = len(again)
        return again + [record.position for record in self._send(changes, records, tally)]

    def _by_table(self, records: list[dict], tally: Counter[str]) -> dict[str, dict[tuple, list[Numbered]]]:
        """Table -> item -> its records, the items in the order of their last record."""
        tables: dict[str, dict[tuple, list[Numbered]]] = {}
        for position, record in enumerate(records):
            try:
                table, keys = _table_of(record), keys_of(record)
            except MalformedRecord as error:
                self._keep(record, str(error), tally)
                continue
            items = tables.setdefault(table, {})
            name = identity(table, keys)
            items[name] = [*items.pop(name, []), (position, record)]
        return tables

    def _settle(
        self,
        policy: Policy,
        items: dict[tuple, list[Numbered]],
        records: list[dict],
        tally: Counter[str],
        again: list[int],
    ) -> list[Change]:
        """Settle on this side what the records say; gives what the peer has to hear."""
        findings = self._findings(policy, items)
        said: Counter[str] = Counter()
        for _position, found in findings:
            tally.update(found.tally)
            _name(found, said)
        settlement = self.own_side.settle(findings, policy)
        tally.update(settlement.tally)
        for position, reason in settlement.poison:
            self._keep(records[position], reason, tally)
        again += [position for position, _reason in settlement.unsettled]
        return [found.send for _position, found in findings if found.send is not None]

    def _findings(self, policy: Policy, items: dict[tuple, list[Numbered]]) -> list[tuple[int, Findings]]:
        asked = [
            keys_of(numbered[0][1])
            for numbered in items.values()
            if any(asks_memory(record, policy.names) for _position, record in numbered)
        ]
        remembered = self.own_side.remembered(policy.table, asked)
        return [(numbered[0][0], walk(numbered, remembered.get(name), policy)) for name, numbered in items.items()]

    def _send(self, changes: list[Change], records: list[dict], tally: Counter[str]) -> list[WireRecord]:
        packed, too_large = pack(changes, self.settings.side, self.settings.lanes)
        for change in too_large:
            self._keep(records[change.position], "change is larger than a Kinesis record", tally)
        unsent = self.peer.put(packed)
        tally.update(
            sent=sum(change.count for change in changes) - _count(unsent),
            kinesis_records=len(packed) - len(unsent),
            unsent=_count(unsent),
        )
        return unsent

    def _keep(self, record: dict, reason: str, tally: Counter[str]) -> None:
        data = record.get("dynamodb") or {}
        sequence = str(data.get("SequenceNumber") or record.get("eventID"))
        arrived = float(data.get("ApproximateCreationDateTime", 0))
        self.quarantine.keep(record, reason, record.get("eventSourceARN", ""), sequence, arrived)
        tally["quarantined"] += 1


def _failures(records: list[dict], again: list[int]) -> list[dict]:
    """The mapping begins again at the lowest reported record, so one identifier says it all."""
    return [{"itemIdentifier": records[min(again)]["dynamodb"]["SequenceNumber"]}] if again else []


def _table_of(record: dict) -> str:
    """``arn:aws-cn:dynamodb:region:account:table/NAME/stream/label`` -> NAME."""
    return record["eventSourceARN"].split("/")[1]


def _count(records: list[WireRecord]) -> int:
    return sum(change.count for record in records for change in record.changes)


def _name(found: Findings, said: Counter[str]) -> None:
    """Say which items were not plain news, for the first few of a batch. Stamping managed items is no news to anybody."""
    for what, record in found.named:
        if what in WARNINGS and said[what] < NAMED:
            said[what] += 1
            log(warning=WARNINGS[what], table=_table_of(record), keys=found.keys)
