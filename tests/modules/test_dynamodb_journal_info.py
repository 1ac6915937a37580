# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_journal_info holds a table against what dynamodb_load has written, and names what differs."""

from types import SimpleNamespace

import pytest
from ansible.modules import dynamodb_journal_info, dynamodb_load

from tests.modules.aws_fakes import fake_client
from tests.modules.test_dynamodb_load import FakeDynamo


class ScannedDynamo(FakeDynamo):
    def scan(self, TableName, Segment, TotalSegments, ConsistentRead):
        return {"Items": list(self.items.values())[Segment::TotalSegments]}


@pytest.fixture
def table(run_module, monkeypatch, tmp_path):
    """A table with ``load(**params)`` into it, with a journal, and ``look(**params)`` at both."""
    fake = ScannedDynamo()
    client = fake_client("dynamodb", fake)
    client.meta = SimpleNamespace(region_name="cn-north-1", endpoint_url="http://fake")
    monkeypatch.setattr(dynamodb_load, "make_clients", lambda _module, _metrics: (client, None))

    def run_here(count, work):
        for process in range(count):
            work(process, lambda _when, _settled: None)
        return [], []

    monkeypatch.setattr(dynamodb_load, "run_processes", run_here)
    journal = tmp_path / "new" / "journal"

    def load(**params):
        given = {
            "table_name": "t",
            "items": 30,
            "processes": 2,
            "run_id": "run",
            "stats_table": "",
            "metric_namespace": "",
        }
        return run_module(dynamodb_load, client, journal=str(journal), **(given | params))

    def look(**params):
        return run_module(dynamodb_journal_info, client, **({"table_name": "t", "journal": str(journal)} | params))

    return SimpleNamespace(fake=fake, load=load, look=look, journal=journal)


def test_the_table_is_what_was_written(table):
    """GIVEN puts, updates and deletes THEN table and journal are equal, and the sentence says how many."""
    table.load()
    table.load(operation="update", share=0.5)
    table.load(operation="delete", share=0.2)
    result = table.look()
    assert result["equal"] and (result["changes"], result["expected_items"], result["found_items"]) == (102, 48, 48)
    assert result["summary"] == "t holds the 48 items that 102 writes have left"


def test_what_differs_is_named(table):
    """GIVEN a table that lacks an item, has an old one and one more THEN each is named with its state."""
    table.load()
    items = table.fake.items
    keys = {item["PK"]["S"]: key for key, item in items.items()}
    del items[keys["run-0-1"]]
    items[keys["run-1-2"]] = items[keys["run-1-2"]] | {"email": {"S": "changed"}}
    items["other"] = {"PK": {"S": "other"}}
    result = table.look()
    assert not result["equal"] and result["differing"] == 3
    states = {entry["key"]["PK"]["S"]: entry["state"] for entry in result["differences"]}
    assert states == {"run-0-1": "missing", "run-1-2": "different", "other": "unexpected"}
    assert "run-0-1" in result["summary"] and len(table.look(show=1)["differences"]) == 1


def test_check_mode_of_a_load_writes_no_journal(table):
    table.load(check=True)
    assert not table.journal.exists() and "holds no journal" in table.look()["msg"]


def test_a_journal_that_cannot_be_made_stops_the_load_before_it_begins(table):
    table.journal.parent.write_text("in the way")
    assert "cannot be made a directory" in table.load()["msg"] and not table.fake.items
    assert "segments is 0" in table.look(segments=0)["msg"]
