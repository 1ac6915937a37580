# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy with the resource types of the Service Authorization Reference allows what it names, and nothing beside it."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.local_pair import started_pair

from .functions import make_function, make_role, make_stream, zipped

SOURCE = "def handler(event, context): return None\n"


def arn(service: str, resource: str, region: str = "cn-north-1") -> str:
    return f"arn:aws-cn:{service}:{region}:100000000001:{resource}"


@pytest.fixture
def user(pair, unique):
    """Makes a user with the given rights, (action, resource); gives a function that makes this user's clients."""

    def make(*rights):
        iam = pair.client("cn", "iam")
        iam.create_user(UserName=unique)
        statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in rights]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=unique, PolicyName="rights", PolicyDocument=document)
        key = iam.create_access_key(UserName=unique)["AccessKey"]
        secrets = {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
        return lambda service: pair.client("cn", service, **secrets)

    return make


def is_refused(call, **arguments) -> bool:
    """Whether the right is missing; what else may come of the call does not matter."""
    try:
        call(**arguments)
    except ClientError as error:
        return "AccessDenied" in error.response["Error"]["Code"]
    return False


def test_a_function_is_made_by_who_may_make_it_and_pass_its_role(pair, unique, user):
    """GIVEN a user who may make one function WHEN they may not pass its role THEN it is refused, and so is another function."""
    role = make_role(pair, "cn", unique)
    function = ("lambda:CreateFunction", arn("lambda", f"function:{unique}"))
    settings = {"Runtime": "python3.13", "Handler": "handler.handler", "Code": {"ZipFile": zipped(SOURCE)}}
    functions = user(function)("lambda")
    assert is_refused(functions.create_function, FunctionName=unique, Role=role, **settings)
    statements = [{"Effect": "Allow", "Action": function[0], "Resource": function[1]}]
    statements.append(
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": role,
            "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        }
    )
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    pair.client("cn", "iam").put_user_policy(UserName=unique, PolicyName="rights", PolicyDocument=document)
    assert is_refused(functions.create_function, FunctionName=f"{unique}-other", Role=role, **settings)
    assert not is_refused(functions.create_function, FunctionName=unique, Role=role, **settings)


def test_lambdas_operations_have_actions_of_their_own(pair, unique, user):
    """GIVEN a user who may change a function's concurrency and mapping WHEN they read either THEN that is refused."""
    make_function(pair, "cn", unique, SOURCE)
    stream = make_stream(pair, "cn", unique)
    mapping = pair.client("cn", "lambda").create_event_source_mapping(
        FunctionName=unique, EventSourceArn=stream, StartingPosition="LATEST", Enabled=False
    )["UUID"]
    functions = user(
        ("lambda:PutFunctionConcurrency", arn("lambda", f"function:{unique}")),
        ("lambda:PutFunctionEventInvokeConfig", arn("lambda", f"function:{unique}")),
        ("lambda:UpdateEventSourceMapping", arn("lambda", f"event-source-mapping:{mapping}")),
    )("lambda")
    assert not is_refused(functions.put_function_concurrency, FunctionName=unique, ReservedConcurrentExecutions=1)
    assert is_refused(functions.get_function_concurrency, FunctionName=unique)
    assert not is_refused(functions.put_function_event_invoke_config, FunctionName=unique, MaximumRetryAttempts=1)
    assert is_refused(functions.get_function_event_invoke_config, FunctionName=unique)
    assert not is_refused(functions.update_event_source_mapping, UUID=mapping, BatchSize=7)
    assert is_refused(functions.get_event_source_mapping, UUID=mapping)
    assert is_refused(functions.delete_event_source_mapping, UUID=mapping)


NAMED = [
    ("cloudwatch", "delete_alarms", "alarm:{}", lambda name: {"AlarmNames": [name]}),
    ("cloudwatch", "describe_alarms", "alarm:{}", lambda name: {"AlarmNames": [name]}),
    ("events", "describe_rule", "rule/{}", lambda name: {"Name": name}),
    ("events", "list_targets_by_rule", "rule/{}", lambda name: {"Rule": name}),
    ("ssm", "get_parameters_by_path", "parameter/{}", lambda name: {"Path": f"/{name}/"}),
]


@pytest.mark.parametrize(("service", "operation", "resource", "arguments"), NAMED, ids=[case[1] for case in NAMED])
def test_what_a_call_names_is_what_must_be_allowed(unique, user, service, operation, resource, arguments):
    action = "".join(word.capitalize() for word in operation.split("_"))
    client = user((f"{service}:{action}", arn(service, resource.format(unique))))(service)
    assert not is_refused(getattr(client, operation), **arguments(unique))
    assert is_refused(getattr(client, operation), **arguments(f"{unique}-other"))


def test_a_dashboard_has_no_region(unique, user):
    client = user(("cloudwatch:GetDashboard", arn("cloudwatch", f"dashboard/{unique}", region="")))("cloudwatch")
    assert not is_refused(client.get_dashboard, DashboardName=unique)
    assert is_refused(client.get_dashboard, DashboardName=f"{unique}-other")


def test_calls_are_recorded_once_and_anew_in_a_new_file(tmp_path, monkeypatch):
    """GIVEN a directory for records WHEN the same is asked twice THEN it has one line; once the file is gone, another."""
    monkeypatch.setenv("LOCAL_AWS_RECORD_DIR", str(tmp_path))
    file = tmp_path / "cn.jsonl"
    with started_pair(tmp_path / "local") as pair:
        for _ in range(2):
            pair.client("cn", "dynamodb").list_tables()
        (line,) = file.read_text().splitlines()
        file.unlink()
        pair.client("cn", "dynamodb").list_tables()
        assert file.read_text().splitlines() == [line]
    assert json.loads(line) == {
        "principal": "arn:aws-cn:iam::100000000001:root",
        "action": "dynamodb:ListTables",
        "resource": "*",
    }
