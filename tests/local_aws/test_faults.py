# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults are those of AWS, come only when asked for, and end."""

import http.client
import time
import urllib.request

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ConnectionError, HTTPClientError

from tests import faults_api
from tests.local_pair import launcher, started_pair

from .functions import eventually, make_function, make_stream, make_table

ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=1)


@pytest.fixture
def bad_day(pair):
    """The pair, with all well again after the test."""
    yield pair
    for side in pair.sides:
        faults_api.all_well(pair, side)


def client(pair, side, service):
    """A client that tries once."""
    return pair.session(side).client(service, endpoint_url=pair.sides[side]["endpoint_url"], config=ONCE)


CALLS = [
    ("dynamodb", "list_tables", {}, "ProvisionedThroughputExceededException", 400, "InternalServerError"),
    ("kinesis", "list_streams", {}, "ProvisionedThroughputExceededException", 400, "InternalFailure"),
    ("ssm", "describe_parameters", {}, "ThrottlingException", 400, "InternalServerError"),
    ("sqs", "list_queues", {}, "RequestThrottled", 403, "InternalFailure"),
    ("logs", "describe_log_groups", {}, "ThrottlingException", 400, "InternalFailure"),
    ("s3", "list_buckets", {}, "SlowDown", 503, "InternalError"),
    ("lambda", "list_functions", {}, "TooManyRequestsException", 429, "ServiceException"),
    ("iam", "list_users", {}, "Throttling", 400, "ServiceFailure"),
    ("sts", "get_caller_identity", {}, "Throttling", 400, "InternalFailure"),
    ("cloudwatch", "list_metrics", {}, "Throttling", 400, "InternalFailure"),
    ("ec2", "describe_vpcs", {}, "RequestLimitExceeded", 503, "InternalError"),
]


@pytest.mark.parametrize(("service", "operation", "arguments", "code", "status", "internal"), CALLS)
def test_errors_have_the_shape_that_the_service_gives_them(
    bad_day, service, operation, arguments, code, status, internal
):
    """GIVEN every call fails WHEN a service is called THEN the client reads the service's own code and status."""
    call = getattr(client(bad_day, "sg", service), operation)
    expected = {"throttling": (code, status), "unavailable": ("ServiceUnavailable", 503), "internal": (internal, 500)}
    for kind, (name, number) in expected.items():
        faults_api.throttle(bad_day, "sg", 1, kinds=[kind])
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        answer = caught.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (name, number)
        assert answer["Error"]["Message"]
    faults_api.throttle(bad_day, "sg", 0)
    call(**arguments)


def test_a_share_of_the_named_calls_fails_the_same_way_each_time(bad_day, unique):
    """GIVEN a share and a seed WHEN named calls are made twice THEN the same of them fail, and other calls none."""
    make_table(bad_day, "cn", unique)
    dynamodb = client(bad_day, "cn", "dynamodb")

    def failing() -> list[int]:
        faults_api.throttle(bad_day, "cn", 0.2, ["dynamodb:PutItem"], ["throttling"], seed=7)
        return [number for number in range(100) if not _put(dynamodb, unique, number)]

    first = failing()
    assert 8 <= len(first) <= 35 and failing() == first
    assert faults_api.failed(bad_day, "cn") == {"dynamodb:PutItem throttling": len(first)}
    for _attempt in range(30):
        dynamodb.describe_table(TableName=unique)
    faults_api.all_well(bad_day, "cn")
    assert all(_put(dynamodb, unique, number) for number in range(50))


def _put(dynamodb, table: str, number: int) -> bool:
    try:
        dynamodb.put_item(TableName=table, Item={"PK": {"S": str(number)}})
    except ClientError:
        return False
    return True


def test_an_internal_error_may_hide_a_call_that_was_carried_out(bad_day, unique):
    """GIVEN internal errors WHEN items are put THEN all fail, and some are there all the same, as on AWS."""
    make_table(bad_day, "cn", unique)
    dynamodb = client(bad_day, "cn", "dynamodb")
    faults_api.throttle(bad_day, "cn", 1, ["dynamodb:PutItem"], ["internal"])
    assert not any(_put(dynamodb, unique, number) for number in range(40))
    assert 5 < dynamodb.scan(TableName=unique)["Count"] < 35


def test_botocore_tries_a_failing_call_again(bad_day, unique):
    """GIVEN a fifth of all calls fails WHEN a client with retries writes THEN everything is written."""
    make_table(bad_day, "cn", unique)
    with faults_api.throttled(bad_day, 0.2, ["dynamodb:*"]):
        for number in range(40):
            bad_day.client("cn", "dynamodb").put_item(TableName=unique, Item={"PK": {"S": str(number)}})
        assert faults_api.failed(bad_day, "cn")
    assert bad_day.client("cn", "dynamodb").scan(TableName=unique)["Count"] == 40


def test_a_call_may_be_carried_out_in_part(bad_day, unique):
    """GIVEN partial failures WHEN many are put at once THEN what the answer names is not there, and the rest is."""
    make_table(bad_day, "sg", unique)
    make_stream(bad_day, "sg", unique)
    dynamodb, kinesis = client(bad_day, "sg", "dynamodb"), client(bad_day, "sg", "kinesis")
    faults_api.throttle(bad_day, "sg", 1, kinds=["partial"], seed=3)
    writes = [{"PutRequest": {"Item": {"PK": {"S": str(number)}}}} for number in range(20)]
    back = dynamodb.batch_write_item(RequestItems={unique: writes})["UnprocessedItems"][unique]
    keys = [{"PK": {"S": str(number)}} for number in range(20)]
    read = dynamodb.batch_get_item(RequestItems={unique: {"Keys": keys, "ConsistentRead": True}})
    records = [{"Data": str(number), "PartitionKey": str(number)} for number in range(20)]
    put = kinesis.put_records(StreamName=unique, Records=records)
    assert set(faults_api.failed(bad_day, "sg")) == {
        "dynamodb:BatchWriteItem partial",
        "dynamodb:BatchGetItem partial",
        "kinesis:PutRecords partial",
    }
    faults_api.all_well(bad_day, "sg")

    missing = {write["PutRequest"]["Item"]["PK"]["S"] for write in back}
    present = {item["PK"]["S"] for item in dynamodb.scan(TableName=unique)["Items"]}
    assert (
        0 < len(missing) < 20 and missing | present == {str(number) for number in range(20)} and not missing & present
    )
    unread = read["UnprocessedKeys"][unique]
    assert unread["ConsistentRead"] is True and 0 < len(unread["Keys"]) < 20
    asked_and_there = present - {key["PK"]["S"] for key in unread["Keys"]}
    assert {item["PK"]["S"] for item in read["Responses"][unique]} == asked_and_there
    arrived = [number for number, result in enumerate(put["Records"]) if "SequenceNumber" in result]
    assert put["FailedRecordCount"] == 20 - len(arrived) and 0 < len(arrived) < 20
    assert faults_api.trim(bad_day, "sg", unique) == len(arrived)


@pytest.mark.parametrize(
    ("what", "content", "sentence"),
    [
        ("faults", {"share": 2}, "share is 2: it must be from 0 to 1"),
        ("faults", {"share": 0.1, "kinds": ["rain"]}, "it must be some of throttling, unavailable, internal, partial"),
        ("kill", {"after": 1}, "function is missing"),
        ("kill", {"function": "f", "after": 0}, "must be whole numbers"),
        ("region", {"region": "cn-north-1"}, "down None: they must be"),
        ("rain", {}, "PUT /_dynabridge/rain is not known"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(pair, what, content, sentence):
    with pytest.raises(ValueError, match=sentence):
        faults_api._ask(pair, "cn", "PUT", what, content)


def test_reset_ends_every_fault(tmp_path):
    """GIVEN faults WHEN the side is reset THEN there are none."""
    with started_pair(tmp_path / "local") as own:
        faults_api.throttle(own, "cn", 1)
        launcher(own.directory, "reset")
        own.client("cn", "sqs").list_queues()
        assert faults_api.failed(own, "cn") == {}


# -- trimmed streams -------------------------------------------------------------------------


def test_a_tables_trimmed_records_are_gone(bad_day, unique):
    """GIVEN records WHEN they are trimmed THEN an iterator at one is refused, and the next record can be read."""
    arn = make_table(bad_day, "cn", unique)
    streams = bad_day.client("cn", "dynamodbstreams")
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]

    def iterator(kind, **more):
        return streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **more)["ShardIterator"]

    def read(start):
        return [record["dynamodb"] for record in streams.get_records(ShardIterator=start)["Records"]]

    for number in range(3):
        _put(bad_day.client("cn", "dynamodb"), unique, number)
    at_first = iterator("TRIM_HORIZON")
    first = read(at_first)[0]["SequenceNumber"]
    assert faults_api.trim(bad_day, "cn", unique) == 3
    for attempt in (
        lambda: iterator("AT_SEQUENCE_NUMBER", SequenceNumber=first),
        lambda: streams.get_records(ShardIterator=at_first),
    ):
        with pytest.raises(ClientError) as caught:
            attempt()
        assert caught.value.response["Error"]["Code"] == "TrimmedDataAccessException"
    _put(bad_day.client("cn", "dynamodb"), unique, 3)
    assert [record["Keys"]["PK"]["S"] for record in read(iterator("TRIM_HORIZON"))] == ["3"]


def test_a_kinesis_streams_trimmed_records_are_gone(bad_day, unique):
    """GIVEN an iterator behind records WHEN these are trimmed THEN it, and one at the first of them, read the next record."""
    make_stream(bad_day, "sg", unique)
    kinesis = bad_day.client("sg", "kinesis")
    shard = kinesis.list_shards(StreamName=unique)["Shards"][0]["ShardId"]
    put = [kinesis.put_record(StreamName=unique, Data=data, PartitionKey="k") for data in (b"a", b"b")]

    def iterator(kind, **more):
        return kinesis.get_shard_iterator(StreamName=unique, ShardId=shard, ShardIteratorType=kind, **more)[
            "ShardIterator"
        ]

    latest = iterator("LATEST")
    assert faults_api.trim(bad_day, "sg", unique) == 2
    kinesis.put_record(StreamName=unique, Data=b"c", PartitionKey="k")
    for start in (
        latest,
        iterator("TRIM_HORIZON"),
        iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber=put[0]["SequenceNumber"]),
    ):
        assert [record["Data"] for record in kinesis.get_records(ShardIterator=start)["Records"]] == [b"c"]


def test_a_mapping_goes_on_after_what_was_trimmed(bad_day, unique):
    """GIVEN a batch that fails again and again WHEN the stream is trimmed THEN it ends, and the next record arrives."""
    arn = make_table(bad_day, "cn", unique)
    make_table(bad_day, "cn", f"{unique}-seen")
    source = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    keys = [record['dynamodb']['Keys']['PK']['S'] for record in event['Records']]\n"
        "    if 'bad' in keys:\n        raise ValueError('as asked')\n"
        "    for key in keys:\n"
        f"        boto3.client('dynamodb').put_item(TableName='{unique}-seen', Item={{'PK': {{'S': key}}}})\n"
    )
    make_function(bad_day, "cn", unique, source)
    functions, dynamodb = bad_day.client("cn", "lambda"), bad_day.client("cn", "dynamodb")
    mapping = functions.create_event_source_mapping(
        FunctionName=unique, EventSourceArn=arn, StartingPosition="TRIM_HORIZON", BatchSize=1
    )["UUID"]
    for key in ("bad", "lost"):
        dynamodb.put_item(TableName=unique, Item={"PK": {"S": key}})
    eventually(
        lambda: functions.get_event_source_mapping(UUID=mapping)["LastProcessingResult"],
        lambda seen: seen.startswith("PROBLEM"),
    )
    assert faults_api.trim(bad_day, "cn", unique) == 2
    dynamodb.put_item(TableName=unique, Item={"PK": {"S": "next"}})
    seen = eventually(lambda: dynamodb.scan(TableName=f"{unique}-seen")["Items"], bool)
    functions.delete_event_source_mapping(UUID=mapping)
    assert seen == [{"PK": {"S": "next"}}]


def test_a_stream_that_is_not_there_is_an_error(pair, unique):
    with pytest.raises(ValueError, match="no table and no Kinesis stream"):
        faults_api.trim(pair, "cn", unique)


# -- killed workers, and a side that does not answer ----------------------------------------------


def test_a_worker_is_killed_after_its_call_was_carried_out(bad_day, unique):
    """GIVEN an ambush at the second call WHEN a batch runs THEN the call is carried out and the batch comes again."""
    arn = make_table(bad_day, "cn", unique)
    make_table(bad_day, "cn", f"{unique}-log")
    source = (
        "import boto3, os\n"
        "ADD = {'UpdateExpression': 'ADD n :one', 'ExpressionAttributeValues': {':one': {'N': '1'}}}\n"
        "def handler(event, context):\n"
        "    client = boto3.client('dynamodb')\n"
        "    for step in ('first', 'second', 'third'):\n"
        f"        client.update_item(TableName='{unique}-log', Key={{'PK': {{'S': step}}}}, **ADD)\n"
    )
    make_function(bad_day, "cn", unique, source)
    functions, dynamodb = bad_day.client("cn", "lambda"), bad_day.client("cn", "dynamodb")
    faults_api.kill_mid_batch(bad_day, "cn", unique, after=2, calls=["dynamodb:UpdateItem"])
    mapping = functions.create_event_source_mapping(
        FunctionName=unique, EventSourceArn=arn, StartingPosition="TRIM_HORIZON"
    )["UUID"]
    dynamodb.put_item(TableName=unique, Item={"PK": {"S": "a"}})

    def steps():
        return {row["PK"]["S"]: row["n"]["N"] for row in dynamodb.scan(TableName=f"{unique}-log")["Items"]}

    eventually(steps, lambda seen: seen == {"first": "2", "second": "2", "third": "1"}, 20)
    functions.delete_event_source_mapping(UUID=mapping)
    assert faults_api.killed(bad_day, "cn", unique) == 1


def test_a_stopped_side_does_not_answer_and_keeps_all(pair, unique):
    """GIVEN a side with an item WHEN it is stopped THEN calls fail on the way; afterwards the item is there."""
    make_table(pair, "sg", unique)
    patient, hasty = pair.client("sg", "dynamodb"), client(pair, "sg", "dynamodb")
    assert _put(patient, unique, 1)
    with faults_api.stopped(pair, "sg"):
        with pytest.raises((ConnectionError, HTTPClientError)):
            hasty.scan(TableName=unique)
        pair.client("cn", "dynamodb").list_tables()
    assert patient.scan(TableName=unique)["Items"] == [{"PK": {"S": "1"}}]


# -- a region that is gone ------------------------------------------------------------------------


def regional(pair, side, service, region, **config):
    """A client of a region that tries once."""
    session = pair.session(side)
    config = ONCE.merge(Config(**config))
    return session.client(service, region_name=region, endpoint_url=pair.sides[side]["endpoint_url"], config=config)


def test_a_lost_region_answers_nobody_and_counts_who_called(bad_day, unique):
    """GIVEN two regions WHEN one is down THEN calls signed for it are cut off and counted, those of the other are answered;
    afterwards all is there."""
    make_table(bad_day, "cn", unique)
    here, there = (regional(bad_day, "cn", "dynamodb", region) for region in ("cn-north-1", "cn-northwest-1"))
    assert _put(here, unique, 1)
    with faults_api.region_down(bad_day, "cn", "cn-north-1"):
        for _attempt in range(2):
            with pytest.raises(ConnectionClosedError):
                here.scan(TableName=unique)
        with pytest.raises((ConnectionError, HTTPClientError)):  # a body beyond what the socket buffers
            here.put_item(TableName=unique, Item={"PK": {"S": "2"}, "large": {"S": "x" * 390_000}})
        with pytest.raises(ConnectionClosedError):
            regional(bad_day, "cn", "s3", "cn-north-1").list_buckets()
        there.list_tables()
        bad_day.client("sg", "dynamodb").list_tables()
        with pytest.raises(ConnectionClosedError):
            regional(
                bad_day, "cn", "sqs", "cn-north-1", user_agent_extra="exec-env/AWS_Lambda_python3.13"
            ).list_queues()
        counted = {"dynamodb Scan": 2, "dynamodb PutItem": 1, "s3 GET /": 1}
        assert faults_api.calls_of_lost_region(bad_day, "cn", "cn-north-1") == counted
        assert faults_api.calls_of_lost_region(bad_day, "cn", "cn-northwest-1") == {}
    assert here.scan(TableName=unique)["Items"] == [{"PK": {"S": "1"}}]
    assert faults_api.calls_of_lost_region(bad_day, "cn", "cn-north-1") == counted, "until it is lost again"
    with faults_api.region_down(bad_day, "cn", "cn-north-1"):
        assert faults_api.calls_of_lost_region(bad_day, "cn", "cn-north-1") == {}


def test_a_lost_region_is_known_by_presigned_requests_too(bad_day, unique):
    """GIVEN a presigned URL of the region WHEN it is down THEN it is cut off; a client with retries tries again in vain."""
    s3 = regional(bad_day, "sg", "s3", "ap-southeast-1", signature_version="s3v4")
    url = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": unique})
    with faults_api.region_down(bad_day, "sg", "ap-southeast-1"):
        with pytest.raises(http.client.RemoteDisconnected):
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10)
        with pytest.raises((ConnectionError, HTTPClientError)):
            regional(
                bad_day, "sg", "sqs", "ap-southeast-1", retries={"mode": "standard", "total_max_attempts": 3}
            ).list_queues()
        counted = faults_api.calls_of_lost_region(bad_day, "sg", "ap-southeast-1")
        assert counted == {f"presigned GET /{unique}": 1, "sqs ListQueues": 3}


def test_what_runs_in_a_lost_region_stands_still(bad_day, unique):
    """GIVEN a mapping whose batch fails again and again WHEN its region is lost THEN it is not tried until that is back."""
    arn = make_table(bad_day, "cn", unique)
    make_table(bad_day, "cn", f"{unique}-log")
    source = (
        "import boto3\n"
        "ADD = {'UpdateExpression': 'ADD n :one', 'ExpressionAttributeValues': {':one': {'N': '1'}}}\n"
        "def handler(event, context):\n"
        f"    boto3.client('dynamodb').update_item(TableName='{unique}-log', Key={{'PK': {{'S': 'a'}}}}, **ADD)\n"
        "    raise ValueError('as asked')\n"
    )
    make_function(bad_day, "cn", unique, source)
    functions, dynamodb = bad_day.client("cn", "lambda"), bad_day.client("cn", "dynamodb")
    mapping = functions.create_event_source_mapping(
        FunctionName=unique, EventSourceArn=arn, StartingPosition="TRIM_HORIZON"
    )["UUID"]

    def attempts():
        items = dynamodb.scan(TableName=f"{unique}-log")["Items"]
        return int(items[0]["n"]["N"]) if items else 0

    _put(dynamodb, unique, 1)
    eventually(attempts, lambda count: count > 1, 20)
    with faults_api.region_down(bad_day, "cn", "cn-north-1"):
        time.sleep(0.5)  # what is under way ends
        before = faults_api.calls_of_lost_region(bad_day, "cn", "cn-north-1")
        time.sleep(2.5)
        assert faults_api.calls_of_lost_region(bad_day, "cn", "cn-north-1") == before
    seen = attempts()
    eventually(attempts, lambda count: count > seen, 20)
    functions.delete_event_source_mapping(UUID=mapping)
