# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_drill_report remembers each drill; dynamodb_drill_info gives the newest of each table, from paged listings."""

import json

import pytest
from ansible.modules import dynamodb_drill_info, dynamodb_drill_report

from tests.backup_fakes import FakeS3
from tests.export_files import BUCKET
from tests.modules.aws_fakes import aws_error, fake_client
from tests.unit.test_drills import BEGAN, EQUAL, report

KEPT = "drills/user-cn/20261118T110640Z.json"  # by when it began


@pytest.fixture
def s3():
    return FakeS3()


@pytest.fixture
def judge(run_module, s3):
    def run(**params):
        given = {
            "table": "user-cn",
            "target_table": "user-cn-drill-x",
            "began": BEGAN,
            "report": report(),
            "rto_seconds": 600,
            "rpo_seconds": 300,
            "bucket": BUCKET,
        }
        return run_module(dynamodb_drill_report, {"s3": fake_client("s3", s3)}, **(given | params))

    return run


@pytest.fixture
def look(run_module, s3):
    def run(**params):
        return run_module(dynamodb_drill_info, {"s3": fake_client("s3", s3)}, **({"bucket": BUCKET} | params))

    return run


def test_a_good_drill_is_remembered(judge, look, s3):
    """GIVEN a good drill WHEN it is judged THEN its record lies where the history is read from."""
    result = judge()
    assert result["changed"] and result["record"]["ok"] and result["file"] == f"s3://{BUCKET}/{KEPT}"
    assert json.loads(s3.objects[KEPT]) == result["record"]
    found = look()
    assert found["drills"] == [result["record"]] and not found["changed"] and found["text"][1].endswith(" ok")


def test_a_failed_drill_is_remembered_too(judge, look):
    """GIVEN a restore that stopped WHEN it is judged THEN the module does not fail: the record says so."""
    result = judge(report={}, failure="table user-cn has no backup\n")
    assert not result["record"]["ok"] and "FAILED: it was not restored: table user-cn has no backup" in result["text"]
    assert look()["drills"][0]["problems"] == result["record"]["problems"]


def test_check_mode_writes_nothing(judge, s3):
    result = judge(check=True)
    assert not result["changed"] and result["file"] == "" and not s3.objects


def test_the_newest_of_each_table(look, s3):
    """GIVEN more records than a listing's page has THEN the newest of each table are read, the newest first, and no others."""
    record = {"version": 1, "report": None, "source": None, "problems": ["x"], "limits": {}, "moment": None}
    record |= {"rows": None, "rto_seconds": None, "rpo_seconds": None, "target_table": "t", "target_region": "r"}
    for table in ("orders-cn", "user-cn"):
        for number in range(1100):
            began = f"2026-11-{1 + number // 100:02d}T{number % 100 // 60:02d}:{number % 60:02d}:00"
            key = f"drills/{table}/{began.replace('-', '').replace(':', '')}-{number:04d}.json"
            s3.objects[key] = json.dumps(
                record | {"table": table, "began": began, "ended": began, "ok": False}
            ).encode()
    found = look(newest=3)
    assert [drill["table"] for drill in found["drills"]] == ["orders-cn"] * 3 + ["user-cn"] * 3
    assert [drill["began"][8:10] for drill in found["drills"][:3]] == ["11", "11", "11"]
    assert found["drills"][0]["began"] > found["drills"][2]["began"] and len(s3.gets) == 6
    assert {drill["table"] for drill in look(tables=["user-cn"])["drills"]} == {"user-cn"}


def test_what_is_no_record_is_named(judge, look, s3):
    judge()
    s3.objects["drills/user-cn/20270101T000000Z.json"] = b"{"
    found = look()
    assert len(found["drills"]) == 1 and found["unreadable"] == [f"s3://{BUCKET}/drills/user-cn/20270101T000000Z.json"]


def test_no_drill_so_far(look):
    assert look()["text"] == ["no drill so far"]


@pytest.mark.parametrize(
    ("params", "words"),
    [({"rto_seconds": 0}, "rto_seconds is 0"), ({"rpo_seconds": -1}, "rpo_seconds is -1")],
)
def test_limits_are_checked_before_anything_is_written(judge, s3, params, words):
    result = judge(**params)
    assert result["failed"] and words in result["msg"] and not s3.objects


def test_a_refusal_is_a_sentence(judge, look, s3):
    s3.errors = {("put_object", ""): aws_error("AccessDenied"), ("list_objects_v2", ""): aws_error("AccessDenied")}
    assert "cannot be written (AccessDenied)" in judge()["msg"] and "cannot be listed (AccessDenied)" in look()["msg"]
    assert "newest is 0" in look(newest=0)["msg"]


def test_the_verification_decides(judge):
    assert not judge(report=report(verification=EQUAL | {"equal": False}))["record"]["ok"]
