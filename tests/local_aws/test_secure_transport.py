# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket policy that demands TLS lets requests in (IAM User Guide, aws:SecureTransport)."""

import json

import pytest

DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}


@pytest.fixture
def s3(pair, unique):
    """S3 as a user who may put and read the objects of the bucket `unique`."""
    root, iam = pair.client("cn", "s3"), pair.client("cn", "iam")
    root.create_bucket(Bucket=unique, CreateBucketConfiguration={"LocationConstraint": "cn-north-1"})
    iam.create_user(UserName=unique)
    allow = {
        "Effect": "Allow",
        "Action": ["s3:PutObject", "s3:GetObject"],
        "Resource": f"arn:aws-cn:s3:::{unique}/*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName=unique, PolicyName="objects", PolicyDocument=document)
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    return pair.client("cn", "s3", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])


@pytest.mark.parametrize(("denied", "taken"), [("false", True), ("true", False)])
def test_requests_count_as_sent_by_tls(pair, unique, s3, denied, taken):
    # GIVEN a bucket that denies requests without TLS (or, to see that the condition is looked at, those with it)
    arn = f"arn:aws-cn:s3:::{unique}"
    deny = DENY | {"Resource": [arn, f"{arn}/*"], "Condition": {"Bool": {"aws:SecureTransport": denied}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    pair.client("cn", "s3").put_bucket_policy(Bucket=unique, Policy=policy)
    # WHEN a user with the right puts an object THEN it is taken (or refused)
    if taken:
        s3.put_object(Bucket=unique, Key="k", Body=b"x")
        assert s3.get_object(Bucket=unique, Key="k")["Body"].read() == b"x"
    else:
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.put_object(Bucket=unique, Key="k", Body=b"x")
