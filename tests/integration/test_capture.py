# SPDX-License-Identifier: GPL-3.0-or-later
"""Every change of a table reaches the backup bucket in another region; what does not is named, and nothing else is claimed."""

import contextlib
import json
import time

import pytest

from tests.faults_api import trim
from tests.integration.captures import (
    FUNCTION,
    bucket_of,
    call,
    captured,
    captured_until,
    mark_of,
    messages,
    queue_of,
    tend,
)
from tests.integration.support import eventually
from tests.integration.test_capture_policies import without_right

EVERYTHING = {
    "s": {"S": "雪 ünï"},
    "n": {"N": "12345678901234567890.123456789"},
    "b": {"B": b"\0\xff"},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2.5"]},
    "bs": {"BS": [b"\0", b"\1"]},
    "truth": {"BOOL": True},
    "nothing": {"NULL": True},
    "list": {"L": [{"M": {"x": {"N": "1"}}}, {"S": ""}]},
    "map": {"M": {"deep": {"L": []}}},
}
AS_JSON = EVERYTHING | {"b": {"B": "AP8="}, "bs": {"BS": ["AA==", "AQ=="]}}


def in_any_order(item: dict) -> dict:
    """Sets have no order."""
    return {
        name: {kind: sorted(value) if kind in ("SS", "NS", "BS") else value}
        for name, attribute in item.items()
        for kind, value in attribute.items()
    }


@pytest.mark.parametrize("name", ["cn", "sg"])
def test_every_change_is_captured_within_seconds(bridge, key, name):
    """GIVEN an item of every type WHEN it is put, changed and deleted THEN within seconds the log has three lines of it, in
    order, with both images, in another region."""
    side, since = getattr(bridge, name), time.time()
    item = side.write(key, **EVERYTHING)
    side.touch(key)
    side.remove(key)
    lines = eventually(lambda: found if len(found := captured(side, key, since)) >= 3 else None, 30)
    stamps = {name: item[name] for name in ("PK", "last_update_timestamp", "last_updater_region")}
    put, touched, removed = lines[0], *[line for line in lines[1:] if "touched" in str(line)]  # stamps may come between
    assert put.old is None and in_any_order(put.new) == in_any_order(AS_JSON | stamps)
    assert touched.old and touched.new and removed.new is None and removed.old
    assert since - 1 <= put.micros / 1e6 <= time.time()


def test_an_idle_table_is_recoverable_up_to_now(bridge):
    """GIVEN nobody who writes WHEN looked at THEN the watermark follows, and says of which table and stream it is."""
    side = bridge.cn
    table = side.client("dynamodb").describe_table(TableName=side.table)["Table"]
    mark = captured_until(side, time.time() - 5)
    assert (mark.table, mark.table_id, mark.stream_arn) == (side.table, table["TableId"], table["LatestStreamArn"])
    assert mark.since <= mark.until <= time.time()


def test_what_is_switched_off_claims_nothing(bridge, key):
    """GIVEN the mapping off WHEN something is written THEN the watermark stands before it; on again, the line comes first."""
    side = bridge.cn
    captured_until(side, time.time() - 5)
    with side.mapping_off(FUNCTION):
        since = time.time()
        side.write(key)
        for _look in range(3):
            tend(side)
            time.sleep(2)
        assert mark_of(side).until <= since
    captured_until(side, since + 1)
    assert captured(side, key, since)


@contextlib.contextmanager
def given_up(side, key):
    """A write whose batch was given up, because the bucket took nothing; its right is back after the block."""
    with without_right(side, "WriteChanges"), side.mapping_changed(FUNCTION, MaximumRetryAttempts=0):
        side.write(key)
        eventually(lambda: messages(side) >= 1, 30)
        yield


def test_what_was_given_up_is_made_up_for(bridge, key):
    """GIVEN a batch that S3 did not take, given up WHEN S3 takes again THEN the next look writes it; there is no hole."""
    side, since = bridge.cn, time.time()
    captured_until(side, since - 5)
    before = mark_of(side).holes
    with given_up(side, key):
        _answer, error = call(side, {"action": "tend"})
        assert "was left there" in error and "cannot be written" in error
        assert mark_of(side).until <= since + 1 and captured(side, key, since) == []
    mark = captured_until(side, time.time())
    assert len(captured(side, key, since)) >= 1 and mark.holes == before and messages(side) == 0


def test_what_the_stream_has_forgotten_is_a_hole(bridge, key):
    """GIVEN a batch that was given up, and a stream that has forgotten it WHEN looked at THEN the watermark names the hole."""
    side, since = bridge.cn, time.time()
    captured_until(side, since - 5)
    with given_up(side, key):
        eventually(lambda: bridge.sg.item(key))  # the other reader has it
        trim(side.pair, side.name, side.table)
    mark = captured_until(side, time.time())
    (hole,) = [hole for hole in mark.holes if hole.end > since - 1]
    assert since - 1 <= hole.start < hole.end <= time.time() + 1
    assert "of shard shardId-" in hole.why and "RetryAttemptsExhausted" in hole.why and "forgotten" in hole.why
    assert captured(side, key, since) == [] and messages(side) == 0


def test_a_record_that_cannot_be_read_is_kept_and_named(bridge):
    """GIVEN a record without its image WHEN it is handed over THEN it lies in the quarantine, and its second is a hole."""
    side, now = bridge.sg, int(time.time())
    arn = side.client("dynamodb").describe_table(TableName=side.table)["Table"]["LatestStreamArn"]
    data = {"Keys": {"PK": {"S": "x"}}, "SequenceNumber": f"{now}{0:021d}", "ApproximateCreationDateTime": now}
    poison = {"eventID": "e", "eventName": "INSERT", "eventSourceARN": arn, "dynamodb": data}
    captured_until(side, now - 5)
    assert call(side, {"Records": [poison]}) == ({"batchItemFailures": []}, "")
    assert side.taken_from_quarantine(data["SequenceNumber"])["record"] == poison
    tend(side)
    found = [hole for hole in eventually(lambda: mark_of(side).holes) if "could not be read" in hole.why]
    assert any(hole.start <= now < hole.end for hole in found)


class TestDeployed:
    def test_mapping_rule_and_environment(self, bridge):
        """GIVEN both sides deployed THEN one batch of a shard at a time, whole, and a look each minute that is not repeated."""
        side = bridge.cn
        mapping, functions = side.mapping(FUNCTION), side.client("lambda")
        assert (mapping["BatchSize"], mapping["ParallelizationFactor"], mapping["BisectBatchOnFunctionError"]) == (
            1000,
            1,
            False,
        )
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"].endswith(":ddbcapturecn")
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        events = side.client("events")
        assert events.describe_rule(Name="dynabridge-capture")["ScheduleExpression"] == "rate(1 minute)"
        (target,) = events.list_targets_by_rule(Rule="dynabridge-capture")["Targets"]
        assert json.loads(target["Input"]) == {"action": "tend"} and target["Arn"].endswith(f":function:{FUNCTION}")
        assert functions.get_function_event_invoke_config(FunctionName=FUNCTION)["MaximumRetryAttempts"] == 0
        told = functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
        assert (told["CAPTURE_TABLES"], told["BACKUP_BUCKET"]) == (side.table, bucket_of(side))
        assert queue_of(side).endswith("/" + told["CAPTURE_QUEUE"])

    def test_changes_age_by_a_rule_of_their_own(self, bridge):
        found = bridge.cn.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket_of(bridge.cn))["Rules"]
        (rule,) = [rule for rule in found if rule["Filter"] == {"Prefix": "changes/"}]
        assert rule["Expiration"] == {"Days": 90} and not rule.get("Transitions")

    def test_alarms(self, bridge):
        """GIVEN a captured table THEN its age and its holes ring, and the function's errors and queue; silence rings, too."""
        pages = bridge.cn.client("cloudwatch").get_paginator("describe_alarms")
        found = [a for page in pages.paginate(AlarmNamePrefix="dynabridge-cn-Capture_") for a in page["MetricAlarms"]]
        alarms = {alarm["AlarmName"].removeprefix("dynabridge-cn-"): alarm for alarm in found}
        assert set(alarms) == {"Capture_age-user-cn", "Capture_hole-user-cn", "Capture_errors", "Capture_queue"}
        age = alarms["Capture_age-user-cn"]
        assert (age["Threshold"], age["TreatMissingData"], age["MetricName"]) == (
            900,
            "breaching",
            "Recoverable_age_seconds",
        )


def test_numbers_arrive_with_all_their_digits(bridge, key):
    """GIVEN 38 digits WHEN captured THEN all of them are there: a log that rounds is no log."""
    side, since = bridge.cn, time.time()
    side.write(key, n={"N": "-1.2345678901234567890123456789012345678E+100"})
    stored = side.item(key)["n"]
    lines = eventually(lambda: captured(side, key, since), 30)
    assert lines[0].new["n"] == stored
