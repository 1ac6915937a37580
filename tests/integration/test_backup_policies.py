# SPDX-License-Identifier: GPL-3.0-or-later
"""Least privilege around backups: every statement is needed, and AWS says so when one is missing.

The function and the operator do their work by the kit, the operator and who restores under the role that they assume. Who
may write to the bucket, and that nobody may delete from it, is tried with a user who may do anything else.
"""

import contextlib
import json
import re
import time
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError

from dynabridge.aws.backups import Backups
from dynabridge.aws.exports import Exports, Target
from dynabridge.aws.lifecycle import read_rules
from dynabridge.aws.objects import Objects
from dynabridge.aws.session import under_role
from dynabridge.aws.table_schema import read_schema
from dynabridge.catalogue import VERIFIED
from dynabridge.errors import DynabridgeError
from plugins.filter import dynabridge_backup
from tests.integration.support import Side, eventually

FUNCTION, FUNCTION_ROLE = "DynamoDBBackupFunction", "DynamoDBBackupRole"
OPERATOR, RESTORE = "dynabridge-backup-operator", "dynabridge-backup-restore"
QUEUE = "dynamodbbackupcn"
EXAMPLE = {
    name: "x"
    for name in ("partition", "region", "account_id", "bucket", "prefix", "changes_prefix", "namespace", "queue")
} | {
    "tables": ["x"],
    "bucket_owner": "",
    "kms_key_arn": "",
}
SIDS = {
    FUNCTION_ROLE: [entry["Sid"] for entry in dynabridge_backup.function_statements(EXAMPLE)],
    OPERATOR: [entry["Sid"] for entry in dynabridge_backup.operator_statements(EXAMPLE)],
    RESTORE: [entry["Sid"] for entry in dynabridge_backup.restore_statements(EXAMPLE)],
}
POLICIES = {FUNCTION_ROLE: FUNCTION, OPERATOR: OPERATOR, RESTORE: RESTORE}
DENIED = r"AccessDenied|not authorized"


@pytest.fixture
def side(bridge):
    """The China side, whose ARNs are the other partition's."""
    return bridge.cn


def bucket_of(side: Side) -> str:
    return f"dynabridge-backup-{side.name}-{side.pair.sides[side.name]['account_id']}"


def arn_of(side: Side, rest: str) -> str:
    return f"arn:aws-cn:dynamodb:{side.region}:{side.pair.sides[side.name]['account_id']}:{rest}"


def policy_of(side: Side, role: str) -> dict:
    document = side.client("iam").get_role_policy(RoleName=role, PolicyName=POLICIES[role])["PolicyDocument"]
    return json.loads(document) if isinstance(document, str) else document


@contextlib.contextmanager
def without_right(side: Side, role: str, sid: str):
    """The role's policy without one statement, for the length of the block."""
    whole = policy_of(side, role)
    rest = [entry for entry in whole["Statement"] if entry["Sid"] != sid]
    assert len(rest) == len(whole["Statement"]) - 1

    def put(document):
        side.client("iam").put_role_policy(
            RoleName=role, PolicyName=POLICIES[role], PolicyDocument=json.dumps(document)
        )

    put(whole | {"Statement": rest})
    try:
        yield
    finally:
        put(whole)


@contextlib.contextmanager
def allowed_everything(side: Side, role: str):
    """The role with an administrator's policy on top, for the length of the block."""
    iam, policy = side.client("iam"), "arn:aws-cn:iam::aws:policy/AdministratorAccess"
    iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    try:
        yield
    finally:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy)


def under(side: Side, role: str):
    """What makes clients under the role, as the modules do."""
    role_arn = f"arn:aws-cn:iam::{side.pair.sides[side.name]['account_id']}:role/{role}"
    endpoint = side.pair.sides[side.name]["endpoint_url"]
    return under_role(side.client("sts"), role_arn, region=side.region, endpoint_url=endpoint)


def backups_under(side: Side, role: str) -> Backups:
    make = under(side, role)
    return Backups(
        Objects(make("s3"), bucket_of(side)),
        Exports(make("dynamodb")),
        lambda table: read_schema(make, table),
        Target(bucket_of(side)),
        "daily",
    )


def ended(side: Side, backup):
    """The backup once DynamoDB has written it, before anybody has verified it."""
    describe = side.client("dynamodb").describe_export
    eventually(lambda: describe(ExportArn=backup.export_arn)["ExportDescription"]["ExportStatus"] == "COMPLETED")
    return backup


# -- the operator ----------------------------------------------------------------------------


def start(side: Side, _ended=None):
    (backup,) = backups_under(side, OPERATOR).start(side.table, "full")
    return backup


def settle(side: Side, backup):
    return backups_under(side, OPERATOR).settle(backup)


def switch_recovery_on(side: Side, _ended):
    client = side.client("dynamodb")
    off, on = ({"PointInTimeRecoveryEnabled": value} for value in (False, True))
    client.update_continuous_backups(TableName=side.table, PointInTimeRecoverySpecification=off)
    try:
        assert Exports(under(side, OPERATOR)("dynamodb")).switch_recovery_on(side.table)
    finally:
        client.update_continuous_backups(TableName=side.table, PointInTimeRecoverySpecification=on)


def list_backups(side: Side, _ended):
    return backups_under(side, OPERATOR).known()


def list_exports(side: Side, _ended):
    return list(Exports(under(side, OPERATOR)("dynamodb")).arns(arn_of(side, f"table/{side.table}")))


def read_lifecycle(side: Side, _ended):
    return read_rules(under(side, OPERATOR)("s3"), bucket_of(side))


OPERATIONS = {
    "ReadSchema": (start, "DescribeTable"),
    "ReadScaling": (start, "application-autoscaling:Describe"),
    "StartExports": (start, "ExportTableToPointInTime"),
    "WriteBackups": (start, "s3:PutObject"),
    "WatchExports": (settle, "DescribeExport"),
    "ReadBackups": (settle, "s3:GetObject"),
    "ListBackups": (list_backups, "s3:ListBucket"),
    "ReadLifecycle": (read_lifecycle, "LifecycleConfiguration"),
    "ListExports": (list_exports, "ListExports"),
    "SwitchRecoveryOn": (switch_recovery_on, "UpdateContinuousBackups"),
}


@pytest.mark.parametrize("sid", SIDS[OPERATOR])
def test_the_operator_needs_every_statement(side, sid):
    """GIVEN the operator's role without one statement WHEN its right is needed THEN AWS refuses; restored, it is done."""
    operation, action = OPERATIONS[sid]
    backup = ended(side, start(side)) if operation is settle else None
    with without_right(side, OPERATOR, sid), pytest.raises((DynabridgeError, ClientError)) as refused:
        operation(side, backup)
    assert re.search(DENIED, str(refused.value)) and action in str(refused.value)
    operation(side, backup)


def test_the_operators_backup_is_verified(side):
    """GIVEN the whole policy WHEN a backup is taken under the role THEN it is verified, and has its marker."""
    settled = settle(side, ended(side, start(side)))
    assert settled.state == VERIFIED, settled.reason
    assert Objects(side.client("s3"), bucket_of(side)).get(settled.folder + "_SUCCESS")


# -- the function ----------------------------------------------------------------------------


def invoked(side: Side, event: dict) -> dict:
    """The function's error, or {}; it remembers no clients of before."""
    answer = side.client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read() or b"null")
    return payload if "FunctionError" in answer else {}


START, CHECK = {"action": "start", "kind": "full"}, {"action": "check"}
EVENTS = {
    "ReadSchema": (START, "DescribeTable"),
    "ReadScaling": (START, "application-autoscaling:Describe"),
    "StartExports": (START, "ExportTableToPointInTime"),
    "WriteBackups": (START, "s3:PutObject"),
    "WatchExports": (CHECK, "DescribeExport"),
    "ListBackups": (CHECK, "s3:ListBucket"),
    "ReadBackups": (CHECK, "s3:GetObject"),
    "ReadLifecycle": (CHECK, "LifecycleConfiguration"),
}


@pytest.mark.parametrize("sid", EVENTS)
def test_the_function_needs_every_statement_of_its_work(side, sid):
    """GIVEN the function's role without one statement WHEN its schedule calls it THEN it fails naming the action."""
    event, action = EVENTS[sid]
    if event is CHECK:
        ended(side, start(side))
    with without_right(side, FUNCTION_ROLE, sid):
        error = invoked(side, event)
    assert re.search(DENIED, json.dumps(error)) and action in json.dumps(error)
    assert invoked(side, event) == {}


def test_the_function_needs_its_metrics(side):
    """GIVEN no right to publish WHEN it checks THEN its work is done all the same, and its log says what is missing."""
    since = time.time()
    with without_right(side, FUNCTION_ROLE, "PublishMetrics"):
        assert invoked(side, CHECK) == {}
        eventually(lambda: side.logged(FUNCTION, since, "not published", "cloudwatch:PutMetricData"))
    since = time.time()
    assert invoked(side, CHECK) == {}
    assert not side.logged(FUNCTION, since, "not published")


def test_the_function_needs_its_queue(side):
    """GIVEN no right to send WHEN an invocation fails for good THEN the queue does not hear of it; with it, it does."""
    sqs, functions = side.client("sqs"), side.client("lambda")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)

    def fail(mark):
        functions.invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=json.dumps({"action": mark}))

    def messages():
        return [entry["Body"] for entry in sqs.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages", [])]

    with without_right(side, FUNCTION_ROLE, "SendToFailureQueue"):
        fail("unheard")
        time.sleep(8)  # it is tried three times, a second and two apart
        assert not messages()
    fail("heard")
    assert "heard" in eventually(messages, 30)[0]
    sqs.purge_queue(QueueUrl=url)


# -- who restores ----------------------------------------------------------------------------


def restoring(side: Side) -> dict:
    """For each statement a call that needs it; what AWS says of it besides does not count."""
    bucket, table = bucket_of(side), f"restored-{uuid.uuid4().hex[:8]}"
    key = {
        "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "PK", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    source = {"S3BucketSource": {"S3Bucket": bucket, "S3KeyPrefix": "daily/"}, "InputFormat": "DYNAMODB_JSON"}
    key_arn = side.client("kms").create_key()["KeyMetadata"]["Arn"]
    return {
        "MakeTables": ("dynamodb", "create_table", {"TableName": table} | key),
        "RemoveScratchTables": ("dynamodb", "delete_table", {"TableName": f"{table}-drill-20261120T101503Z"}),
        "ImportTables": (
            "dynamodb",
            "import_table",
            source | {"TableCreationParameters": {"TableName": f"{table}-i"} | key},
        ),
        "WatchImports": (
            "dynamodb",
            "describe_import",
            {"ImportArn": arn_of(side, f"table/{side.table}/import/0{'1' * 36}")},
        ),
        "ListImports": ("dynamodb", "list_imports", {}),
        "WriteItems": ("dynamodb", "put_item", {"TableName": table, "Item": {"PK": {"S": "x"}}}),
        "CompareItems": ("dynamodb", "scan", {"TableName": table}),
        "RestoreScaling": ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "dynamodb"}),
        "MakeScalingRole": (
            "iam",
            "create_service_linked_role",
            {"AWSServiceName": "dynamodb.application-autoscaling.amazonaws.com"},
        ),
        "UseTableKeys": (
            "dynamodb",
            "create_table",
            {"TableName": table, "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key_arn}}
            | key,
        ),
        "ListBackups": ("s3", "list_objects_v2", {"Bucket": bucket, "Prefix": "daily/"}),
        "ReadBackups": ("s3", "get_object", {"Bucket": bucket, "Key": "daily/x"}),
        "ReadLifecycle": ("s3", "get_bucket_lifecycle_configuration", {"Bucket": bucket}),
        "FetchFromGlacier": (
            "s3",
            "restore_object",
            {"Bucket": bucket, "Key": "daily/x", "RestoreRequest": {"Days": 1}},
        ),
        "WritePrepared": ("s3", "put_object", {"Bucket": bucket, "Key": "restore/x", "Body": b"x"}),
        "LogImports": ("logs", "create_log_group", {"logGroupName": f"/aws-dynamodb/{table}"}),
    }


@pytest.mark.parametrize("sid", SIDS[RESTORE])
def test_who_restores_needs_every_statement(side, sid):
    """GIVEN the restore role without one statement WHEN its right is needed THEN AWS refuses, and with it does not."""
    service, operation, arguments = restoring(side)[sid]

    def outcome():
        try:
            getattr(under(side, RESTORE)(service), operation)(**arguments)
        except ClientError as error:
            return str(error)
        return ""

    try:
        with without_right(side, RESTORE, sid):
            assert re.search(DENIED, outcome())
        assert not re.search(DENIED, outcome())
    finally:
        _take_away(side, arguments)


def _take_away(side: Side, arguments: dict) -> None:
    """What a call with the right has made."""
    table = arguments.get("TableName") or arguments.get("TableCreationParameters", {}).get("TableName", "")
    with contextlib.suppress(ClientError):
        if table:
            side.client("dynamodb").delete_table(TableName=table)
        if "logGroupName" in arguments:
            side.client("logs").delete_log_group(logGroupName=arguments["logGroupName"])


# -- the bucket, and who the roles are ---------------------------------------------------------


@pytest.fixture
def administrator(side):
    """S3 as a user who may do anything that no policy of the bucket forbids."""
    iam, name = side.client("iam"), f"admin-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    policy = "arn:aws-cn:iam::aws:policy/AdministratorAccess"
    iam.attach_user_policy(UserName=name, PolicyArn=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield side.pair.client(side.name, "s3", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.detach_user_policy(UserName=name, PolicyArn=policy)
    iam.delete_user(UserName=name)


@pytest.fixture
def kept(side):
    """An object in the folder of the backups; its key."""
    key = f"daily/{uuid.uuid4().hex}"
    side.client("s3").put_object(Bucket=bucket_of(side), Key=key, Body=b"kept")
    return key


def refuses(call, **arguments):
    with pytest.raises(ClientError, match=r"AccessDenied.*explicit deny"):
        call(**arguments)


def test_an_administrator_can_neither_write_nor_delete(side, administrator, kept):
    """GIVEN a user with AdministratorAccess WHEN they put, copy, upload or delete THEN the bucket refuses; they may read."""
    place = {"Bucket": bucket_of(side), "Key": kept}
    (version,) = administrator.list_object_versions(Bucket=bucket_of(side), Prefix=kept)["Versions"]
    refuses(administrator.put_object, **place, Body=b"other")
    refuses(administrator.copy_object, **place, CopySource=f"{bucket_of(side)}/{kept}")
    refuses(administrator.create_multipart_upload, **place)
    refuses(administrator.delete_object, **place)
    refuses(administrator.delete_object, **place, VersionId=version["VersionId"])
    refuses(administrator.delete_bucket, Bucket=bucket_of(side))
    assert administrator.get_object(**place)["Body"].read() == b"kept"


@pytest.mark.parametrize("role", [OPERATOR, FUNCTION_ROLE])
def test_the_writers_put_and_do_not_delete(side, role, kept):
    """GIVEN a writer's role that may do anything WHEN it puts and deletes THEN it may put; the bucket forbids to delete."""
    with allowed_everything(side, role), trusted(side, role):
        s3 = under(side, role)("s3")
        s3.put_object(Bucket=bucket_of(side), Key=kept, Body=b"kept")
        refuses(s3.delete_object, Bucket=bucket_of(side), Key=kept)


def test_who_restores_writes_to_its_folders_only(side, kept):
    """GIVEN the restore role that may do anything WHEN it puts THEN the bucket lets it do so there only."""
    with allowed_everything(side, RESTORE):
        s3 = under(side, RESTORE)("s3")
        for folder in ("restore", "drills"):
            s3.put_object(Bucket=bucket_of(side), Key=f"{folder}/x", Body=b"x")
        refuses(s3.put_object, Bucket=bucket_of(side), Key=kept, Body=b"x")
        refuses(s3.delete_object, Bucket=bucket_of(side), Key="restore/x")


@contextlib.contextmanager
def trusted(side: Side, role: str):
    """The role assumed by the account too, for the length of the block: the function's trusts Lambda only."""
    iam = side.client("iam")
    whole = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    account = side.pair.sides[side.name]["account_id"]
    us = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws-cn:iam::{account}:root"}, "Action": "sts:AssumeRole"}

    def put(document):
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))

    put(whole | {"Statement": [*whole["Statement"], us]})
    try:
        yield
    finally:
        put(whole)


def test_a_user_without_rights_assumes_neither_role(side):
    """GIVEN a user without sts:AssumeRole WHEN they assume a role THEN AWS refuses; with it, on just this role, it does not."""
    iam, name = side.client("iam"), f"nobody-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    endpoint = side.pair.sides[side.name]["endpoint_url"]
    sts = boto3.client("sts", region_name=side.region, endpoint_url=endpoint, **keys)
    role_arn = iam.get_role(RoleName=OPERATOR)["Role"]["Arn"]
    try:
        with pytest.raises(DynabridgeError, match=r"cannot be assumed \(AccessDenied"):
            under_role(sts, role_arn)
        allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_user_policy(UserName=name, PolicyName="assume", PolicyDocument=document)
        under_role(sts, role_arn)
        iam.delete_user_policy(UserName=name, PolicyName="assume")
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName=name)


@pytest.mark.parametrize("role", SIDS)
def test_every_deployed_statement_is_tried(bridge, role):
    """GIVEN both sides deployed THEN each role's one policy holds just the statements that are tried above."""
    for side in (bridge.cn, bridge.sg):
        assert [entry["Sid"] for entry in policy_of(side, role)["Statement"]] == SIDS[role]
        assert len(side.client("iam").list_role_policies(RoleName=role)["PolicyNames"]) == 1
    tried = {
        FUNCTION_ROLE: [*EVENTS, "PublishMetrics", "SendToFailureQueue"],
        OPERATOR: OPERATIONS,
        RESTORE: restoring(bridge.cn),
    }
    assert sorted(SIDS[role]) == sorted(tried[role])
