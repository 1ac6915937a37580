# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the quarantine: what is read of them, and the events that hand them to their function again."""

import base64
import json
from dataclasses import asdict

import pytest

from dynabridge.changes import DELETE, PUT, Change
from dynabridge.replays import (
    CHANGE,
    GAP,
    RECORD,
    UNREADABLE,
    chosen,
    entry_id,
    event_of,
    group_of,
    listing,
    read_entry,
    unsettled_from,
)
from dynabridge.wire import decode, encode
from tests.events import KINESIS, STREAM, image, kinesis_record, stream_record


def change(key, table="user-sg", operation=PUT, at=1700000000.0):
    return Change(operation, table, {"PK": {"S": key}}, image(key), at=at)


def entry(record, sequence_number="7", function="replicator_kinesis", source=KINESIS, **more):
    body = {
        "version": 1,
        "side": "sg",
        "function": function,
        "reason": "because",
        "source": source,
        "sequence_number": sequence_number,
        "arrived": 1700000005.0,
        "record": record,
    }
    key = f"quarantine/{function}/2023/11/14/stream/{sequence_number}.json"
    return read_entry(key, json.dumps(body | more).encode())


def test_an_id_is_short_and_follows_from_the_key():
    assert entry_id("quarantine/a") == entry_id("quarantine/a") != entry_id("quarantine/b")
    assert len(entry_id("quarantine/a")) == 12 and int(entry_id("quarantine/a"), 16)


def test_a_change_tells_its_table_keys_and_time():
    found = entry(asdict(change("a")), "7-0123abcd")
    assert (found.kind, found.tables, found.keys) == (CHANGE, ("user-sg",), ({"PK": {"S": "a"}},))
    assert (found.written, found.arrived, found.has_put) == (1700000000.0, 1700000005.0, True)
    assert not entry(asdict(change("a", operation=DELETE))).has_put


def test_a_change_of_a_later_version_keeps_what_is_known():
    """GIVEN a change kept with a field that this version does not have THEN it is read without it."""
    found = entry(asdict(change("a")) | {"colour": "blue"}, "7-0")
    assert decode(base64.b64decode(event_of([found], "cn")[0]["Records"][0]["kinesis"]["data"]))[1] == [change("a")]


def test_a_kinesis_record_tells_of_all_tables_in_it():
    found = entry(kinesis_record(7, encode([change("a"), change("b", "orders-sg")], "cn")))
    assert (found.kind, found.tables) == (RECORD, ("user-sg", "orders-sg"))
    assert chosen(found, "orders-sg") and chosen(found, "") and not chosen(found, "notes")


def test_a_record_that_cannot_be_read_has_no_table():
    """GIVEN garbage THEN it is an entry without table, taken for a put, chosen only where all are."""
    found = entry(kinesis_record(7, b"garbage"))
    assert (found.kind, found.tables, found.keys, found.has_put) == (RECORD, (), (), True)
    assert chosen(found, "") and not chosen(found, "user-sg")
    assert entry({"kinesis": {"data": "!"}}).kind == RECORD


def test_a_stream_record_tells_its_own_table():
    found = entry(stream_record(3, new=image("a")), "3", "ddb_send_to_kinesis", STREAM)
    assert (found.kind, found.tables, found.keys) == (RECORD, ("user-cn",), ({"PK": {"S": "a"}},))
    assert not entry(stream_record(3, "REMOVE", old=image("a")), source=STREAM).has_put
    assert entry({"eventName": "INSERT", "dynamodb": None}, source=STREAM).keys == ()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"record": 1}', b"\xff"])
def test_an_object_that_is_none_is_shown_all_the_same(content):
    found = read_entry("quarantine/replicator_kinesis/x", content)
    assert (found.kind, found.function, found.tables) == (UNREADABLE, "replicator_kinesis", ())
    assert "cannot be read" in found.reason


def test_age_is_that_of_the_write():
    found = entry(asdict(change("a")), "7-0")
    assert not found.is_older_than(30, 1700000000.0 + 30 * 86400)
    assert found.is_older_than(30, 1700000001.0 + 30 * 86400)


def test_changes_of_one_record_become_one_record_again():
    """GIVEN two changes of Kinesis record 7 and one of 8 THEN two records bear their numbers and stream."""
    entries = [
        entry(asdict(change("a")), "7-0a"),
        entry(asdict(change("b")), "7-0b"),
        entry(asdict(change("c")), "8-0c"),
    ]
    event, behind = event_of(entries, "cn")
    records = event["Records"]
    assert event["replay"] is True and [record["kinesis"]["sequenceNumber"] for record in records] == ["7", "8"]
    assert {record["eventSourceARN"] for record in records} == {KINESIS}
    assert behind == [entries[:2], entries[2:]]
    side, changes = decode(base64.b64decode(records[0]["kinesis"]["data"]))
    assert side == "cn" and changes == [change("a"), change("b")]
    assert records[0]["kinesis"]["approximateArrivalTimestamp"] == 1700000005.0


def test_a_record_goes_as_it_came():
    record = stream_record(3, new=image("a", data={"B": "AP8="}))
    event, _behind = event_of([entry(record, "3", "ddb_send_to_kinesis", STREAM)], "cn")
    assert event["Records"] == [record]


def test_groups_keep_functions_streams_and_tables_apart():
    one = entry(asdict(change("a")), "7-0")
    same = entry(asdict(change("b")), "8-0")
    others = [
        entry(asdict(change("a", "orders-sg")), "7-1"),
        entry(asdict(change("a")), "7-0", source=KINESIS + "2"),
        entry(asdict(change("a")), "7-0", function="other"),
    ]
    assert group_of(one) == group_of(same)
    assert all(group_of(other) != group_of(one) for other in others)


@pytest.mark.parametrize(
    ("failures", "first"), [([], 3), (["2"], 1), (["3", "2"], 1), (["99"], 0), ([None], 0), (["3"], 2)]
)
def test_everything_from_the_lowest_failure_on_is_unsettled(failures, first):
    event, _behind = event_of([entry(asdict(change("a")), f"{number}-0") for number in (1, 2, 3)], "cn")
    assert unsettled_from(event, [{"itemIdentifier": name} for name in failures]) == first


def test_a_gap_is_an_entry_with_its_tables():
    body = {
        "function": "ddb_send_to_kinesis", "reason": "forgotten", "source": STREAM, "tables": ["user-cn"],
        "first_sequence_number": "1", "arrived": 1700000000.0,
    }  # fmt: skip
    found = read_entry("gaps/ddb_send_to_kinesis/x.json", json.dumps(body).encode())
    assert (found.kind, found.tables, found.reason) == (GAP, ("user-cn",), "forgotten")


def test_the_listing_has_a_line_an_entry_and_stays_narrow():
    entries = [entry(asdict(change("k" * 200)), "7-0"), entry(kinesis_record(8, b"garbage"), reason="x\ny " * 200)]
    lines = listing(found.summary("sg") for found in entries)
    assert len(lines) == 3 and lines[0].startswith("id ") and all("\n" not in line for line in lines)
    assert all(len(line) < 330 for line in lines)
    assert "2023-11-14T22:13:25Z" in lines[1] and "user-sg" in lines[1]
    assert listing([]) == []
