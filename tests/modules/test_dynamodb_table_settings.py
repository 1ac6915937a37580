# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_table_settings against a table like DynamoDB's: slow, eventually consistent and strict."""

from __future__ import annotations

import pytest
from ansible.modules import dynamodb_table_settings

from tests.modules.aws_fakes import aws_error, calls_of, fake_client

ARN = "arn:aws-cn:dynamodb:cn-north-1:100000000001:table/user-cn"
ALL = {
    "stream_view_type": "NEW_AND_OLD_IMAGES",
    "point_in_time_recovery": True,
    "recovery_period_days": 7,
    "deletion_protection": True,
    "ttl_attribute": "expires",
}


class FakeTable:
    """One table; after UpdateTable it is UPDATING for a number of looks."""

    def __init__(self, view=None, keys=(("PK", "HASH", "S"),), slow=0):
        self.view, self.keys, self.slow = view, keys, slow
        self.streams = 1 if view else 0
        self.protected, self.recovery, self.exists = False, None, True
        self.ttl, self.status, self.busy = {"TimeToLiveStatus": "DISABLED"}, "ACTIVE", 0
        self.errors = {}

    def _may_fail(self, operation):
        if self.errors.get(operation):
            raise self.errors[operation].pop(0)

    def describe_table(self, TableName):
        if not self.exists:
            raise aws_error("ResourceNotFoundException")
        self.busy, busy = max(0, self.busy - 1), self.busy
        told = {
            "TableName": TableName,
            "TableArn": ARN,
            "TableStatus": "UPDATING" if busy else self.status,
            "DeletionProtectionEnabled": self.protected,
            "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind, _type in self.keys],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": code} for name, _kind, code in self.keys],
        }
        if self.view:
            told["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": self.view}
        if self.streams:  # AWS tells the last stream's ARN even after it was disabled
            told["LatestStreamArn"] = f"{ARN}/stream/{self.streams}"
        return {"Table": told}

    def update_table(self, TableName, StreamSpecification=None, DeletionProtectionEnabled=None):
        self._may_fail("update_table")
        if self.busy:
            raise aws_error("ResourceInUseException")
        if StreamSpecification is not None:
            if StreamSpecification["StreamEnabled"] == bool(self.view):
                raise aws_error("ValidationException", "the stream is that already")
            self.view = StreamSpecification.get("StreamViewType")
            self.streams += bool(self.view)
        if DeletionProtectionEnabled is not None:
            self.protected = DeletionProtectionEnabled
        self.busy = self.slow

    def describe_continuous_backups(self, TableName):
        told = {"PointInTimeRecoveryStatus": "DISABLED"}
        if self.recovery:
            told = {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": self.recovery}
        return {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": told,
            }
        }

    def update_continuous_backups(self, TableName, PointInTimeRecoverySpecification):
        self._may_fail("update_continuous_backups")
        specification = PointInTimeRecoverySpecification
        enabled = specification["PointInTimeRecoveryEnabled"]
        self.recovery = specification.get("RecoveryPeriodInDays", 35) if enabled else None

    def describe_time_to_live(self, TableName):
        return {"TimeToLiveDescription": self.ttl}

    def update_time_to_live(self, TableName, TimeToLiveSpecification):
        self._may_fail("update_time_to_live")
        attribute = TimeToLiveSpecification["AttributeName"]
        assert attribute == self.ttl.get("AttributeName", attribute), "AWS disables it by its own attribute"
        self.ttl = {"TimeToLiveStatus": "DISABLED"}
        if TimeToLiveSpecification["Enabled"]:
            self.ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}


@pytest.fixture
def run(run_module, clock):
    """run(table, **params) gives the module's result and the names of its writing calls."""

    def run_on(table, check=False, **params):
        client = fake_client("dynamodb", table)
        result = run_module(dynamodb_table_settings, client, check=check, table_name="user-cn", **params)
        return result, calls_of(client, "update")

    return run_on


def test_sets_everything_and_the_next_run_changes_nothing(run):
    # GIVEN a fresh table WHEN all settings are asked for twice THEN the first run sets them, the second
    # nothing
    table = FakeTable(slow=2)
    first, _writes = run(table, **ALL)
    assert first["changed"] is True
    assert first["table"] == {
        "name": "user-cn",
        "exists": True,
        "arn": ARN,
        "status": "ACTIVE",
        "stream_arn": f"{ARN}/stream/1",
        "key_schema": {"hash": {"name": "PK", "type": "S"}},
        **ALL,
    }
    assert first["diff"]["before"] == {
        "stream_view_type": "none",
        "point_in_time_recovery": False,
        "recovery_period_days": 0,
        "deletion_protection": False,
        "ttl_attribute": "",
    }
    assert first["diff"]["after"] == ALL
    second, writes = run(table, **ALL)
    assert second["changed"] is False
    assert writes == []
    assert second["table"] == first["table"]
    assert second["diff"]["before"] == second["diff"]["after"] == ALL


def test_what_is_left_out_stays(run):
    # GIVEN a table with settings WHEN the module runs without any THEN nothing is written, and they are told
    table = FakeTable(view="KEYS_ONLY")
    table.recovery, table.protected = 3, True
    result, writes = run(table)
    assert not result["changed"] and writes == []
    assert result["table"]["stream_view_type"] == "KEYS_ONLY"
    assert result["table"]["recovery_period_days"] == 3
    assert result["table"]["deletion_protection"] is True


@pytest.mark.parametrize(
    ("params", "writes"),
    [
        ({"stream_view_type": "NEW_IMAGE"}, ["update_table"]),
        ({"deletion_protection": True}, ["update_table"]),
        ({"point_in_time_recovery": True}, ["update_continuous_backups"]),
        ({"ttl_attribute": "expires"}, ["update_time_to_live"]),
    ],
)
def test_writes_only_what_differs_and_nothing_in_check_mode(run, params, writes):
    # GIVEN a fresh table WHEN one setting is asked for THEN check mode tells it, and the run makes that
    # call only
    would, check_writes = run(FakeTable(), check=True, **params)
    did, run_writes = run(FakeTable(), **params)
    assert check_writes == [] and run_writes == writes
    assert would["changed"] and did["changed"]
    assert would["diff"] == did["diff"]
    assert would["table"]["stream_arn"] == "", "the ARN of a stream to come is not known"
    (name,) = params
    assert "would set" in would["msg"] and name in would["msg"]


def test_a_stream_is_not_replaced_unasked(run):
    # GIVEN a stream of keys WHEN images are wanted THEN nothing is written, and the message says what would
    # be lost
    table = FakeTable(view="KEYS_ONLY")
    result, writes = run(table, stream_view_type="NEW_AND_OLD_IMAGES", deletion_protection=True)
    assert result["failed"] and writes == []
    assert "table user-cn is KEYS_ONLY, wanted is NEW_AND_OLD_IMAGES" in result["msg"]
    assert "lose their position" in result["msg"] and "replace_stream" in result["msg"]


def test_a_stream_is_replaced_when_asked(run):
    # GIVEN a stream of keys on a slow table WHEN it may be replaced THEN it is disabled and enabled, with a
    # new ARN
    table = FakeTable(view="KEYS_ONLY", slow=3)
    would, _none = run(table, check=True, stream_view_type="NEW_IMAGE", replace_stream=True)
    assert would["changed"] and would["table"]["stream_arn"] == ""
    result, writes = run(table, stream_view_type="NEW_IMAGE", replace_stream=True)
    assert writes == ["update_table", "update_table"]
    assert result["table"]["stream_arn"] == f"{ARN}/stream/2"
    assert table.view == "NEW_IMAGE"


def test_the_arn_of_the_stream_before_is_never_told_for_the_new_one(run):
    # GIVEN DescribeTable that lags behind WHEN a stream is replaced THEN the module waits for the new ARN
    table = FakeTable(view="KEYS_ONLY")
    fresh, stale_answers = table.describe_table, []

    def lagging(TableName):
        if table.streams == 2 and len(stale_answers) < 2:
            stale_answers.append(1)
            answer = fresh(TableName)
            answer["Table"]["LatestStreamArn"] = f"{ARN}/stream/1"
            return answer
        return fresh(TableName)

    table.describe_table = lagging
    result, _writes = run(table, stream_view_type="NEW_IMAGE", replace_stream=True)
    assert result["table"]["stream_arn"] == f"{ARN}/stream/2"
    assert len(stale_answers) == 2


def test_a_stream_is_disabled_and_its_arn_not_told(run):
    # GIVEN a stream WHEN none is wanted THEN it is disabled, and the ARN that AWS still tells is not handed
    # on
    result, writes = run(FakeTable(view="NEW_IMAGE"), stream_view_type="none")
    assert writes == ["update_table"]
    assert result["table"]["stream_arn"] == "" and result["table"]["stream_view_type"] == "none"


@pytest.mark.parametrize(
    ("keys", "expected", "found_text", "wanted_text"),
    [
        ((("id", "HASH", "S"),), {"hash": {"name": "PK"}}, "hash id (S)", "hash PK (S)"),
        ((("PK", "HASH", "N"),), {"hash": {"name": "PK", "type": "S"}}, "hash PK (N)", "hash PK (S)"),
        (
            (("PK", "HASH", "S"), ("SK", "RANGE", "B")),
            {"hash": {"name": "PK"}},
            "hash PK (S), range SK (B)",
            "hash PK (S)",
        ),
        (
            (("PK", "HASH", "S"),),
            {"hash": {"name": "PK"}, "range": {"name": "SK", "type": "N"}},
            "hash PK (S)",
            "hash PK (S), range SK (N)",
        ),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_other_keys_stop_everything(run, keys, expected, found_text, wanted_text, check):
    # GIVEN a table with other keys WHEN settings are asked for THEN nothing is written; table and both are
    # named
    result, writes = run(FakeTable(keys=keys), check=check, expected_key_schema=expected, **ALL)
    assert result["failed"] and writes == []
    assert f"table user-cn has the keys {found_text}, wanted are {wanted_text}" in result["msg"]


def test_the_right_keys_pass(run):
    # GIVEN a table with a composite key WHEN it is as expected THEN the run goes on, and the keys are told
    keys = {"hash": {"name": "PK", "type": "S"}, "range": {"name": "SK", "type": "N"}}
    table = FakeTable(keys=(("PK", "HASH", "S"), ("SK", "RANGE", "N")))
    result, _writes = run(table, expected_key_schema=keys)
    assert result["table"]["key_schema"] == keys


def missing_table():
    table = FakeTable()
    table.exists = False
    return table


def test_a_missing_table_fails(run):
    # GIVEN no table WHEN settings are asked for THEN the message names table, region and what to run
    result, writes = run(missing_table(), **ALL)
    assert result["msg"] == "table user-cn is not there in region cn-north-1, run deploy.yml --tags tables"
    assert result["failed"] and writes == []


def test_a_missing_table_in_check_mode_is_one_that_would_be_created(run):
    # GIVEN no table WHEN check mode asks for settings THEN they are told as if the table were fresh
    keys = {"hash": {"name": "PK", "type": "S"}}
    result, _writes = run(missing_table(), check=True, expected_key_schema=keys, **ALL)
    assert result["changed"] is True and "is not there yet" in result["msg"]
    assert result["table"] == {
        "name": "user-cn",
        "exists": False,
        "arn": "",
        "status": "",
        "stream_arn": "",
        "key_schema": keys,
        **ALL,
    }
    assert result["diff"]["before"] == {}
    refused, _writes = run(missing_table(), check=True, missing_ok_in_check_mode=False)
    assert refused["failed"] and "is not there in region" in refused["msg"]


def test_ttl_is_switched_off_by_its_own_attribute(run):
    # GIVEN TTL WHEN no attribute is wanted THEN it is disabled with the attribute that it has
    table = FakeTable()
    table.ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": "old"}
    result, writes = run(table, ttl_attribute="")
    assert writes == ["update_time_to_live"]
    assert table.ttl == {"TimeToLiveStatus": "DISABLED"}
    assert result["table"]["ttl_attribute"] == ""


@pytest.mark.parametrize(
    ("ttl", "wanted", "text"),
    [
        ({"TimeToLiveStatus": "ENABLED", "AttributeName": "old"}, "new", "goes by old, wanted is new"),
        ({"TimeToLiveStatus": "ENABLING", "AttributeName": "old"}, "", "is ENABLING by an earlier change"),
        ({"TimeToLiveStatus": "DISABLING", "AttributeName": "old"}, "old", "is DISABLING by"),
    ],
)
def test_a_ttl_change_that_aws_refuses_stops_everything(run, ttl, wanted, text):
    # GIVEN TTL that AWS would not change now WHEN that is asked for THEN nothing is written; the message
    # says why
    table = FakeTable()
    table.ttl = ttl
    result, writes = run(table, ttl_attribute=wanted, deletion_protection=True)
    assert result["failed"] and writes == []
    assert text in result["msg"] and "one change" in result["msg"] and "hour" in result["msg"]


def test_ttl_being_enabled_as_wanted_is_no_change(run):
    # GIVEN TTL on its way WHEN the same is wanted THEN there is nothing to do
    table = FakeTable()
    table.ttl = {"TimeToLiveStatus": "ENABLING", "AttributeName": "expires"}
    result, writes = run(table, ttl_attribute="expires")
    assert not result["changed"] and writes == []


def test_a_second_ttl_change_within_the_hour_is_explained(run):
    # GIVEN TTL changed lately WHEN it is changed again THEN AWS's refusal becomes a sentence that says what
    # to do
    table = FakeTable()
    refusal = "Time to live has been modified multiple times within a fixed interval"
    table.errors["update_time_to_live"] = [aws_error("ValidationException", refusal)]
    result, _writes = run(table, ttl_attribute="expires")
    assert result["failed"]
    assert result["msg"] == (
        "TTL of table user-cn was changed within the last hour, and AWS takes one change an hour: run again later"
    )


def test_the_recovery_period_alone_is_changed(run):
    # GIVEN recovery for 35 days WHEN 7 are wanted THEN only that is changed
    table = FakeTable()
    table.recovery = 35
    result, writes = run(table, recovery_period_days=7)
    assert writes == ["update_continuous_backups"] and table.recovery == 7
    assert result["msg"] == "table user-cn: set recovery_period_days"


def test_a_recovery_period_without_recovery_is_no_change(run):
    # GIVEN no recovery WHEN only its period is given THEN there is nothing to do, in this run and the next
    result, writes = run(FakeTable(), recovery_period_days=7, point_in_time_recovery=False)
    assert not result["changed"] and writes == []
    assert result["table"]["recovery_period_days"] == 0


@pytest.mark.parametrize("days", [0, 36])
def test_a_recovery_period_out_of_range_makes_no_call(run, days):
    # GIVEN a period that AWS does not know WHEN it is asked for THEN the message tells the range
    result, writes = run(FakeTable(), recovery_period_days=days)
    assert result["failed"] and writes == []
    assert result["msg"] == f"recovery_period_days is {days}, allowed is 1 to 35"


def test_waits_until_a_new_table_has_its_backups(run, clock):
    # GIVEN a table so new that its backups are being switched on WHEN recovery is asked for THEN it is
    # tried again
    table = FakeTable()
    table.errors["update_continuous_backups"] = [aws_error("ContinuousBackupsUnavailableException")] * 3
    result, writes = run(table, point_in_time_recovery=True)
    assert result["changed"] and table.recovery == 35
    assert len(writes) == 4 and clock.now > 0


def test_waits_until_another_change_is_through(run):
    # GIVEN a table that somebody else is changing WHEN it is to be changed THEN the module waits first
    table = FakeTable(slow=2)
    table.busy = 3
    table.errors["update_table"] = [aws_error("ResourceInUseException")]
    result, _writes = run(table, deletion_protection=True)
    assert result["changed"] and table.protected


def test_a_wait_has_an_end(run, clock):
    # GIVEN a table that never becomes active WHEN it is to be changed THEN the message tells time, table
    # and state
    table = FakeTable()
    table.status = "CREATING"
    result, writes = run(table, deletion_protection=True, wait_timeout=20)
    assert result["failed"] and writes == []
    assert result["msg"] == "waited 20 s for table user-cn to be ACTIVE, it is CREATING"
    assert clock.now <= 20


def test_a_table_being_deleted_is_told(run):
    # GIVEN a table on its way out WHEN it is to be changed THEN the module does not wait for it to come back
    table = FakeTable()
    table.status = "DELETING"
    result, _writes = run(table, deletion_protection=True)
    assert result["failed"] and "table user-cn is being deleted" in result["msg"]


def test_without_waiting_the_last_state_is_told(run):
    # GIVEN a slow table WHEN the module shall not wait THEN it tells the table as it is by then
    result, _writes = run(FakeTable(slow=5), deletion_protection=True, wait=False)
    assert result["table"]["status"] == "UPDATING" and result["table"]["deletion_protection"] is True


def test_an_error_of_aws_names_table_and_region(run):
    # GIVEN no right to change the table WHEN it is to be changed THEN table, region and AWS's words are told
    table = FakeTable()
    table.errors["update_table"] = [aws_error("AccessDeniedException", "no dynamodb:UpdateTable")]
    result, _writes = run(table, deletion_protection=True)
    assert result["failed"]
    assert "table user-cn in region cn-north-1" in result["msg"] and "dynamodb:UpdateTable" in result["msg"]
