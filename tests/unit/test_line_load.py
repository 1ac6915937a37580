# SPDX-License-Identifier: GPL-3.0-or-later
"""Data files written into a table: every item, whatever DynamoDB leaves unprocessed; what stops one file stops all."""

import gzip
import json

import pytest

from dynabridge.aws.line_load import LineLoad
from dynabridge.aws.load import BATCH, LoadFailed
from dynabridge.aws.objects import Objects
from dynabridge.errors import DamagedExport
from dynabridge.exports import DataFile
from tests.backup_fakes import FakeS3
from tests.modules.aws_fakes import aws_error, fake_client


class FakeTable:
    """Takes ``share`` of each batch at first; ``error``: what it raises for a batch that has the item ``bad``."""

    def __init__(self, share=1.0, error=None):
        self.share, self.error, self.rows, self.batches = share, error, {}, 0

    def batch_write_item(self, RequestItems):
        self.batches += 1
        ((table, requests),) = RequestItems.items()
        keys = [json.dumps(request["PutRequest"]["Item"]["PK"]) for request in requests]
        assert len(set(keys)) == len(keys) <= BATCH
        if self.error and any('"bad"' in key for key in keys):
            raise self.error
        taken = max(1, int(len(requests) * self.share))
        for key, request in list(zip(keys, requests, strict=True))[:taken]:
            self.rows[key] = request["PutRequest"]["Item"]
        left = requests[taken:]
        return {"UnprocessedItems": {table: left} if left else {}}


def file_of(s3, name, *items, said=None):
    body = "".join(f"{json.dumps({'Item': item})}\n" for item in items)
    s3.objects[name] = gzip.compress(body.encode())
    return DataFile(name, len(items) if said is None else said, "")


def rows(name, count):
    return [{"PK": {"S": f"{name}{number}"}, "photo": {"B": "AA=="}} for number in range(count)]


def load(s3, table, files, done=None):
    done = {} if done is None else done
    objects = Objects(fake_client("s3", s3), s3.bucket)
    LineLoad(fake_client("dynamodb", table), objects, "t", ("PK",), done.__setitem__).load(enumerate(files))
    return done


@pytest.fixture
def s3():
    return FakeS3()


def test_hazard_27_every_item_is_written_whatever_comes_back(s3, monkeypatch):
    """GIVEN a table that takes a third of each batch WHEN files are loaded THEN all rows are there, binary as it was."""
    monkeypatch.setattr("dynabridge.aws.load.time.sleep", lambda seconds: None)
    table = FakeTable(share=0.34)
    files = [file_of(s3, "a", *rows("a", 60)), file_of(s3, "b", *rows("b", 7)), file_of(s3, "empty")]
    assert load(s3, table, files) == {0: 60, 1: 7, 2: 0}
    assert len(table.rows) == 67 and all(row["photo"] == {"B": b"\0"} for row in table.rows.values())


def test_a_key_that_comes_twice_counts_twice_and_the_later_one_stays(s3):
    """GIVEN a line that is repeated with another value WHEN loaded THEN no batch has its key twice."""
    twice = [{"PK": {"S": "x"}, "v": {"N": "1"}}, {"PK": {"S": "x"}, "v": {"N": "2"}}]
    table = FakeTable()
    assert load(s3, table, [file_of(s3, "a", *twice)]) == {0: 2}
    assert [row["v"] for row in table.rows.values()] == [{"N": "2"}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(b"{broken\n", mtime=0), "s3://.*/a cannot be loaded"),
        (gzip.compress(b'{"Item":{}}\n', mtime=0), "a cannot be loaded"),
    ],
)
def test_a_line_that_is_no_item_names_its_file(s3, body, words):
    s3.objects["a"] = body
    with pytest.raises(DamagedExport, match=words):
        load(s3, FakeTable(), [DataFile("a", 1, "")])


def test_fewer_items_than_said_are_an_error(s3):
    with pytest.raises(DamagedExport, match="a holds 3 items, its manifest says 4"):
        load(s3, FakeTable(), [file_of(s3, "a", *rows("a", 3), said=4)])


def test_what_stops_one_stops_all_and_what_is_done_is_done(s3):
    """GIVEN a table that refuses an item of one file WHEN many are loaded THEN the refusal is raised; the next run needs only
    what is not done."""
    table = FakeTable(error=aws_error("ValidationException", "too large"))
    files = [file_of(s3, f"f{number}", *rows(f"f{number}-", 30)) for number in range(30)]
    files.insert(12, file_of(s3, "bad", {"PK": {"S": "bad"}}))
    done = {}
    with pytest.raises(LoadFailed, match="too large"):
        load(s3, table, files, done)
    assert 12 not in done
    table.error = None
    load(s3, table, files, done)
    assert len(table.rows) == 901
