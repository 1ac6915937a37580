# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that name several resources are authorised on each of them (Service Authorization Reference)."""

import json

import pytest

from .functions import make_table


@pytest.fixture
def user(pair, unique):
    """Makes a user with the given statements; gives a function that makes this user's clients."""

    def make(*statements):
        iam = pair.client("cn", "iam")
        iam.create_user(UserName=unique)
        document = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]}
        )
        iam.put_user_policy(UserName=unique, PolicyName="rights", PolicyDocument=document)
        key = iam.create_access_key(UserName=unique)["AccessKey"]
        secrets = {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
        return lambda service, where=pair: where.client("cn", service, **secrets)

    return make


def test_get_parameters_asks_for_the_right_to_each_parameter(pair, unique, user):
    """ssm:GetParameters has the resource type `parameter`: a policy on two parameters allows exactly these."""
    # GIVEN three parameters and a user with the right to two of them
    names = [f"/{unique}/{name}" for name in ("one", "two", "three")]
    for name in names:
        pair.client("cn", "ssm").put_parameter(Name=name, Value="1", Type="String")
    arns = [f"arn:aws-cn:ssm:cn-north-1:100000000001:parameter{name}" for name in names]
    client = user({"Action": "ssm:GetParameters", "Resource": arns[:2]})
    ssm = client("ssm")
    # WHEN the two are asked for THEN they are given
    assert len(ssm.get_parameters(Names=names[:2])["Parameters"]) == 2
    # and a request with the third among them is refused
    with pytest.raises(ssm.exceptions.ClientError, match="AccessDeniedException"):
        ssm.get_parameters(Names=names)
    # and so are those of the same names in another region
    there = client("ssm", pair.moved("cn", "cn-northwest-1"))
    with pytest.raises(ssm.exceptions.ClientError, match="ssm:cn-northwest-1"):
        there.get_parameters(Names=names[:2])


def test_a_transaction_asks_for_the_rights_of_its_single_writes(pair, unique, user):
    """A transaction needs PutItem and DeleteItem on each table it writes to, however many writes it has."""
    # GIVEN two tables and a user who may put into one of them
    tables = [unique, f"{unique}-other"]
    arns = [make_table(pair, "cn", name).partition("/stream/")[0] for name in tables]
    dynamodb = user({"Action": "dynamodb:PutItem", "Resource": arns[0]})("dynamodb")
    puts = [{"Put": {"TableName": tables[0], "Item": {"PK": {"S": str(number)}}}} for number in range(50)]
    # WHEN many items are put into it THEN they are written
    dynamodb.transact_write_items(TransactItems=puts)
    assert pair.client("cn", "dynamodb").scan(TableName=tables[0], Select="COUNT")["Count"] == 50
    # and one delete, or one put into the other table, refuses the whole
    for refused in (
        {"Delete": {"TableName": tables[0], "Key": {"PK": {"S": "1"}}}},
        {"Put": {"TableName": tables[1], "Item": {"PK": {"S": "1"}}}},
    ):
        with pytest.raises(dynamodb.exceptions.ClientError, match="AccessDeniedException"):
            dynamodb.transact_write_items(TransactItems=[*puts[2:5], refused])
