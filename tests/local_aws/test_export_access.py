# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that an export needs. Each test names the AWS behaviour it stands for."""

import json

import pytest

from .exports import refusal


class User:
    """An IAM user with exactly these rights."""

    def __init__(self, subject, statements):
        self.iam, self.name = subject.cloud.client("iam"), f"{subject.name}-user"
        self.iam.create_user(UserName=self.name)
        self.allow(statements)
        pair = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        self.dynamodb = subject.cloud.client("dynamodb", pair["AccessKeyId"], pair["SecretAccessKey"])

    def allow(self, statements):
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements.items()
            ],
        }
        self.iam.put_user_policy(UserName=self.name, PolicyName="rights", PolicyDocument=json.dumps(document))


def _rights(subject):
    """The least that an export needs."""
    objects = f"arn:aws-cn:s3:::{subject.bucket}/AWSDynamoDB/*"
    return {
        "dynamodb:ExportTableToPointInTime": subject.table["TableArn"],
        "dynamodb:DescribeExport": f"{subject.table['TableArn']}/export/*",
        "dynamodb:ListExports": "*",
        "s3:PutObject": objects,
        "s3:AbortMultipartUpload": objects,
    }


def test_least_privilege_suffices(subject):
    """AWS: these five rights, on the table, its exports and the bucket's objects, are enough."""
    user = User(subject, _rights(subject))

    begun = subject.request(user.dynamodb)
    listed = user.dynamodb.list_exports(TableArn=subject.table["TableArn"])["ExportSummaries"]
    described = user.dynamodb.describe_export(ExportArn=begun["ExportArn"])["ExportDescription"]

    assert [summary["ExportArn"] for summary in listed] == [described["ExportArn"]]
    assert subject.ended(begun)["ExportStatus"] == "COMPLETED"


def test_each_dynamodb_right_is_needed(subject):
    """AWS: without the action, or with it on another table only, the call is an AccessDeniedException."""
    begun = subject.request()
    calls = {
        "dynamodb:ExportTableToPointInTime": lambda user: subject.request(user.dynamodb),
        "dynamodb:DescribeExport": lambda user: user.dynamodb.describe_export(ExportArn=begun["ExportArn"]),
        "dynamodb:ListExports": lambda user: user.dynamodb.list_exports(),
    }
    user = User(subject, _rights(subject))
    for action, call in calls.items():
        rights = _rights(subject)
        for lacking in (
            {**rights, action: f"{rights[action]}-other"},
            {name: resource for name, resource in rights.items() if name != action},
        ):
            user.allow(lacking)
            assert refusal(call, user)["Code"] == "AccessDeniedException", lacking


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:AbortMultipartUpload"])
def test_rights_on_the_bucket_are_the_callers(subject, action):
    """AWS: an export uses the caller's rights on the bucket; without one of them it ends FAILED."""
    rights = _rights(subject)
    del rights[action]
    user = User(subject, rights)

    description = subject.ended(subject.request(user.dynamodb))

    assert (description["ExportStatus"], description["FailureCode"]) == ("FAILED", "S3AccessDenied")
    assert action in description["FailureMessage"]


def test_bucket_policy_that_demands_tls_lets_exports_in(subject):
    """AWS: DynamoDB writes to S3 by TLS, so the usual policy of a backup bucket does not stop an export."""
    arn = f"arn:aws-cn:s3:::{subject.bucket}"
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    subject.s3.put_bucket_policy(
        Bucket=subject.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    )
    user = User(subject, _rights(subject))

    assert subject.ended(subject.request(user.dynamodb))["ExportStatus"] == "COMPLETED"
