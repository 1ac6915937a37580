# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_table_schema_info tells a table's schema, and whether a file has it already."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible.modules import dynamodb_table_schema_info

from tests.modules.aws_fakes import aws_error, calls_of, fake_client
from tests.table_answers import ARN, SCALING, TARGET, FakeScaling, FakeTable, description


@pytest.fixture
def table():
    return FakeTable(description())


@pytest.fixture
def run(run_module, table):
    """run(**params) gives the module's result, and sees that no call but reading ones was made."""

    def run_on(check=False, **params):
        client = fake_client("dynamodb", table)
        client.meta = SimpleNamespace(region_name="cn-north-1")
        # the fixture hands out one client for every service
        scaling = fake_client("application-autoscaling", FakeScaling([TARGET], [SCALING]))
        client.describe_scalable_targets = scaling.describe_scalable_targets
        client.describe_scaling_policies = scaling.describe_scaling_policies
        result = run_module(dynamodb_table_schema_info, client, check=check, table_name="orders-cn", **params)
        assert len(calls_of(client, "describe", "list", "get")) == len(client.method_calls)
        return result

    return run_on


@pytest.mark.parametrize("check", [False, True])
def test_tells_the_schema(run, check):
    # GIVEN a table WHEN asked for THEN its schema is told, in check mode too, and nothing is said of files
    result = run(check)
    assert result["changed"] is False and "same" not in result
    assert result["schema"]["table_arn"] == ARN
    assert result["schema"]["tags"] == {"team": "orders", "用途": ""}
    assert result["schema"]["autoscaling"]["targets"][0]["MaxCapacity"] == 400


def test_a_file_that_is_not_there_is_not_the_same(run, tmp_path):
    # GIVEN no file WHEN compared THEN it is not the same, and nothing was written
    assert run(compare_with=str(tmp_path / "orders.json"))["same"] is False
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_the_same_until_the_table_changes(run, table, tmp_path):
    # GIVEN a saved schema WHEN items come THEN it is the same; WHEN a setting changes THEN it is not
    path = tmp_path / "orders.json"
    path.write_text(json.dumps(run()["schema"]), encoding="utf-8")
    table.description |= {"ItemCount": 7, "TableSizeBytes": 7}
    assert run(compare_with=str(path))["same"] is True
    table.description["DeletionProtectionEnabled"] = False
    assert run(compare_with=str(path))["same"] is False


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"127.0.0.1 localhost\n", "is no table schema: it is no JSON"),
        (b"\xff\xfe", "is no table schema: it is no JSON"),
        (b"{}", "is no table schema that can be used: it has no version"),
    ],
)
def test_a_file_that_is_something_else_is_refused(run, tmp_path, content, sentence):
    # GIVEN another file WHEN compared THEN the module fails and names it
    path = tmp_path / "hosts"
    path.write_bytes(content)
    result = run(compare_with=str(path))
    assert result["failed"] and f"{path} {sentence}" in result["msg"]


def test_the_schema_of_another_table_is_refused(run, tmp_path):
    # GIVEN another table's schema WHEN compared THEN both tables are named
    path = tmp_path / "users.json"
    path.write_text(json.dumps(run()["schema"] | {"table_name": "user-cn"}), encoding="utf-8")
    assert run(compare_with=str(path))["msg"] == (
        f"{path} is the schema of table user-cn, not of orders-cn: give another file"
    )


def test_a_directory_is_refused(run, tmp_path):
    # GIVEN a directory WHEN compared THEN one sentence says that it cannot be read
    assert run(compare_with=str(tmp_path))["msg"] == f"{tmp_path} cannot be read: Is a directory. Give another file"


def test_a_missing_table_fails(run, table):
    # GIVEN no table WHEN asked for THEN one sentence names it and the region
    table.errors["describe_table"] = aws_error("ResourceNotFoundException")
    result = run()
    assert result["msg"].startswith("There is no table orders-cn in cn-north-1 of this account:")


def test_a_right_that_is_missing_fails(run, table):
    # GIVEN no right to the tags WHEN asked for THEN there is no schema without tags: the call is named
    table.errors["list_tags_of_resource"] = aws_error("AccessDeniedException", "not authorized")
    result = run()
    assert result["failed"] and "schema" not in result
    assert "Allow dynamodb:ListTagsOfResource" in result["msg"]
