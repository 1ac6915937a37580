# SPDX-License-Identifier: GPL-3.0-or-later
"""What deploy.yml makes for backups: the bucket in another region, roles, function, schedules and alarms."""

import json
import re

import boto3
import pytest

from tests.integration.support import eventually
from tests.integration.test_bad_input import flat
from tests.integration.test_deploy import changed, deploy
from tests.local_pair import REPOSITORY, run_playbook

FUNCTION, QUEUE = "DynamoDBBackupFunction", "dynamodbbackupcn"
BUCKET_REGIONS = {"cn": "cn-northwest-1", "sg": "ap-southeast-2"}
BOTH = pytest.mark.parametrize("side", ["cn", "sg"])


def bucket_of(pair, side):
    return f"dynabridge-backup-{side}-{pair.sides[side]['account_id']}"


def other_account(pair, side):
    """S3 of an account that nobody here works with."""
    return boto3.client(
        "s3",
        region_name=BUCKET_REGIONS[side],
        endpoint_url=pair.sides[side]["endpoint_url"],
        aws_access_key_id="300000000003",
        aws_secret_access_key="test",
    )


def failure(pair, *arguments):
    """The output of a run that must fail, as running text."""
    result = run_playbook(pair, *arguments)
    assert result.returncode != 0, result.stdout
    return flat(result.stdout + result.stderr)


@BOTH
def test_the_bucket_is_far_away_and_closed(deployed_pair, side):
    """GIVEN both sides deployed THEN each bucket is in another region, private, encrypted, versioned and ages by rule."""
    s3, bucket = deployed_pair.client(side, "s3"), bucket_of(deployed_pair, side)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == BUCKET_REGIONS[side]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    (ownership,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert ownership["ObjectOwnership"] == "BucketOwnerEnforced"
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Deny"}
    assert ("arn:aws:" in json.dumps(policy)) == (side == "sg")


def test_the_bucket_ages_as_the_source_documents_say(deployed_pair):
    s3 = deployed_pair.client("cn", "s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket_of(deployed_pair, "cn"))["Rules"]
    (rule,) = [rule for rule in rules if rule["Filter"] == {"Prefix": "daily/"}]
    assert rule["Status"] == "Enabled"
    assert [(step["StorageClass"], step["Days"]) for step in rule["Transitions"]] == [
        ("STANDARD_IA", 30),
        ("GLACIER", 90),
        ("DEEP_ARCHIVE", 270),
    ]
    assert rule["Expiration"] == {"Days": 730}
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    others = {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules if "Transitions" not in rule}
    assert others == {"changes/": 90, "restore/": 7}


@BOTH
def test_the_table_can_be_exported(deployed_pair, side):
    """GIVEN backup: true and point_in_time_recovery: false WHEN deployed THEN recovery is on."""
    answer = deployed_pair.client(side, "dynamodb").describe_continuous_backups(TableName=f"user-{side}")
    recovery = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


@BOTH
def test_the_function_knows_its_tables_and_bucket(deployed_pair, side):
    functions = deployed_pair.client(side, "lambda")
    found = functions.get_function_configuration(FunctionName=FUNCTION)
    assert found["Timeout"] == 900
    environment = found["Environment"]["Variables"]
    assert environment["BACKUP_TABLES"] == f"user-{side}"
    assert environment["BACKUP_BUCKET"] == bucket_of(deployed_pair, side)
    assert environment["BACKUP_BUCKET_REGION"] == BUCKET_REGIONS[side]
    config = functions.get_function_event_invoke_config(FunctionName=FUNCTION)
    assert config["MaximumRetryAttempts"] == 2
    assert config["DestinationConfig"]["OnFailure"]["Destination"].endswith(f":dynamodbbackup{side}")


def rules_of(pair):
    events = pair.client("cn", "events")
    found = events.list_rules(NamePrefix="dynabridge-backup-")["Rules"]
    targets = {rule["Name"]: events.list_targets_by_rule(Rule=rule["Name"])["Targets"] for rule in found}
    return {rule["Name"]: (rule["ScheduleExpression"], *targets[rule["Name"]]) for rule in found}


def test_schedules_call_the_function_and_incrementals_come_by_option(deployed_pair):
    """GIVEN no schedule for incrementals THEN there is no rule; given one, it comes; taken away, it goes."""
    only = ("--tags", "backup_function", "--limit", "cn")
    before = rules_of(deployed_pair)
    assert {name: rule[0] for name, rule in before.items()} == {
        "dynabridge-backup-full": "cron(0 2 * * ? *)",
        "dynabridge-backup-check": "rate(10 minutes)",
    }
    inputs = {name: json.loads(rule[1]["Input"]) for name, rule in before.items()}
    assert inputs["dynabridge-backup-full"] == {"action": "start", "kind": "full"}
    assert inputs["dynabridge-backup-check"] == {"action": "check"}
    assert all(rule[1]["Arn"].endswith(f":function:{FUNCTION}") for rule in before.values())
    (allowed,) = json.loads(deployed_pair.client("cn", "lambda").get_policy(FunctionName=FUNCTION)["Policy"])[
        "Statement"
    ]
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    try:
        deploy(deployed_pair, *only, "-e", "dynabridge_backup_incremental_schedule='rate(1 hour)'")
        schedule, target = rules_of(deployed_pair)["dynabridge-backup-incremental"]
        assert schedule == "rate(1 hour)" and json.loads(target["Input"]) == {"action": "start", "kind": "incremental"}
    finally:
        deploy(deployed_pair, *only)
    assert rules_of(deployed_pair) == before


@BOTH
def test_alarms_say_what_they_mean(deployed_pair, side):
    """GIVEN both sides deployed THEN there is an alarm for all that must not happen in silence; silence is one, too."""
    pages = (
        deployed_pair.client(side, "cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"dynabridge-{side}-Backup_")
    )
    alarms = {alarm["AlarmName"].split("-", 2)[2]: alarm for page in pages for alarm in page["MetricAlarms"]}
    table = f"user-{side}"
    assert sorted(alarms) == sorted(
        [
            "Backup_failed",
            "Backup_damaged",
            "Backup_function_errors",
            "Backup_queue",
            f"Backup_age-{table}",
            f"Backup_expires-{table}",
        ]
    )
    age, expires = alarms[f"Backup_age-{table}"], alarms[f"Backup_expires-{table}"]
    assert (age["Threshold"], age["TreatMissingData"]) == (26, "breaching")
    assert age["Dimensions"] == expires["Dimensions"] == [{"Name": "Table", "Value": table}]
    assert (expires["Threshold"], expires["ComparisonOperator"]) == (30, "LessThanThreshold")
    for alarm in alarms.values():
        (page,) = re.findall(r"See (docs/\S+\.md)#\w+\.$", alarm["AlarmDescription"])
        assert (REPOSITORY / page).is_file()


def test_what_fails_for_good_reaches_the_queue(bridge):
    """GIVEN an event that the function does not know WHEN it is called as by a rule THEN its queue has it."""
    side = bridge.cn
    url = side.client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"]
    event = json.dumps({"action": "nonsense"})
    side.client("lambda").invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=event)

    def messages():
        return side.client("sqs").receive_message(QueueUrl=url).get("Messages")

    assert "nonsense" in eventually(messages)[0]["Body"]
    side.client("sqs").purge_queue(QueueUrl=url)


def test_a_backup_that_cannot_be_begun_rings(deployed_pair):
    """GIVEN a table whose recovery somebody switched off WHEN its backup is due THEN the function fails, naming it, and the
    alarm on failed backups rings."""
    dynamodb = deployed_pair.client("cn", "dynamodb")

    def recovery(on):
        wanted = {"PointInTimeRecoveryEnabled": on}
        dynamodb.update_continuous_backups(TableName="user-cn", PointInTimeRecoverySpecification=wanted)

    def rings():
        names = {"AlarmNames": ["dynabridge-cn-Backup_failed"]}
        (alarm,) = deployed_pair.client("cn", "cloudwatch").describe_alarms(**names)["MetricAlarms"]
        return alarm["StateValue"] == "ALARM"

    assert not rings()
    recovery(False)
    try:
        event = json.dumps({"action": "start", "kind": "full"})
        answer = deployed_pair.client("cn", "lambda").invoke(FunctionName=FUNCTION, Payload=event)
        assert "FunctionError" in answer and b"user-cn" in answer["Payload"].read()
        eventually(rings)
    finally:
        recovery(True)


def test_drift_of_the_bucket_is_seen_and_mended(deployed_pair):
    """GIVEN the lifecycle gone and another policy WHEN checked THEN it says so and changes nothing; deployed, both are back."""
    s3, bucket = deployed_pair.client("cn", "s3"), bucket_of(deployed_pair, "cn")
    only = ("--tags", "backup_bucket", "--limit", "cn")
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_lifecycle(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    seen = deploy(deployed_pair, *only, "--check")
    assert "set policy of the bucket" in flat(seen) and "set lifecycle of the bucket" in flat(seen)
    assert changed(seen) == {"cn-north-1": 1}
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket)
    deploy(deployed_pair, *only)
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == json.loads(policy)
    assert changed(deploy(deployed_pair, *only, "--check")) == {"cn-north-1": 0}


def test_a_bucket_that_cannot_be_as_it_should_is_one_error(deployed_pair):
    """GIVEN a bucket WHEN its region, or Object Lock, is to be another, or it is another account's THEN it is told why not."""
    only = ("deploy.yml", "--tags", "backup_bucket", "--limit", "sg")
    regions = json.dumps({"dynabridge_backup_regions": {"cn": "cn-northwest-1", "sg": "eu-west-1"}})
    output = failure(deployed_pair, *only, "-e", regions)
    assert "is in ap-southeast-2, but dynabridge_backup_regions says eu-west-1, and a bucket cannot move" in output
    output = failure(deployed_pair, *only, "-e", "dynabridge_backup_object_lock_days=1")
    assert "Object Lock is decided when a bucket is created" in output
    theirs = other_account(deployed_pair, "sg")
    theirs.create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-2"})
    output = failure(deployed_pair, *only, "-e", "dynabridge_backup_bucket=theirs")
    assert "The bucket theirs in ap-southeast-2 cannot be set up" in output
    assert "The bucket is another account's, or the profile may not administer it" in output
    theirs.delete_bucket(Bucket="theirs")


def test_object_lock_by_option(deployed_pair):
    """GIVEN object_lock_days WHEN a new bucket is made THEN objects are kept so long, and teardown refuses to remove them."""
    locked = ("-e", "dynabridge_backup_object_lock_days=1", "-e", "dynabridge_backup_bucket=dynabridge-locked-cn")
    deploy(deployed_pair, "--tags", "backup_bucket", "--limit", "cn", *locked)
    s3 = deployed_pair.client("cn", "s3")
    try:
        lock = s3.get_object_lock_configuration(Bucket="dynabridge-locked-cn")["ObjectLockConfiguration"]
        assert lock["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 1}
        remove = ("-e", "confirm=cn", "-e", "teardown_data=true", "-e", "teardown_backups=true")
        output = failure(deployed_pair, "teardown.yml", "--limit", "cn", *remove, *locked)
        assert "under Object Lock" in output and "Nothing was removed" in output
        assert not re.search(r"changed=[1-9]", output)
    finally:
        s3.delete_bucket(Bucket="dynabridge-locked-cn")


def test_nonsense_is_named_before_anything_changes(deployed_pair):
    """GIVEN a bucket in the side's own region and schedules that are none WHEN deployed THEN all are named at once."""
    nonsense = {
        "dynabridge_backup_regions": {"cn": "cn-north-1", "sg": "cn-northwest-1"},
        "dynabridge_backup_schedule": "0 2 * * *",
        "dynabridge_backup_expiration_days": 100,
    }
    output = failure(deployed_pair, "deploy.yml", "-e", json.dumps(nonsense))
    assert not re.search(r"changed=[1-9]", output)
    for sentence in (
        "side cn has cn-north-1, which is the side's own region",
        "side sg has cn-northwest-1 of the partition aws-cn, but the side's region ap-southeast-1 is in aws",
        "dynabridge_backup_schedule is '0 2 * * *', but must be rate(<n> minutes)",
        "dynabridge_backup_expiration_days is 100, but the last step of dynabridge_backup_lifecycle begins after 270",
    ):
        assert sentence in output


def test_a_side_without_backups_gets_none_of_it(empty_pair):
    """GIVEN no table with backup: true WHEN checked THEN nothing of the backups would be made."""
    tables = [
        {
            "name": "user",
            "names": {"cn": "user-cn", "sg": "user-sg"},
            "key_schema": {"hash": {"name": "PK", "type": "S"}},
        }
    ]
    seen = deploy(empty_pair, "--check", "--tags", "backup", "-e", json.dumps({"dynabridge_tables": tables}))
    assert changed(seen) == {"cn-north-1": 0, "ap-southeast-1": 0}
