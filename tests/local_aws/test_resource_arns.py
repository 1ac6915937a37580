# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy that names a table lets its tags and its policy be read, and no other's (Service Authorization Reference)."""

import json

import pytest
from botocore.exceptions import ClientError

from .functions import make_table

READS = {"list_tags_of_resource": "dynamodb:ListTagsOfResource", "get_resource_policy": "dynamodb:GetResourcePolicy"}


@pytest.mark.parametrize("operation", READS)
def test_the_table_that_is_named_is_the_one_that_is_allowed(pair, unique, operation):
    """GIVEN a user who may read this of one table WHEN they ask for it and for another THEN only the one is allowed."""
    mine, other = (make_table(pair, "cn", f"{unique}{end}").split("/stream/")[0] for end in ("-a", "-b"))
    iam = pair.client("cn", "iam")
    iam.create_user(UserName=unique)
    allow = {"Effect": "Allow", "Action": READS[operation], "Resource": mine}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName=unique, PolicyName="read", PolicyDocument=document)
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    user = pair.client("cn", "dynamodb", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])

    def answer(arn):
        try:
            getattr(user, operation)(ResourceArn=arn)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return ""

    assert answer(mine) in ("", "PolicyNotFoundException")
    assert answer(other) == "AccessDeniedException"
