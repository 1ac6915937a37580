# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a batch when minutes or hours pass: decisions that a test against the sides could only wait for."""

import time

import pytest

from local_aws.patches.mappings import delivery, failure, outcomes
from local_aws.patches.mappings.delivery import Delivery
from local_aws.patches.mappings.sources import StreamRecord

THROTTLED = {"throttle": True, "error": True, "body": {}}
FAILED = {"error": True, "body": {"errorMessage": "no"}}
DONE = {"body": None}


class Shard:
    arn, shard_id, info_key = "arn:aws:kinesis:r:1:stream/s", "shardId-000000000000", "KinesisBatchInfo"

    def __init__(self):
        self.oldest = 0

    def first_place(self):
        return self.oldest


class Lane:
    """Answers invocations from a list and notes what the delivery asks of it."""

    name = "lane"

    def __init__(self, answers, **settings):
        self.settings = {
            "FunctionArn": "arn:f",
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": -1,
            "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:r:1:q"}},
            **settings,
        }
        self.answers, self.shard = list(answers), Shard()
        self.invoked, self.pauses, self.position, self.reports = [], [], None, []

    def invoke(self, records):
        self.invoked.append([record.place for record in records])
        return self.answers.pop(0)

    def stopped(self):
        return not self.answers

    def checkpoint(self, place):
        self.position = place

    def pause(self, seconds):
        self.pauses.append(seconds)

    def report(self, result):
        self.reports.append(result)

    def function_config(self):
        return {}


@pytest.fixture
def announced(monkeypatch):
    """The on-failure messages that were sent."""
    sent = []
    monkeypatch.setattr(failure, "send", lambda _target, body, _config: sent.append(body))
    return sent


def records(*ages):
    now = time.time()
    return [StreamRecord(place, f"{place:030d}", now - age, {}) for place, age in enumerate(ages, start=1)]


def test_records_that_are_too_old_are_discarded_before_an_invocation(announced):
    """MaximumRecordAgeInSeconds: the old ones at the beginning are discarded unseen, the younger ones are delivered."""
    # GIVEN two records older than a minute and a younger one, WHEN they are delivered
    lane = Lane([DONE], MaximumRecordAgeInSeconds=60)
    Delivery(lane).run(records(90, 70, 10))
    # THEN only the younger one is invoked, and the message says so without a response context
    assert lane.invoked == [[3]]
    (message,) = announced
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert message["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in message
    assert message["KinesisBatchInfo"]["batchSize"] == 2


def test_records_that_grow_too_old_between_retries_are_discarded(announced, monkeypatch):
    """MaximumRecordAgeInSeconds also ends endless retries."""
    # GIVEN a function that always fails, WHEN the records pass the age during a pause
    lane = Lane([FAILED, FAILED, DONE], MaximumRecordAgeInSeconds=60)
    young = records(59.9)
    clock = time.time()
    monkeypatch.setattr(delivery.time, "time", lambda: clock + len(lane.invoked))
    Delivery(lane).run(young)
    # THEN they are discarded after that attempt
    assert lane.invoked == [[1]]
    assert announced[0]["requestContext"]["condition"] == "RecordAgeExceeded"
    assert announced[0]["requestContext"]["approximateInvokeCount"] == 1
    assert lane.position == 1


def test_throttled_invocations_are_no_retries(announced):
    """A throttled invocation is tried again without counting towards MaximumRetryAttempts."""
    # GIVEN no retries, WHEN the function is throttled three times and then succeeds THEN nothing is discarded
    lane = Lane([THROTTLED, THROTTLED, THROTTLED, DONE], MaximumRetryAttempts=0)
    assert Delivery(lane).run(records(0)) is True
    assert len(lane.invoked) == 4
    assert announced == []


def test_records_that_leave_the_stream_end_the_retries(announced):
    """Without limits a batch is retried until its records expire from the stream (24 hours by default)."""
    # GIVEN endless retries, WHEN the first of two records has expired after the first attempt
    lane = Lane([FAILED, DONE, DONE])
    lane.pause = lambda _seconds: setattr(lane.shard, "oldest", 2)
    Delivery(lane).run(records(0, 0))
    # THEN only what is left is tried again
    assert lane.invoked == [[1, 2], [2]]
    # and nothing at all once the stream is gone
    lane = Lane([FAILED, DONE])
    lane.pause = lambda _seconds: setattr(lane.shard, "oldest", None)
    Delivery(lane).run(records(0, 0))
    assert lane.invoked == [[1, 2]]


def test_a_stopped_lane_keeps_its_checkpoint(announced):
    """A mapping that is disabled during retries begins again with what was not settled."""
    # GIVEN a partial failure after the first record, WHEN the lane is stopped then
    partial = {"body": {"batchItemFailures": [{"itemIdentifier": f"{2:030d}"}]}}
    lane = Lane([partial], FunctionResponseTypes=["ReportBatchItemFailures"], MaximumRetryAttempts=0)
    # THEN the delivery is unfinished, the checkpoint is the first record, and nothing was discarded
    assert Delivery(lane).run(records(0, 0, 0)) is False
    assert (lane.position, announced) == (1, [])


def test_pauses_grow_and_have_an_end():
    """Retries back off exponentially from 0.2 s to a few seconds."""
    assert [outcomes.pause(failures) for failures in (1, 2, 3)] == [0.2, 0.4, 0.8]
    assert outcomes.pause(300) == outcomes.LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize(
    ("response", "settled"),
    [
        ({"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "b"}]}, 1),
        ({"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "z"}]}, 0),
        ({"batchItemFailures": [{"wrongName": "c"}]}, 0),
        ({"batchItemFailures": ["c"]}, 0),
        ("not an object", 0),
    ],
)
def test_the_lowest_reported_record_is_the_checkpoint(response, settled):
    """Several reported items: the lowest counts; one that is not in the batch spoils the whole answer."""
    assert outcomes.judge({"body": response}, ["a", "b", "c"], True).done == settled
