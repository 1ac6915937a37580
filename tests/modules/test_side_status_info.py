# SPDX-License-Identifier: GPL-3.0-or-later
"""side_status_info tells what a side's region answers, part by part, and what it does not answer."""

from datetime import UTC, datetime, timedelta

import pytest
from ansible.module_utils.dynabridge.aws import side_status
from ansible.module_utils.dynabridge.compare_record import item_of
from ansible.modules import side_status_info

from tests.modules.aws_fakes import aws_error, calls_of, fake_client

SENDER, RECEIVER = "ddb_send_to_kinesis", "replicator_kinesis"
HERE = "cn-north-1:100000000001"
STREAM_OF_TABLE = f"arn:aws-cn:dynamodb:{HERE}:table/user-cn/stream/2026-11-20T10:00:00.000"
STREAM = f"arn:aws-cn:kinesis:{HERE}:stream/ddb_replication_stream_cn"
NOW = datetime.now(UTC)
SIDE = {"item_count": 5, "table": "t"}
COMPARED = {"equal": False, "differing": 2, "capped": False, "left": SIDE, "right": SIDE}


class FakeLambda:
    def __init__(self):
        self.mappings = {
            SENDER: [{"EventSourceArn": STREAM_OF_TABLE, "State": "Enabled", "LastProcessingResult": "OK"}],
            RECEIVER: [{"EventSourceArn": STREAM, "State": "Disabled"}],
        }

    def list_event_source_mappings(self, FunctionName, Marker=None):
        if FunctionName not in self.mappings:
            raise aws_error("ResourceNotFoundException")
        return {"EventSourceMappings": self.mappings[FunctionName]}


class FakeCloudWatch:
    """Sender: two minutes with calls, the older one late; receiver: nothing."""

    def get_metric_data(self, MetricDataQueries, StartTime, EndTime, ScanBy, NextToken=None):
        assert timedelta(minutes=15) <= EndTime - StartTime <= timedelta(minutes=17)
        return {
            "MetricDataResults": [
                {"Id": query["Id"], **self.values(query["MetricStat"])} for query in MetricDataQueries
            ]
        }

    @staticmethod
    def values(stat):
        metric, dimensions = stat["Metric"]["MetricName"], [entry["Value"] for entry in stat["Metric"]["Dimensions"]]
        found = {"Invocations": [3, 4], "Errors": [0, 1], "Throttles": [0, 0], "IteratorAge": [900_000, 400]}.get(
            metric, [7, 2]
        )
        values = [] if RECEIVER in dimensions else found
        moments = [NOW - timedelta(minutes=5), NOW - timedelta(minutes=1)]
        return {"Values": values, "Timestamps": moments[: len(values)]}

    def describe_alarms(self, AlarmNamePrefix, StateValue, NextToken=None):
        assert (AlarmNamePrefix, StateValue) == ("dynabridge-cn-", "ALARM")
        return {"MetricAlarms": [{"AlarmName": "dynabridge-cn-Unsent_count", "StateUpdatedTimestamp": NOW}]}


class FakeSqs:
    def get_queue_url(self, QueueName):
        if QueueName == "gone":
            raise aws_error("AWS.SimpleQueueService.NonExistentQueue", "no such queue", "GetQueueUrl")
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, QueueUrl, AttributeNames):
        return {"Attributes": dict(zip(AttributeNames, ("2", "1"), strict=True))}


class FakeS3:
    """Three keys a page."""

    def __init__(self, *keys):
        self.keys, self.listed = sorted(keys), 0

    def list_objects_v2(self, Bucket, Prefix, ContinuationToken="0"):
        self.listed += 1
        keys, start = [key for key in self.keys if key.startswith(Prefix)], int(ContinuationToken)
        more = {"NextContinuationToken": str(start + 3), "IsTruncated": True} if start + 3 < len(keys) else {}
        return {"Contents": [{"Key": key} for key in keys[start : start + 3]]} | more


class FakeDynamoDb:
    def __init__(self):
        self.items = {
            ("loader_stats", "loaded_count"): {"cnt": {"N": "5000"}},
            ("replicator_stats", "last_compare:user"): item_of("user", COMPARED, [], NOW.timestamp()),
        }

    def get_item(self, TableName, Key, ConsistentRead):
        item = self.items.get((TableName, Key["PK"]["S"]))
        return {"Item": item} if item else {}


class FakeSsm:
    def __init__(self, *names):
        self.names = names

    def get_parameters(self, Names, WithDecryption):
        assert not WithDecryption
        found = [{"Name": name, "Value": f"of {name}"} for name in Names if name.endswith(tuple(self.names))]
        return {"Parameters": found}


class FakeIam:
    def list_access_keys(self, UserName):
        if UserName != "dynabridge-peer-sg":
            raise aws_error("NoSuchEntity")
        return {"AccessKeyMetadata": [{"AccessKeyId": "AKIA", "Status": "Inactive", "CreateDate": NOW}]}


@pytest.fixture
def fakes():
    kept = [f"quarantine/{SENDER}/2026/11/20/s/{number}.json" for number in range(4)]
    return {
        "lambda": FakeLambda(),
        "cloudwatch": FakeCloudWatch(),
        "sqs": FakeSqs(),
        "s3": FakeS3(*kept, "gaps/one.json", f"replayed/{kept[0]}"),
        "dynamodb": FakeDynamoDb(),
        "ssm": FakeSsm("AccessKey", "SecretKey"),
        "iam": FakeIam(),
    }


@pytest.fixture
def look(run_module, fakes):
    def run(**params):
        known = {
            "functions": [SENDER, RECEIVER],
            "queues": ["ddbstreamcn", "ddbreplicatorcn"],
            "bucket": "quarantine-cn",
            "compared": ["user", "orders"],
            "parameter_path": "/DDBReplication/TableSG/",
            "user": "dynabridge-peer-sg",
            "alarm_prefix": "dynabridge-cn-",
        }
        clients = {service: fake_client(service, fake) for service, fake in fakes.items()}
        return run_module(side_status_info, clients, **(known | params))

    return run


def test_each_part_is_told(look):
    """GIVEN a side that answers WHEN asked THEN every part is there, nothing is unknown, and nothing was changed."""
    found = look()
    assert found["unknown"] == {} and found["changed"] is False
    assert found["mappings"] == {
        SENDER: [{"source": "user-cn", "state": "Enabled", "result": "OK"}],
        RECEIVER: [{"source": "ddb_replication_stream_cn", "state": "Disabled", "result": ""}],
    }
    # the newest age counts, and the sums are of all minutes
    assert found["metrics"]["functions"][SENDER] == {"invocations": 7, "errors": 1, "throttles": 0, "age_seconds": 0.4}
    assert found["metrics"]["functions"][RECEIVER] == {
        "invocations": 0,
        "errors": 0,
        "throttles": 0,
        "age_seconds": None,
    }
    assert found["metrics"]["lag_seconds"] == 2
    assert found["queues"] == {"ddbstreamcn": 3, "ddbreplicatorcn": 3}
    assert found["counters"] == {"loaded": 5000, "replicated": 0}
    assert found["compares"]["orders"] is None and found["compares"]["user"]["differing"] == 2
    assert found["stored_key"] == "of /DDBReplication/TableSG/AccessKey"
    (key,) = found["user_keys"]["keys"]
    assert (key["id"], key["active"]) == ("AKIA", False)
    assert [alarm["name"] for alarm in found["alarms"]] == ["dynabridge-cn-Unsent_count"]


def test_the_quarantine_is_counted_page_by_page(look):
    found = look()["quarantine"]
    assert (found["entries"], found["gaps"], found["total"], found["more"]) == ({SENDER: 4}, 1, 5, False)


def test_the_quarantine_is_not_counted_for_ever(look, fakes):
    """GIVEN more than is to be counted THEN the listing ends there, and says that there may be more."""
    fakes["s3"] = FakeS3(*(f"quarantine/{SENDER}/{number:03d}.json" for number in range(100)))
    found = look(most=6)["quarantine"]
    assert found["more"] and 6 <= found["total"] < 12 and fakes["s3"].listed < 5


def test_what_is_not_there(look, fakes):
    """GIVEN no function, no user and half a pair THEN that is known, and no failure."""
    fakes["lambda"].mappings, fakes["ssm"] = {}, FakeSsm("AccessKey")
    found = look(user="nobody")
    assert found["unknown"] == {} and found["mappings"] == {SENDER: [], RECEIVER: []}
    assert found["stored_key"] == "" and found["user_keys"] == {"user": "nobody", "keys": []}


def test_a_refusal_hides_nothing_else(look):
    found = look(queues=["ddbstreamcn", "gone"])
    assert found["queues"] is None and found["counters"]["loaded"] == 5000
    assert list(found["unknown"]) == ["queues"]
    assert found["unknown"]["queues"] == (
        "GetQueueUrl was refused (AWS.SimpleQueueService.NonExistentQueue): no such queue"
    )


def test_the_secret_is_not_read():
    """GIVEN a stored pair WHEN the key is asked for THEN in one call, and the secret is not in what is given."""
    client = fake_client("ssm", FakeSsm("AccessKey", "SecretKey"))
    assert "SecretKey" not in side_status._stored_key(client, "/p/")
    assert calls_of(client, "get_") == ["get_parameters"]


def test_bad_input(look):
    assert "most is 0" in look(most=0)["msg"]
