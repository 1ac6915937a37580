# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_load writes every item it planned, whatever DynamoDB leaves over, counts it, and says what failed."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest
from ansible.module_utils.dynabridge.aws import load as aws_load
from ansible.modules import dynamodb_load
from ansible.modules.dynamodb_load import make_profiles, run_processes

from tests.modules.aws_fakes import aws_error, fake_client

ATTRIBUTES = {
    "PK",
    "first_name",
    "last_name",
    "email",
    "sex",
    "street_address",
    "state",
    "city",
    "zipcode",
    "country",
    "govid",
    "last_update_timestamp",
    "last_updater_region",
}


class FakeDynamo:
    """Tables in memory. ``script`` holds for each batch call an exception, or how many of its requests it leaves over."""

    def __init__(self, *script, keys=(("PK", "S"),)):
        self.script, self.keys, self.items, self.stats, self.batches = list(script), keys, {}, {}, []
        self.stats_calls = 0

    def describe_table(self, TableName):
        if TableName == "missing":
            raise aws_error("ResourceNotFoundException")
        return {
            "Table": {
                "KeySchema": [
                    {"AttributeName": name, "KeyType": kind}
                    for (name, _type), kind in zip(self.keys, ("HASH", "RANGE"), strict=False)
                ],
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in self.keys],
            }
        }

    def batch_write_item(self, RequestItems):
        ((table, requests),) = RequestItems.items()
        assert 1 <= len(requests) <= 25
        self.batches.append(len(requests))
        step = self.script.pop(0) if self.script else 0
        if isinstance(step, Exception):
            raise step
        settled = requests[: len(requests) - step]
        for request in settled:
            self._apply(request)
        return {"UnprocessedItems": {table: requests[len(settled) :]} if step else {}}

    def _apply(self, request):
        if "DeleteRequest" in request:
            self.items.pop(self._key(request["DeleteRequest"]["Key"]), None)
        else:
            item = request["PutRequest"]["Item"]
            self.items[self._key(item)] = item

    def _key(self, item):
        return tuple(repr(item[name]) for name, _kind in self.keys)

    def update_item(self, TableName, Key, UpdateExpression, ExpressionAttributeValues, ReturnValues):
        assert UpdateExpression == "ADD cnt :n"
        self.stats_calls += 1
        name = Key["PK"]["S"]
        self.stats[name] = self.stats.get(name, 0) + int(ExpressionAttributeValues[":n"]["N"])
        return {"Attributes": {"cnt": {"N": str(self.stats[name])}}}


class FakeMetrics:
    def __init__(self):
        self.values = []

    def put_metric_data(self, Namespace, MetricData):
        assert Namespace == "DDB-Loader"
        for data in MetricData:
            assert data["StorageResolution"] == 1
            assert data["Dimensions"] == [{"Name": "loader", "Value": "ddb-loader"}]
            assert data["MetricName"] == "Total_loaded"
            self.values.append(data["Value"])


class Waits:
    """Stands for the module time: sleeping takes no time, but the clock goes on."""

    def __init__(self):
        self.now, self.slept = 1_700_000_000.0, []

    def time(self):
        self.now += 1e-4
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def waits(monkeypatch):
    fake = Waits()
    monkeypatch.setattr(aws_load, "time", fake)
    return fake


@pytest.fixture
def metrics():
    return FakeMetrics()


@pytest.fixture
def load(run_module, monkeypatch, waits, metrics):
    """load(fake, **params) runs the module; its processes one after the other in this one."""

    def run_here(count, work):
        events, failures = [], []
        for process in range(count):
            try:
                work(process, lambda when, settled: events.append((when, settled)))
            except Exception as error:
                failures.append(f"process {process}: {error}")
        return events, failures

    def run(fake, check=False, **params):
        client = fake_client("dynamodb", fake)
        client.meta = SimpleNamespace(region_name="cn-north-1", endpoint_url="http://fake")
        cloudwatch = fake_client("cloudwatch", metrics)
        monkeypatch.setattr(
            dynamodb_load, "make_clients", lambda module, metric: (client, cloudwatch if metric else None)
        )
        monkeypatch.setattr(dynamodb_load, "run_processes", run_here)
        return run_module(dynamodb_load, client, check=check, **{"table_name": "user-cn", **params})

    return run


def test_every_item_is_put_once_with_its_stamp(load, metrics):
    # GIVEN an empty table WHEN 2 processes load 60 items each THEN 120 profiles are there, stamped, and counted
    fake = FakeDynamo()
    result = load(fake, items=60, processes=2, run_id="run")
    assert (result["loaded"], result["planned"], result["failed_items"], result["changed"]) == (120, 120, 0, True)
    assert len(fake.items) == 120
    assert fake.batches == [25, 25, 10] * 2
    for item in fake.items.values():
        assert set(item) == ATTRIBUTES
        assert item["last_updater_region"] == {"S": "cn-north-1"}
        assert len(item["last_update_timestamp"]["N"].split(".")[1]) == 6
    assert {item["PK"]["S"] for item in fake.items.values()} == {f"run-{p}-{i}" for p in (0, 1) for i in range(60)}
    assert fake.stats == {"loaded_count": 120}
    assert metrics.values[-1] == 120
    assert result["curve"][-1][1] == 120


def test_leftovers_are_sent_again_until_none_is_left(load, waits):
    # GIVEN a table that leaves items over, again and again WHEN loaded THEN all arrive, after growing pauses
    fake = FakeDynamo(20, 19, 19, 19, 10)
    assert load(fake, items=25)["loaded"] == 25
    assert len(fake.items) == 25
    pauses = [pause for pause in waits.slept if pause]
    assert len(pauses) == 5
    # the second and third leave all 19 over: the pause grows; progress begins anew
    assert pauses[3] > pauses[1]


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException"])
def test_a_busy_table_is_asked_again(load, code):
    fake = FakeDynamo(aws_error(code), aws_error(code))
    assert load(fake, items=30)["loaded"] == 30
    assert len(fake.items) == 30


def test_a_table_that_takes_nothing_for_long_is_given_up(load):
    # GIVEN a table that throttles everything WHEN five minutes have passed THEN the failure says what to do
    result = load(FakeDynamo(*[25] * 1000), items=50)
    assert result["failed"]
    assert result["msg"].startswith(
        "50 of 50 items were not written: process 0: Table user-cn took none of 25 items for 300 s"
    )
    assert "load at a lower rate" in result["msg"]
    assert result["loaded"] == 0


def test_a_refusal_tells_how_much_was_written(load):
    fake = FakeDynamo(0, aws_error("AccessDeniedException", "not authorized: dynamodb:BatchWriteItem"))
    result = load(fake, items=50)
    assert result["msg"].startswith("25 of 50 items were not written: process 0: Table user-cn refuses the items")
    assert "dynamodb:BatchWriteItem" in result["msg"]
    assert (result["loaded"], result["failed_items"]) == (25, 25)


def test_an_update_takes_a_share_of_the_same_items(load):
    # GIVEN a loaded table WHEN a quarter is updated THEN no item is new, and just these have new stamps
    fake = FakeDynamo()
    load(fake, items=40, processes=2, run_id="run")
    before = dict(fake.items)
    result = load(fake, items=40, processes=2, run_id="run", operation="update", share=0.25)
    assert result["loaded"] == result["planned"] == 20
    changed = [key for key, item in fake.items.items() if item != before[key]]
    assert (set(fake.items), len(changed)) == (set(before), 20)


def test_a_delete_takes_a_share_away(load, monkeypatch):
    # GIVEN a loaded table and no Faker WHEN a half is deleted THEN it is gone: a delete needs no profiles
    fake = FakeDynamo()
    load(fake, items=40, run_id="run")
    monkeypatch.setattr(dynamodb_load, "Faker", None)
    result = load(fake, items=40, run_id="run", operation="delete", share=0.5)
    assert (result["loaded"], len(fake.items)) == (20, 20)


@pytest.mark.parametrize("keys", [(("id", "N"),), (("id", "B"),), (("email", "S"), ("at", "N"))])
def test_any_key_is_filled(load, keys):
    fake = FakeDynamo(keys=keys)
    assert load(fake, items=30)["loaded"] == len(fake.items) == 30
    assert all(set(item[name]) == {kind} for item in fake.items.values() for name, kind in keys)


def test_names_of_the_stamp_are_a_choice(load):
    fake = FakeDynamo()
    load(fake, items=1, timestamp_attribute="at", region_attribute="by", region_name="elsewhere")
    (item,) = fake.items.values()
    assert item["by"] == {"S": "elsewhere"}
    assert float(item["at"]["N"]) > 1e9


def test_the_rate_is_kept(load, waits):
    # GIVEN 100 items a second over 2 processes WHEN 200 are loaded one process after the other THEN each takes 2 s
    result = load(FakeDynamo(), items=100, processes=2, rate=100)
    assert sum(waits.slept) == pytest.approx(4, rel=0.02)
    assert result["loaded"] == 200


def test_counts_are_told_about_once_a_second(load, metrics):
    # GIVEN 1,000 items at 100 a second WHEN loaded THEN the counters are touched about ten times, not 80
    fake = FakeDynamo()
    load(fake, items=1000, rate=100)
    assert 5 <= fake.stats_calls <= 12
    assert len(metrics.values) == fake.stats_calls
    assert metrics.values == sorted(metrics.values)
    assert fake.stats == {"loaded_count": 1000}


def test_counting_can_be_switched_off(load, metrics):
    fake = FakeDynamo()
    load(fake, items=200, stats_table="", metric_namespace="")
    assert (fake.stats, metrics.values) == ({}, [])


def test_check_mode_writes_nothing_and_tells_the_plan(load):
    fake = FakeDynamo()
    result = load(fake, check=True, items=100, processes=3, run_id="run", operation="update", share=0.1)
    assert (result["planned"], result["loaded"], result["changed"]) == (30, 0, True)
    assert result["msg"] == "would update 30 items in user-cn"
    assert (fake.items, fake.batches) == ({}, [])


def test_a_result_must_not_look_like_a_running_job(load):
    # async_status takes a result with "started" for one of a job that still runs, and waits for ever
    assert not {"started", "finished"} & set(load(FakeDynamo(), items=1))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"items": 0}, "items is 0: it must be from 1 to"),
        ({"items": 1, "processes": 65}, "processes is 65: it must be from 1 to 64"),
        ({"items": 1, "rate": -1}, "rate is -1"),
        ({"items": 1, "operation": "update", "run_id": "r", "share": 1.5}, "share is 1.5"),
        ({"items": 1, "share": 0.5}, "share is for update and delete"),
        ({"items": 1, "operation": "delete"}, "operation is delete but all of the following are missing: run_id"),
        ({"items": 1, "table_name": "missing"}, "There is no table missing in cn-north-1"),
        ({"items": 1, "stats_table": "missing"}, "There is no table missing in cn-north-1"),
    ],
)
def test_parameters_without_sense_are_refused(load, params, message):
    fake = FakeDynamo()
    assert message in load(fake, **params)["msg"]
    assert fake.batches == []


def test_without_faker_the_package_is_named(load, monkeypatch):
    monkeypatch.setattr(dynamodb_load, "Faker", None)
    result = load(FakeDynamo(), items=1)
    assert result["failed"]
    assert "Failed to import the required Python library (Faker)" in result["msg"]


def test_profiles_are_the_same_for_the_same_seed():
    assert make_profiles(1, 5) == make_profiles(1, 5) != make_profiles(2, 5)


# From here on with real processes.


def test_processes_report_what_they_did():
    # GIVEN work that reports often WHEN run in three processes THEN every item is in the events
    def work(process, report):
        for _ in range(50):
            report(time.time(), process + 1)

    events, failures = run_processes(3, work)
    assert (sum(count for _when, count in events), failures) == (50 * (1 + 2 + 3), [])
    assert len(events) < 20, "coalesced"


def test_a_process_that_fails_is_named_and_keeps_its_count():
    def work(process, report):
        report(time.time(), 7)
        if process == 1:
            raise ValueError("out of luck")

    events, failures = run_processes(2, work)
    assert failures == ["process 1: out of luck"]
    assert sum(count for _when, count in events) == 14


def test_a_process_that_dies_is_named():
    def work(process, report):
        report(time.time(), 7)
        os._exit(9)

    events, failures = run_processes(1, work)
    assert failures == ["process 0 died before it was done"]
    assert sum(count for _when, count in events) == 7
