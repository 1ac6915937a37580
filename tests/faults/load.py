# SPDX-License-Identifier: GPL-3.0-or-later
"""A running load on both sides, and a ledger of what was acknowledged."""

import random
import threading
import time
import uuid
from dataclasses import dataclass, field

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.support import Bridge, Side

OWN_KEYS, SHARED_KEYS = 150, 50
RATE = 40  # operations a second on each side


@dataclass
class Writer(threading.Thread):
    """Writes on one side: items of its own, whose last state it knows, and items that the other side writes too.

    expected: key -> the contents that may stand there in the end (None: no item). One, unless a call ended without answer.
    """

    side: Side
    seed: int
    own_share: float = 0.75  # of the operations, on items of its own
    rate: float = RATE
    expected: dict = field(default_factory=dict)
    acknowledged: int = 0
    failed: int = 0

    def __post_init__(self):
        super().__init__(daemon=True)
        self.random, self.over = random.Random(self.seed), threading.Event()
        self.name_of_run = uuid.uuid4().hex[:6]  # what an earlier load wrote must not pass for this one's
        self.expected = {key: {held} for key, held in _held(self.side.items()).items() if self._is_own(key)}
        session: boto3.Session = self.side.pair.session(self.side.name)
        config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
        endpoint = self.side.pair.sides[self.side.name]["endpoint_url"]
        self.dynamodb = session.client("dynamodb", endpoint_url=endpoint, config=config)

    __hash__ = threading.Thread.__hash__

    def run(self):
        number = 0
        while not self.over.is_set():
            started = time.monotonic()
            number += 1
            self._operate(number)
            self.over.wait(max(0.0, 1 / self.rate - (time.monotonic() - started)))

    def stop(self):
        self.over.set()
        self.join(timeout=30)
        assert not self.is_alive(), "the load does not end"

    def _operate(self, number):
        own = self.random.random() < self.own_share
        key = (
            f"{self.side.name}-{self.random.randrange(OWN_KEYS)}"
            if own
            else f"both-{self.random.randrange(SHARED_KEYS)}"
        )
        kind = self.random.choices(["put", "update", "delete"], [5, 3, 2])[0]
        content = None if kind == "delete" else f"{self.side.name} {self.name_of_run} {number}"
        try:
            self._call(kind, key, content)
        except (ClientError, BotoCoreError):
            self.failed += 1
            if own:  # it may have been carried out
                self.expected[key] = self.expected.get(key, {None}) | {content}
            return
        self.acknowledged += 1
        if own:
            self.expected[key] = {content}

    def _is_own(self, key):
        return key.startswith(f"{self.side.name}-")

    def _call(self, kind, key, content):
        table, item_key = self.side.table, {"PK": {"S": key}}
        now, region = {"N": f"{time.time():.6f}"}, {"S": self.side.region}
        if kind == "delete":
            self.dynamodb.delete_item(TableName=table, Key=item_key)
        elif kind == "put":
            stamp = {"last_update_timestamp": now, "last_updater_region": region}
            self.dynamodb.put_item(TableName=table, Item=item_key | stamp | {"content": {"S": content}})
        else:
            self.dynamodb.update_item(
                TableName=table,
                Key=item_key,
                UpdateExpression="SET content = :c, last_update_timestamp = :t, last_updater_region = :r",
                ExpressionAttributeValues={":c": {"S": content}, ":t": now, ":r": region},
            )


class Load:
    """Both writers, for the length of a block."""

    def __init__(self, bridge: Bridge, seed: int, **settings):
        self.writers = [Writer(bridge.cn, seed, **settings), Writer(bridge.sg, seed + 1, **settings)]

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *exception):
        for writer in self.writers:
            writer.stop()

    @property
    def acknowledged(self):
        return sum(writer.acknowledged for writer in self.writers)

    @property
    def failed(self):
        return sum(writer.failed for writer in self.writers)

    def lost(self, items):
        """The items of one writer alone that do not hold what was acknowledged last."""
        held = _held(items)
        return sorted(
            f"{key} holds {held.get(key)}, not {' or '.join(map(str, allowed))}"
            for writer in self.writers
            for key, allowed in writer.expected.items()
            if held.get(key) not in allowed
        )


def _held(items):
    """Key -> content."""
    return {item["PK"]["S"]: item["content"]["S"] for item in items if "content" in item}
