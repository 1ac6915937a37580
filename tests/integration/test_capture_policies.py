# SPDX-License-Identifier: GPL-3.0-or-later
"""Least privilege of the capture: every statement is needed, and only its role writes the log of changes."""

import contextlib
import json
import re
import time

import pytest

from plugins.filter import dynabridge_capture
from tests.integration.captures import FUNCTION, ROLE, bucket_of, call, captured_until, tend
from tests.integration.support import Side, eventually
from tests.integration.test_backup_policies import (
    FUNCTION_ROLE,
    OPERATOR,
    RESTORE,
    allowed_everything,
    refuses,
    trusted,
    under,
)

PLACE = {
    name: "x"
    for name in ("partition", "region", "account_id", "bucket", "prefix", "quarantine_bucket", "namespace", "queue")
} | {"tables": ["x"], "kms_key_arn": ""}
SIDS = [entry["Sid"] for entry in dynabridge_capture.capture_statements(PLACE)]


@contextlib.contextmanager
def without_right(side: Side, sid: str):
    """The role's policy without one statement, for the length of the block."""
    iam, about = side.client("iam"), {"RoleName": ROLE, "PolicyName": FUNCTION}
    whole = iam.get_role_policy(**about)["PolicyDocument"]
    whole = json.loads(whole) if isinstance(whole, str) else whole
    rest = [entry for entry in whole["Statement"] if entry["Sid"] != sid]
    assert len(rest) == len(whole["Statement"]) - 1
    iam.put_role_policy(**about, PolicyDocument=json.dumps(whole | {"Statement": rest}))
    try:
        yield
    finally:
        iam.put_role_policy(**about, PolicyDocument=json.dumps(whole))


def look(side: Side) -> str:
    return call(side, {"action": "tend"})[1]


def look_log(side: Side) -> str:
    """What a look says in the log, where a refusal is no failure."""
    since = time.time()
    assert look(side) == ""
    return "\n".join(eventually(lambda: side.logged(FUNCTION, since, "error") + side.logged(FUNCTION, since, "stands")))


def record(side: Side, **data) -> dict:
    arn = side.client("dynamodb").describe_table(TableName=side.table)["Table"]["LatestStreamArn"]
    keys = {"PK": {"S": "policy"}}
    about = {"Keys": keys, "SequenceNumber": f"{time.time_ns():030d}", "ApproximateCreationDateTime": time.time()}
    return {"eventID": "e", "eventName": "INSERT", "eventSourceARN": arn, "dynamodb": about | data}


def poison(side: Side) -> str:
    return call(side, {"Records": [record(side)]})[1]


def read_stream(side: Side) -> str:
    """A mapping asks with the rights of its function; so does who reads again what was given up."""

    def refused() -> str:
        side.write("policy")  # one that came into a batch already begun was read by the rights of before
        return side.problem(FUNCTION)

    found = eventually(refused)
    side.remove("policy")
    return found


# Statement: what needs it, and what is then said.
NEEDED = {
    "ReadStream": (read_stream, "Cannot access stream"),
    "LookAtTables": (look_log, "cannot be looked at .AccessDenied"),
    "WriteChanges": (look, "cannot be written"),
    "ReadWatermarks": (look, "GetObject|cannot be read"),
    "KeepInQuarantine": (poison, "PutObject"),
    "UseQueue": (look, "cannot be emptied.*(sqs|AccessDenied)"),
    "LookAtMappings": (look_log, "ListEventSourceMappings"),
    "ReadMetrics": (look_log, "GetMetricData"),
    "PublishMetrics": (look_log, "not published.*PutMetricData"),
}
# S3 says that an object is missing only to who may list. The local AWS says so to everybody.
NOT_ENFORCED = {"ListChanges"}


def test_every_statement_is_tried():
    assert set(NEEDED) | NOT_ENFORCED == set(SIDS)


@pytest.mark.parametrize("sid", NEEDED)
def test_the_capture_needs_every_statement(bridge, sid):
    """GIVEN the function's role without one statement WHEN its right is needed THEN it says so; with it, all is well."""
    side = bridge.cn
    need, words = NEEDED[sid]
    with without_right(side, sid):
        said = need(side)
    assert re.search(words, said, re.DOTALL), said
    eventually(lambda: not look(side))


def test_only_the_capture_writes_changes_and_nothing_else(bridge):
    """GIVEN roles that may do anything WHEN they put THEN the bucket lets the capture's write changes, and no other's."""
    side = bridge.cn
    place = {"Bucket": bucket_of(side), "Body": b"x"}
    for role in (OPERATOR, FUNCTION_ROLE, RESTORE):
        with allowed_everything(side, role), trusted(side, role):
            refuses(under(side, role)("s3").put_object, Key="changes/other/x", **place)
    with allowed_everything(side, ROLE), trusted(side, ROLE):
        s3 = under(side, ROLE)("s3")
        s3.put_object(Key="changes/other/x", **place)
        for key in ("daily/x", "restore/x", "x"):
            refuses(s3.put_object, Key=key, **place)
        refuses(s3.delete_object, Bucket=bucket_of(side), Key="changes/other/x")
    side.client("s3").delete_object(Bucket=bucket_of(side), Key="changes/other/x")  # by the root account's key


def test_afterwards_it_goes_on(bridge):
    """GIVEN all of the above WHEN looked at THEN the watermark follows again."""
    captured_until(bridge.cn, time.time() - 5)
    tend(bridge.cn)
