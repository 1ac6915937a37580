# SPDX-License-Identifier: GPL-3.0-or-later
"""teardown.yml: what deploy made goes, in order, and nothing else; data only when said twice."""

import shlex

import pytest

from tests.integration.test_deploy import changed, deploy
from tests.local_pair import run_playbook, started_pair

# What docs/playbooks/teardown.md shows and this file runs, for tests/docs.
CHECK = "ansible-playbook teardown.yml -e confirm=cn,sg --check"
PLAIN = "ansible-playbook teardown.yml -e confirm=cn,sg"
DATA = "ansible-playbook teardown.yml -e confirm=cn,sg -e teardown_data=true"
EVERYTHING = "ansible-playbook teardown.yml -e confirm=cn,sg -e teardown_data=true -e teardown_backups=true"


def tear_down(pair, command):
    """The output of a command that must succeed."""
    result = run_playbook(pair, *shlex.split(command)[1:])
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def own_pair(tmp_path):
    """A pair of this test's own, deployed, with a bystander of every kind."""
    with started_pair(tmp_path / "local") as pair:
        deploy(pair)
        pair.client("cn", "sqs").create_queue(QueueName="bystander")
        pair.client("cn", "iam").create_user(UserName="bystander")
        pair.client("cn", "kinesis").create_stream(StreamName="bystander", ShardCount=1)
        pair.client("cn", "ssm").put_parameter(Name="/DDBReplication/bystander", Value="x", Type="String")
        pair.client("cn", "cloudwatch").put_metric_alarm(
            AlarmName="bystander", Namespace="Bystander", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=0, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        pair.client("cn", "s3").create_bucket(
            Bucket="bystander", CreateBucketConfiguration={"LocationConstraint": "cn-north-1"}
        )
        yield pair


def flat(text):
    """Output as running text: Ansible wraps messages."""
    return " ".join(text.split())


def left(pair, side):
    """Everything of the kinds that deploy makes."""
    services = ("dynamodb", "kinesis", "sqs", "ssm", "iam", "lambda", "s3", "logs", "cloudwatch", "events")
    client = {name: pair.client(side, name) for name in services}
    mappings = client["lambda"].list_event_source_mappings()["EventSourceMappings"]
    return {
        "tables": client["dynamodb"].list_tables()["TableNames"],
        "streams": client["kinesis"].list_streams()["StreamNames"],
        "queues": [url.rsplit("/", 1)[-1] for url in client["sqs"].list_queues().get("QueueUrls", [])],
        "parameters": [p["Name"] for p in client["ssm"].describe_parameters()["Parameters"]],
        "users": [user["UserName"] for user in client["iam"].list_users()["Users"]],
        "roles": [role["RoleName"] for role in client["iam"].list_roles()["Roles"] if role["Path"] == "/"],
        "functions": [function["FunctionName"] for function in client["lambda"].list_functions()["Functions"]],
        "mappings": [mapping["UUID"] for mapping in mappings],
        "buckets": [bucket["Name"] for bucket in client["s3"].list_buckets()["Buckets"]],
        "log groups": [group["logGroupName"] for group in client["logs"].describe_log_groups()["logGroups"]],
        "rules": [rule["Name"] for rule in client["events"].list_rules()["Rules"]],
        "alarms": [alarm["AlarmName"] for alarm in client["cloudwatch"].describe_alarms()["MetricAlarms"]],
        "dashboards": [one["DashboardName"] for one in client["cloudwatch"].list_dashboards()["DashboardEntries"]],
    }


def test_teardown_in_two_steps(own_pair):
    """GIVEN a deployed bridge WHEN torn down THEN check mode changes nothing, the first run keeps data, the second takes it.

    The backups go by the third only, which says so itself: whoever clears up after an accident may need them.
    """
    own_pair.client("cn", "dynamodb").put_item(TableName="user-cn", Item={"PK": {"S": "kept"}})
    backups = f"dynabridge-backup-cn-{own_pair.sides['cn']['account_id']}"
    own_pair.client("cn", "s3").put_object(Bucket=backups, Key="daily/2026/11/21/user-cn/table_schema.json", Body=b"{}")
    before = left(own_pair, "cn")
    assert all(count > 5 for count in changed(tear_down(own_pair, CHECK)).values())
    assert left(own_pair, "cn") == before

    tear_down(own_pair, f"{PLAIN} -e teardown_account_wide=false")
    remains = left(own_pair, "cn")
    assert remains["functions"] == [] and remains["alarms"] == ["bystander"]
    # What a side in another region of the account needs: test_runbooks.py works there.
    for what in ("roles", "users", "dashboards"):
        assert sorted(remains[what]) == sorted(before[what])
    tear_down(own_pair, PLAIN)
    remains = left(own_pair, "cn")
    assert sorted(remains["tables"]) == ["loader_stats", "replicator_stats", "replicator_tombstones", "user-cn"]
    assert remains["alarms"] == ["bystander"]
    assert len(remains["buckets"]) == 3 and remains["functions"] == remains["mappings"] == remains["rules"] == []
    assert set(changed(tear_down(own_pair, PLAIN)).values()) == {0}

    assert f"The bucket {backups} is kept with all backups" in flat(tear_down(own_pair, DATA))
    assert sorted(left(own_pair, "cn")["buckets"]) == ["bystander", backups]

    alone = run_playbook(own_pair, "teardown.yml", "-e", "confirm=cn,sg", "-e", "teardown_backups=true")
    assert alone.returncode != 0 and "It must come with -e teardown_data=true" in flat(alone.stdout)
    tear_down(own_pair, EVERYTHING)
    assert left(own_pair, "cn") == {
        "tables": [], "streams": ["bystander"], "queues": ["bystander"], "parameters": ["/DDBReplication/bystander"],
        "users": ["bystander"], "roles": [], "functions": [], "mappings": [], "buckets": ["bystander"], "log groups": [],
        "alarms": ["bystander"], "dashboards": [], "rules": [],
    }  # fmt: skip
    assert all(not kind for kind in left(own_pair, "sg").values())


@pytest.mark.parametrize("confirmation", [[], ["-e", "confirm=xx"], ["-e", "confirm=cn"]])
def test_nothing_goes_without_the_sides_name(deployed_pair, confirmation):
    """GIVEN no confirmation, an unknown side, or one side of two THEN it stops with what to say, and nothing is gone."""
    before = left(deployed_pair, "cn"), left(deployed_pair, "sg")
    result = run_playbook(deployed_pair, "teardown.yml", *confirmation)
    assert result.returncode != 0
    assert "confirm=" in result.stdout
    assert (left(deployed_pair, "cn"), left(deployed_pair, "sg")) == before
