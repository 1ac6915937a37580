# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's policies: what was called becomes patterns, patterns a policy, and a policy that of a side."""

import fnmatch
import json

import pytest

from tests.local_pair import REPOSITORY
from tools.operator_policy import policy
from tools.operator_policy.__main__ import main
from tools.operator_policy.groups import GROUPS, calls_of, policies, read_calls, stale
from tools.operator_policy.places import place_of
from tools.operator_policy.resources import Place, filled, pattern_of

CN = Place("cn", "sg", "aws-cn", "cn-north-1", "cn-northwest-1", "100000000001", ("user-cn",))
HEAD = "arn:${partition}"
PLACES = [place_of("cn", "123456789012"), place_of("sg", "210987654321")]


SEEN = {
    "dynamodb:HERE:table/user-cn": "dynamodb:REST:table/${table}",
    "dynamodb:cn-northwest-1:100000000001:table/user-cn-drill-2026": "dynamodb:${backup_region}:${account}:table/${table}-*",
    "dynamodb:HERE:table/user-cn/stream/2026": "dynamodb:REST:table/${table}/stream/*",
    "dynamodb:HERE:table/loader_stats": "dynamodb:REST:table/loader_stats",
    "s3:::dynabridge-backup-cn-100000000001/daily/a/b": "s3:::dynabridge-backup-${side}-${account}/*",
    "sqs:HERE:ddbstreamcn": "sqs:REST:ddbstream${side}",
    "sqs:HERE:ddbreplicatorcn": "sqs:REST:ddbreplicator${side}",
    "sqs:HERE:dynamodbbackupcn": "sqs:REST:dynamodbbackup${side}",
    "sqs:HERE:ddbcapturecn": "sqs:REST:ddbcapture${side}",
    "kinesis:HERE:stream/ddb_replication_stream_cn": "kinesis:REST:stream/ddb_replication_stream_${side}",
    "iam::100000000001:user/dynabridge-peer-sg": "iam::${account}:user/dynabridge-peer-${peer}",
    "ssm:HERE:parameter/DDBReplication/TableSG/SecretKey": "ssm:REST:parameter/DDBReplication/Table${PEER}*",
    "lambda:HERE:event-source-mapping:6f1c": "lambda:REST:event-source-mapping:*",
    "cloudwatch:HERE:alarm:dynabridge-cn-Backup_age-user-cn": "cloudwatch:REST:alarm:dynabridge-${side}-*",
    "cloudwatch::100000000001:dashboard/dynabridge-cn": "cloudwatch::${account}:dashboard/dynabridge-${side}",
    "logs:HERE:log-group:/aws/lambda/stream_to_s3": "logs:REST:log-group:/aws/lambda/stream_to_s3*",
}


@pytest.mark.parametrize(("arn", "pattern"), SEEN.items())
def test_a_call_becomes_a_pattern_that_allows_it(arn, pattern):
    whole = f"arn:aws-cn:{arn}".replace("HERE", "cn-north-1:100000000001")
    expected = f"{HEAD}:{pattern}".replace("REST", "${region}:${account}")
    assert pattern_of(whole, CN) == expected
    assert any(fnmatch.fnmatchcase(whole, one) for one in filled(expected, CN))


def test_what_has_no_arn_is_allowed_on_anything():
    assert pattern_of("*", CN) == "*"


def test_a_pattern_of_tables_is_filled_with_each_of_them():
    place = Place("sg", "cn", "aws", "ap-southeast-1", "ap-southeast-2", "2" * 12, ("one", "two"))
    tables = filled("arn:${partition}:dynamodb:${region}:${account}:table/${table}-*", place)
    assert [arn.split("/")[1] for arn in tables] == ["one-*", "two-*"]


def test_one_statement_for_each_kind_of_resource():
    """GIVEN calls on tables, a bucket and its objects, and one without a resource THEN each kind has its statement, in order."""
    calls = {
        "dynamodb:ListTables": {"*"},
        "dynamodb:PutItem": {f"{HEAD}:dynamodb:r:a:table/one"},
        "dynamodb:GetItem": {f"{HEAD}:dynamodb:r:a:table/two"},
        "s3:PutObject": {f"{HEAD}:s3:::bucket/*"},
        "s3:ListBucket": {f"{HEAD}:s3:::bucket"},
        "iam:PassRole": {f"{HEAD}:iam::a:role/one"},
    }
    made = {one["Sid"]: one for one in policy.document(calls)["Statement"]}
    assert set(made) == {"Anything", "DynamodbTable", "IamPassrole", "S3Bucket", "S3Object"}
    assert made["DynamodbTable"]["Action"] == ["dynamodb:GetItem", "dynamodb:PutItem"]
    assert len(made["DynamodbTable"]["Resource"]) == 2
    assert made["IamPassrole"]["Condition"]["StringEquals"]["iam:PassedToService"] == ["lambda.amazonaws.com"]


def test_reads_of_own_things_are_told_briefly():
    """GIVEN three reads of a bucket and two of a role THEN the three are written as one; what writes never is."""
    reads = [f"s3:GetBucket{what}" for what in ("Acl", "Policy", "Tagging")]
    writes = [f"s3:PutBucket{what}" for what in ("Acl", "Policy", "Tagging")]
    (bucket,) = policy.document({name: {f"{HEAD}:s3:::bucket"} for name in [*reads, *writes]})["Statement"]
    assert bucket["Action"] == ["s3:GetBucket*", *writes]
    (role,) = policy.document({name: {f"{HEAD}:iam::a:role/r"} for name in ("iam:ListA", "iam:ListB")})["Statement"]
    assert role["Action"] == ["iam:ListA", "iam:ListB"]


def test_a_policy_that_is_too_large_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tools.operator_policy.__main__.LARGEST", 100)
    assert main(["fill", "--side", "cn", "--account", "123456789012", "--to", str(tmp_path)]) == 0
    assert "a managed policy takes 100: give some of its statements to a second policy" in capsys.readouterr().err


def test_the_policies_are_what_was_recorded():
    assert not stale(), "run `python -m tools.operator_policy write`, and commit what it writes"


@pytest.mark.parametrize("group", GROUPS)
def test_every_recorded_call_is_allowed(group):
    """GIVEN what the verbs of a group called THEN its policy, or the one it stands beside, allows each."""
    statements = policies()[group]["Statement"]
    for action, patterns in calls_of(group, read_calls()).items():
        allowing = [one for one in statements if any(fnmatch.fnmatchcase(action, name) for name in one["Action"])]
        assert patterns <= {arn for one in allowing for arn in one["Resource"]}, action


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.side)
def test_a_sides_policy_fits_into_a_managed_one(group, place):
    own = policy.for_place(policies()[group], place)
    text = json.dumps(own)
    assert policy.size(own) <= policy.LARGEST
    assert "${" not in text and (place.account in text or "arn:" not in text)
    assert len({statement["Sid"] for statement in own["Statement"]}) == len(own["Statement"])


def test_nothing_is_bound_to_a_partition_or_an_account():
    for file in (REPOSITORY / "docs" / "operator-policy").glob("*.json"):
        text = file.read_text(encoding="utf-8")
        assert "arn:aws" not in text and "000000000" not in text


def test_a_sides_policies_are_written_to_a_folder(tmp_path, capsys):
    assert main(["fill", "--side", "sg", "--account", "210987654321", "--to", str(tmp_path)]) == 0
    files = capsys.readouterr().out.split()
    assert files == [str(tmp_path / f"sg-{group}.json") for group in GROUPS]
    made = json.loads((tmp_path / "sg-deploy.json").read_text(encoding="utf-8"))
    arns = {arn for statement in made["Statement"] for arn in statement["Resource"]}
    assert f"arn:aws:dynamodb:{PLACES[1].region}:210987654321:table/user-sg" in arns


def test_an_account_has_twelve_digits(capsys):
    with pytest.raises(SystemExit):
        main(["fill", "--side", "sg", "--account", "12"])
    assert "12 is no account: give its 12 digits" in capsys.readouterr().err
