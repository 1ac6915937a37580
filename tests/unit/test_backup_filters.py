# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of backups: tables, rights, alarms, drift and problems. All are functions of values."""

import json
import re

import pytest

from plugins.filter import dynabridge_backup, dynabridge_backup_problems, dynabridge_drift, dynabridge_tables
from tests.variations import changed

TABLES = [
    {"name": "user", "names": {"cn": "user-cn", "sg": "user-sg"}, "key_schema": {"hash": {"name": "PK", "type": "S"}}},
    {
        "name": "orders",
        "names": {"cn": "orders-cn", "sg": "orders-sg"},
        "key_schema": {"hash": {"name": "PK", "type": "S"}},
        "backup": True,
        "backup_max_age_hours": 50,
    },
    {"name": "carts", "names": {"cn": "carts-cn", "sg": "carts-sg"}, "backup": True, "replicate": False},
]
PLACE = {
    "partition": "aws-cn",
    "region": "cn-north-1",
    "account_id": "100000000001",
    "tables": ["orders-cn", "carts-cn"],
    "bucket": "backups",
    "bucket_owner": "",
    "prefix": "daily",
    "changes_prefix": "changes",
    "kms_key_arn": "",
    "namespace": "DDB-Backup",
    "queue": "dynamodbbackupcn",
}
SIDES = {
    "cn": {"region": "cn-north-1", "partition": "aws-cn"},
    "sg": {"region": "ap-southeast-1", "partition": "aws"},
}
BACKUP = {
    "tables": ["user-cn"],
    "regions": {"cn": "cn-northwest-1", "sg": "ap-southeast-2"},
    "kms_key_arn": "",
    "schedules": {
        "dynabridge_backup_schedule": "cron(0 2 * * ? *)",
        "dynabridge_backup_incremental_schedule": "",
        "dynabridge_backup_check_schedule": "rate(10 minutes)",
        "dynabridge_capture_schedule": "rate(1 minute)",
    },
    "prefixes": {"dynabridge_backup_prefix": "daily", "dynabridge_capture_prefix": "changes"},
    "lifecycle": [
        {"storage_class": "STANDARD_IA", "days": 30},
        {"storage_class": "GLACIER", "days": 90},
        {"storage_class": "DEEP_ARCHIVE", "days": 270},
    ],
    "expiration_days": 730,
    "object_lock_days": 0,
}
WANTED = {
    "encryption": "AES256",
    "kms_key_arn": "",
    "public_access": {"block_public_acls": True},
    "policy": {"Statement": []},
    "ownership": "BucketOwnerEnforced",
    "rules": [{"ID": "dynabridge-backups"}],
}
BUCKET = {
    "name": "b",
    "bucket_versioning": {"Status": "Enabled"},
    "bucket_encryption": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
    "public_access_block": {"BlockPublicAcls": True},
    "bucket_policy": {"Statement": []},
    "bucket_ownership_controls": {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
    "bucket_lifecycle_configuration": {"Rules": [{"ID": "dynabridge-backups"}, {"ID": "somebody's"}]},
}
WITH_KEY = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "another"}}
OWNERS = ["function_statements", "operator_statements", "restore_statements"]


class TestTables:
    def test_only_what_is_backed_up_is_named(self):
        """GIVEN tables with and without backup WHEN sg's are asked THEN the former, under sg's names."""
        assert dynabridge_backup.backup_names(TABLES, "sg") == ["orders-sg", "carts-sg"]

    def test_tables_that_preflight_will_refuse_do_no_harm(self):
        """GIVEN a table without names WHEN the names are asked THEN there is none: preflight says the sentence."""
        assert dynabridge_backup.backup_names([{"backup": True}, {"backup": True, "names": None}], "cn") == []

    def test_a_table_that_is_backed_up_has_recovery_on(self):
        """GIVEN point_in_time_recovery: false and backup: true THEN recovery is on: there are no exports without."""
        keyed = [{**table, "key_schema": TABLES[0]["key_schema"], "point_in_time_recovery": False} for table in TABLES]
        own = dynabridge_tables.own_tables(keyed, "cn")
        assert [table["point_in_time_recovery"] for table in own] == [False, True, True]

    def test_each_table_has_two_alarms(self):
        """GIVEN two tables that are backed up WHEN their alarms are asked THEN age (no news is bad news) and expiry."""
        alarms = dynabridge_backup.backup_alarms(TABLES, "cn", 26, 30, "DDB-Backup")
        age, expires = alarms[:2]
        assert len(alarms) == 4 and len({alarm["name"] for alarm in alarms}) == 4
        assert (age["threshold"], age["missing_data"], age["dimensions"]) == (50, "breaching", {"Table": "orders-cn"})
        assert (expires["threshold"], expires["comparison"]) == (30, "LessThanThreshold")


class TestStatements:
    @pytest.mark.parametrize("name", OWNERS)
    def test_sids_are_unique_and_resources_of_the_partition(self, name):
        """GIVEN a place in China WHEN the statements are asked THEN each has a Sid of its own, and China's ARNs."""
        statements = getattr(dynabridge_backup, name)(PLACE)
        sids = [statement["Sid"] for statement in statements]
        assert len(set(sids)) == len(sids) and all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
        assert "arn:aws:" not in json.dumps(statements)

    @pytest.mark.parametrize("name", OWNERS)
    def test_nobody_may_delete_a_table_or_an_object(self, name):
        """But for the scratch tables of drills, which are known by their names."""
        statements = getattr(dynabridge_backup, name)(PLACE)
        text = json.dumps([entry for entry in statements if entry["Sid"] != "RemoveScratchTables"])
        assert "DeleteTable" not in text and "s3:Delete" not in text and "s3:Put" + "Bucket" not in text
        for entry in statements:
            if entry["Sid"] == "RemoveScratchTables":
                assert entry["Action"] == ["dynamodb:DeleteTable"] and entry["Resource"].endswith(
                    "table/*-drill-????????T??????Z"
                )

    @pytest.mark.parametrize("name", OWNERS)
    def test_the_key_is_asked_for_where_there_is_one(self, name):
        """GIVEN a KMS key WHEN the statements are asked THEN one more lets it be used, and no other."""
        arn = "arn:aws-cn:kms:cn-northwest-1:100000000001:key/k"
        with_key = getattr(dynabridge_backup, name)({**PLACE, "kms_key_arn": arn})
        (more,) = [entry for entry in with_key if entry not in getattr(dynabridge_backup, name)(PLACE)]
        assert more["Sid"] == "UseKey" and more["Resource"] == arn

    def test_function_and_operator_share_what_exporting_needs(self):
        """GIVEN both THEN they differ by queue and metrics, and by what only a human does."""
        function, operator = (getattr(dynabridge_backup, name)(PLACE) for name in OWNERS[:2])
        differing = [entry["Sid"] for entry in function + operator if (entry in function) != (entry in operator)]
        assert sorted(differing) == ["ListExports", "PublishMetrics", "SendToFailureQueue", "SwitchRecoveryOn"]

    def test_objects_are_handed_over_in_another_accounts_bucket(self):
        statements = dynabridge_backup.operator_statements({**PLACE, "bucket_owner": "100000000009"})
        (write,) = [entry for entry in statements if entry["Sid"] == "WriteBackups"]
        assert "s3:PutObjectAcl" in write["Action"]


class TestDrift:
    def test_a_bucket_in_order_has_none(self):
        info = {"bucket_name": "b", "buckets": [BUCKET]}
        assert dynabridge_drift.backup_bucket_drift(info, WANTED) == []

    def test_a_missing_bucket_is_one_change(self):
        info = {"bucket_name": "b", "buckets": []}
        assert dynabridge_drift.backup_bucket_drift(info, WANTED) == ["create the bucket b"]

    @pytest.mark.parametrize(
        ("fact", "value", "word"),
        [
            ("bucket_ownership_controls", {}, "ownership"),
            (
                "bucket_lifecycle_configuration",
                {"Rules": [{"ID": "dynabridge-backups", "Status": "Disabled"}]},
                "lifecycle",
            ),
            ("bucket_lifecycle_configuration", {}, "lifecycle"),
            ("bucket_versioning", {}, "versioning"),
            ("bucket_encryption", {"Rules": [WITH_KEY]}, "encryption key"),
        ],
    )
    def test_each_difference_is_named(self, fact, value, word):
        info = {"bucket_name": "b", "buckets": [{**BUCKET, fact: value}]}
        assert dynabridge_drift.backup_bucket_drift(info, WANTED) == [f"set {word} of the bucket b"]

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            ("Enabling object lock for existing buckets is not supported", "decided when a bucket is created"),
            ("An error occurred (BucketAlreadyExists)", "Another account has this name"),
            ("An error occurred (403) when calling the HeadBucket operation: Forbidden", "another account's"),
            ("something new", "Correct what AWS names"),
        ],
    )
    def test_a_refusal_has_a_hint(self, answer, hint):
        assert hint in dynabridge_drift.bucket_hint({"msg": answer})


class TestProblems:
    @pytest.mark.parametrize("side", ["cn", "sg"])
    def test_the_defaults_have_none(self, side):
        assert dynabridge_backup_problems.backup_problems(BACKUP, SIDES, side) == []

    def test_nothing_is_judged_where_nothing_is_backed_up(self):
        assert dynabridge_backup_problems.backup_problems({**BACKUP, "tables": [], "regions": {}}, SIDES, "cn") == []

    @pytest.mark.parametrize(
        ("path", "value", "sentence"),
        [
            (("regions", "cn"), "", "has no region for side cn"),
            (("regions", "cn"), "cn-nowhere-1", "'cn-nowhere-1', which botocore does not know"),
            (
                ("regions", "cn"),
                "us-west-2",
                "us-west-2 of the partition aws, but the side's region cn-north-1 is in aws-cn",
            ),
            (("regions", "cn"), "cn-north-1", "cn-north-1, which is the side's own region cn-north-1"),
            (("kms_key_arn",), "arn:aws-cn:kms:cn-north-1:100000000001:key/k", "must be of the bucket's region"),
            (
                ("kms_key_arn",),
                "arn:aws:kms:cn-northwest-1:100000000001:key/k",
                "arn:aws-cn:kms:cn-northwest-1:<account>",
            ),
            (("lifecycle", 0, "storage_class"), "COLD", "class 'COLD'"),
            (("lifecycle", 1, "days"), "soon", "days is 'soon'"),
            (("lifecycle", 0, "days"), 29, "moves nothing there before 30"),
            (("lifecycle", 1, "days"), 59, "must begin after 60 days"),
            (("lifecycle", 2, "days"), 90, "must begin after 91 days"),
            (("lifecycle", 2, "storage_class"), "GLACIER_IR", "colder classes only"),
            (("expiration_days",), 270, "begins after 270 days"),
            (("object_lock_days",), 731, "longer than dynabridge_backup_expiration_days (730)"),
            (("schedules", "dynabridge_backup_incremental_schedule"), "rate(10 minutes)", "15 minutes to 24 hours"),
            (("schedules", "dynabridge_backup_incremental_schedule"), "rate(2 days)", "15 minutes to 24 hours"),
        ],
    )
    def test_each_is_one_sentence(self, path, value, sentence):
        (found,) = dynabridge_backup_problems.backup_problems(changed(BACKUP, path, value), SIDES, "cn")
        assert sentence in found

    @pytest.mark.parametrize(
        "schedule",
        ["", "rate(1 hour)", "rate(15 minutes)", "rate(1 day)", "cron(0 2 * * ? *)", "cron(0/15 2-4 ? * MON-FRI *)"],
    )
    def test_schedules_of_eventbridge_are_taken(self, schedule):
        assert dynabridge_backup_problems.schedule_problems("s", schedule) == []

    @pytest.mark.parametrize(
        "schedule",
        [
            "0 2 * * *",
            "cron(0 2 * * *)",
            "cron(0 2 * * * *)",
            "cron(0 2 ? * ? *)",
            "rate(1 hours)",
            "rate(2 hour)",
            "rate(0 days)",
        ],
    )
    def test_others_are_not(self, schedule):
        (found,) = dynabridge_backup_problems.schedule_problems("dynabridge_backup_schedule", schedule)
        assert found.startswith(f"dynabridge_backup_schedule is '{schedule}'")

    @pytest.mark.parametrize("bucket", ["My_Bucket", "ab", "-bucket", "bucket-", "b" * 64])
    def test_a_name_that_s3_does_not_take_is_said(self, bucket):
        assert dynabridge_backup_problems.bucket_problems("dynabridge-backup-cn-100000000001") == []
        assert f"dynabridge_backup_bucket is '{bucket}'" in dynabridge_backup_problems.bucket_problems(bucket)[0]
