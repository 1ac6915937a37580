# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule as a function and the rule as DynamoDB evaluates it are one rule."""

import itertools

import pytest

from dynabridge.attributes import to_boto
from dynabridge.aws.apply import Applier
from dynabridge.changes import DELETE, PUT, Change
from dynabridge.conflict import wins
from dynabridge.stamps import StampNames

NAMES = StampNames()
TABLE = "condition-contract"
KEY = {"PK": {"S": "k"}}
TIMES = [None, {"NULL": True}, {"S": "1"}, {"S": "é"}, {"N": "-1"}, {"N": "1"}, {"N": "1.5"},
         {"N": "12345678901234567890123456789012345677"}, {"N": "12345678901234567890123456789012345678"}]  # fmt: skip
REGIONS = [None, {"N": "1"}, {"S": "ap-southeast-1"}, {"S": "cn-north-1"}]


def images():
    for time, region in itertools.product(TIMES, REGIONS):
        stamp = zip(NAMES, (time, region), strict=True)
        yield {name: value for name, value in stamp if value is not None}


@pytest.fixture
def table(empty_pair):
    client = empty_pair.client("sg", "dynamodb")
    client.create_table(
        TableName=TABLE, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}])  # fmt: skip
    yield client
    client.delete_table(TableName=TABLE)


def test_every_pair_of_stamps_is_decided_alike(table):
    """GIVEN any stored stamp (or no item) and any change WHEN it is applied THEN DynamoDB decides as ``wins`` does.

    One item a pair, all changes applied at once: what a transaction refuses and what it writes are both seen.
    """
    stored = [None, *images()]
    cases = {}
    for number, (old, new, operation) in enumerate(itertools.product(stored, images(), (PUT, DELETE))):
        key = {"PK": {"S": f"case-{number}"}}
        if old is not None:
            table.put_item(TableName=TABLE, Item=key | old)
        image = new if operation == DELETE else key | new
        cases[number] = (Change(operation, TABLE, key, image), None if old is None else to_boto(key | old))
    outcome = Applier(table, NAMES).apply([change for change, _old in cases.values()])
    assert not outcome.poison and not outcome.unsettled
    expected = {change.identity for change, old in cases.values() if wins(change, old, NAMES)}
    wrong = {change.identity for change in outcome.applied} ^ expected
    assert [(change, old) for change, old in cases.values() if change.identity in wrong] == []
    assert len(outcome.refused) == len(cases) - len(expected)
