# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_backup: tables exported, awaited, verified and marked; what went wrong is told with what went right."""

import json
import time
from functools import partial

import pytest
from ansible.modules import dynamodb_backup
from botocore.exceptions import EndpointConnectionError

from dynabridge.backup_layout import FAILURE, SUCCESS
from tests.backup_fakes import SCHEMA_DOCUMENT, TABLES, FakeDynamoDB, FakeS3
from tests.export_files import BUCKET
from tests.modules.aws_fakes import aws_error, fake_client

HOUR = 3600


class Aws:
    """The fakes, and what happens at each pause; the last of it stays."""

    def __init__(self):
        self.s3 = FakeS3()
        self.dynamodb = FakeDynamoDB(self.s3)
        self.then, self.pauses, self.clock = [self.dynamodb.complete_all], 0, time.monotonic()

    def pause(self, seconds):
        self.pauses += 1
        self.clock += seconds
        (self.then.pop(0) if len(self.then) > 1 else self.then[0])()


@pytest.fixture
def aws(monkeypatch):
    """A clock that does not wait; DynamoDB is done with its exports at the first pause."""
    aws = Aws()
    real = {name: getattr(dynamodb_backup, name) for name in ("Run", "Backups")}
    monkeypatch.setattr(dynamodb_backup, "Run", partial(real["Run"], pause=aws.pause, clock=lambda: aws.clock))
    monkeypatch.setattr(dynamodb_backup, "Backups", partial(real["Backups"], now=lambda: aws.dynamodb.now))
    monkeypatch.setattr(dynamodb_backup, "read_schema", lambda _clients, _table: SCHEMA_DOCUMENT)
    return aws


@pytest.fixture
def backup(run_module, aws):
    """backup(**params) gives the module's result."""

    def run(check=False, **params):
        clients = {"s3": fake_client("s3", aws.s3), "dynamodb": fake_client("dynamodb", aws.dynamodb)}
        return run_module(dynamodb_backup, clients, check=check, **({"bucket": BUCKET} | params))

    return run


def verdicts(aws):
    return sorted(key.rpartition("/")[2] for key in aws.s3.objects if key.endswith((SUCCESS, FAILURE)))


class TestBackup:
    def test_three_tables(self, backup, aws, tmp_path):
        """GIVEN three tables THEN all are exported, awaited, verified and marked, and each step was told as it went."""
        result = backup(tables=list(TABLES), progress_file=str(tmp_path / "lines"))
        assert result["changed"] is True and result["problems"] == [] and result["seconds"] >= 0
        assert {found["state"] for found in result["backups"]} == {"verified"}
        assert verdicts(aws) == [SUCCESS] * 3 and aws.pauses == 1
        assert len(result["text"]) == 3 and all("full backup verified: 5 items" in line for line in result["text"])
        told = (tmp_path / "lines").read_text(encoding="utf-8")
        assert told.count("full backup begun: daily/2026/11/21/") == 3 and told.count("verified") == 3

    def test_twice_a_day(self, backup, aws):
        """GIVEN a backup of today THEN another run makes another one beside it."""
        first, second = (backup(tables=["user-cn"])["backups"][0] for _run in range(2))
        assert first["folder"] != second["folder"] and first["day"] == second["day"]
        assert verdicts(aws) == [SUCCESS] * 2

    def test_incrementals(self, backup, aws):
        backup(tables=["user-cn"])
        early = backup(tables=["user-cn"], kind="incremental")
        assert (early["changed"], early["backups"], early["problems"]) == (False, [], [])
        aws.dynamodb.now += HOUR
        (found,) = backup(tables=["user-cn"], kind="incremental")["backups"]
        assert (found["kind"], found["state"]) == ("incremental", "verified")

    def test_without_waiting(self, backup, aws):
        result = backup(tables=["user-cn"], wait=False)
        assert result["changed"] is True and [found["state"] for found in result["backups"]] == ["running"]
        assert aws.pauses == 0 and verdicts(aws) == []

    def test_recovery_is_switched_on_by_wish(self, backup, aws):
        aws.dynamodb.recoverable_from["user-cn"] = None
        result = backup(tables=["user-cn"])
        assert result["failed"] and "its point-in-time recovery is off" in result["msg"]
        assert not backup(tables=["user-cn"], enable_recovery=True).get("failed")

    def test_another_account_and_key(self, backup, aws):
        backup(tables=["user-cn"], bucket_owner="100000000009", kms_key_arn="key-arn", prefix="/team/daily/")
        (request,) = aws.dynamodb.asked
        assert (request["S3SseKmsKeyId"], request["S3BucketOwner"]) == ("key-arn", "100000000009")
        assert request["S3Prefix"].startswith("team/daily/2026/") and aws.s3.owners == {"100000000009"}


class TestProblems:
    def test_one_table_of_three(self, backup, aws):
        """GIVEN one table that is not there THEN the module fails naming it, and gives what went well."""
        result = backup(tables=["user-cn", "none-cn", "huge-cn"])
        assert result["failed"] and "table none-cn cannot be looked at" in result["msg"]
        assert [found["table"] for found in result["backups"]] == ["user-cn", "huge-cn"]
        assert verdicts(aws) == [SUCCESS] * 2 and len(result["problems"]) == 1

    def test_an_export_that_fails(self, backup, aws):
        aws.then = [lambda: aws.dynamodb.fail(next(iter(aws.dynamodb.exports)))]
        result = backup(tables=["user-cn"])
        assert result["failed"] and "user-cn: full backup failed: S3NoSuchBucket: The specified" in result["msg"]
        assert verdicts(aws) == [FAILURE] and result["changed"] is True

    def test_the_table_is_deleted_meanwhile(self, backup, aws):
        """GIVEN a table deleted while its export runs, which cannot be looked at then THEN that is told, and nothing marked."""

        def delete():
            aws.dynamodb.errors["describe_export", "user-cn"] = aws_error("ResourceNotFoundException", "gone")

        aws.then = [delete]
        result = backup(tables=["user-cn"])
        assert result["failed"] and "table user-cn has an export that cannot be looked at" in result["msg"]
        assert verdicts(aws) == []

    def test_damage(self, backup, aws):
        def complete_and_damage():
            aws.dynamodb.complete_all()
            key = next(key for key in aws.s3.objects if key.endswith(".json.gz"))
            aws.s3.objects[key] = aws.s3.objects[key][:-1]

        aws.then = [complete_and_damage]
        result = backup(tables=["user-cn"])
        assert result["failed"] and "full backup damaged" in result["msg"] and "is cut short" in result["msg"]
        assert verdicts(aws) == [FAILURE]

    def test_the_time_is_up_and_another_run_finishes(self, backup, aws):
        """GIVEN exports that go on for longer THEN the module fails, saying what is open; finish sees it through."""
        aws.then = [lambda: None]
        result = backup(tables=["user-cn", "huge-cn"], wait_timeout=60)
        assert result["failed"] and result["msg"].count("is not done after 60 s") == 2
        assert [found["state"] for found in result["backups"]] == ["running", "running"]
        aws.then = [aws.dynamodb.complete_all]
        assert backup(action="finish", wait=False)["changed"] is False
        finished = backup(action="finish", tables=["user-cn"])
        assert [(found["table"], found["state"]) for found in finished["backups"]] == [("user-cn", "verified")]
        assert backup(action="finish")["changed"] is True
        assert verdicts(aws) == [SUCCESS] * 2
        nothing = backup(action="finish")
        assert (nothing["changed"], nothing["backups"]) == (False, [])

    @pytest.mark.parametrize("bucket_error", ["NoSuchBucket", "AccessDenied"])
    def test_the_bucket(self, backup, aws, bucket_error):
        aws.s3.errors["put_object", ""] = aws_error(bucket_error, "no")
        result = backup(tables=["user-cn"])
        assert result["failed"] and BUCKET in result["msg"] and not aws.dynamodb.asked


class TestCheckMode:
    def test_says_what_would_be_asked_for(self, backup, aws):
        """GIVEN check mode THEN the exports that it would take are told, and nothing is written or asked for."""
        backup(tables=["user-cn"])
        objects, asked = dict(aws.s3.objects), len(aws.dynamodb.asked)
        aws.dynamodb.now += 30 * HOUR
        full = backup(check=True, tables=["user-cn", "huge-cn"])
        assert full["wanted"] == [{"table": "user-cn", "kind": "full"}, {"table": "huge-cn", "kind": "full"}]
        result = backup(check=True, tables=["user-cn"], kind="incremental")
        assert result["changed"] is True and len(result["wanted"]) == 2
        assert result["wanted"][0]["to"] == result["wanted"][1]["from"]
        assert result["text"][0].startswith("user-cn: would take an incremental backup from 2026-11-21T02:00:01Z to ")
        assert aws.s3.objects == objects and len(aws.dynamodb.asked) == asked

    def test_problems_are_told(self, backup, aws):
        aws.dynamodb.recoverable_from["user-cn"] = None
        result = backup(check=True, tables=["user-cn", "huge-cn"])
        assert result["failed"] and "user-cn cannot be exported" in result["msg"]
        assert [item["table"] for item in result["wanted"]] == ["huge-cn"]

    def test_an_error_that_names_no_table_is_told_with_its_table(self, backup, aws):
        aws.dynamodb.errors["describe_table", "user-cn"] = EndpointConnectionError(endpoint_url="https://dynamodb")
        assert backup(check=True, tables=["user-cn"])["msg"].startswith("table user-cn: Could not connect")

    @pytest.mark.parametrize("action", ["finish", "verify"])
    def test_nothing_is_marked(self, backup, aws, action):
        backup(tables=["user-cn"])
        aws.dynamodb.now += 1
        backup(tables=["user-cn"], wait=False)
        objects = dict(aws.s3.objects)
        result = backup(check=True, action=action)
        assert result["changed"] is False and aws.s3.objects == objects and len(result["backups"]) == 1


class TestVerify:
    def test_the_last_good_one_of_each_table(self, backup, aws):
        """GIVEN several backups of two tables THEN the last verified full ones are read again, whatever came after."""
        backup(tables=["user-cn", "huge-cn"])
        aws.dynamodb.now += 60
        last = backup(tables=["user-cn", "huge-cn"])
        aws.dynamodb.now += 60
        backup(tables=["user-cn"], wait=False)
        result = backup(action="verify")
        assert {found["id"] for found in result["backups"]} == {found["id"] for found in last["backups"]}
        assert result["changed"] is True and {found["state"] for found in result["backups"]} == {"verified"}

    def test_nothing_is_asked_of_dynamodb(self, backup, aws):
        backup(tables=["user-cn"])
        aws.dynamodb.ids.clear()
        assert not backup(action="verify").get("failed")

    def test_damage_since_then(self, backup, aws):
        (found,) = backup(tables=["user-cn"])["backups"]
        aws.s3.objects[aws.s3.objects.data(found["folder"])[1]] = b""
        aws.dynamodb.now += 1
        result = backup(action="verify", ids=[found["id"]])
        assert result["failed"] and "is cut short" in result["msg"]
        assert json.loads(aws.s3.objects[found["folder"] + FAILURE])["backup"]["state"] == "damaged"
        again = backup(action="verify")
        assert again["failed"] and "has no verified full backup of user-cn" in again["msg"]

    def test_one_that_is_not_there(self, backup):
        backup(tables=["user-cn"])
        result = backup(action="verify", ids=["01715685260608-c488b4e1"])
        assert result["failed"] and "has no backup 01715685260608-c488b4e1" in result["msg"]

    def test_an_empty_bucket_is_no_success(self, backup):
        """GIVEN a bucket or prefix without backups THEN to have verified nothing is told, not passed over."""
        result = backup(action="verify", prefix="dayly")
        assert result["failed"] and f"bucket {BUCKET} holds no such backups under dayly/" in result["msg"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "tables is empty: name the tables to back up"),
        ({"tables": ["user-cn"], "poll": 0}, "poll is 0.0: it must be at least 0.1"),
        ({"tables": ["user-cn"], "wait_timeout": 0}, "wait_timeout is 0: it must be at least 1"),
        ({"tables": ["user-cn"], "prefix": "/"}, "prefix is empty"),
        ({"action": "verify", "since": "2026/11/21"}, "since is '2026/11/21'"),
    ],
)
def test_bad_input_is_told_before_anything_is_asked(backup, aws, params, words):
    result = backup(**params)
    assert result["failed"] and words in result["msg"]
    assert not aws.dynamodb.asked and not aws.s3.objects
