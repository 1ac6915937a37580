# SPDX-License-Identifier: GPL-3.0-or-later
"""Each side answers in its own partition (AWS General Reference, "Amazon Resource Names")."""

import json
import types

import pytest

from local_aws.patches.partition import translated

from .functions import make_function, make_queue, make_role, make_stream, make_table

PARTITIONS = {"cn": "aws-cn", "sg": "aws"}


@pytest.mark.parametrize("side", PARTITIONS)
def test_every_service_answers_in_the_sides_partition(pair, unique, side):
    """ARNs in China begin with `arn:aws-cn:`, elsewhere with `arn:aws:`."""
    # GIVEN one resource of each service that the project uses, WHEN its ARN is asked THEN it has the partition
    arns = {
        "sts": pair.client(side, "sts").get_caller_identity()["Arn"],
        "dynamodb": make_table(pair, side, unique),
        "kinesis": make_stream(pair, side, unique),
        "sqs": make_queue(pair, side, unique)[1],
        "iam": make_role(pair, side, unique),
        "sns": pair.client(side, "sns").create_topic(Name=unique)["TopicArn"],
        "kms": pair.client(side, "kms").create_key()["KeyMetadata"]["Arn"],
        "events": pair.client(side, "events").put_rule(Name=unique, ScheduleExpression="rate(1 day)")["RuleArn"],
    }
    arns["lambda"] = make_function(pair, side, unique, "def handler(event, context): pass\n", arns["iam"])
    pair.client(side, "ssm").put_parameter(Name=f"/{unique}", Value="1", Type="String")
    arns["ssm"] = pair.client(side, "ssm").get_parameter(Name=f"/{unique}")["Parameter"]["ARN"]
    pair.client(side, "logs").create_log_group(logGroupName=unique)
    arns["logs"] = pair.client(side, "logs").describe_log_groups(logGroupNamePrefix=unique)["logGroups"][0]["arn"]
    wrong = {service: arn for service, arn in arns.items() if not arn.startswith(f"arn:{PARTITIONS[side]}:")}
    assert wrong == {}


@pytest.mark.parametrize("side", PARTITIONS)
def test_resources_are_found_by_an_arn_of_the_sides_partition(pair, unique, side):
    """Calls that take an ARN (tags, subscriptions, consumers) accept the side's own partition."""
    # GIVEN a stream, a queue and a topic, WHEN they are addressed by ARN THEN they are found
    stream = make_stream(pair, side, unique)
    kinesis = pair.client(side, "kinesis")
    assert kinesis.describe_stream_summary(StreamARN=stream)["StreamDescriptionSummary"]["StreamARN"] == stream
    queue, topic = make_queue(pair, side, unique)[1], pair.client(side, "sns").create_topic(Name=unique)["TopicArn"]
    pair.client(side, "sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    pair.client(side, "sns").tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "b"}])
    assert pair.client(side, "sns").list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "b"}]
    table = make_table(pair, side, unique).partition("/stream/")[0]
    pair.client(side, "dynamodb").tag_resource(ResourceArn=table, Tags=[{"Key": "a", "Value": "b"}])
    assert pair.client(side, "dynamodb").list_tags_of_resource(ResourceArn=table)["Tags"]


@pytest.mark.parametrize("side", PARTITIONS)
def test_managed_policies_exist_in_the_sides_partition_only(pair, unique, side):
    """AWS managed policies are `arn:aws-cn:iam::aws:policy/...` in China."""
    iam = pair.client(side, "iam")
    make_role(pair, side, unique)
    for name in ("AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole"):
        arn = f"arn:{PARTITIONS[side]}:iam::aws:policy/service-role/{name}"
        iam.attach_role_policy(RoleName=unique, PolicyArn=arn)
        assert iam.get_policy(PolicyArn=arn)["Policy"]["Arn"] == arn
    foreign = "arn:aws:" if side == "cn" else "arn:aws-cn:"
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_policy(PolicyArn=f"{foreign}iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")


@pytest.mark.parametrize("side", PARTITIONS)
def test_policies_match_the_sides_arns(pair, unique, side):
    """A policy that names a resource by the side's ARN allows it, and only it (IAM enforced)."""
    # GIVEN a user who may write to one table of two
    allowed = make_table(pair, side, unique).partition("/stream/")[0]
    make_table(pair, side, f"{unique}-other")
    iam = pair.client(side, "iam")
    iam.create_user(UserName=unique)
    iam.put_user_policy(
        UserName=unique,
        PolicyName="one",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": allowed}],
            }
        ),
    )
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    user = pair.client(side, "dynamodb", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    # WHEN the user writes to both THEN one write is refused
    user.put_item(TableName=unique, Item={"PK": {"S": "a"}})
    with pytest.raises(user.exceptions.ClientError, match="AccessDeniedException"):
        user.put_item(TableName=f"{unique}-other", Item={"PK": {"S": "a"}})


def test_service_principals_and_other_text_stay_as_they_are():
    """Service principals are `<service>.amazonaws.com` in China too; only ARNs and partitions change."""
    # GIVEN code with ARNs, a principal, a comparison of partitions, and an unrelated "aws"
    source = (
        "def a(spec): return spec.partition != 'aws', f'arn:aws:iam::{spec}:root', b'arn:aws:s3'\n"
        "def b(): return 'lambda.amazonaws.com', 'aws', ('arn:aws:x', frozenset({'arn:aws:y'}))\n"
    )
    names = {}
    # WHEN it is translated
    exec(translated(compile(source, "source", "exec"), "aws-cn"), names)
    # THEN exactly the first kind has changed
    assert names["a"](types.SimpleNamespace(partition="aws-cn"))[0] is False
    assert names["a"](types.SimpleNamespace(partition="aws-cn"))[2] == b"arn:aws-cn:s3"
    assert names["b"]() == ("lambda.amazonaws.com", "aws", ("arn:aws-cn:x", frozenset({"arn:aws-cn:y"})))
