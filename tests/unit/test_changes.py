# SPDX-License-Identifier: MIT
"""What the sender makes of stream records: which ones the peer has to hear of, and what of each item."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.changes import DELETE, PUT, TTL_IDENTITY, Change, Policy, Verdict, judge, last_of_each_item, read_record
from dynabridge.errors import MalformedRecord
from tests.strategies import NAMES, changes

POLICY = Policy(peer_region="ap-southeast-1")


def image(time="1", region="cn-north-1", **more):
    return {"PK": {"S": "a"}, NAMES.timestamp: {"N": time}, NAMES.region: {"S": region}, **more}


def record(name, new=None, old=None, **more):
    data = {"Keys": {"PK": {"S": "a"}}, "SequenceNumber": "100", "ApproximateCreationDateTime": 1700000000}
    data |= {"NewImage": new} if new else {}
    data |= {"OldImage": old} if old else {}
    return {"eventName": name, "dynamodb": data, **more}


PEERS = "ap-southeast-1"
CASES = {
    "local insert": (record("INSERT", image()), Verdict.SEND),
    "local update": (record("MODIFY", image("2"), image("1")), Verdict.SEND),
    "local update of what the peer wrote": (record("MODIFY", image("2"), image("1", PEERS)), Verdict.SEND),
    "peer's insert": (record("INSERT", image("1", PEERS)), Verdict.ECHO),
    "peer's update": (record("MODIFY", image("2", PEERS), image("1")), Verdict.ECHO),
    "local write that does not stamp": (record("MODIFY", image("1", x={"S": "new"}), image("1")), Verdict.UNSTAMPED),
    "the same on a peer's item (hazard 4)": (
        record("MODIFY", image("1", PEERS, x={"S": "new"}), image("1", PEERS)),
        Verdict.UNSTAMPED,
    ),
    "local delete": (record("REMOVE", old=image()), Verdict.SEND),
    "local delete of what the peer wrote": (record("REMOVE", old=image("1", PEERS)), Verdict.SEND),
    "deleted by TTL (hazard 8)": (record("REMOVE", old=image(), userIdentity=TTL_IDENTITY), Verdict.EXPIRED),
    "insert without stamp": (record("INSERT", {"PK": {"S": "a"}}), Verdict.SEND),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(name):
    given_record, verdict = CASES[name]
    assert judge(given_record, POLICY) is verdict


def test_ttl_deletes_replicate_by_switch():
    policy = Policy("ap-southeast-1", replicate_ttl_deletes=True)
    assert judge(record("REMOVE", old=image(), userIdentity=TTL_IDENTITY), policy) is Verdict.SEND


def test_put_carries_the_item_and_delete_the_stamp_of_what_it_deleted():
    put = read_record(record("MODIFY", image("2"), image("1")), "user-sg", NAMES, 7)
    assert put == Change(PUT, "user-sg", {"PK": {"S": "a"}}, image("2"), 1, 1700000000.0, 7)
    deleted = read_record(record("REMOVE", old=image("1", x={"S": "long"})), "user-sg", NAMES)
    assert deleted.operation == DELETE
    assert deleted.image == {NAMES.timestamp: {"N": "1"}, NAMES.region: {"S": "cn-north-1"}}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"eventName": "INSERT"},
        {"dynamodb": {}},
        record("INSERT"),
        record("REMOVE"),
        record("MOVED", image()),
        {"eventName": "INSERT", "dynamodb": "text"},
    ],
)
def test_broken_record_is_malformed(broken):
    with pytest.raises(MalformedRecord):
        judge(broken, POLICY)


@given(st.lists(changes(), max_size=20))
def test_coalescing_keeps_the_last_state_and_the_count(batch):
    """GIVEN several changes an item THEN the last one stays, stands for all, and remembers where the first was."""
    latest = last_of_each_item(batch)
    assert sum(change.count for change in latest) == sum(change.count for change in batch)
    for change in latest:
        same = [one for one in batch if one.identity == change.identity]
        assert (change.operation, change.image) == (same[-1].operation, same[-1].image)
        assert change.position == same[0].position
