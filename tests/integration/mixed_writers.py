# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that know nothing of stamps: threads of plain boto3 calls of every kind, and what they expect to stand."""

import random
import threading
from dataclasses import dataclass, field

from tests.integration.support import Bridge, Side

THREADS, OWN_KEYS, SHARED_KEYS = 4, 12, 40
STAMPS = {"last_update_timestamp", "last_updater_region"}
KINDS = {"put": 4, "update": 4, "delete": 3, "batch": 1, "copy": 3, "rewrite": 3}


def content(item: dict | None) -> dict | None:
    """What the application wrote, without what the bridge adds; None: no item."""
    return item and {name: value for name, value in item.items() if name not in STAMPS | {"PK"}}


@dataclass
class MixedWriter(threading.Thread):
    """Writes as fast as it goes: keys of its own, of which it knows the last state, and keys that everybody writes.

    expected: own key -> the content after the last acknowledged write.
    """

    side: Side
    number: int
    writes: int
    seed: int
    expected: dict = field(default_factory=dict)
    error: Exception | None = None

    def __post_init__(self):
        super().__init__(daemon=True)
        self.random, self.written = random.Random(self.seed), 0
        self.dynamodb = self.side.client("dynamodb")

    __hash__ = threading.Thread.__hash__

    def run(self):
        try:
            while self.written < self.writes:
                (kind,) = self.random.choices(list(KINDS), KINDS.values())
                getattr(self, f"_{kind}")()
        except Exception as error:  # the thread's end would hide it
            self.error = error

    # -- kinds of writes ---------------------------------------------------------------------

    def _put(self):
        self._put_whole(self._key(), {"v": self._value(), "put": {"BOOL": True}})

    def _update(self):
        """SET one attribute and REMOVE another; of an item that is not there it makes one."""
        key, value = self._key(), self._value()
        self.dynamodb.update_item(
            TableName=self.side.table,
            Key={"PK": {"S": key}},
            UpdateExpression="SET v = :v REMOVE #p",
            ExpressionAttributeNames={"#p": "put"},
            ExpressionAttributeValues={":v": value},
        )
        before = self.expected.get(key) or {}
        self._wrote(key, {name: stays for name, stays in before.items() if name != "put"} | {"v": value})

    def _delete(self):
        key = self._key()
        self.side.remove(key)
        self._wrote(key, None)

    def _batch(self):
        """Some puts and a delete in one call."""
        keys = list({self._key() for _number in range(5)})
        items = {key: {"v": self._value(), "batch": {"BOOL": True}} for key in keys[1:]}
        requests = [{"PutRequest": {"Item": {"PK": {"S": key}} | item}} for key, item in items.items()]
        requests.append({"DeleteRequest": {"Key": {"PK": {"S": keys[0]}}}})
        answer = self.dynamodb.batch_write_item(RequestItems={self.side.table: requests})
        assert not answer["UnprocessedItems"]
        for key in keys:
            self._wrote(key, items.get(key))

    def _copy(self):
        """An item to another key, with the stamps that it happens to bear."""
        item = self.side.item(self._key())
        if item is not None:
            self._put_whole(self._key(), {name: value for name, value in item.items() if name != "PK"})

    def _rewrite(self):
        """Read an item, change it, put it back whole, with the stamps that it bore."""
        key = self._key()
        item = self.side.item(key)
        if item is not None:
            self._put_whole(key, {name: value for name, value in item.items() if name != "PK"} | {"r": self._value()})

    # -- their parts -------------------------------------------------------------------------

    def _key(self) -> str:
        if self.random.random() < 0.6:
            return f"{self.side.name}-{self.number}-{self.random.randrange(OWN_KEYS)}"
        return f"both-{self.random.randrange(SHARED_KEYS)}"

    def _value(self) -> dict:
        return {"S": f"{self.side.name} {self.number} {self.written}"}

    def _put_whole(self, key: str, attributes: dict):
        self.dynamodb.put_item(TableName=self.side.table, Item={"PK": {"S": key}} | attributes)
        self._wrote(key, content(attributes))

    def _wrote(self, key: str, now: dict | None):
        self.written += 1
        if key.startswith(f"{self.side.name}-"):
            self.expected[key] = now


def write_on_both_sides(bridge: Bridge, writes: int, seed: int) -> list[MixedWriter]:
    """Let writers loose on both sides at once, `writes` a side; gives them when all is acknowledged."""
    writers = [
        MixedWriter(side, number, writes // THREADS, seed + index * THREADS + number)
        for index, side in enumerate((bridge.cn, bridge.sg))
        for number in range(THREADS)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=300)
        assert not writer.is_alive(), "the writers do not end"
        assert writer.error is None, repr(writer.error)
    return writers
