# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of captured changes: which tables, who may do what, alarms, and what preflight says."""

import json

import pytest

from plugins.filter import dynabridge_backup_problems, dynabridge_capture, dynabridge_problems, dynabridge_tables
from tests.unit.test_backup_filters import BACKUP, SIDES

KEYS = {"key_schema": {"hash": {"name": "PK", "type": "S"}}}
TABLES = [
    {"name": "user", "names": {"cn": "user-cn", "sg": "user-sg"}, "backup": True} | KEYS,
    {"name": "carts", "names": {"cn": "carts-cn", "sg": "carts-sg"}, "backup": True, "capture": True} | KEYS,
    {"name": "home", "names": {"cn": "h-cn", "sg": "h-sg"}, "backup": True, "capture": True, "replicate": False} | KEYS,
]
PLACE = {
    "partition": "aws-cn",
    "region": "cn-north-1",
    "account_id": "100000000001",
    "tables": ["carts-cn"],
    "bucket": "backups",
    "prefix": "changes",
    "quarantine_bucket": "quarantine",
    "kms_key_arn": "",
    "namespace": "DDB-Backup",
    "queue": "ddbcapturecn",
}


def test_only_what_is_captured_is_named():
    assert dynabridge_capture.capture_names(TABLES, "sg") == ["carts-sg", "h-sg"]
    assert dynabridge_capture.capture_names([{"capture": True}, {"capture": True, "names": None}], "cn") == []


def test_a_captured_table_says_so():
    """GIVEN tables THEN each has the field, so that the role tables gives those a stream that are not replicated."""
    assert [table["capture"] for table in dynabridge_tables.own_tables(TABLES, "cn", ["counters"])] == [
        False,
        True,
        True,
        False,
    ]


def test_the_function_may_write_its_folder_only():
    """GIVEN a place in China THEN Sids are unique, ARNs China's, and no object is written but changes and quarantine."""
    statements = dynabridge_capture.capture_statements(PLACE)
    assert len({entry["Sid"] for entry in statements}) == len(statements)
    text = json.dumps(statements)
    assert "arn:aws:" not in text and "Delete" not in text.replace("sqs:DeleteMessage", "")
    writes = [entry["Resource"] for entry in statements if "s3:PutObject" in entry["Action"]]
    assert writes == ["arn:aws-cn:s3:::backups/changes/*", "arn:aws-cn:s3:::quarantine/*"]
    assert all(action.startswith("dynamodb:Desc") for entry in statements for action in entry["Action"] if ":table/" in str(
        entry["Resource"]) and "/stream/" not in str(entry["Resource"]))  # fmt: skip


def test_the_key_is_asked_for_where_there_is_one():
    with_key = dynabridge_capture.capture_statements(PLACE | {"kms_key_arn": "arn:key"})
    (more,) = [entry for entry in with_key if entry not in dynabridge_capture.capture_statements(PLACE)]
    assert (more["Sid"], more["Resource"]) == ("UseKey", "arn:key")


def test_alarms():
    """GIVEN two captured tables THEN each has its age (no news is bad news) and its holes, and the function has two."""
    alarms = {
        alarm["name"]: alarm
        for alarm in dynabridge_capture.capture_alarms(TABLES, "cn", 900, "f", "queue", "DDB-Backup")
    }
    assert len(alarms) == 6
    age = alarms["Capture_age-carts-cn"]
    assert (age["threshold"], age["missing_data"], age["dimensions"]) == (900, "breaching", {"Table": "carts-cn"})
    assert "Capture_hole-h-cn" in alarms and alarms["Capture_queue"]["dimensions"] == {"QueueName": "queue"}
    assert dynabridge_capture.capture_alarms(TABLES[:1], "cn", 900, "f", "queue", "DDB-Backup") == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"capture": True}, "capture is true and backup is not"),
        ({"capture": "yes", "backup": True}, "capture is 'yes', but must be true or false"),
        ({"capture": True, "backup": True}, None),
        ({"capture": False}, None),
    ],
)
def test_preflight_says_what_capture_needs(fields, words):
    sides = {name: side | {"peer": "", "profile": name} for name, side in SIDES.items()}
    found = dynabridge_problems._one_table_problems(TABLES[0] | {"backup": False} | fields, sides)
    assert [words in text for text in found] == ([True] if words else [])


@pytest.mark.parametrize(
    ("backup", "changes", "is_wrong"),
    [
        ("daily", "changes", False),
        ("daily", "daily", True),
        ("daily", "daily/x", True),
        ("a/b", "a", True),
        ("a", "ab", False),
    ],
)
def test_backups_and_changes_have_folders_of_their_own(backup, changes, is_wrong):
    prefixes = {"dynabridge_backup_prefix": backup, "dynabridge_capture_prefix": changes}
    sides = {name: dict(side) for name, side in SIDES.items()}
    found = dynabridge_backup_problems.backup_problems(BACKUP | {"prefixes": prefixes}, sides, "cn")
    assert [("lies in" in text) for text in found] == ([True] if is_wrong else [])


def test_there_is_a_look():
    schedules = BACKUP["schedules"] | {"dynabridge_capture_schedule": ""}
    (problem,) = dynabridge_backup_problems.backup_problems(BACKUP | {"schedules": schedules}, SIDES, "cn")
    assert "dynabridge_capture_schedule is empty" in problem
