# SPDX-License-Identifier: GPL-3.0-or-later
"""replication_quarantine: queues are emptied only when all is stored, and entries move only when they went through."""

from __future__ import annotations

import base64
import io
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from ansible.module_utils.dynabridge.changes import PUT, Change
from ansible.module_utils.dynabridge.replays import entry_id
from ansible.module_utils.dynabridge.wire import decode
from ansible.modules import replication_quarantine
from ansible.modules.replication_quarantine import Clients

from tests.events import KINESIS, image
from tests.modules.aws_fakes import aws_error, fake_client

RECEIVER, SENDER = "replicator_kinesis", "ddb_send_to_kinesis"
BUCKET = "quarantine-sg"
NOW = time.time()
FUNCTIONS = [{"name": SENDER, "queue": "ddbstreamsg"}, {"name": RECEIVER, "queue": "ddbreplicatorsg"}]


class FakeS3:
    """One bucket; lists three keys a page."""

    def __init__(self):
        self.objects, self.reads = {}, 0

    def put_object(self, Bucket, Key, Body, ContentType=None):
        self.objects[Key] = Body

    def get_object(self, Bucket, Key):
        self.reads += 1
        if Key not in self.objects:
            raise aws_error("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[Key])}

    def delete_object(self, Bucket, Key):
        self.objects.pop(Key, None)

    def copy_object(self, Bucket, Key, CopySource):
        self.objects[Key] = self.objects[CopySource["Key"]]

    def get_paginator(self, name):
        def pages(Bucket, Prefix):
            keys = sorted(key for key in self.objects if key.startswith(Prefix))
            for start in range(0, len(keys), 3):
                yield {"Contents": [{"Key": key} for key in keys[start : start + 3]]}

        return SimpleNamespace(paginate=pages)


class FakeSqs:
    """Queues by name; a message that was taken is hidden until it is released or deleted."""

    def __init__(self, **queues):
        self.queues = {function["queue"]: list(queues.get(function["queue"], [])) for function in FUNCTIONS}
        self.hidden = {}

    def get_queue_url(self, QueueName):
        if QueueName not in self.queues:
            raise aws_error("AWS.SimpleQueueService.NonExistentQueue")
        return {"QueueUrl": QueueName}

    def receive_message(self, QueueUrl, MaxNumberOfMessages, WaitTimeSeconds, VisibilityTimeout, AttributeNames):
        if not self.queues[QueueUrl]:
            return {}
        body = self.queues[QueueUrl].pop(0)
        handle = f"handle-{body}"
        self.hidden[handle] = (QueueUrl, body)
        return {"Messages": [{"MessageId": "m", "ReceiptHandle": handle, "Body": body}]}

    def delete_message(self, QueueUrl, ReceiptHandle):
        del self.hidden[ReceiptHandle]

    def change_message_visibility(self, QueueUrl, ReceiptHandle, VisibilityTimeout):
        assert VisibilityTimeout == 0
        queue, body = self.hidden.pop(ReceiptHandle)
        self.queues[queue].append(body)

    def get_queue_attributes(self, QueueUrl, AttributeNames):
        waiting, hidden = len(self.queues[QueueUrl]), sum(queue == QueueUrl for queue, _body in self.hidden.values())
        return {"Attributes": dict(zip(AttributeNames, (str(waiting), str(hidden)), strict=True))}


class FakeLambda:
    """Answers of the function, one after the other; the last one stays. A callable gets the event."""

    def __init__(self, *answers):
        self.answers, self.events = list(answers) or [{"batchItemFailures": [], "kept": []}], []

    def invoke(self, FunctionName, InvocationType, Payload):
        event = json.loads(Payload)
        self.events.append((FunctionName, event))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = answer(event) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        failed = {"FunctionError": "Unhandled"} if isinstance(answer, dict) and "errorMessage" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())} | failed


class FakeKinesis:
    """One shard that holds the records with these numbers, two a page, and now and then shows nothing."""

    def __init__(self, *numbers, error=None):
        self.numbers, self.error = list(numbers), error

    def get_shard_iterator(self, StreamARN, ShardId, ShardIteratorType, StartingSequenceNumber="0"):
        if self.error:
            raise self.error
        if ShardIteratorType == "AT_SEQUENCE_NUMBER" and int(StartingSequenceNumber) not in self.numbers:
            raise aws_error("InvalidArgumentException")
        return {"ShardIterator": f"{int(StartingSequenceNumber)} full"}

    def get_records(self, ShardIterator, Limit):
        after, kind = ShardIterator.split()
        if kind == "empty":
            return {"Records": [], "NextShardIterator": f"{after} full"}
        page = [number for number in self.numbers if number >= int(after)][:2]
        last = page[-1] + 1 if page else int(after)
        return {"Records": [self._record(number) for number in page], "NextShardIterator": f"{last} empty"}

    @staticmethod
    def _record(number):
        return {
            "SequenceNumber": str(number),
            "Data": b"data",
            "PartitionKey": "lane-000",
            "ApproximateArrivalTimestamp": datetime.fromtimestamp(NOW, UTC),
        }


def change(key, table="user-sg", age=0.0):
    return Change(PUT, table, {"PK": {"S": key}}, image(key), at=NOW - age)


def kept(s3, key, record=None, function=RECEIVER, table="user-sg", age=0.0, number=None):
    """Put an entry into the quarantine; gives its id and object."""
    number = number or f"{len(s3.objects) + 1}-{key}"
    name = f"quarantine/{function}/2026/11/20/stream/{number}.json"
    body = {
        "function": function, "reason": f"because of {key}", "source": KINESIS, "sequence_number": number,
        "arrived": NOW - age, "record": record or asdict(change(key, table, age)),
    }  # fmt: skip
    s3.objects[name] = json.dumps(body).encode()
    return entry_id(name), name


def message(first, last, size=3):
    info = {
        "shardId": "shardId-0", "startSequenceNumber": str(first), "endSequenceNumber": str(last), "batchSize": size,
        "streamArn": KINESIS, "approximateArrivalOfFirstRecord": "2026-11-20T10:00:00Z",
    }  # fmt: skip
    return json.dumps({"requestContext": {"condition": "RetryAttemptsExhausted"}, "KinesisBatchInfo": info})


@pytest.fixture
def bench(run_module, monkeypatch):
    """bench(action, s3=..., ...) runs the module on fakes that a test may hand in."""
    monkeypatch.setattr("ansible.module_utils.dynabridge.aws.lost_batches.PAGE_PAUSE", 0)

    def run(action, s3, sqs=None, functions=None, kinesis=None, **params):
        clients = Clients(
            s3=s3,  # its paginator is no operation of the service model
            sqs=fake_client("sqs", sqs or FakeSqs()),
            functions=fake_client("lambda", functions or FakeLambda()),
            kinesis=fake_client("kinesis", kinesis or FakeKinesis()),
            streams=None,
        )
        monkeypatch.setattr(replication_quarantine, "connect", lambda module: clients)
        common = {"bucket": BUCKET, "side": "sg", "peer": "cn", "functions": FUNCTIONS}
        return run_module(replication_quarantine, action=action, **common, **params)

    return run


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)


# -- show ------------------------------------------------------------------------------------


def test_show_lists_all_pages_and_counts_what_it_leaves_out(bench):
    s3 = FakeS3()
    for number in range(8):
        kept(s3, f"k{number}")
    result = bench("show", s3, show=5)
    assert (result["found"], len(result["entries"]), result["kinds"]) == (8, 5, {"change": 8})
    assert result["text"][-1] == "and 3 more" and result["changed"] is False
    first = result["entries"][0]
    assert (first["tables"], first["keys"], first["side"]) == (["user-sg"], [{"PK": {"S": "k0"}}], "sg")


def test_entries_are_chosen_by_table_or_id(bench):
    s3 = FakeS3()
    name, _key = kept(s3, "a")
    kept(s3, "b", table="orders-sg")
    kept(s3, "garbage", record={"kinesis": {"data": "AA=="}})
    assert [entry["id"] for entry in bench("show", s3, table="user-sg")["entries"]] == [name]
    s3.reads = 0
    assert bench("show", s3, id=name)["found"] == 1 and s3.reads == 1, "the others are not read"
    assert bench("show", s3, id="0123456789ab")["found"] == 0


def test_check_mode_reads_no_queue(bench):
    s3, sqs = FakeS3(), FakeSqs(ddbreplicatorsg=[message(5, 7)])
    result = bench("show", s3, sqs, check=True)
    assert result["waiting"] == {"ddbstreamsg": 0, "ddbreplicatorsg": 1} and not s3.objects
    assert "1 in ddbreplicatorsg" in result["text"][0]


# -- the queues ------------------------------------------------------------------------------


def test_a_batch_is_stored_record_by_record(bench):
    """GIVEN a message of 5 to 8 and a stream that has more THEN 5 to 8 are entries, and the message is gone."""
    s3, sqs = FakeS3(), FakeSqs(ddbreplicatorsg=[message(5, 8)])
    result = bench("show", s3, sqs, kinesis=FakeKinesis(3, 4, 5, 6, 7, 8, 9))
    assert result["collected"] == {"messages": 1, "records": 4, "gaps": []} and result["changed"]
    assert [key.rsplit("/", 1)[1] for key in sorted(s3.objects)] == ["5.json", "6.json", "7.json", "8.json"]
    assert sqs.queues["ddbreplicatorsg"] == [] and sqs.hidden == {}
    reasons = {entry["reason"] for entry in result["entries"]}
    assert reasons == {"its batch of 3 was given up (RetryAttemptsExhausted)"}


def test_a_message_twice_is_stored_once(bench):
    s3 = FakeS3()
    for _time in range(2):
        bench("show", s3, FakeSqs(ddbreplicatorsg=[message(5, 6)]), kinesis=FakeKinesis(5, 6))
    assert len(s3.objects) == 2


@pytest.mark.parametrize(
    ("kinesis", "records", "reason", "until"),
    [
        (FakeKinesis(10, 11), 0, "the stream has forgotten its records", ""),
        (FakeKinesis(), 0, "the stream has forgotten its records", ""),
        (FakeKinesis(7, 8, 9), 2, "the stream has forgotten the first of its records", "7"),
        (FakeKinesis(error=aws_error("ResourceNotFoundException")), 0, "the stream or its shard is gone", ""),
    ],
    ids=["all", "empty stream", "the first", "no stream"],
)
def test_what_is_forgotten_leaves_a_gap(bench, kinesis, records, reason, until):
    s3, sqs = FakeS3(), FakeSqs(ddbreplicatorsg=[message(5, 8)])
    result = bench("show", s3, sqs, kinesis=kinesis)
    (gap,) = result["collected"]["gaps"]
    content = json.loads(s3.objects[gap])
    assert reason in content["reason"] and content["lost_before"] == until
    assert result["collected"]["records"] == records and result["kinds"]["gap"] == 1
    assert sqs.queues["ddbreplicatorsg"] == [] and sqs.hidden == {}


def test_a_message_whose_end_is_not_seen_is_left(bench):
    """GIVEN a stream that shows 5 and 6 of 5 to 8 THEN these are stored, and the message stays for the next time."""
    s3, sqs = FakeS3(), FakeSqs(ddbreplicatorsg=[message(5, 8), message(1, 2)])
    result = bench("show", s3, sqs, kinesis=FakeKinesis(1, 2, 5, 6))
    assert sqs.queues["ddbreplicatorsg"] == [message(5, 8)] and sqs.hidden == {}
    assert result["collected"]["records"] == 4 and result["problem_count"] == 1
    assert "showed its records up to 6 and not up to 8" in result["problems"][0]


def test_a_stream_that_refuses_leaves_the_message(bench):
    s3, sqs = FakeS3(), FakeSqs(ddbreplicatorsg=[message(5, 8)])
    result = bench("show", s3, sqs, kinesis=FakeKinesis(error=aws_error("AccessDeniedException")))
    assert sqs.queues["ddbreplicatorsg"] == [message(5, 8)] and not s3.objects
    assert "AccessDeniedException" in result["problems"][0]


def test_a_missing_queue_is_one_sentence(bench):
    sqs = FakeSqs()
    del sqs.queues["ddbstreamsg"]
    result = bench("show", FakeS3(), sqs)
    assert result["failed"] and "Cannot show the quarantine of side sg (bucket quarantine-sg)" in result["msg"]


# -- replay ----------------------------------------------------------------------------------


def test_what_goes_through_is_moved_with_a_note(bench):
    s3, functions = FakeS3(), FakeLambda()
    _name, key = kept(s3, "a")
    before = json.loads(s3.objects[key])
    result = bench("replay", s3, functions=functions)
    assert (result["replayed"], result["problems"], result["changed"]) == (1, [], True)
    assert list(s3.objects) == ["replayed/" + key]
    after = json.loads(s3.objects["replayed/" + key])
    assert after.pop("outcome") == f"replayed by {RECEIVER}" and after.pop("outcome_at") and after == before
    ((name, event),) = functions.events
    assert name == RECEIVER and event["replay"] is True


def test_what_is_kept_again_stays_and_is_named(bench):
    s3 = FakeS3()
    (bad, bad_key), (_good, good_key) = kept(s3, "bad"), kept(s3, "good")
    functions = FakeLambda({"batchItemFailures": [], "kept": [bad_key, "quarantine/new"]})
    result = bench("replay", s3, functions=functions)
    assert sorted(s3.objects) == [bad_key, "replayed/" + good_key]
    assert result["problems"] == [
        f"side sg: {bad}: kept again: because of bad",
        "side sg: kept anew out of a replayed record: quarantine/new",
    ]


def test_what_is_not_settled_is_tried_again_and_then_stays(bench):
    """GIVEN a function that never settles the second record THEN the first is done, the rest is named."""
    s3 = FakeS3()
    names = [kept(s3, key, number=f"{number}-0")[0] for number, key in enumerate("abc", 1)]
    functions = FakeLambda(lambda event: {"batchItemFailures": [{"itemIdentifier": "2"}], "kept": []})
    result = bench("replay", s3, functions=functions)
    assert result["replayed"] == 1 and len(functions.events) == 3
    assert [problem.split(":")[1].strip() for problem in result["problems"]] == names[1:]


def test_one_record_that_breaks_the_function_does_not_hold_up_the_others(bench):
    s3 = FakeS3()
    names = {key: kept(s3, key, record={"dynamodb": {"SequenceNumber": key}}, number=key)[0] for key in "abcdefgh"}

    def handle(event):
        broken = any(record["dynamodb"]["SequenceNumber"] == "f" for record in event["Records"])
        error = {"errorType": "ValueError", "errorMessage": "f is bad"}
        return error if broken else {"batchItemFailures": [], "kept": []}

    result = bench("replay", s3, functions=FakeLambda(handle))
    assert result["replayed"] == 7
    assert result["problems"] == [f"side sg: {names['f']}: {RECEIVER} failed: ValueError: f is bad"]


def test_a_function_that_always_fails_is_not_asked_for_ever(bench):
    s3 = FakeS3()
    for number in range(300):
        kept(s3, f"k{number:03}")
    functions = FakeLambda({"errorType": "TableUnavailable", "errorMessage": "table gone"})
    result = bench("replay", s3, functions=functions, show=3)
    assert len(functions.events) == 12 and result["problem_count"] == 300 and len(result["problems"]) == 3
    assert len(s3.objects) == 300


def test_other_tables_go_on_where_one_fails(bench):
    """GIVEN entries of two tables in turn WHEN one table is gone THEN those of the other go through, in one event."""
    s3 = FakeS3()
    for number in range(20):
        kept(s3, f"k{number}", table=("user-sg", "orders-sg")[number % 2])

    def handle(event):
        (table,) = {
            change.table
            for record in event["Records"]
            for change in decode(base64.b64decode(record["kinesis"]["data"]))[1]
        }
        gone = {"errorType": "TableUnavailable", "errorMessage": "table gone"}
        return gone if table == "orders-sg" else {"batchItemFailures": [], "kept": []}

    functions = FakeLambda(handle)
    result = bench("replay", s3, functions=functions)
    assert (result["replayed"], result["problem_count"]) == (10, 10)
    assert len(functions.events) == 1 + 12


def test_events_stay_below_the_limit_of_an_invoke(bench, monkeypatch):
    monkeypatch.setattr("ansible.module_utils.dynabridge.aws.replays.EVENT_BYTES", 3000)
    s3, functions = FakeS3(), FakeLambda()
    for number in range(30):
        kept(s3, f"k{number}", record={"dynamodb": {"SequenceNumber": str(number), "x": "y" * 500}})
    result = bench("replay", s3, functions=functions)
    assert result["replayed"] == 30
    assert max(len(json.dumps(event)) for _name, event in functions.events) < 3000


def test_old_puts_and_gaps_are_not_replayed(bench):
    s3, functions = FakeS3(), FakeLambda()
    old, _key = kept(s3, "old", age=31 * 86400)
    bench("show", s3, FakeSqs(ddbreplicatorsg=[message(5, 8)]))
    result = bench("replay", s3, functions=functions)
    assert functions.events == [] and result["changed"] is False and result["problem_count"] == 2
    assert f"{old}: it is older than the memory of deletes (30 days)" in result["problems"][0]
    assert "a gap cannot be replayed: run resync.yml" in result["problems"][1]
    assert bench("replay", s3, replay_old=True)["replayed"] == 1


def test_check_mode_replays_nothing(bench):
    s3, functions = FakeS3(), FakeLambda()
    kept(s3, "a")
    kept(s3, "old", age=31 * 86400)
    before = dict(s3.objects)
    result = bench("replay", s3, functions=functions, check=True)
    assert (result["replayed"], result["problem_count"], result["changed"]) == (1, 1, True)
    assert functions.events == [] and s3.objects == before and "would be replayed: 1" in result["text"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (aws_error("ResourceNotFoundException", "no such function"), f"function {RECEIVER} cannot be invoked"),
        (aws_error("AccessDeniedException", "not authorized"), "use a profile that may lambda:InvokeFunction"),
        ({"batchItemFailures": []}, "its code is of an older version; run deploy.yml"),
        (None, "its code is of an older version"),
    ],
    ids=["absent", "denied", "old code", "no answer"],
)
def test_a_function_that_cannot_be_asked_is_one_sentence(bench, answer, sentence):
    s3 = FakeS3()
    kept(s3, "a")
    before = dict(s3.objects)
    result = bench("replay", s3, functions=FakeLambda(answer))
    assert result["failed"] and sentence in result["msg"] and s3.objects == before


def test_a_function_of_another_side_is_not_invoked(bench):
    s3, functions = FakeS3(), FakeLambda()
    kept(s3, "a", function="somebody_elses")
    result = bench("replay", s3, functions=functions)
    assert functions.events == [] and "function somebody_elses is none of this side's" in result["problems"][0]


# -- discard ---------------------------------------------------------------------------------


def test_discard_moves_and_never_erases(bench):
    s3, sqs = FakeS3(), FakeSqs(ddbreplicatorsg=[message(5, 8)])
    _name, key = kept(s3, "a")
    s3.objects["quarantine/x/garbage"] = b"garbage"
    would = bench("discard", s3, sqs, check=True)
    assert would["discarded"] == 2 and key in s3.objects
    result = bench("discard", s3, sqs)
    assert result["discarded"] == 2 and sorted(s3.objects) == ["discarded/" + key, "discarded/quarantine/x/garbage"]
    assert json.loads(s3.objects["discarded/" + key])["outcome"] == "discarded"
    assert sqs.queues["ddbreplicatorsg"], "what nobody has seen is not discarded"


@pytest.mark.parametrize("name", ["show", "max_messages", "tombstone_days", "timeout"])
def test_nonsense_is_named(bench, name):
    result = bench("show", FakeS3(), **{name: -1})
    assert result["failed"] and result["msg"].startswith(f"side sg: {name} is -1")
