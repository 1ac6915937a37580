# SPDX-License-Identifier: GPL-3.0-or-later
"""ImportTable, retrieval from archive classes, and the keys of tables. Each test names the AWS behaviour it stands for."""

import gzip
import json
import time
import uuid

import pytest

from .exports import refusal
from .test_export_access import User

KEYS = {
    "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "PK", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


class Import:
    """A bucket, and imports of what lies there."""

    def __init__(self, cloud, name):
        self.cloud, self.name, self.bucket = cloud, name, f"{name}-bucket"
        self.dynamodb, self.s3 = cloud.client("dynamodb"), cloud.client("s3")
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": cloud.side.region})

    def put(self, key, *items, **more):
        lines = [item if item.startswith("{") else json.dumps({"Item": {"PK": {"S": item}}}) for item in items]
        body = gzip.compress("".join(f"{line}\n" for line in lines).encode())
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def start(self, client=None, table=None, parameters=None, **more):
        request = {
            "S3BucketSource": {"S3Bucket": self.bucket, "S3KeyPrefix": "data/"},
            "InputFormat": "DYNAMODB_JSON",
            "InputCompressionType": "GZIP",
            "TableCreationParameters": {"TableName": table or self.name} | KEYS | (parameters or {}),
        } | more
        return (client or self.dynamodb).import_table(**request)["ImportTableDescription"]

    def ended(self, description):
        deadline = time.monotonic() + 15
        while description["ImportStatus"] == "IN_PROGRESS":
            assert time.monotonic() < deadline, description
            assert (description["ImportedItemCount"], description["ProcessedItemCount"]) == (0, 0)
            time.sleep(0.05)
            answer = self.dynamodb.describe_import(ImportArn=description["ImportArn"])
            description = answer["ImportTableDescription"]
        return description

    def tables(self):
        return self.dynamodb.list_tables()["TableNames"]


@pytest.fixture
def source(cloud, unique):
    return Import(cloud, unique)


def test_counters_stay_at_0_until_the_end(source):
    """AWS: DescribeImport tells items and errors when the import has ended."""
    source.put("data/1.json.gz", "a", "b")
    ended = source.ended(source.start())  # looks at the counters on the way
    assert (ended["ImportStatus"], ended["ImportedItemCount"], ended["ErrorCount"]) == ("COMPLETED", 2, 0)


def test_prefix_that_matches_nothing_ends_completed_and_empty(source):
    """AWS: no object under the prefix is no error."""
    ended = source.ended(source.start())
    assert (ended["ImportStatus"], ended["ImportedItemCount"]) == ("COMPLETED", 0)
    assert source.name in source.tables()


def test_import_into_a_table_that_exists_is_refused(source):
    """AWS: an import makes its table."""
    source.dynamodb.create_table(TableName=source.name, **KEYS)
    assert refusal(source.start)["Code"] == "ResourceInUseException"


def test_repeated_token_gets_the_old_job(source):
    """AWS: whatever is asked for with a known token, and whatever became of the table, the old job is answered."""
    source.put("data/1.json.gz", "a")
    first = source.ended(source.start(ClientToken="t"))
    source.dynamodb.delete_table(TableName=source.name)
    other = {"S3Bucket": source.bucket, "S3KeyPrefix": "other/"}
    again = source.start(ClientToken="t", S3BucketSource=other)
    assert again["ImportArn"] == first["ImportArn"] and source.name not in source.tables()


def test_without_compression_gzip_is_read_as_text(source):
    """AWS: compression left out is NONE; nothing of the file parses, and the half-made table is kept."""
    source.put("data/1.json.gz", "a", "b")
    description = source.dynamodb.import_table(
        S3BucketSource={"S3Bucket": source.bucket, "S3KeyPrefix": "data/"},
        InputFormat="DYNAMODB_JSON",
        TableCreationParameters={"TableName": source.name} | KEYS,
    )["ImportTableDescription"]
    ended = source.ended(description)
    assert (ended["ImportStatus"], ended["FailureCode"]) == ("FAILED", "ItemValidationError")
    assert ended["ImportedItemCount"] == 0 and source.name in source.tables()


def test_line_that_does_not_parse_abandons_the_rest_of_its_object(source):
    """AWS: what stands before it is imported, and other objects are."""
    source.put("data/1.json.gz", "a", "{broken", "b", "c")
    source.put("data/2.json.gz", "d")
    ended = source.ended(source.start())
    assert (ended["ImportStatus"], ended["ErrorCount"], ended["ImportedItemCount"]) == ("FAILED", 1, 2)
    items = source.dynamodb.scan(TableName=source.name)["Items"]
    assert {item["PK"]["S"] for item in items} == {"a", "d"}


def test_provisioned_without_throughput_is_refused(source):
    """AWS: a provisioned table needs its units."""
    assert refusal(source.start, parameters={"BillingMode": "PROVISIONED"})["Code"] == "ValidationException"


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:GetObject"])
def test_source_is_read_with_the_rights_of_who_asks(source, action):
    """AWS: without one of them the import ends FAILED, and no table is left."""
    source.put("data/1.json.gz", "a")
    arn = f"arn:aws-cn:s3:::{source.bucket}"
    rights = {"dynamodb:ImportTable": "*", "s3:ListBucket": arn, "s3:GetObject": f"{arn}/data/*"}
    user = User(source, rights)
    assert source.ended(source.start(user.dynamodb, f"{source.name}-good"))["ImportStatus"] == "COMPLETED"
    user.allow({name: where for name, where in rights.items() if name != action})
    ended = source.ended(source.start(user.dynamodb))
    assert (ended["ImportStatus"], ended["FailureCode"]) == ("FAILED", "S3AccessDenied")
    assert action in ended["FailureMessage"] and source.name not in source.tables()


def test_archived_source_fails_until_it_is_retrieved(source):
    """AWS: an object in GLACIER can be read only after RestoreObject, which takes its time and is told by HEAD."""
    source.put("data/1.json.gz", "a", StorageClass="GLACIER")
    where = {"Bucket": source.bucket, "Key": "data/1.json.gz"}
    assert refusal(source.s3.get_object, **where)["Code"] == "InvalidObjectState"
    ended = source.ended(source.start())
    assert (ended["ImportStatus"], ended["FailureCode"]) == ("FAILED", "S3InvalidObjectState")

    request = {"Days": 1, "GlacierJobParameters": {"Tier": "Standard"}}
    source.s3.restore_object(**where, RestoreRequest=request)
    assert source.s3.head_object(**where)["Restore"] == 'ongoing-request="true"'
    assert refusal(source.s3.restore_object, **where, RestoreRequest=request)["Code"] == "RestoreAlreadyInProgress"
    time.sleep(0.6)  # LOCAL_AWS_RETRIEVAL_SECONDS
    assert source.s3.head_object(**where)["Restore"].startswith('ongoing-request="false", expiry-date="')
    assert source.ended(source.start())["ImportedItemCount"] == 1


def test_deep_archive_has_no_expedited_retrieval(source):
    """AWS: Expedited is for GLACIER."""
    source.put("data/1.json.gz", "a", StorageClass="DEEP_ARCHIVE")
    request = {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}
    refused = refusal(source.s3.restore_object, Bucket=source.bucket, Key="data/1.json.gz", RestoreRequest=request)
    assert refused["Code"] == "InvalidArgument"


@pytest.mark.parametrize("state", ["gone", "disabled"])
def test_key_of_a_table_has_to_be_usable(source, state):
    """AWS: a table is not made when its key does not exist, or is disabled."""
    kms = source.cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]
    arn = key["Arn"] if state == "disabled" else key["Arn"].replace(key["KeyId"], str(uuid.uuid4()))
    kms.disable_key(KeyId=key["KeyId"])
    encryption = {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": arn}}
    refused = refusal(source.start, parameters=encryption)
    assert refused["Code"] == "ValidationException" and "KMS" in refused["Message"]
    assert (
        refusal(source.dynamodb.create_table, TableName=source.name, **KEYS, **encryption)["Message"]
        == refused["Message"]
    )


def test_key_of_a_table_has_to_let_its_maker_in(source):
    """AWS: DynamoDB uses the caller's rights on the key, and says that it is DynamoDB who asks."""
    source.put("data/1.json.gz", "a")
    arn = source.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    bucket = f"arn:aws-cn:s3:::{source.bucket}"
    rights = {"dynamodb:ImportTable": "*", "s3:ListBucket": bucket, "s3:GetObject": f"{bucket}/data/*"}
    user = User(source, rights)
    encryption = {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": arn}}
    assert "KMS key access denied" in refusal(source.start, user.dynamodb, parameters=encryption)["Message"]
    user.allow(rights | {"kms:DescribeKey": arn, "kms:CreateGrant": arn})
    assert source.ended(source.start(user.dynamodb, parameters=encryption))["ImportStatus"] == "COMPLETED"


def test_service_of_a_service_linked_role_can_be_limited(source):
    """AWS: the condition key iam:AWSServiceName says for which service the role is made."""
    name = f"{source.name}-user"
    iam = source.cloud.client("iam")
    iam.create_user(UserName=name)
    scaling = {"StringLike": {"iam:AWSServiceName": "dynamodb.application-autoscaling.*"}}
    allow = {"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": "*", "Condition": scaling}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=document)
    pair = iam.create_access_key(UserName=name)["AccessKey"]
    user = source.cloud.client("iam", pair["AccessKeyId"], pair["SecretAccessKey"])
    user.create_service_linked_role(AWSServiceName="dynamodb.application-autoscaling.amazonaws.com")
    refused = refusal(user.create_service_linked_role, AWSServiceName="replication.dynamodb.amazonaws.com")
    assert refused["Code"] == "AccessDenied"
