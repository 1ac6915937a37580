# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a table's schema: all of it, and never less in silence."""

import json
from types import SimpleNamespace

import pytest

from dynabridge.aws.table_schema import SCHEMA_ACTIONS, read_schema
from dynabridge.errors import TableUnavailable
from dynabridge.table_schema import schema_of
from tests.modules.aws_fakes import aws_error, fake_client
from tests.table_answers import POLICY, RECOVERY, SCALING, TAGS, TARGET, TTL, FakeScaling, FakeTable, description

NOW = 1763692800.0


@pytest.fixture
def aws():
    """The fakes by service; read(aws) gives the schema."""
    return {"dynamodb": FakeTable(description()), "application-autoscaling": FakeScaling([TARGET], [SCALING])}


def read(aws):
    clients = {service: fake_client(service, fake) for service, fake in aws.items()}
    clients["dynamodb"].meta = SimpleNamespace(region_name="cn-north-1")
    return read_schema(clients.__getitem__, "orders-cn", now=lambda: NOW)


def test_reads_all_of_it_and_all_pages(aws):
    """GIVEN tags and targets on several pages WHEN read THEN the document has them all."""
    index = {"ResourceId": "table/orders-cn/index/by-buyer", "ScalableDimension": "dynamodb:index:ReadCapacityUnits"}
    dimension = {"ScalableDimension": "dynamodb:table:ReadCapacityUnits"}
    scaling = aws["application-autoscaling"]
    assert read(aws) == schema_of(description(), TTL, RECOVERY, TAGS, [TARGET], [SCALING], json.dumps(POLICY), now=NOW)
    scaling.targets = [TARGET, TARGET | dimension, TARGET | index]
    scaling.policies = [SCALING | index, SCALING | dimension, SCALING]
    found = read(aws)["autoscaling"]
    assert [(one["ResourceId"], one["ScalableDimension"]) for one in found["targets"]] == [
        ("table/orders-cn", "dynamodb:table:ReadCapacityUnits"),
        ("table/orders-cn", "dynamodb:table:WriteCapacityUnits"),
        ("table/orders-cn/index/by-buyer", "dynamodb:index:ReadCapacityUnits"),
    ]
    assert len(found["policies"]) == 3


def test_a_table_without_scaling_is_one_question(aws):
    """GIVEN no targets THEN nobody asks for the policies of each index."""
    aws["application-autoscaling"].targets = []
    assert read(aws)["autoscaling"] == {"targets": [], "policies": []}
    assert len(aws["application-autoscaling"].asked) == 1


@pytest.mark.parametrize("code", ["PolicyNotFoundException", "UnknownOperationException"])
def test_no_resource_policy(aws, code):
    """GIVEN a table without a policy, or a region that knows none THEN the schema has none."""
    aws["dynamodb"].errors["get_resource_policy"] = aws_error(code)
    assert read(aws)["resource_policy"] is None


@pytest.mark.parametrize("action", SCHEMA_ACTIONS)
def test_a_refusal_is_never_taken_for_nothing(aws, action):
    """GIVEN one right that is missing WHEN read THEN the call and the table are named, whatever the call is."""
    service, _colon, operation = action.partition(":")
    name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in operation).lstrip("_")
    aws[service].errors[name] = aws_error("AccessDeniedException", "User x is not authorized")
    with pytest.raises(TableUnavailable) as refused:
        read(aws)
    assert str(refused.value) == (
        f"The schema of table orders-cn in cn-north-1 cannot be read: {action} answers AccessDeniedException (User x is"
        f" not authorized). Allow {action}: without it the schema would lack a part."
    )


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("describe_table", "ResourceNotFoundException"),
        ("describe_continuous_backups", "TableNotFoundException"),
        ("get_resource_policy", "ResourceNotFoundException"),
    ],
)
def test_a_missing_table_is_named(aws, call, code):
    """GIVEN no table, or one deleted meanwhile WHEN read THEN one sentence says so."""
    aws["dynamodb"].errors[call] = aws_error(code)
    with pytest.raises(TableUnavailable, match="There is no table orders-cn in cn-north-1 of this account: check"):
        read(aws)


def test_a_table_on_its_way_out_is_named(aws):
    """GIVEN a table that is being deleted WHEN read THEN it is refused: its indexes and tags are gone already."""
    aws["dynamodb"].description["TableStatus"] = "DELETING"
    with pytest.raises(TableUnavailable, match="Table orders-cn is being deleted"):
        read(aws)


def test_other_errors_name_the_call(aws):
    """GIVEN AWS out of order WHEN read THEN call, table and AWS's words are told."""
    aws["dynamodb"].errors["list_tags_of_resource"] = aws_error("InternalServerError", "oops")
    with pytest.raises(TableUnavailable, match=r"dynamodb:ListTagsOfResource answers InternalServerError \(oops\)"):
        read(aws)
