# SPDX-License-Identifier: GPL-3.0-or-later
"""The function's role is asked before a mapping reads its stream or announces a discard."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from .functions import eventually, make_function, make_queue, make_role, make_stream, make_table

READS = {
    "dynamodb": ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"],
    "kinesis": ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream", "kinesis:ListShards"],
}
FAIL = "def handler(event, context):\n    raise ValueError('always')\n"
SUCCEED = "def handler(event, context):\n    return None\n"


def allowing(actions, resource="*"):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]}


def put_policy(pair, side, role, policy):
    pair.client(side, "iam").put_role_policy(RoleName=role, PolicyName="rights", PolicyDocument=json.dumps(policy))


@pytest.mark.parametrize(("kind", "action"), [(kind, action) for kind, actions in READS.items() for action in actions])
def test_a_role_without_this_action_cannot_be_mapped(pair, unique, kind, action):
    """CreateEventSourceMapping refuses a role that cannot read the stream, and takes it once it can."""
    # GIVEN a role that lacks one of the reading actions
    source = (make_table if kind == "dynamodb" else make_stream)(pair, "sg", unique)
    role = make_role(pair, "sg", unique, allowing([each for each in READS[kind] if each != action], source))
    make_function(pair, "sg", unique, SUCCEED, role)
    functions = pair.client("sg", "lambda")
    mapping = {"FunctionName": unique, "EventSourceArn": source, "StartingPosition": "LATEST"}
    # WHEN it is mapped THEN AWS's refusal names the stream
    with pytest.raises(ClientError) as refused:
        functions.create_event_source_mapping(**mapping)
    assert refused.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": f"Cannot access stream {source}. Please ensure the role can perform the GetRecords, "
        "GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM.",
    }
    # and with exactly the reading actions on exactly this stream it is accepted
    put_policy(pair, "sg", unique, allowing(READS[kind], source))
    functions.create_event_source_mapping(**mapping)


def test_a_right_taken_away_stops_reading_until_it_is_back(pair, unique):
    """The role is asked at every poll; meanwhile LastProcessingResult says what is wrong, and nothing is lost."""
    # GIVEN a working mapping whose role then loses GetRecords
    source = make_stream(pair, "cn", unique)
    make_function(pair, "cn", unique, SUCCEED, make_role(pair, "cn", unique, allowing(READS["kinesis"])))
    functions = pair.client("cn", "lambda")
    uuid = functions.create_event_source_mapping(
        FunctionName=unique, EventSourceArn=source, StartingPosition="TRIM_HORIZON"
    )["UUID"]
    put_policy(pair, "cn", unique, allowing(READS["kinesis"][1:]))
    time.sleep(1.1)  # a role's rights are remembered for a second; on AWS a change takes longer to be felt

    def result():
        return functions.get_event_source_mapping(UUID=uuid)["LastProcessingResult"]

    # WHEN a record comes THEN the mapping reports the problem
    pair.client("cn", "kinesis").put_record(StreamName=unique, PartitionKey="a", Data=b"1")
    eventually(result, lambda seen: seen.startswith(f"PROBLEM: Cannot access stream {source}"))
    # and reads it once the right is back
    put_policy(pair, "cn", unique, allowing(READS["kinesis"]))
    eventually(result, lambda seen: seen == "OK")


def test_an_explicit_deny_wins(pair, unique):
    """IAM: an explicit Deny overrides any Allow, for the mapping's reads too."""
    # GIVEN a role that may do everything but is denied to read this stream
    source = make_table(pair, "cn", unique)
    policy = allowing(["*"])
    policy["Statement"].append({"Effect": "Deny", "Action": "dynamodb:GetRecords", "Resource": source})
    make_function(pair, "cn", unique, SUCCEED, make_role(pair, "cn", unique, policy))
    # WHEN it is mapped THEN it is refused
    with pytest.raises(ClientError, match="Cannot access stream"):
        pair.client("cn", "lambda").create_event_source_mapping(
            FunctionName=unique, EventSourceArn=source, StartingPosition="LATEST"
        )


def test_the_discard_is_announced_only_if_the_role_may_send(pair, unique):
    """The on-failure message is sent with the function's role: without sqs:SendMessage nothing arrives."""
    # GIVEN a role that may read but not send, and a function that always fails
    source = make_stream(pair, "cn", unique)
    url, queue = make_queue(pair, "cn", unique)
    make_function(pair, "cn", unique, FAIL, make_role(pair, "cn", unique, allowing(READS["kinesis"])))
    functions, sqs = pair.client("cn", "lambda"), pair.client("cn", "sqs")
    uuid = functions.create_event_source_mapping(
        FunctionName=unique,
        EventSourceArn=source,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )["UUID"]
    # WHEN a batch is discarded THEN the mapping says that it could not announce it
    pair.client("cn", "kinesis").put_record(StreamName=unique, PartitionKey="a", Data=b"1")
    eventually(
        lambda: functions.get_event_source_mapping(UUID=uuid)["LastProcessingResult"],
        lambda seen: seen.startswith("PROBLEM: on-failure message not sent") and queue in seen,
    )
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    # and with the right the next discard is announced
    put_policy(pair, "cn", unique, allowing([*READS["kinesis"], "sqs:SendMessage"]))
    eventually(lambda: _send_and_receive(pair, unique, url), bool)


def _send_and_receive(pair, unique, url):
    pair.client("cn", "kinesis").put_record(StreamName=unique, PartitionKey="a", Data=b"1")
    return pair.client("cn", "sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
