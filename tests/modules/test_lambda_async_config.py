# SPDX-License-Identifier: GPL-3.0-or-later
"""lambda_async_config against a function that has settings, or none, or is changed at the moment."""

from __future__ import annotations

import pytest
from ansible.modules import lambda_async_config

from tests.modules.aws_fakes import aws_error, calls_of, fake_client

QUEUE = "arn:aws-cn:sqs:cn-north-1:100000000001:dynamodbbackupcn"
WANTED = {"maximum_retry_attempts": 1, "maximum_event_age_in_seconds": 3600, "on_failure_destination_arn": QUEUE}


class FakeLambda:
    def __init__(self, config=None, errors=()):
        self.config, self.errors = config, list(errors)

    def get_function_event_invoke_config(self, FunctionName, Qualifier=None):
        if self.config is None:
            raise aws_error("ResourceNotFoundException")
        return {"FunctionArn": f"arn:{FunctionName}", **self.config}

    def put_function_event_invoke_config(self, FunctionName, Qualifier=None, **config):
        if self.errors:
            raise self.errors.pop(0)
        self.config = config
        return config

    def delete_function_event_invoke_config(self, FunctionName, Qualifier=None):
        self.config = None


def run(run_module, fake, check=False, **options):
    client = fake_client("lambda", fake)
    return run_module(lambda_async_config, client, check=check, function_name="f", **options), client


def test_it_is_set_once(run_module):
    """GIVEN a function without settings WHEN set twice THEN the second run changes nothing."""
    fake = FakeLambda()
    first, _ = run(run_module, fake, **WANTED)
    assert first["changed"] is True and first["config"] == WANTED
    assert first["diff"] == {"before": {}, "after": WANTED}
    assert fake.config == {
        "MaximumRetryAttempts": 1,
        "MaximumEventAgeInSeconds": 3600,
        "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
    }
    second, client = run(run_module, fake, **WANTED)
    assert second["changed"] is False and not calls_of(client, "put", "delete")


@pytest.mark.parametrize("config", [None, {"MaximumRetryAttempts": 0}])
def test_check_mode_only_tells(run_module, config):
    """GIVEN other settings, or no function yet WHEN checked THEN it tells the change and makes none."""
    result, client = run(run_module, FakeLambda(config), check=True, **WANTED)
    assert result["changed"] is True and not calls_of(client, "put", "delete")


def test_absent_takes_the_settings_away(run_module):
    """GIVEN settings WHEN they are to be absent THEN they go, once."""
    fake = FakeLambda({"MaximumRetryAttempts": 1})
    assert run(run_module, fake, state="absent")[0]["changed"] is True
    assert fake.config is None
    assert run(run_module, fake, state="absent")[0]["changed"] is False


def test_an_on_success_destination_is_a_difference(run_module):
    """GIVEN the wanted settings and somebody's on-success destination WHEN set THEN it is replaced."""
    destinations = {"OnFailure": {"Destination": QUEUE}, "OnSuccess": {"Destination": QUEUE}}
    fake = FakeLambda({"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 3600, "DestinationConfig": destinations})
    assert run(run_module, fake, **WANTED)[0]["changed"] is True
    assert "OnSuccess" not in fake.config["DestinationConfig"]


def test_a_new_role_is_waited_for(run_module, monkeypatch):
    """GIVEN a role whose rights AWS does not know yet, and a function that is being changed THEN it tries again."""
    young = aws_error(
        "InvalidParameterValueException", "The function's execution role does not have permissions to call"
    )
    fake = FakeLambda(errors=[young, aws_error("ResourceConflictException")])
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert run(run_module, fake, **WANTED)[0]["changed"] is True


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"maximum_retry_attempts": 3}, "f: maximum_retry_attempts is 3, but must be 0 to 2"),
        ({"maximum_event_age_in_seconds": 59}, "f: maximum_event_age_in_seconds is 59, but must be 60 to 21600"),
    ],
)
def test_numbers_out_of_range_are_named(run_module, option, sentence):
    result, client = run(run_module, FakeLambda(), **option)
    assert result["failed"] and result["msg"] == sentence
    assert not client.method_calls


def test_a_refusal_is_told(run_module):
    """GIVEN AWS refuses for good WHEN set THEN the error names the function."""
    fake = FakeLambda(errors=[aws_error("AccessDeniedException")])
    result, _ = run(run_module, fake, **WANTED)
    assert result["failed"] and "failed invocations of f" in result["msg"]
