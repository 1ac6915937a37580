# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source mappings: batching, failures, discards. Each test names the AWS behaviour it stands for."""

import json
import time

import pytest

from .functions import eventually, make_function, make_queue, make_stream, make_table

# Every invocation adds a line to the file REPORT: when it ran and which records it got, in order.
RECORDER = """
import json, os, time

def report(line):
    with open(os.environ["REPORT"], "a") as lines:
        lines.write(json.dumps(line) + chr(10))

def name(record):
    if "dynamodb" in record:
        return record["dynamodb"]["Keys"]["PK"]["S"]
    return record["kinesis"]["partitionKey"]

def number(record):
    return (record.get("dynamodb") or {}).get("SequenceNumber") or record["kinesis"]["sequenceNumber"]

def handler(event, context):
    names = [name(record) for record in event["Records"]]
    report([time.time(), names])
    return answer(event["Records"], names)
"""
SUCCEED = "\ndef answer(records, names):\n    return None\n"
FAIL_ON_POISON = "\ndef answer(records, names):\n    assert 'poison' not in names, 'poison'\n"
REPORT_POISON = """
def answer(records, names):
    bad = [number(r) for r, n in zip(records, names) if n == "poison"]
    return {"batchItemFailures": [{"itemIdentifier": n} for n in bad]}
"""
IMAGES = """
def answer(records, names):
    report([0, [[r["dynamodb"].get("OldImage", {}).get("v"), r["dynamodb"]["NewImage"]["v"]] for r in records]])
"""


class Mapped:
    """A function mapped to a table's stream or a Kinesis stream, and what its invocations reported."""

    def __init__(self, pair, unique, kind, answer, report):
        self.pair, self.side, self.unique, self.kind, self.report = pair, "cn", unique, kind, report
        report.touch()
        side = self.side
        make_function(pair, side, unique, RECORDER + answer, Environment={"Variables": {"REPORT": str(report)}})
        self.source = (make_table if kind == "dynamodb" else make_stream)(pair, side, f"{unique}-source")
        self.functions = pair.client(side, "lambda")
        self.mapping = None

    def map(self, **settings):
        self.mapping = self.functions.create_event_source_mapping(
            FunctionName=self.unique, EventSourceArn=self.source, **{"StartingPosition": "TRIM_HORIZON", **settings}
        )
        return self.mapping

    def write(self, *names):
        if self.kind == "dynamodb":
            items = [{"PutRequest": {"Item": {"PK": {"S": name}, "at": {"N": repr(time.time())}}}} for name in names]
            self.pair.client(self.side, "dynamodb").batch_write_item(RequestItems={f"{self.unique}-source": items})
        else:
            self.pair.client(self.side, "kinesis").put_records(
                StreamName=f"{self.unique}-source", Records=[{"PartitionKey": name, "Data": b"{}"} for name in names]
            )

    def lines(self):
        return [json.loads(line) for line in self.report.read_text().splitlines()]

    def batches(self):
        return [names for _time, names in self.lines()]

    def processed(self):
        return [name for batch in self.batches() for name in batch]

    def result(self):
        return self.functions.get_event_source_mapping(UUID=self.mapping["UUID"])["LastProcessingResult"]


@pytest.fixture
def mapped(pair, unique, tmp_path):
    made = []

    def make(kind, answer=SUCCEED):
        name = f"{unique}{len(made)}"
        made.append(Mapped(pair, name, kind, answer, tmp_path / name))
        return made[-1]

    yield make
    for each in made:
        if each.mapping:
            each.functions.delete_event_source_mapping(UUID=each.mapping["UUID"])
        each.functions.delete_function(FunctionName=each.unique)


@pytest.fixture
def discarded(pair, unique):
    """An on-failure queue: its ARN, and a wait for its messages."""
    url, arn = make_queue(pair, "cn", f"{unique}-discarded")
    sqs = pair.client("cn", "sqs")
    seen = []

    def receive(count):
        def look():
            seen.extend(
                json.loads(message["Body"])
                for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            )
            return seen

        return eventually(look, lambda found: len(found) >= count)

    return {"OnFailure": {"Destination": arn}}, receive


@pytest.mark.parametrize("kind", ["dynamodb", "kinesis"])
def test_records_written_before_the_mapping_are_read_from_the_trim_horizon_in_order(mapped, kind):
    """Starting position TRIM_HORIZON: all records in the stream, oldest first, at most BatchSize a batch."""
    # GIVEN five records, WHEN a mapping starts at the horizon with batches of two
    source = mapped(kind)
    source.write("a", "b", "c", "d", "e")
    source.map(BatchSize=2)
    # THEN all arrive in order in batches of at most two
    eventually(source.processed, lambda names: names == ["a", "b", "c", "d", "e"])
    assert [len(batch) for batch in source.batches()] == [2, 2, 1]
    assert eventually(source.result, lambda result: result == "OK")


@pytest.mark.parametrize("kind", ["dynamodb", "kinesis"])
def test_latest_reads_only_what_comes_after_the_mapping(mapped, kind):
    """Starting position LATEST: only new records."""
    # GIVEN an old record and a mapping that starts at LATEST, WHEN a new one is written
    source = mapped(kind)
    source.write("old")
    source.map(StartingPosition="LATEST")
    source.write("new")
    # THEN only the new one arrives
    eventually(source.processed, bool)
    assert source.processed() == ["new"]


def test_at_timestamp_starts_with_the_first_record_of_that_time(mapped):
    """Starting position AT_TIMESTAMP (Kinesis only)."""
    # GIVEN a record before and one after a moment
    source = mapped("kinesis")
    source.write("before")
    time.sleep(1.1)  # the API takes whole seconds
    moment = int(time.time())
    source.write("after")
    # WHEN the mapping starts at that moment THEN it begins with the later record
    source.map(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=moment)
    eventually(source.processed, lambda names: names == ["after"])


def test_the_batching_window_gathers_records_until_it_closes(mapped):
    """MaximumBatchingWindowInSeconds: the function is invoked once the window closes, or the batch is full."""
    # GIVEN a window of two seconds, WHEN three records come one by one
    source = mapped("kinesis")
    source.map(MaximumBatchingWindowInSeconds=2, BatchSize=10)
    for name in ("a", "b", "c"):
        source.write(name)
    # THEN they arrive as one batch
    eventually(source.batches, lambda batches: batches == [["a", "b", "c"]])


@pytest.mark.parametrize("kind", ["dynamodb", "kinesis"])
def test_an_idle_mapping_picks_a_record_up_at_once(mapped, kind):
    """Stream mappings have no polling interval that a user could notice here: idle lag stays below 50 ms."""
    # GIVEN an idle mapping with a warm function
    source = mapped(kind)
    source.map()
    source.write("warm-up")
    eventually(source.processed, bool)
    # WHEN records come now and then
    lags = []
    for index in range(5):
        time.sleep(0.05)
        written = time.time()
        source.write(f"r{index}")
        eventually(source.processed, lambda names, name=f"r{index}": name in names)
        lags.append(source.lines()[-1][0] - written)
    # THEN the function runs within 50 ms (median: the machine is shared)
    assert sorted(lags)[2] < 0.05, lags


def test_retries_are_counted_and_the_discarded_batch_is_announced(mapped, discarded):
    """MaximumRetryAttempts=2 means three invocations; then metadata only go to the on-failure queue (DynamoDB)."""
    destination, receive = discarded
    # GIVEN a poison record, WHEN its batch has failed three times
    source = mapped("dynamodb", FAIL_ON_POISON)
    source.write("poison")
    source.map(MaximumRetryAttempts=2, DestinationConfig=destination)
    (message,) = receive(1)
    # THEN the queue holds what AWS sends, without the record itself
    assert source.batches() == [["poison"]] * 3
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["requestContext"]["approximateInvokeCount"] == 3
    assert message["requestContext"]["functionArn"].endswith(f":function:{source.unique}")
    assert message["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    info = message["DDBStreamBatchInfo"]
    assert set(info) == {
        "shardId",
        "startSequenceNumber",
        "endSequenceNumber",
        "approximateArrivalOfFirstRecord",
        "approximateArrivalOfLastRecord",
        "batchSize",
        "streamArn",
    }
    assert info["batchSize"] == 1
    assert info["streamArn"] == source.source
    # and the mapping goes on with the next record
    source.write("next")
    eventually(source.processed, lambda names: names[-1:] == ["next"])


def test_kinesis_discards_are_announced_too(mapped, discarded):
    """The on-failure destination works for Kinesis with KinesisBatchInfo; bounds name the discarded records."""
    destination, receive = discarded
    # GIVEN a batch of three with a poison record and no retries, WHEN it has failed once
    source = mapped("kinesis", FAIL_ON_POISON)
    source.write("a", "poison", "b")
    source.map(MaximumRetryAttempts=0, DestinationConfig=destination)
    (message,) = receive(1)
    # THEN the whole batch is discarded and announced
    info = message["KinesisBatchInfo"]
    assert info["batchSize"] == 3
    assert info["startSequenceNumber"] < info["endSequenceNumber"]
    assert source.batches() == [["a", "poison", "b"]]


def test_bisection_isolates_the_poison_record_without_using_up_retries(mapped, discarded):
    """BisectBatchOnFunctionError: "splitting a batch does not count towards the retry quota"."""
    destination, receive = discarded
    # GIVEN eight records, one of them poison, and no retries at all
    source = mapped("kinesis", FAIL_ON_POISON)
    source.write("a", "b", "c", "d", "e", "poison", "g", "h")
    # WHEN the batch is bisected
    source.map(MaximumRetryAttempts=0, BisectBatchOnFunctionError=True, DestinationConfig=destination)
    (message,) = receive(1)
    # THEN only the poison record is discarded and all others are processed, in order
    assert message["KinesisBatchInfo"]["batchSize"] == 1
    eventually(lambda: _succeeded(source), lambda names: names == ["a", "b", "c", "d", "e", "g", "h"])


def _succeeded(source):
    return [name for batch in source.batches() if "poison" not in batch for name in batch]


def test_a_reported_item_is_the_checkpoint(mapped, discarded):
    """ReportBatchItemFailures: everything from the lowest reported sequence number on comes again, nothing before."""
    destination, receive = discarded
    # GIVEN a function that reports the third of four records
    source = mapped("dynamodb", REPORT_POISON)
    source.write("a", "b", "poison", "d")
    # WHEN there is one retry
    source.map(MaximumRetryAttempts=1, FunctionResponseTypes=["ReportBatchItemFailures"], DestinationConfig=destination)
    (message,) = receive(1)
    # THEN the retry begins with the reported record, and what is left is discarded together
    assert source.batches() == [["a", "b", "poison", "d"], ["poison", "d"]]
    assert message["DDBStreamBatchInfo"]["batchSize"] == 2
    assert "functionError" not in message["responseContext"]


def test_partial_response_with_bisection_splits_at_the_reported_record(mapped, discarded):
    """Both settings: "the batch is bisected at the returned sequence number", so good records are not lost."""
    destination, receive = discarded
    # GIVEN a poison record in the middle, reported by the function, and no retries
    source = mapped("dynamodb", REPORT_POISON)
    source.write("a", "b", "poison", "d")
    source.map(
        MaximumRetryAttempts=0,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        BisectBatchOnFunctionError=True,
        DestinationConfig=destination,
    )
    # WHEN the batch is settled THEN exactly the poison record is discarded
    (message,) = receive(1)
    assert message["DDBStreamBatchInfo"]["batchSize"] == 1
    eventually(lambda: [b for b in source.batches() if b == ["d"]], bool)


@pytest.mark.parametrize("answer", ["{}", "{'batchItemFailures': []}", "{'batchItemFailures': None}", "None"])
def test_these_answers_are_a_complete_success(mapped, answer):
    """ReportBatchItemFailures: an empty list, a null list, an empty response and no response mean success."""
    # GIVEN a function that answers so, WHEN records come THEN each batch is delivered once
    source = mapped("kinesis", f"\ndef answer(records, names):\n    return {answer}\n")
    source.write("a", "b")
    source.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    eventually(source.result, lambda result: result == "OK")
    source.write("c")
    eventually(source.processed, lambda names: "c" in names)
    assert source.batches() == [["a", "b"], ["c"]]


@pytest.mark.parametrize("identifier", ["''", "None", "'unknown'"])
def test_these_identifiers_mean_that_the_whole_batch_failed(mapped, discarded, identifier):
    """ReportBatchItemFailures: an empty, a null or an unknown itemIdentifier is a complete failure."""
    destination, receive = discarded
    # GIVEN a function that answers so, WHEN there are no retries THEN the whole batch is discarded
    source = mapped(
        "kinesis",
        f"\ndef answer(records, names):\n    return {{'batchItemFailures': [{{'itemIdentifier': {identifier}}}]}}\n",
    )
    source.write("a", "b")
    source.map(MaximumRetryAttempts=0, FunctionResponseTypes=["ReportBatchItemFailures"], DestinationConfig=destination)
    (message,) = receive(1)
    assert message["KinesisBatchInfo"]["batchSize"] == 2


def test_one_keys_records_stay_in_order_across_parallel_lanes(mapped):
    """ParallelizationFactor: batches run side by side, but the records of one key stay in order."""
    # GIVEN ten batches a shard, WHEN forty records of four keys are written in order
    source = mapped("kinesis", "\ndef answer(records, names):\n    time.sleep(0.02)\n")
    source.map(ParallelizationFactor=10, BatchSize=5)
    kinesis = source.pair.client(source.side, "kinesis")
    numbers = {}
    for round_ in range(10):
        answer = kinesis.put_records(
            StreamName=f"{source.unique}-source", Records=[{"PartitionKey": key, "Data": str(round_)} for key in "wxyz"]
        )
        for key, record in zip("wxyz", answer["Records"], strict=True):
            numbers.setdefault(key, []).append(record["SequenceNumber"])
    # THEN every record arrives exactly once, and no batch holds keys of both lanes
    eventually(source.processed, lambda names: len(names) >= 40)
    assert sorted(source.processed()) == sorted("wxyz" * 10)
    together = {frozenset(batch) for batch in source.batches()}
    lanes = [set().union(*(keys for keys in together if key in keys)) for key in "wxyz"]
    assert len({frozenset(lane) for lane in lanes}) == 2, together


def test_a_disabled_mapping_keeps_its_position(mapped):
    """Enabled=false stops reading; enabled again, the mapping goes on where it was."""
    # GIVEN a mapping that has read one record and is then disabled
    source = mapped("dynamodb")
    source.map()
    source.write("before")
    eventually(source.result, lambda result: result == "OK")
    source.functions.update_event_source_mapping(UUID=source.mapping["UUID"], Enabled=False)
    # WHEN a record is written meanwhile
    source.write("meanwhile")
    time.sleep(0.3)
    assert source.processed() == ["before"]
    # THEN it is read once the mapping is enabled again
    source.functions.update_event_source_mapping(UUID=source.mapping["UUID"], Enabled=True)
    eventually(source.processed, lambda names: names == ["before", "meanwhile"])


def test_filtered_records_are_passed_over(mapped):
    """FilterCriteria: records that match no pattern are dropped before the function is invoked."""
    # GIVEN a filter on the event's name, WHEN an item is inserted and removed
    source = mapped("dynamodb")
    source.map(FilterCriteria={"Filters": [{"Pattern": json.dumps({"eventName": ["REMOVE"]})}]})
    source.write("a", "b")
    source.pair.client("cn", "dynamodb").delete_item(TableName=f"{source.unique}-source", Key={"PK": {"S": "b"}})
    # THEN only the removal arrives
    eventually(source.processed, lambda names: names == ["b"])


def test_mappings_do_not_wait_for_each_other(mapped):
    """Each mapping has its own pollers: a slow function does not delay another mapping."""
    # GIVEN a mapping whose function takes three seconds and another one that is idle
    slow = mapped("kinesis", "\ndef answer(records, names):\n    time.sleep(3)\n    report([0, ['slow ended']])\n")
    quick = mapped("kinesis")
    slow.map()
    quick.map()
    slow.write("slow")
    eventually(slow.processed, bool)
    # WHEN a record comes for the other THEN it is processed while the slow function still runs
    quick.write("quick")
    eventually(quick.processed, lambda names: names == ["quick"])
    assert slow.processed() == ["slow"]


def test_images_are_those_of_the_change(mapped):
    """DynamoDB Streams: each record shows the item as it was right before and after its own change."""
    # GIVEN two changes of one item before anybody reads the stream
    source = mapped("dynamodb", IMAGES)
    table = source.pair.client("cn", "dynamodb")
    for value in ("1", "2", "3"):
        table.update_item(
            TableName=f"{source.unique}-source",
            Key={"PK": {"S": "a"}},
            UpdateExpression="SET v = :v",
            ExpressionAttributeValues={":v": {"N": value}},
        )
    # WHEN they are read THEN each carries its own images
    source.map()
    images = eventually(source.batches, lambda batches: len(batches) == 2)[1]
    assert images == [[None, {"N": "1"}], [{"N": "1"}, {"N": "2"}], [{"N": "2"}, {"N": "3"}]]
