# SPDX-License-Identifier: GPL-3.0-or-later
"""Resync on two sides: seeds, mends, keeps to its pace, goes on after a kill, and lets the traffic go on."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dynabridge.aws.memory import Memory
from dynabridge.aws.resync import Options, Resync, Side
from dynabridge.compare import Rows
from dynabridge.conflict import Place
from dynabridge.digest import encode_item
from dynabridge.resync import LEFT, RIGHT, Rule
from dynabridge.resync_state import ResyncState
from dynabridge.stamps import StampNames, read_stamp
from dynabridge.tombstones import Remember
from tests.integration.support import SENDER, eventually
from tests.local_pair import REPOSITORY, run_playbook

NAMES = StampNames()
TABLES = {"cn": "twin-cn", "sg": "twin-sg"}
MEMORY = "replicator_tombstones"
PK = [("PK", "S")]


class Twins:
    """Two tables without a bridge, and what the sides remember."""

    def __init__(self, pair, schema, state_dir):
        self.pair, self.schema, self.state_dir = pair, schema, state_dir
        self.clients = {side: pair.client(side, "dynamodb") for side in TABLES}

    def create(self, side, table, schema):
        self.clients[side].create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for (name, _type), kind in zip(schema, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in schema],
        )

    def put(self, side, items):
        def write(start):
            requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            self.clients[side].batch_write_item(RequestItems={TABLES[side]: requests})

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, range(0, len(items), 25)))

    def items(self, side):
        pages = self.clients[side].get_paginator("scan").paginate(TableName=TABLES[side], ConsistentRead=True)
        found = [item for page in pages for item in page["Items"]]
        return {tuple(repr(item[name]) for name, _kind in self.schema): item for item in found}

    def are_equal(self):
        """By value: the emulator spells some numbers with trailing zeros, which DynamoDB takes away."""
        cn, sg = ({key: encode_item(item) for key, item in self.items(side).items()} for side in TABLES)
        return cn == sg

    def memory(self, side):
        return Memory(self.clients[side], MEMORY, NAMES)

    @property
    def arguments(self):
        hash_key, *range_key = [{"name": name, "type": kind} for name, kind in self.schema]
        keys = {"hash": hash_key} | ({"range": range_key[0]} if range_key else {})
        table = {"name": "twin", "names": TABLES, "key_schema": keys, "replicate": True}
        return ("-e", json.dumps({"dynabridge_tables": [table], "resync_state_dir": str(self.state_dir)}))

    def play(self, *arguments):
        return run_playbook(self.pair, "resync.yml", *self.arguments, *arguments)

    def resync(self, max_wcu=0.0, **rule):
        """The kit's resync without a playbook around it; gives its counts."""
        sides = {
            which: Side.of(side, TABLES[side], self.clients[side], NAMES, self.memory(side), self.region(side), max_wcu)
            for which, side in ((LEFT, "cn"), (RIGHT, "sg"))
        }
        rule = Rule(NAMES, (self.region("cn"), self.region("sg")), "twin-cn|twin-sg", **rule)
        state = ResyncState("", {})
        rows = Rows(tuple(name for name, _kind in self.schema), buckets=256)
        Resync(sides, rows, rule, Options(settle=0, repair=True), state).run()
        return state.counts

    def region(self, side):
        return self.pair.sides[side]["region"]


@contextlib.contextmanager
def made_twins(pair, state_dir, schema=None):
    twins = Twins(pair, schema or PK, state_dir)
    for side, table in TABLES.items():
        twins.create(side, table, twins.schema)
        twins.create(side, MEMORY, PK)
    try:
        yield twins
    finally:
        for side, table in TABLES.items():
            for name in (table, MEMORY):
                with contextlib.suppress(twins.clients[side].exceptions.ResourceNotFoundException):
                    twins.clients[side].delete_table(TableName=name)


@pytest.fixture
def twins(empty_pair, tmp_path):
    with made_twins(empty_pair, tmp_path / "state") as made:
        yield made


def row(key, moment, region="cn-north-1", **attributes):
    stamp = {NAMES.timestamp: {"N": str(moment)}, NAMES.region: {"S": region}} if moment is not None else {}
    return {"PK": {"S": key}, **attributes, **stamp}


def rows(count, size=100):
    return [row(f"k{index:05}", 1700000000 + index, text={"S": "x" * size}) for index in range(count)]


# -- what it is for --------------------------------------------------------------------------


def test_seeds_an_empty_twin(twins):
    """GIVEN 20,000 items on one side, none on the other THEN a dry run says so, and the next one makes them equal."""
    twins.put("cn", rows(20_000))
    result = twins.play("-e", "direction=cn_to_sg", "-e", "dry_run=false", "-e", "table=twin")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "20,000 differ: 20,000 only on cn" in result.stdout and "20,000 repaired" in result.stdout
    assert "pass 2 of 2, cn: " in result.stdout, "progress is shown"
    assert twins.are_equal()
    assert not twins.state_dir.exists()


def test_mends_every_kind_of_difference(twins):
    """GIVEN rows missing, older, tied, deleted, unstamped THEN a dry run counts them, and one run makes both equal."""
    cn, sg = "cn-north-1", "ap-southeast-1"
    twins.put("cn", [*rows(50), row("old", 1), row("tie", 5, sg, v={"S": "cn"}), row("dead", 7), row("bare", None)])
    twins.put("sg", [*rows(40), row("old", 2, sg), row("tie", 5, sg, v={"S": "sg"}), row("new", 1, sg)])
    where = Place(read_stamp(row("dead", 7), NAMES), True)
    twins.memory("sg").remember([Remember(TABLES["sg"], {"PK": {"S": "dead"}}, where)])
    before = twins.items("cn"), twins.items("sg")
    looked = twins.play()
    assert looked.returncode == 0, looked.stdout
    assert "11 only on cn, 1 only on sg, 0 newer on cn, 1 newer on sg, 1 ties, 1 deleted on one side" in looked.stdout
    assert (twins.items("cn"), twins.items("sg")) == before
    counts = twins.resync()
    assert (counts["repaired"], counts["lifted"]) == (15, 1)
    assert twins.are_equal()
    found = {item["PK"]["S"]: item for item in twins.items("cn").values()}
    assert "dead" not in found and found["old"][NAMES.region] == {"S": sg} and found["bare"] == row("bare", None)
    assert found["tie"]["v"] == {"S": "sg"} and found["tie"][NAMES.timestamp] != {"N": "5"}
    assert cn not in str(found["tie"])
    assert not {"only_left", "only_right", "tie", "deleted"} & twins.resync().keys(), "a second run finds nothing"


# The names are none of DynamoDB's types: the emulator takes an attribute called M for a map.
ALL_TYPES = {
    "text": {"S": "中文 \u0000 é"},
    "digits": {"N": "12345678901234567890123456789012345678"},
    "small": {"N": "-1E-120"},
    "binary": {"B": bytes(range(256))},
    "empty": {"B": b""},
    "flag": {"BOOL": False},
    "nothing": {"NULL": True},
    "texts": {"SS": ["a", "é"]},
    "numbers": {"NS": ["1", "2.5"]},
    "binaries": {"BS": [b"\x00", b"\xff"]},
    "list": {"L": [{"S": ""}, {"B": b"\x00\x00"}, {"L": []}]},
    "map": {"M": {"in": {"M": {"b": {"BS": [b"\x01"]}}}, "n": {"N": "0"}}},
}


def test_all_types_arrive_as_they_are(empty_pair, tmp_path):
    """GIVEN items of every type under keys of a binary and a number WHEN resynced THEN they are the same to the byte."""
    with made_twins(empty_pair, tmp_path, [("id", "B"), ("at", "N")]) as twins:
        stamp = {NAMES.timestamp: {"N": "1700000000.123456"}, NAMES.region: {"S": "cn-north-1"}}
        items = [
            {"id": {"B": bytes([0, number, 255])}, "at": {"N": str(-number)}} | ALL_TYPES | stamp
            for number in range(10)
        ]
        twins.put("cn", items)
        before = twins.items("cn")
        assert twins.resync(managed=True)["lifted"] == 10
        assert twins.are_equal()
        assert {key: item | stamp for key, item in twins.items("sg").items()} == before


# -- how it goes about it --------------------------------------------------------------------


def test_keeps_to_its_pace(twins):
    """GIVEN 300 items of 2 write units WHEN seeded in transactions at 400 units a second THEN it takes three seconds."""
    twins.put("cn", rows(300, size=1500))
    written = []

    def note(model, params, **_more):
        items = json.loads(params["body"])["TransactItems"]
        written.append((time.monotonic(), 4 * len(items)))

    twins.clients["sg"].meta.events.register("before-call.dynamodb.TransactWriteItems", note)
    started = time.monotonic()
    twins.resync(max_wcu=400)
    assert sum(units for _when, units in written) == 1200
    for when, _units in written:
        used = sum(units for other, units in written if other <= when)
        assert used <= 400 * (when - started) + 4, "never ahead of the limit"


def descendants(parent):
    """Processes below a process, by /proc: its children, and theirs."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            process, rest = status.read_text().split(" (", 1)
            if int(rest.rsplit(") ", 1)[1].split()[1]) == parent:
                found += [int(process), *descendants(int(process))]
    return found


def test_goes_on_after_being_killed(twins):
    """GIVEN a run that is killed halfway WHEN it is started again THEN it goes on from there, and both are equal."""
    twins.put("cn", rows(3000))
    arguments = [
        "resync.yml",
        *twins.arguments,
        "-e",
        "dry_run=false",
        "-e",
        "resync_segments=1",
        "-e",
        "resync_settle=0",
    ]
    command = ["ansible-playbook", "-i", "inventories/local", *arguments, "-e", "max_wcu=1000"]
    running = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=twins.pair.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    state = twins.state_dir / "twin-both.json"
    try:
        eventually(lambda: state.exists() and '"done":false,"key":{' in state.read_text())
    finally:
        for process in [running.pid, *descendants(running.pid)]:  # the module is in a session of its own
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        running.wait()
    mended = len(twins.items("sg"))
    assert 0 < mended < 3000
    result = run_playbook(twins.pair, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "taken up from an earlier run" in result.stdout
    assert twins.are_equal()
    assert not twins.state_dir.exists()


# -- on a running bridge ---------------------------------------------------------------------


@contextlib.contextmanager
def stream_lost(side):
    """What is written on the side within the block never reaches the sender: its batches use up their retries."""
    queue = side.client("sqs").get_queue_url(QueueName=f"ddbstream{side.name}")["QueueUrl"]
    with (
        side.mapping_changed(SENDER, MaximumRetryAttempts=0),
        side.function_changed(SENDER, Environment={"Variables": {}}),
    ):
        yield
        eventually(lambda: side.problem(SENDER))
        eventually(lambda: lost_messages(side, queue))
    side.client("sqs").purge_queue(QueueUrl=queue)


def lost_messages(side, queue):
    name = "ApproximateNumberOfMessages"
    return int(side.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])


@contextlib.contextmanager
def traffic(bridge, keys):
    """Writers on both sides, stamping, on the same keys."""
    stop = threading.Event()

    def write(side):
        number = 0
        while not stop.wait(0.02):
            number += 1
            side.write(keys[number % len(keys)], n={"N": str(number)})

    threads = [threading.Thread(target=write, args=(side,)) for side in (bridge.cn, bridge.sg)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_mends_what_the_streams_have_lost_while_traffic_goes_on(bridge, key, tmp_path):
    """GIVEN writes on both sides that no stream carries any more WHEN resynced under traffic THEN nothing is lost."""
    names = [f"{key}-{number:03}" for number in range(60)]
    busy = names[50:]
    try:
        with stream_lost(bridge.cn), stream_lost(bridge.sg):
            for number, name in enumerate(names):
                side = bridge.cn if number % 3 else bridge.sg
                side.write(name, by={"S": side.name})
            bridge.sg.write(names[1], by={"S": "later"})
            bridge.cn.touch(names[2])
        assert bridge.sg.item(names[4]) is None and bridge.cn.item(names[3]) is None
        with traffic(bridge, busy):
            result = run_playbook(
                bridge.cn.pair, "resync.yml", "-e", "dry_run=false", "-e", f"resync_state_dir={tmp_path}/state"
            )
        assert result.returncode == 0, result.stdout + result.stderr
        eventually(lambda: all(bridge.cn.item(name) == bridge.sg.item(name) is not None for name in names))
        assert bridge.cn.item(names[1])["by"] == {"S": "later"}
        assert "touched" in bridge.sg.item(names[2])
    finally:
        for name in names:
            bridge.cn.remove(name)
        eventually(lambda: not any(bridge.sg.item(name) for name in names))


# -- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("table=users",), "There is no replicated table users in dynabridge_tables (-e table=...: twin)."),
        (("direction=sg_to_eu",), "There is no direction 'sg_to_eu': it must be one of both, cn_to_sg, sg_to_cn."),
        (("missing=delete",), "needs that direction (-e direction=cn_to_sg or sg_to_cn), one table by its name, and"),
        (("missing=delete", "direction=cn_to_sg"), "its confirmation (-e resync_confirm_delete=twin)."),
    ],
    ids=["table", "direction", "delete both ways", "delete unconfirmed"],
)
def test_what_makes_no_sense_is_refused(twins, arguments, sentence):
    """GIVEN a request that makes no sense WHEN played THEN one sentence says what to do, and nothing changes."""
    twins.put("sg", rows(3))
    output = refusal(twins, *arguments)
    assert sentence in output and output.count("FAILED!") == 1


def refusal(twins, *arguments):
    before = twins.items("sg")
    result = twins.play("-e", "dry_run=false", *(word for argument in arguments for word in ("-e", argument)))
    assert result.returncode != 0, result.stdout
    assert twins.items("sg") == before
    return " ".join((result.stdout + result.stderr).split()).replace("''", "'")


def test_sides_that_do_not_fit_are_refused(twins):
    """GIVEN a table with other keys, then none, then a side that is down THEN each is named, and nothing changes."""
    twins.put("sg", rows(3))
    twins.clients["cn"].delete_table(TableName=TABLES["cn"])
    assert f"There is no table {TABLES['cn']} in cn-north-1 of this account" in refusal(twins)
    twins.create("cn", TABLES["cn"], [("PK", "S"), ("SK", "N")])
    assert "their keys differ: twin-cn has PK (S) + SK (N), twin-sg has PK (S)." in refusal(twins)
    started = time.monotonic()
    sides = {
        name: {
            "region": side["region"],
            "account_id": side["account_id"],
            "endpoint_url": side["endpoint_url"] if name == "sg" else "http://127.0.0.1:9",
            "profile": name,
            "config_file": str(twins.pair.directory / "aws" / "config"),
            "partition": {"cn": "aws-cn", "sg": "aws"}[name],
            "peer": {"cn": "sg", "sg": "cn"}[name],
        }
        for name, side in twins.pair.sides.items()
    }
    output = refusal(twins, json.dumps({"dynabridge_sides": sides}))
    assert "Side cn cannot be reached (http://127.0.0.1:9)" in output
    assert time.monotonic() - started < 60
