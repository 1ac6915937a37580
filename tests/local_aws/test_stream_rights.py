# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy that names a table's stream lets that stream be read, and no other's (Service Authorization Reference)."""

import json

import pytest
from botocore.exceptions import ClientError

from .functions import make_table

READS = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]


@pytest.mark.parametrize("side", ["cn", "sg"])
def test_the_stream_that_is_named_is_the_one_that_is_allowed(pair, unique, side):
    """GIVEN a user who may read one stream WHEN they read it and another THEN only the one is allowed, with each call."""
    mine, other = (make_table(pair, side, f"{unique}{end}") for end in ("-a", "-b"))
    iam = pair.client(side, "iam")
    iam.create_user(UserName=unique)
    allow = {"Effect": "Allow", "Action": READS, "Resource": mine.split("/stream/")[0] + "/stream/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName=unique, PolicyName="read", PolicyDocument=document)
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    user = pair.client(side, "dynamodbstreams", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    root = pair.client(side, "dynamodbstreams")

    def read(client, stream):
        shard = root.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
        place = {"StreamArn": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        return client.get_shard_iterator(**place)["ShardIterator"]

    user.describe_stream(StreamArn=mine)
    assert user.get_records(ShardIterator=read(user, mine))["Records"] == []
    iterator = read(root, other)
    for call in (
        lambda: user.describe_stream(StreamArn=other),
        lambda: read(user, other),
        lambda: user.get_records(ShardIterator=iterator),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
