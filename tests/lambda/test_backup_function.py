# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduled function: it begins, looks, marks and counts; one table's trouble keeps no other, and nothing waits."""

import importlib.util
import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from dynabridge.aws.backup_watch import Watch
from dynabridge.aws.catalogue import read_catalogue
from dynabridge.backup_layout import FAILURE, PROGRESS, SUCCESS
from dynabridge.backup_settings import BackupSettings, backup_settings
from dynabridge.catalogue import DAMAGED, FAILED, RUNNING, UNVERIFIED, VERIFIED
from dynabridge.errors import BackupError, SettingsError
from tests.backup_fakes import TABLES, FakeCloudWatch, cloud
from tests.export_files import BUCKET, PREFIX, lines
from tests.modules.aws_fakes import aws_error, fake_client

HANDLER = Path(__file__).parents[2] / "files" / "lambda" / "DynamoDBBackupFunction" / "handler.py"
HOUR, DAY = 3600, 86400
EVER = float("inf")
START, CHECK = {"action": "start", "kind": "full"}, {"action": "check"}
INCREMENTAL = {"action": "start", "kind": "incremental"}
# What EventBridge sends where a rule gives no input of its own.
PLAIN_EVENT = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "100000000001",
    "time": "2026-11-21T02:00:00Z",
    "region": "cn-north-1",
    "resources": ["arn:aws-cn:events:cn-north-1:100000000001:rule/dynabridge-backup-start"],
    "detail": {},
}
RULE = {"Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 730}}
VARIABLES = {
    "SIDE": "cn",
    "BACKUP_TABLES": "user-cn, orders-cn,huge-cn",
    "BACKUP_BUCKET": BUCKET,
    "BACKUP_BUCKET_REGION": "cn-northwest-1",
    "BACKUP_PREFIX": "daily/",
}


@pytest.fixture(autouse=True)
def nothing_waits(monkeypatch):
    def sleep(seconds):
        raise AssertionError(f"waited {seconds} s")

    monkeypatch.setattr(time, "sleep", sleep)


@pytest.fixture
def aws():
    """Three tables, a bucket whose backups expire after two years, and the function that watches over them."""
    aws = cloud()
    aws.s3.rules, aws.cloudwatch, aws.rules_error = [RULE], FakeCloudWatch(), None

    def read_rules():
        if aws.rules_error:
            raise aws.rules_error
        return aws.s3.rules

    aws.watch = Watch(
        backup_settings(VARIABLES), aws.backups, read_rules, fake_client("cloudwatch", aws.cloudwatch),
        now=lambda: aws.dynamodb.now,
    )  # fmt: skip
    return aws


def handle(aws, event, request_id="request-1", until=EVER):
    return aws.watch.handle(event, request_id, until)


def states(aws):
    return {backup.table: backup.state for backup in read_catalogue(aws.backups.objects, PREFIX)}


def metric(aws, name, table=None):
    return aws.cloudwatch.metrics.get((name, "Table", table) if table else (name, "backup", "ddb-backup"))


class TestStart:
    def test_all_tables(self, aws, capsys):
        """GIVEN the daily event THEN each table's backup is begun, and each is a line of the log."""
        answer = handle(aws, START)
        assert len(answer["began"]) == 3 and states(aws) == dict.fromkeys(TABLES, RUNNING)
        logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["table"] for line in logged] == list(TABLES)
        assert metric(aws, "Failed_count") == [0] and aws.cloudwatch.namespaces == {"DDB-Backup"}

    @pytest.mark.parametrize("table", TABLES)
    def test_one_that_cannot_be_begun_keeps_none_of_the_others(self, aws, table):
        """GIVEN one table without recovery THEN the others are begun, and the function fails naming it and it only."""
        aws.dynamodb.recoverable_from[table] = None
        with pytest.raises(
            BackupError, match=f"^table {table} cannot be exported: its point-in-time recovery is off"
        ) as caught:
            handle(aws, START)
        assert not any(other in str(caught.value) for other in set(TABLES) - {table})
        assert set(states(aws)) == set(TABLES) - {table}
        assert metric(aws, "Failed_count") == [1]

    def test_every_table_that_fails_is_named(self, aws):
        for table in TABLES:
            aws.dynamodb.errors["export_table_to_point_in_time", table] = aws_error("LimitExceededException", "300 run")
        with pytest.raises(BackupError) as caught:
            handle(aws, START)
        assert all(f"table {table} cannot be exported" in str(caught.value) for table in TABLES)

    def test_the_connection_breaks(self, aws):
        aws.dynamodb.errors["describe_table", "user-cn"] = EndpointConnectionError(endpoint_url="https://dynamodb")
        with pytest.raises(BackupError, match="table user-cn: Could not connect"):
            handle(aws, START)
        assert len(states(aws)) == 2

    def test_lambda_tries_again(self, aws):
        """GIVEN a run that failed for one table WHEN Lambda tries again with the same request THEN no table is exported twice."""
        aws.dynamodb.errors["export_table_to_point_in_time", "huge-cn"] = aws_error("InternalServerError")
        with pytest.raises(BackupError):
            handle(aws, START, "request-1")
        aws.dynamodb.errors.clear()
        assert len(handle(aws, START, "request-1")["began"]) == 3
        assert len(aws.dynamodb.exports) == 3
        assert len(handle(aws, START, "request-2")["began"]) == 3
        assert len(aws.dynamodb.exports) == 6

    def test_incrementals_follow(self, aws):
        """GIVEN verified full backups WHEN the hourly event comes THEN each table's window is begun; too early, none."""
        handle(aws, START)
        aws.dynamodb.complete_all()
        handle(aws, CHECK)
        assert handle(aws, INCREMENTAL) == {"began": []}
        aws.dynamodb.now += HOUR
        assert len(handle(aws, INCREMENTAL)["began"]) == 3
        assert {request["ExportType"] for request in aws.dynamodb.asked[3:]} == {"INCREMENTAL_EXPORT"}

    def test_incrementals_without_a_full_one(self, aws):
        with pytest.raises(BackupError, match=r"table user-cn has no full backup.*table orders-cn has no full backup"):
            handle(aws, INCREMENTAL)

    @pytest.mark.parametrize(
        "event",
        [{}, PLAIN_EVENT, {"action": "stop"}, {"action": "start", "kind": "huge"}, {"action": None}, [], None, "x"],
    )
    def test_an_event_that_asks_for_nothing_known_is_refused(self, aws, event):
        """GIVEN any other event THEN it is refused with what is allowed, and nothing was done."""
        with pytest.raises(SettingsError, match="asks for nothing that this function does: action is start or check"):
            handle(aws, event)
        assert not aws.s3.objects and not aws.dynamodb.asked


class TestCheck:
    def test_what_has_ended_is_marked(self, aws):
        """GIVEN one export done, one failed, one under way THEN the first two are marked, and the third is left."""
        good, bad, _runs = (folder.split("/")[4] for folder in handle(aws, START)["began"])
        done, failed, _under_way = aws.dynamodb.exports
        aws.dynamodb.complete(done)
        aws.dynamodb.fail(failed, "S3AccessDenied", "Access Denied")
        answer = handle(aws, CHECK)
        assert sorted(answer.values()) == [FAILED, VERIFIED]
        assert states(aws) == {good: VERIFIED, bad: FAILED, "huge-cn": RUNNING}
        assert [metric(aws, name) for name in ("Verified_count", "Failed_count", "Damaged_count")] == [[1], [0, 1], [0]]

    def test_what_is_marked_is_not_counted_again(self, aws):
        handle(aws, START)
        aws.dynamodb.complete_all()
        handle(aws, CHECK)
        asked = len(aws.s3.gets)
        assert handle(aws, CHECK) == {}
        assert metric(aws, "Verified_count") == [3, 0]
        assert [key for key in aws.s3.gets[asked:] if "data/" in key] == [], "nothing was read again"

    def test_incrementals_that_are_done_with_are_not_read_again(self, aws):
        """GIVEN verified fulls and incrementals WHEN a check comes THEN it reads the verdicts of the fulls alone."""
        handle(aws, START)
        aws.dynamodb.complete_all()
        handle(aws, CHECK)
        aws.dynamodb.now += HOUR
        handle(aws, INCREMENTAL)
        aws.dynamodb.complete_all()
        handle(aws, CHECK)
        asked = len(aws.s3.gets)
        handle(aws, CHECK)
        assert sorted(key.rpartition("/")[2] for key in aws.s3.gets[asked:]) == ["_SUCCESS"] * 3

    def test_damage_is_counted_and_logged(self, aws, capsys):
        (folder, *_others) = handle(aws, START)["began"]
        aws.dynamodb.complete_all()
        aws.s3.objects[aws.s3.objects.data(folder)[0]] = b""
        assert handle(aws, CHECK)[folder] == DAMAGED
        assert (metric(aws, "Damaged_count"), metric(aws, "Verified_count")) == ([1], [2])
        assert aws.s3.names(folder) & {SUCCESS, FAILURE} == {FAILURE}
        logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert next(line["reason"] for line in logged if line.get("state") == DAMAGED).endswith("is cut short")

    def test_ages_of_the_last_good_ones(self, aws):
        """GIVEN verified backups, then a failed one THEN the age is that of the last good one, and none where there is none."""
        handle(aws, START)
        first, second, third = aws.dynamodb.exports
        for arn in (first, second):
            aws.dynamodb.complete(arn)
        aws.dynamodb.fail(third)
        handle(aws, CHECK)
        aws.dynamodb.now += DAY
        handle(aws, CHECK)
        assert metric(aws, "Backup_age_hours", "user-cn")[-1] == pytest.approx(24, abs=0.01)
        assert metric(aws, "Backup_age_hours", "huge-cn") is None
        assert metric(aws, "Last_backup_expires_days", "user-cn")[-1] == pytest.approx(729.9, abs=0.1)

    def test_a_last_good_one_that_is_old_is_found(self, aws):
        """GIVEN no good backup for more than 35 days THEN the age and the expiry are those of the old one."""
        handle(aws, START)
        aws.dynamodb.complete_all()
        handle(aws, CHECK)
        aws.dynamodb.now += 700 * DAY
        handle(aws, CHECK)
        assert metric(aws, "Backup_age_hours", "user-cn")[-1] == pytest.approx(700 * 24, abs=0.01)
        assert metric(aws, "Last_backup_expires_days", "user-cn")[-1] == pytest.approx(30.9, abs=0.1)

    def test_errors_of_one_do_not_keep_the_others(self, aws):
        """GIVEN an export that may not be looked at THEN the others are verified, and the function fails naming it."""
        handle(aws, START)
        aws.dynamodb.complete_all()
        aws.dynamodb.errors["describe_export", "orders-cn"] = aws_error("AccessDeniedException", "no")
        with pytest.raises(BackupError, match=r"^table orders-cn has an export that cannot be looked at"):
            handle(aws, CHECK)
        assert states(aws) == {"user-cn": VERIFIED, "orders-cn": UNVERIFIED, "huge-cn": VERIFIED}
        assert metric(aws, "Verified_count") == [2]
        assert metric(aws, "Backup_age_hours", "huge-cn")

    @pytest.mark.parametrize("error", [aws_error("AccessDenied"), EndpointConnectionError(endpoint_url="https://s3")])
    def test_lifecycle_rules_that_cannot_be_read_keep_no_verdict_and_no_age(self, aws, error):
        handle(aws, START)
        aws.dynamodb.complete_all()
        aws.rules_error = error
        with pytest.raises(BackupError, match=f"the lifecycle rules of bucket {BUCKET} cannot be read"):
            handle(aws, CHECK)
        assert set(states(aws).values()) == {VERIFIED}
        assert metric(aws, "Backup_age_hours", "user-cn") and not metric(aws, "Last_backup_expires_days", "user-cn")

    def test_a_bucket_that_cannot_be_listed(self, aws):
        aws.s3.bucket = "another"
        with pytest.raises(BackupError, match=f"bucket {BUCKET} is not there"):
            handle(aws, CHECK)

    def test_metrics_that_cannot_be_published_stop_nobody(self, aws, capsys):
        def refuse(Namespace, MetricData):
            raise aws_error("AccessDenied")

        aws.watch.cloudwatch = SimpleNamespace(put_metric_data=refuse)
        assert len(handle(aws, START)["began"]) == 3
        assert "not published" in capsys.readouterr().out


class TestShortOfTime:
    def test_it_goes_on_where_it_stopped(self, aws):
        """GIVEN hardly any time WHEN checked again and again THEN every backup is verified in the end, none read twice."""
        (folder, *_others) = handle(aws, START)["began"]
        for arn in aws.dynamodb.exports:
            aws.dynamodb.complete(arn, files=[lines(1, number) for number in range(6)])
        moments = iter(range(10**6))
        runs = 0
        while set(states(aws).values()) != {VERIFIED}:
            runs += 1
            assert runs < 30
            with pytest.MonkeyPatch.context() as patched:
                # Each look at the clock takes a second, and a run has five.
                patched.setattr(time, "monotonic", lambda: next(moments))
                handle(aws, CHECK, until=next(moments) + 5)
        assert runs > 2
        assert json.loads(aws.s3.objects[folder + PROGRESS]) == {}

    def test_without_any_time_nothing_is_begun(self, aws):
        handle(aws, START)
        aws.dynamodb.complete_all()
        assert handle(aws, CHECK, until=0) == {}
        assert set(states(aws).values()) == {UNVERIFIED}


class TestSettings:
    def test_are_read(self):
        assert backup_settings(VARIABLES) == BackupSettings(
            "cn", ("user-cn", "orders-cn", "huge-cn"), BUCKET, "cn-northwest-1", "", "daily", "", "DDB-Backup"
        )

    @pytest.mark.parametrize(
        "name", ["SIDE", "BACKUP_TABLES", "BACKUP_BUCKET", "BACKUP_BUCKET_REGION", "BACKUP_PREFIX"]
    )
    @pytest.mark.parametrize("value", [None, ""])
    def test_one_that_is_missing_is_named(self, name, value):
        with pytest.raises(SettingsError, match=name):
            backup_settings(
                {key: text for key, text in VARIABLES.items() if key != name} | ({name: value} if value else {})
            )

    def test_no_table_at_all(self):
        with pytest.raises(SettingsError, match="BACKUP_TABLES names no table"):
            backup_settings(VARIABLES | {"BACKUP_TABLES": " , "})


@pytest.fixture
def handler(monkeypatch):
    """The handler module, fresh, as the runtime loads it, in its environment."""
    for name, value in (VARIABLES | {"AWS_REGION": "cn-north-1", "AWS_DEFAULT_REGION": "cn-north-1"}).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "role")
    spec = importlib.util.spec_from_file_location("backup_handler", HANDLER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Context:
    aws_request_id = "request-9"

    def __init__(self, seconds):
        self.seconds = seconds

    def get_remaining_time_in_millis(self):
        return self.seconds * 1000


class TestHandler:
    def test_it_is_wired_by_its_environment(self, handler):
        """GIVEN the environment THEN S3 is asked in the bucket's region, DynamoDB and CloudWatch in the function's own."""
        watch = handler._build(backup_settings(VARIABLES))
        objects, exports = watch.backups.objects, watch.backups.exports
        assert (objects.bucket, objects.s3.meta.region_name) == (BUCKET, "cn-northwest-1")
        assert exports._dynamodb.meta.region_name == watch.cloudwatch.meta.region_name == "cn-north-1"
        assert watch.backups.prefix == "daily" and not watch.backups.enable_recovery

    def test_it_leaves_itself_time(self, handler, monkeypatch):
        """GIVEN 900 seconds THEN the work ends before these do; the request's id is the seed; what it builds it keeps."""
        seen = []
        built = SimpleNamespace(
            handle=lambda event, request_id, until: seen.append((event, request_id, until)) or "done"
        )
        monkeypatch.setattr(handler, "_build", lambda settings: seen.append(settings) or built)
        assert handler.lambda_handler(CHECK, Context(900)) == handler.lambda_handler(START, Context(900)) == "done"
        settings, (event, request_id, until), second = seen
        assert (settings.side, event, request_id, second[0]) == ("cn", CHECK, "request-9", START)
        assert 860 < until - time.monotonic() <= 870

    def test_without_its_environment_it_says_what_is_missing(self, handler, monkeypatch):
        monkeypatch.delenv("SIDE")
        with pytest.raises(SettingsError, match=r"SIDE is missing: run deploy\.yml"):
            handler.lambda_handler(CHECK, Context(900))
