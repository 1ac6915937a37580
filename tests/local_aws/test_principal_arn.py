# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket policy knows an assumed role by the role's ARN (IAM User Guide, aws:PrincipalArn); AssumeRole's keys are enforced."""

import json

import pytest
from botocore.exceptions import ClientError


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def role_arn(pair, unique):
    """A role with a path that may put and delete objects; whoever of the account may assume it."""
    iam, account = pair.client("cn", "iam"), pair.sides["cn"]["account_id"]
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws-cn:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(Path="/people/", RoleName=unique, AssumeRolePolicyDocument=document(trust))["Role"]
    allow = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": "*"}
    iam.put_role_policy(RoleName=unique, PolicyName="objects", PolicyDocument=document(allow))
    return role["Arn"]


def assumed(pair, role_arn):
    """Clients of a session of the role."""
    keys = pair.client("cn", "sts").assume_role(RoleArn=role_arn, RoleSessionName="contract")["Credentials"]
    session = pair.session("cn", access_key=keys["AccessKeyId"], secret_key=keys["SecretAccessKey"])
    endpoint = pair.sides["cn"]["endpoint_url"]
    return lambda service: session.client(
        service, endpoint_url=endpoint, aws_session_token=keys["SessionToken"],
        aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
    )  # fmt: skip


@pytest.mark.parametrize(("operator", "is_let_in"), [("ArnNotEquals", True), ("ArnEquals", False)])
def test_a_policy_that_excepts_the_role_lets_its_sessions_in(pair, unique, role_arn, operator, is_let_in):
    """GIVEN a bucket that denies writing to all but (or to) the role WHEN its session writes THEN it may (or may not)."""
    root = pair.client("cn", "s3")
    root.create_bucket(Bucket=unique, CreateBucketConfiguration={"LocationConstraint": "cn-north-1"})
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws-cn:s3:::{unique}/*",
        "Condition": {operator: {"aws:PrincipalArn": role_arn}},
    }
    root.put_bucket_policy(Bucket=unique, Policy=document(deny))
    s3 = assumed(pair, role_arn)("s3")
    if is_let_in:
        s3.put_object(Bucket=unique, Key="k", Body=b"x")
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=unique, Key="k", Body=b"x")


def test_an_assumed_role_may_do_what_it_may_and_no_more(pair, role_arn):
    """GIVEN a session of the role WHEN it asks who it is THEN it is the role's; what the role may not is refused."""
    client = assumed(pair, role_arn)
    assert f":assumed-role/{role_arn.rsplit('/', 1)[-1]}/contract" in client("sts").get_caller_identity()["Arn"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client("dynamodb").list_tables()


def test_a_user_without_the_right_cannot_assume(pair, unique, role_arn):
    """GIVEN a role that trusts the account WHEN a user without sts:AssumeRole asks for it THEN AWS refuses."""
    iam = pair.client("cn", "iam")
    iam.create_user(UserName=unique)
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    sts = pair.client("cn", "sts", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(RoleArn=role_arn, RoleSessionName="contract")
