# SPDX-License-Identifier: GPL-3.0-or-later
"""export_schema.yml saves all of a table; what it saved makes the table anew, by import and by creation."""

import gzip
import json
import re
import uuid

import pytest

from dynabridge.aws.table_schema import read_schema
from dynabridge.table_schema import create_parameters, import_parameters, same_schema
from tests.integration.support import Side, eventually
from tests.local_pair import run_playbook

UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
WRITES = {"ServiceNamespace": "dynamodb", "ScalableDimension": "dynamodb:table:WriteCapacityUnits"}
INDEX_READS = {"ServiceNamespace": "dynamodb", "ScalableDimension": "dynamodb:index:ReadCapacityUnits"}
TRACKING = {
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
    },
}


def keys(partition, sort):
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def create_with_everything(side: Side, name: str) -> None:
    """A table with all that a schema can hold."""
    dynamodb, scaling = side.client("dynamodb"), side.client("application-autoscaling")
    kms = side.client("kms")
    arn = dynamodb.create_table(
        TableName=name,
        KeySchema=keys("order", "at"),
        AttributeDefinitions=[
            {"AttributeName": "order", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
            {"AttributeName": "buyer", "AttributeType": "B"},
            {"AttributeName": "price", "AttributeType": "N"},
        ],
        BillingMode="PROVISIONED",
        ProvisionedThroughput=UNITS,
        LocalSecondaryIndexes=[
            {"IndexName": "by-price", "KeySchema": keys("order", "price"), "Projection": {"ProjectionType": "ALL"}}
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-buyer",
                "KeySchema": keys("buyer", "at"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["total", "paid"]},
                "ProvisionedThroughput": UNITS,
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        SSESpecification={
            "Enabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": kms.create_key()["KeyMetadata"]["Arn"],
        },
        TableClass="STANDARD_INFREQUENT_ACCESS",
        Tags=[{"Key": "team", "Value": "orders"}, {"Key": "用途", "Value": "测试"}],
        DeletionProtectionEnabled=True,
    )["TableDescription"]["TableArn"]
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    dynamodb.update_continuous_backups(
        TableName=name,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7},
    )
    dynamodb.put_resource_policy(ResourceArn=arn, Policy=json.dumps(policy_of(arn)))
    scaling.register_scalable_target(**WRITES, ResourceId=f"table/{name}", MinCapacity=1, MaxCapacity=40)
    scaling.put_scaling_policy(**WRITES, ResourceId=f"table/{name}", PolicyName="writes", **TRACKING)
    scaling.register_scalable_target(
        **INDEX_READS, ResourceId=f"table/{name}/index/by-buyer", MinCapacity=2, MaxCapacity=3
    )


def policy_of(arn: str) -> dict:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "dynamodb:DeleteTable", "Resource": arn}
    return {"Version": "2012-10-17", "Statement": [statement]}


def remove(side: Side, name: str) -> None:
    dynamodb = side.client("dynamodb")
    if name in dynamodb.list_tables()["TableNames"]:
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=name)


@pytest.fixture(scope="module")
def cn(empty_pair):
    return Side(empty_pair, "cn")


@pytest.fixture(scope="module")
def sg(empty_pair):
    return Side(empty_pair, "sg")


@pytest.fixture
def orders(cn):
    """A table with everything on the China side."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    create_with_everything(cn, name)
    yield name
    remove(cn, name)


@pytest.fixture
def users(cn, sg):
    """The bridge's table, plain, on both sides."""
    for side in (cn, sg):
        side.client("dynamodb").create_table(
            TableName=side.table,
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    yield {"cn": cn.table, "sg": sg.table}
    for side in (cn, sg):
        remove(side, side.table)


def flat(result) -> str:
    """Output as running text."""
    return " ".join((result.stdout + result.stderr).split()).replace("''", "'")


def exports(pair, *arguments) -> str:
    result = run_playbook(pair, "export_schema.yml", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def changes(output: str) -> int:
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))


# -- the verb --------------------------------------------------------------------------------


def test_all_of_a_table_is_saved_once(empty_pair, cn, orders, tmp_path):
    """GIVEN a table with everything WHEN saved THEN the file has it; the next run changes nothing, a change is shown."""
    path = tmp_path / f"{orders}_schema.json"
    arguments = ("-e", f"table={orders}", "-e", f"dest={tmp_path}", "--limit", "cn-north-1")
    seen = exports(empty_pair, *arguments, "--check", "--diff")
    assert f"would be written to {path}" in " ".join(seen.split()) and '"team": "orders"' in seen
    assert not path.exists(), "check mode writes nothing"

    assert changes(exports(empty_pair, *arguments)) == 1
    first = path.read_bytes()
    schema = json.loads(first)
    arn = f"arn:aws-cn:dynamodb:cn-north-1:100000000001:table/{orders}"
    assert (schema["table_arn"], schema["region"], schema["account_id"]) == (arn, "cn-north-1", "100000000001")
    assert schema["local_secondary_indexes"][0]["KeySchema"] == keys("order", "price")
    parameters = schema["table_creation_parameters"]
    assert {entry["AttributeName"] for entry in parameters["AttributeDefinitions"]} == {"order", "at", "buyer"}
    assert parameters["ProvisionedThroughput"] == UNITS
    (index,) = parameters["GlobalSecondaryIndexes"]
    assert index["Projection"]["NonKeyAttributes"] == ["paid", "total"] and index["ProvisionedThroughput"] == UNITS
    assert ":key/" in parameters["SSESpecification"]["KMSMasterKeyId"]
    assert (schema["stream"], schema["ttl"], schema["recovery_period_days"]) == ("NEW_IMAGE", "expires", 7)
    assert schema["tags"] == {"team": "orders", "用途": "测试"} and schema["deletion_protection"] is True
    assert schema["table_class"] == "STANDARD_INFREQUENT_ACCESS" and schema["resource_policy"] == policy_of(arn)
    scaled = [(target["ScalableDimension"], target["MaxCapacity"]) for target in schema["autoscaling"]["targets"]]
    assert scaled == [("dynamodb:table:WriteCapacityUnits", 40), ("dynamodb:index:ReadCapacityUnits", 3)]
    (policy,) = schema["autoscaling"]["policies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70.0

    item = {"order": {"S": "1"}, "at": {"N": "1"}}
    cn.client("dynamodb").put_item(TableName=orders, Item=item)
    assert changes(exports(empty_pair, *arguments)) == 0
    assert path.read_bytes() == first
    cn.client("dynamodb").tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "sales"}])
    seen = exports(empty_pair, *arguments, "--diff")
    assert re.search(r'^\s*-\s+"team": "orders"', seen, re.MULTILINE) and changes(seen) == 1
    assert json.loads(path.read_bytes())["tags"]["team"] == "sales"


def test_both_sides_write_their_own(empty_pair, users, tmp_path):
    """GIVEN the bridge's table on both sides WHEN saved by its name THEN each side writes the schema of its own."""
    output = exports(empty_pair, "-e", "table=user", "-e", f"dest={tmp_path}/")
    found = {path.name: json.loads(path.read_bytes()) for path in tmp_path.iterdir()}
    assert sorted(found) == ["user-cn_schema.json", "user-sg_schema.json"]
    assert found["user-cn_schema.json"]["table_arn"].startswith("arn:aws-cn:")
    assert found["user-sg_schema.json"]["region"] == "ap-southeast-1"
    for name in found:
        assert str(tmp_path / name) in output, "it says where"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Which table? Name it: -e table=... (user, or a table's own name). Nothing was written."),
        (
            ("-e", "table=nobody"),
            "There is no table nobody in cn-north-1 of this account: check the name, the region and the profile.",
        ),
        (
            ("-e", "table=user-cn"),
            "user-cn is a table of side cn; side sg calls it user-sg. Choose the side (--limit), or name the table as"
            " dynabridge_tables does (user). Nothing was written.",
        ),
        (("-e", "table=user", "-e", "dest={folder}/both.json"), "Both sides would write to {folder}/both.json: choose"),
        (("-e", "table=user", "-e", "dest={folder}/none/"), "There is no folder {folder}/none for the schema: make it"),
        (
            ("-e", "table=user-cn", "--limit", "cn-north-1", "-e", "dest={folder}/hosts"),
            "{folder}/hosts is no table schema: it is no JSON",
        ),
    ],
    ids=["no table", "unknown table", "name of the other side", "one file for both", "no folder", "another file"],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(empty_pair, users, tmp_path, arguments, sentence):
    """GIVEN what makes no sense WHEN asked for THEN one sentence says what is wrong, and no file is touched."""
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n", encoding="utf-8")
    options = [argument.format(folder=tmp_path) for argument in arguments]
    result = run_playbook(empty_pair, "export_schema.yml", *options)
    assert result.returncode != 0, result.stdout
    assert sentence.format(folder=tmp_path) in flat(result)
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]
    assert (tmp_path / "hosts").read_text(encoding="utf-8") == "127.0.0.1 localhost\n"


# -- what is made of it ----------------------------------------------------------------------


def test_create_table_makes_the_table_anew(cn, orders):
    """GIVEN a saved schema with local indexes WHEN its table is created under another name THEN it is the same."""
    schema, copy = read_schema(cn.client, orders), f"{orders}-created"
    try:
        cn.client("dynamodb").create_table(**create_parameters(schema, copy))
        made = read_schema(cn.client, copy)
    finally:
        remove(cn, copy)
    assert made["table_name"] == copy
    assert create_parameters(made, orders) == create_parameters(schema, orders)
    assert made["local_secondary_indexes"] == schema["local_secondary_indexes"] != []


def test_import_table_makes_the_table_anew(cn, orders):
    """GIVEN a saved schema WHEN items are imported with it THEN the table has them, and its keys, indexes and units."""
    schema, copy, bucket = read_schema(cn.client, orders), f"{orders}-imported", f"{orders}-source"
    item = {"order": {"S": "1"}, "at": {"N": "2"}, "price": {"N": "3"}}
    s3, dynamodb = cn.client("s3"), cn.client("dynamodb")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": cn.region})
    s3.put_object(Bucket=bucket, Key="data/1.json.gz", Body=gzip.compress(json.dumps({"Item": item}).encode()))
    try:
        started = dynamodb.import_table(
            S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": "data/"},
            InputFormat="DYNAMODB_JSON",
            InputCompressionType="GZIP",
            TableCreationParameters=import_parameters(schema, copy),
        )["ImportTableDescription"]

        def ended():
            told = dynamodb.describe_import(ImportArn=started["ImportArn"])["ImportTableDescription"]
            return told if told["ImportStatus"] != "IN_PROGRESS" else None

        assert eventually(ended)["ImportStatus"] == "COMPLETED"
        made = read_schema(cn.client, copy)
        assert dynamodb.scan(TableName=copy)["Items"] == [item]
    finally:
        remove(cn, copy)
        s3.delete_object(Bucket=bucket, Key="data/1.json.gz")
        s3.delete_bucket(Bucket=bucket)
    assert import_parameters(made, orders) == import_parameters(schema, orders)
    assert made["local_secondary_indexes"] == [] and not same_schema(made, schema)
