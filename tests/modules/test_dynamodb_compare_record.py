# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_compare_record keeps what was found on both sides, and one that is not reached fails nothing."""

import pytest
from ansible.module_utils.dynabridge.compare_record import record_from
from ansible.modules import dynamodb_compare_record

from tests.modules.aws_fakes import aws_error, fake_client

SIDE = {"table": "user-x", "item_count": 5}
FOUND = {"equal": False, "differing": 2, "capped": True, "left": SIDE, "right": SIDE, "summary": "more than is kept"}


class FakeDynamoDb:
    def __init__(self, error=None):
        self.items, self.error = {}, error

    def put_item(self, TableName, Item):
        if self.error:
            raise self.error
        self.items[TableName, Item["PK"]["S"]] = Item


@pytest.fixture
def sides(monkeypatch):
    """Both sides by region."""
    both = {"cn-north-1": FakeDynamoDb(), "ap-southeast-1": FakeDynamoDb()}
    monkeypatch.setattr(dynamodb_compare_record, "connect", lambda side: fake_client("dynamodb", both[side["region"]]))
    return both


@pytest.fixture
def keep(run_module):
    def run(result=None, check=False, **params):
        known = {
            "name": "user",
            "left": {"table": "replicator_stats", "region": "cn-north-1"},
            "right": {"table": "replicator_stats", "region": "ap-southeast-1"},
            "result": FOUND if result is None else result,
        }
        return run_module(dynamodb_compare_record, check=check, **(known | params))

    return run


def test_both_sides_keep_it(keep, sides):
    assert keep(ignored=["seen"])["kept"] == ["replicator_stats"] * 2
    records = [record_from(side.items["replicator_stats", "last_compare:user"]) for side in sides.values()]
    assert records[0] == records[1]
    assert (records[0]["equal"], records[0]["differing"], records[0]["capped"]) == (False, 2, True)
    assert records[0]["left_items"] == 5 and records[0]["ignored"] == ["seen"]


def test_a_side_that_refuses_is_warned_of(keep, sides, monkeypatch):
    warnings = []  # where they go depends on whether the process has loaded Ansible's controller
    monkeypatch.setattr(dynamodb_compare_record, "warn", warnings.append)
    sides["cn-north-1"].error = aws_error("ResourceNotFoundException")
    result = keep()
    assert result["kept"] == ["replicator_stats"] and "failed" not in result
    assert "could not be kept in table replicator_stats in cn-north-1" in warnings[0]
    assert sides["ap-southeast-1"].items


def test_check_mode_writes_nothing(keep, sides):
    assert keep(check=True)["changed"] is True
    assert not any(side.items for side in sides.values())


def test_what_is_no_result_is_refused(keep, sides):
    assert "is not what dynamodb_compare_info returns" in keep(result={"equal": True})["msg"]
