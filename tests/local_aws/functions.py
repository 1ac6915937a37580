# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny functions, roles and streams for the contract tests, and a wait that fails with what it saw."""

import io
import json
import time
import zipfile

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def zipped(source: str) -> bytes:
    """A deployment package with the source as `handler.py`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("handler.py", source)
    return buffer.getvalue()


def make_role(pair, side: str, name: str, policy: dict | None = None) -> str:
    iam = pair.client(side, "iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(policy or EVERYTHING))
    return arn


def make_function(pair, side: str, name: str, source: str, role: str | None = None, **settings) -> str:
    return pair.client(side, "lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="handler.handler",
        Timeout=10,
        Role=role or make_role(pair, side, name),
        Code={"ZipFile": zipped(source)},
        **settings,
    )["FunctionArn"]


def make_table(pair, side: str, name: str) -> str:
    """A table with the key PK (S); gives the ARN of its stream."""
    return pair.client(side, "dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]["LatestStreamArn"]


def make_stream(pair, side: str, name: str) -> str:
    kinesis = pair.client(side, "kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]


def make_queue(pair, side: str, name: str) -> tuple[str, str]:
    """A queue's URL and ARN."""
    sqs = pair.client(side, "sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def eventually(look, expected, seconds: float = 10.0):
    """Look until `expected(what was seen)` is true; gives what was seen."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if expected(seen):
            return seen
        assert time.monotonic() < deadline, f"still not as expected after {seconds} seconds: {seen!r}"
        time.sleep(0.03)
