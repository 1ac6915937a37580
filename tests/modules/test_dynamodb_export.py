# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_export asks once, waits if wanted, and says why an export failed."""

import pytest
from ansible.modules import dynamodb_export

from tests.backup_fakes import FakeDynamoDB, FakeS3
from tests.export_files import BUCKET, MOMENT
from tests.modules.aws_fakes import aws_error, fake_client

WANTED = {"table_name": "user-cn", "bucket": BUCKET, "prefix": "by-hand/2026/11/21/user-cn"}
WINDOW = {"kind": "incremental", "from_time": "2026-11-21T00:00:00Z", "to_time": "2026-11-21T01:00:00Z"}


class Clock:
    """Stands for the module time; ``then``: what happens at each pause, one after the other."""

    def __init__(self):
        self.now, self.then, self.pauses = MOMENT, [], []

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds
        self.pauses.append(seconds)
        if self.then:
            self.then.pop(0)()


@pytest.fixture
def clock(monkeypatch):
    fake = Clock()
    monkeypatch.setattr(dynamodb_export, "time", fake)
    return fake


@pytest.fixture
def dynamodb():
    return FakeDynamoDB(FakeS3())


@pytest.fixture
def export(run_module, dynamodb, clock):
    """export(**params) gives the module's result; there is DynamoDB and nothing else."""

    def run(check=False, **params):
        client = {"dynamodb": fake_client("dynamodb", dynamodb)}
        return run_module(dynamodb_export, client, check=check, **(WANTED | params))

    return run


class TestAsking:
    def test_a_full_export(self, export, dynamodb):
        """GIVEN a table THEN its export is asked for, and described in snake case with times as ISO text."""
        result = export()
        assert result["changed"] is True
        assert (result["export"]["export_status"], result["export"]["s3_bucket"]) == ("IN_PROGRESS", BUCKET)
        assert result["export"]["start_time"] == "2026-11-21T02:00:01Z"
        (request,) = dynamodb.asked
        assert request["ExportType"] == "FULL_EXPORT" and "ExportTime" not in request and "ClientToken" not in request

    def test_a_moment(self, export, dynamodb):
        export(export_time="2026-11-20T10:15:03+08:00")
        assert dynamodb.asked[0]["ExportTime"].isoformat() == "2026-11-20T02:15:03+00:00"

    def test_a_window(self, export, dynamodb):
        result = export(**WINDOW, view_type="NEW_IMAGE")
        window = dynamodb.asked[0]["IncrementalExportSpecification"]
        assert (window["ExportToTime"] - window["ExportFromTime"]).total_seconds() == 3600
        assert window["ExportViewType"] == "NEW_IMAGE"
        assert result["export"]["incremental_export_specification"] == {
            "export_from_time": "2026-11-21T00:00:00Z",
            "export_to_time": "2026-11-21T01:00:00Z",
            "export_view_type": "NEW_IMAGE",
        }

    def test_a_window_up_to_now(self, export, dynamodb, clock):
        clock.now = MOMENT + 0.7
        export(**WINDOW | {"to_time": ""})
        assert dynamodb.asked[0]["IncrementalExportSpecification"]["ExportToTime"].timestamp() == MOMENT

    def test_a_key_and_another_account(self, export, dynamodb):
        export(kms_key_arn="key-arn", bucket_owner="100000000009", prefix="")
        (request,) = dynamodb.asked
        assert (request["S3SseAlgorithm"], request["S3SseKmsKeyId"], request["S3BucketOwner"]) == (
            "KMS",
            "key-arn",
            "100000000009",
        )
        assert "S3Prefix" not in request

    def test_the_same_token_is_the_same_export(self, export, dynamodb):
        """GIVEN a token used before, many exports ago THEN nothing is changed; another or none is another export."""
        first = export(client_token="today")
        for _number in range(3):
            assert export()["changed"] is True
        again = export(client_token="today")
        assert again["changed"] is False and again["export"]["export_arn"] == first["export"]["export_arn"]
        assert export(client_token="tomorrow")["changed"] is True
        assert len(dynamodb.exports) == 5

    def test_a_token_for_something_else_is_refused(self, export):
        export(client_token="today")
        result = export(client_token="today", prefix="elsewhere")
        assert result["failed"] and "ExportConflictException" in result["msg"]


class TestCheckMode:
    def test_nothing_is_asked_for(self, export, dynamodb):
        result = export(check=True, client_token="today")
        assert result["changed"] is True and "export" not in result and not dynamodb.asked

    @pytest.mark.parametrize("check", [True, False])
    @pytest.mark.parametrize(
        "params",
        [{"export_time": "2026-10-01T00:00:00Z"}, {"kind": "incremental", "from_time": "2026-10-01T00:00:00Z"}],
    )
    def test_a_time_out_of_reach_is_told(self, export, dynamodb, check, params):
        """GIVEN a time before the table's recovery begins THEN that is told, also in check mode, before anything is asked."""
        result = export(check=check, **params)
        assert result["failed"] and not dynamodb.asked
        assert "table user-cn can be recovered only from 2026-10-17T02:00:00Z on, wanted is 2026-10-01" in result["msg"]

    @pytest.mark.parametrize("check", [True, False])
    def test_without_recovery(self, export, dynamodb, check):
        dynamodb.recoverable_from["user-cn"] = None
        result = export(check=check)
        assert result["failed"] and "its point-in-time recovery is off: run deploy.yml --tags tables" in result["msg"]
        assert not dynamodb.asked


class TestWaiting:
    def test_until_it_is_done(self, export, dynamodb, clock, tmp_path):
        """GIVEN an export that ends after three looks THEN it was looked at that often, and each wait was told."""
        clock.then = [lambda: None, lambda: None, dynamodb.complete_all]
        result = export(wait=True, poll=20, progress_file=str(tmp_path / "lines"))
        assert (result["export"]["export_status"], result["export"]["item_count"]) == ("COMPLETED", 5)
        assert clock.pauses == [20, 20, 20]
        told = (tmp_path / "lines").read_text(encoding="utf-8").splitlines()
        assert told == [f"user-cn: DynamoDB is exporting since {seconds} s" for seconds in (0, 20, 40)]

    def test_a_failed_one_says_why(self, export, dynamodb, clock):
        clock.then = [lambda: dynamodb.fail(next(iter(dynamodb.exports)))]
        result = export(wait=True)
        assert result["failed"]
        assert result["msg"].endswith("FAILED: S3NoSuchBucket: The specified bucket does not exist")
        assert result["msg"].startswith("arn:aws-cn:dynamodb:cn-north-1:100000000001:table/user-cn/export/")

    def test_the_time_is_up(self, export, clock):
        result = export(wait=True, wait_timeout=60, poll=25)
        assert result["failed"] and "is not done after 60 s: it goes on by itself" in result["msg"]
        assert sum(clock.pauses) == 75

    def test_one_done_before_is_not_waited_for(self, export, dynamodb, clock):
        export(client_token="today")
        dynamodb.complete_all()
        result = export(client_token="today", wait=True)
        assert (result["changed"], result["export"]["export_status"], clock.pauses) == (False, "COMPLETED", [])


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"from_time": "2026-11-21T00:00:00Z"}, "from_time does not go with kind=full"),
        (WINDOW | {"kind": "full"}, "from_time, to_time does not go with kind=full"),
        (WINDOW | {"export_time": "2026-11-21T00:00:00Z"}, "export_time does not go with kind=incremental"),
        ({"kind": "incremental"}, "kind=incremental needs from_time"),
        (WINDOW | {"from_time": "yesterday"}, "from_time is 'yesterday': write it as 2026-11-20T10:15:03Z"),
        (WINDOW | {"to_time": "2026-11-21T01:00:00"}, "it has no zone"),
        (WINDOW | {"to_time": "2026-11-21T00:00:00Z"}, "is not before to_time"),
        ({"poll": 0}, "poll above 0"),
        ({"wait_timeout": 0}, "wait_timeout must be at least 1"),
        ({"table_name": "none-cn"}, "table none-cn cannot be looked at (ResourceNotFoundException)"),
    ],
)
def test_bad_input_is_told_before_anything_is_asked(export, dynamodb, params, words):
    result = export(**params)
    assert result["failed"] and words in result["msg"] and not dynamodb.asked


@pytest.mark.parametrize("code", ["LimitExceededException", "AccessDeniedException", "InvalidExportTimeException"])
def test_refusals_name_the_table(export, dynamodb, code):
    dynamodb.errors["export_table_to_point_in_time", "user-cn"] = aws_error(code, "because")
    result = export()
    assert result["failed"] and f"table user-cn cannot be exported ({code}): " in result["msg"]
