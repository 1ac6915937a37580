# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml: what it makes of empty accounts. Twice, in check mode and after drift: molecule's scenario default."""

import json
import re

import pytest
import yaml

from dynabridge.aws.counters import DIMENSIONS, PUBLISHED
from tests.integration.support import FIRST_DEPLOY, Bridge, eventually
from tests.local_pair import REPOSITORY, run_playbook, started_pair
from tests.unit.test_dashboard import check_structure, metrics_of


def recap(output: str) -> dict[str, dict[str, int]]:
    """The counts of the play recap, by host."""
    lines = re.findall(r"^(\S+)\s+: (ok=.*)$", output, re.MULTILINE)
    return {host: {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in lines}


# What docs/playbooks/deploy.md shows and this file runs, for tests/docs.
CHECK = "ansible-playbook deploy.yml -i inventories/local --check"


def deploy(pair, *arguments):
    result = run_playbook(pair, "deploy.yml", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def changed(output):
    return {host: counts["changed"] for host, counts in recap(output).items()}


def test_a_first_deploy_warns_of_nothing_and_sums_up(deployed_pair):
    """GIVEN empty accounts WHEN deployed THEN no warning; the end names what was made on each side, and what to do next."""
    output = (deployed_pair.directory / FIRST_DEPLOY).read_text()
    assert "[WARNING]" not in output
    summary = output[output.index("\ndeploy.yml: ") :]
    assert re.match(r"\ndeploy.yml: \d+ changes; .* s\.\n", summary)
    for side, table in (("cn-north-1", "user-cn"), ("ap-southeast-1", "user-sg")):
        told = summary.partition(f"\n  {side}: ")[2].partition("\n  ")[0]
        assert "tables: " in told and table in told
    assert "Next: ansible-playbook compare.yml -i inventories/local " in summary


def test_check_mode_on_empty_accounts_says_what_it_would_create(empty_pair):
    """GIVEN nothing deployed WHEN checked THEN it runs through, names changes, and creates nothing."""
    output = deploy(empty_pair, *CHECK.split()[2:])
    assert all(count > 10 for count in changed(output).values())
    for side in ("cn", "sg"):
        assert empty_pair.client(side, "dynamodb").list_tables()["TableNames"] == []
        assert empty_pair.client(side, "lambda").list_functions()["Functions"] == []
        assert empty_pair.client(side, "iam").list_users()["Users"] == []
        assert empty_pair.client(side, "s3").list_buckets()["Buckets"] == []
        assert empty_pair.client(side, "cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_what_was_deployed_bears_the_names_and_values_of_the_source_documents(deployed_pair):
    for side, peer, region, peer_region in (
        ("cn", "sg", "cn-north-1", "ap-southeast-1"),
        ("sg", "cn", "ap-southeast-1", "cn-north-1"),
    ):
        client = {
            name: deployed_pair.client(side, name) for name in ("dynamodb", "kinesis", "sqs", "ssm", "lambda", "iam")
        }
        table = client["dynamodb"].describe_table(TableName=f"user-{side}")["Table"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        assert {"loader_stats", "replicator_stats"} <= set(client["dynamodb"].list_tables()["TableNames"])
        stream = client["kinesis"].describe_stream_summary(StreamName=f"ddb_replication_stream_{side}")
        assert stream["StreamDescriptionSummary"]["OpenShardCount"] == 1
        path = f"/DDBReplication/Table{peer.upper()}/"
        parameters = client["ssm"].get_parameters(Names=[path + "AccessKey", path + "SecretKey"])["Parameters"]
        assert {p["Name"]: p["Type"] for p in parameters} == {
            path + "AccessKey": "String",
            path + "SecretKey": "SecureString",
        }
        sender = client["lambda"].get_function_configuration(FunctionName="ddb_send_to_kinesis")
        assert sender["Timeout"] == 60
        environment = sender["Environment"]["Variables"]
        assert environment["PARAMETER_STORE_PATH_PREFIX"] == path
        assert environment["TARGET_REGION"] == peer_region
        assert environment["TARGET_STREAM"] == f"ddb_replication_stream_{peer}"
        assert environment["USE_PROXY"] == "FALSE" and "PROXY_SERVER" in environment
        receiver = client["lambda"].get_function_configuration(FunctionName="replicator_kinesis")
        assert receiver["Environment"]["Variables"]["TARGET_TABLE"] == f"user-{side}"
        partition = "aws-cn" if region.startswith("cn-") else "aws"
        for role in ("ddb_send_to_kinesis_role", "replicator_kinesis_role"):
            attached = client["iam"].list_attached_role_policies(RoleName=role)["AttachedPolicies"]
            assert {policy["PolicyArn"] for policy in attached} == {
                f"arn:{partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
                f"arn:{partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
            }


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        ("ddb_send_to_kinesis", {"BatchSize": 500, "ParallelizationFactor": 10, "MaximumRetryAttempts": 300,
                                 "MaximumRecordAgeInSeconds": 86400, "queue": "ddbstreamcn"}),
        ("replicator_kinesis", {"BatchSize": 500, "ParallelizationFactor": 10, "MaximumRetryAttempts": 100,
                                "queue": "ddbreplicatorcn"}),
    ],
)  # fmt: skip
def test_mappings_bear_the_values_of_the_source_documents(deployed_pair, function, wanted):
    listing = deployed_pair.client("cn", "lambda").list_event_source_mappings(FunctionName=function)
    (mapping,) = listing["EventSourceMappings"]
    queue = wanted.pop("queue")
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"].endswith(f":{queue}")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert {name: mapping[name] for name in wanted} == wanted


@pytest.mark.parametrize("side", ["cn", "sg"])
def test_each_side_remembers_deletes_and_both_functions_know_where(deployed_pair, side):
    """GIVEN both sides deployed THEN the tombstones table expires its rows, and sender and receiver are told of it."""
    dynamodb = deployed_pair.client(side, "dynamodb")
    table = dynamodb.describe_table(TableName="replicator_tombstones")["Table"]
    assert table["KeySchema"] == [{"AttributeName": "PK", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert not table.get("StreamSpecification", {}).get("StreamEnabled")
    expiry = dynamodb.describe_time_to_live(TableName="replicator_tombstones")["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    told = {"TOMBSTONES_TABLE": "replicator_tombstones", "TOMBSTONE_DAYS": "30"}
    sender = environment_of(deployed_pair, side, "ddb_send_to_kinesis")
    assert sender.items() >= (told | {"MANAGED_TABLES": "", "MAX_CLOCK_SKEW_SECONDS": "900"}).items()
    assert environment_of(deployed_pair, side, "replicator_kinesis").items() >= told.items()


def environment_of(pair, side, function):
    return pair.client(side, "lambda").get_function_configuration(FunctionName=function)["Environment"]["Variables"]


def test_a_managed_table_is_told_to_the_sender(deployed_pair, tmp_path):
    """GIVEN a table with stamping: managed WHEN the sender is deployed THEN it knows it by this side's name."""
    inventory = yaml.safe_load((REPOSITORY / "inventories/group_vars/all/tables.yml").read_text(encoding="utf-8"))
    (table,) = inventory["dynabridge_tables"]
    variables = tmp_path / "managed.json"
    variables.write_text(json.dumps({"dynabridge_tables": [table | {"stamping": "managed"}]}))
    try:
        deploy(deployed_pair, "--tags", "sender", "--limit", "sg", "-e", f"@{variables}")
        assert environment_of(deployed_pair, "sg", "ddb_send_to_kinesis")["MANAGED_TABLES"] == "user-sg"
    finally:
        deploy(deployed_pair, "--tags", "sender", "--limit", "sg")
    assert environment_of(deployed_pair, "sg", "ddb_send_to_kinesis")["MANAGED_TABLES"] == ""


ALARMS = ("Ahead_count", "Overwritten_count", "Quarantined_count", "Unsent_count", "Unsettled_count", "Unstamped_count")


@pytest.mark.parametrize("side", ["cn", "sg"])
def test_alarms_say_what_they_mean(deployed_pair, side):
    """GIVEN both sides deployed THEN each alarm watches a metric the functions publish, and names a page that is there."""
    found = deployed_pair.client(side, "cloudwatch").describe_alarms()["MetricAlarms"]
    # test_alarms.py sees to the others.
    alarms = [alarm for alarm in found if alarm["Namespace"] == "DDB-Replicator"]
    assert sorted(alarm["AlarmName"] for alarm in alarms) == [f"dynabridge-{side}-{metric}" for metric in ALARMS]
    for alarm in alarms:
        assert alarm["Dimensions"] == DIMENSIONS
        assert alarm["MetricName"] in PUBLISHED.values()
        assert alarm["TreatMissingData"] == "notBreaching"
        assert [arn.rpartition(":")[2] for arn in alarm["AlarmActions"]] == ["dynabridge-alarms"]
        (page,) = re.findall(r"See (docs/\S+\.md)#\w+\.$", alarm["AlarmDescription"])
        assert (REPOSITORY / page).is_file()
        assert alarm["AlarmDescription"].startswith(f"Side {side}: ")


@pytest.mark.parametrize("side", ["cn", "sg"])
def test_a_dashboard_shows_what_was_deployed(deployed_pair, side):
    """GIVEN both sides deployed THEN each has a dashboard of its own tables, functions, queues and stream, and of no other."""
    cloudwatch = deployed_pair.client(side, "cloudwatch")
    body = json.loads(cloudwatch.get_dashboard(DashboardName=f"dynabridge-{side}")["DashboardBody"])
    check_structure(body)
    shown = {(dimension, value) for _namespace, _name, dimension, value in metrics_of(body)}
    functions = deployed_pair.client(side, "lambda").list_functions()["Functions"]
    queues = deployed_pair.client(side, "sqs").list_queues()["QueueUrls"]
    ours = {url.rsplit("/", 1)[-1] for url in queues} & {value for _dimension, value in shown}
    assert {value for dimension, value in shown if dimension == "FunctionName"} == {
        function["FunctionName"] for function in functions
    }
    assert ours == {value for dimension, value in shown if dimension == "QueueName"} and len(ours) == 4
    assert {("TableName", f"user-{side}"), ("Table", f"user-{side}")} <= shown
    assert ("StreamName", f"ddb_replication_stream_{side}") in shown


def test_an_alarm_rings_and_calls_the_sides_topic(bridge, key):
    """GIVEN somebody who listens to cn's topic WHEN a write does not replicate THEN the alarm rings and they are told; a topic
    of the user's own is called instead."""
    here = f"cn-north-1:{bridge.cn.pair.sides['cn']['account_id']}"
    topic, own_topic = f"arn:aws-cn:sns:{here}:dynabridge-alarms", f"arn:aws-cn:sns:{here}:operators"
    only = ("--tags", "alarm_topic,replication_alarms", "--limit", "cn")
    sqs = bridge.cn.client("sqs")
    listener = {"protocol": "sqs", "endpoint": f"arn:aws-cn:sqs:{here}:pager"}
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed | {"Resource": listener["endpoint"]}]})
    pager = sqs.create_queue(QueueName="pager", Attributes={"Policy": policy})["QueueUrl"]
    told = json.dumps({"dynabridge_alarm_subscriptions": [listener]})

    def alarm():
        found = bridge.cn.client("cloudwatch").describe_alarms(AlarmNames=["dynabridge-cn-Unstamped_count"])
        return found["MetricAlarms"][0]

    try:
        deploy(bridge.cn.pair, *only, "-e", told)
        assert alarm()["AlarmActions"] == [topic]
        bridge.replicates(key)
        # Other tests write without stamps too, and only an alarm that was quiet calls anybody.
        bridge.cn.client("cloudwatch").set_alarm_state(
            AlarmName="dynabridge-cn-Unstamped_count", StateValue="OK", StateReason="a test begins"
        )
        bridge.cn.touch(key)
        eventually(lambda: alarm()["StateValue"] == "ALARM")
        message = eventually(lambda: sqs.receive_message(QueueUrl=pager).get("Messages"))
        assert "dynabridge-cn-Unstamped_count" in message[0]["Body"]
        deploy(bridge.cn.pair, *only, "-e", f"dynabridge_alarm_topic_arn={own_topic}")
        assert alarm()["AlarmActions"] == [own_topic]
    finally:
        deploy(bridge.cn.pair, *only)
        for subscription in bridge.cn.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
            bridge.cn.client("sns").unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        sqs.delete_queue(QueueUrl=pager)
    assert alarm()["AlarmActions"] == [topic]


def test_secrets_appear_nowhere(deployed_pair):
    """GIVEN a first deploy with -vvv --diff THEN no secret key is in its output, in a log, nor in a function's environment."""
    said = {path: path.read_text(errors="replace") for path in deployed_pair.directory.rglob("*.log")}
    assert "TASK" in said[deployed_pair.directory / FIRST_DEPLOY]
    for side, peer in (("cn", "SG"), ("sg", "CN")):
        name = f"/DDBReplication/Table{peer}/SecretKey"
        secret = deployed_pair.client(side, "ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        assert len(secret) > 20
        assert not [path for path, text in said.items() if secret in text]
        for function in deployed_pair.client(side, "lambda").list_functions()["Functions"]:
            assert secret not in str(function)


def test_each_side_alone(tmp_path):
    """GIVEN empty accounts WHEN each side is deployed alone, with the peer's key pair given THEN they form a bridge.

    The users come first, of both sides in one run: it makes no keys, because nothing in it would store them.
    """
    with started_pair(tmp_path / "local") as pair:
        pairs = {}
        first = run_playbook(pair, "deploy.yml", "--tags", "kinesis_stream,peer_user")
        assert first.returncode == 0, first.stdout + first.stderr
        for side, peer in (("cn", "sg"), ("sg", "cn")):
            iam, user = pair.client(peer, "iam"), f"dynabridge-peer-{side}"
            assert iam.list_access_keys(UserName=user)["AccessKeyMetadata"] == []
            pairs[side] = iam.create_access_key(UserName=user)["AccessKey"]
        for side in ("cn", "sg"):
            given = {
                "DYNABRIDGE_PEER_ACCESS_KEY": pairs[side]["AccessKeyId"],
                "DYNABRIDGE_PEER_SECRET_KEY": pairs[side]["SecretAccessKey"],
            }
            only = ("--limit", side, "--skip-tags", "backup,alarms,dashboard")
            result = run_playbook(pair, "deploy.yml", *only, environment=given)
            assert result.returncode == 0, result.stdout + result.stderr
            assert pairs[side]["SecretAccessKey"] not in result.stdout
        bridge = Bridge.of(pair)
        with bridge.own_key() as key:
            bridge.replicates(key)
