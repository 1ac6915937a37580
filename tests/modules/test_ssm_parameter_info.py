# SPDX-License-Identifier: GPL-3.0-or-later
"""ssm_parameter_info tells what is there, and no secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from ansible.modules import ssm_parameter_info

from tests.modules.aws_fakes import aws_error, fake_client

CHANGED_AT = datetime(2025, 1, 31, 10, 0, tzinfo=UTC)


class FakeSsm:
    """Parameter Store with {name: (type, value)}."""

    def __init__(self, **parameters):
        self.parameters = parameters
        self.error = None

    def get_parameters(self, Names, WithDecryption):
        if self.error:
            raise self.error
        assert len(Names) == len(set(Names)) <= 10
        known = [name for name in Names if name in self.parameters]
        return {
            "Parameters": [self._told(name) for name in known],
            "InvalidParameters": [name for name in Names if name not in known],
        }

    def _told(self, name):
        kind, value = self.parameters[name]
        arn = f"arn:aws-cn:ssm:cn-north-1:100000000001:parameter{name}"
        return {
            "Name": name,
            "Type": kind,
            "Value": value,
            "Version": 3,
            "LastModifiedDate": CHANGED_AT,
            "ARN": arn,
        }


@pytest.mark.parametrize("check", [False, True])
def test_tells_what_is_there_and_what_is_not(run_module, check):
    # GIVEN a String parameter WHEN it and another are asked for THEN both are told, in the order of the
    # question
    client = fake_client("ssm", FakeSsm(**{"/a/key": ("String", "AKIA")}))
    result = run_module(ssm_parameter_info, client, check=check, names=["/a/none", "/a/key"])
    assert result["changed"] is False
    assert result["missing"] == ["/a/none"]
    assert result["parameters"] == [
        {"name": "/a/none", "exists": False, "type": "", "version": 0, "last_modified": ""},
        {
            "name": "/a/key",
            "exists": True,
            "type": "String",
            "version": 3,
            "last_modified": "2025-01-31T10:00:00+00:00",
            "value": "AKIA",
        },
    ]


def test_a_secret_is_never_decrypted_nor_told(run_module):
    # GIVEN a SecureString WHEN it is asked for THEN neither its text nor its cipher is in the answer
    client = fake_client("ssm", FakeSsm(**{"/a/secret": ("SecureString", "kms:cipher-or-text")}))
    result = run_module(ssm_parameter_info, client, names=["/a/secret"])
    client.get_parameters.assert_called_once_with(Names=["/a/secret"], WithDecryption=False)
    assert result["parameters"][0]["exists"] is True
    assert "value" not in result["parameters"][0]
    assert "kms:cipher-or-text" not in json.dumps(result)


def test_many_names_go_in_calls_of_ten(run_module):
    # GIVEN 12 names, one of them twice WHEN they are asked for THEN no call has more than AWS takes, none a
    # name twice
    names = [f"/p/{number}" for number in range(11)]
    client = fake_client("ssm", FakeSsm(**{name: ("StringList", "a,b") for name in names}))
    result = run_module(ssm_parameter_info, client, names=["/p/0", *names])
    assert client.get_parameters.call_count == 2
    assert [parameter["value"] for parameter in result["parameters"]] == ["a,b"] * 12


def test_a_name_may_be_an_arn(run_module):
    # GIVEN a parameter WHEN it is asked for by its ARN THEN it is found under that name
    client = fake_client("ssm", FakeSsm())
    arn = "arn:aws-cn:ssm:cn-north-1:100000000001:parameter/p"
    found = {"Name": "/p", "ARN": arn, "Type": "String", "Value": "v", "Version": 1}
    client.get_parameters.side_effect = lambda **_arguments: {"Parameters": [found]}
    result = run_module(ssm_parameter_info, client, names=[arn])
    assert result["parameters"][0]["name"] == arn
    assert result["missing"] == []


def test_a_refusal_names_the_parameters_and_the_region(run_module):
    # GIVEN no right to read WHEN names are asked for THEN the message names them, the region and AWS's words
    fake = FakeSsm()
    fake.error = aws_error("AccessDeniedException", "is not authorized to perform: ssm:GetParameters")
    result = run_module(ssm_parameter_info, fake_client("ssm", fake), names=["/a/key"])
    assert result["failed"] is True
    assert "/a/key in cn-north-1" in result["msg"]
    assert "ssm:GetParameters" in result["msg"]
