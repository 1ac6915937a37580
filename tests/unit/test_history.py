# SPDX-License-Identifier: MIT
"""What one item's stream records mean to the sender: news, echo, a stamp to be given, something to remember."""

from decimal import Decimal

import pytest

from dynabridge.changes import DELETE, PUT, TTL_IDENTITY
from dynabridge.clock import issue
from dynabridge.conflict import NOWHERE, Place
from dynabridge.history import Policy, asks_memory, walk
from dynabridge.stamps import NUMBER_TIME, UNSTAMPED, Stamp, read_stamp, stamp_attributes
from dynabridge.tombstones import Remembered
from tests.strategies import NAMES

HERE, PEER = "cn-north-1", "ap-southeast-1"
KEYS = {"PK": {"S": "a"}}
AT = 1700000000
POLICY = Policy("user-cn", "user-sg", HERE, PEER, max_ahead=900)
MANAGED = Policy("user-cn", "user-sg", HERE, PEER, managed=True, max_ahead=900)


def image(time="1", region=HERE, **more):
    return KEYS | {NAMES.timestamp: {"N": time}, NAMES.region: {"S": region}} | more


def given_stamp(time, region=HERE, keys=KEYS):
    """An image with a stamp that the bridge issued."""
    return KEYS | stamp_attributes(issue(time, UNSTAMPED, POLICY.pair, keys, region), NAMES)


def insert(new):
    return {"eventName": "INSERT", "dynamodb": {"Keys": KEYS, "NewImage": new, "ApproximateCreationDateTime": AT}}


def modify(old, new):
    data = {"Keys": KEYS, "OldImage": old, "NewImage": new, "ApproximateCreationDateTime": AT}
    return {"eventName": "MODIFY", "dynamodb": data}


def remove(old, **more):
    return {
        "eventName": "REMOVE",
        "dynamodb": {"Keys": KEYS, "OldImage": old, "ApproximateCreationDateTime": AT},
        **more,
    }


def found(*records, policy=POLICY, remembered=None):
    return walk(list(enumerate(records)), remembered, policy)


def tombstone(time, region=HERE, from_peer=False):
    return Remembered(Place(read_stamp(image(time, region), NAMES), True), from_peer)


BARE = KEYS
TOUCHED = {"x": {"S": "new"}}
# name: (records, what is known, what travels, whether the row is to be stamped, tally)
APPLICATION = {
    "local insert": ([insert(image())], None, PUT, False, {}),
    "local update": ([modify(image("1"), image("2"))], None, PUT, False, {}),
    "local update of what the peer wrote": ([modify(image("1", PEER), image("2"))], None, PUT, False, {}),
    "peer's insert": ([insert(image(str(AT), PEER))], None, None, False, {"echoes": 1}),
    "peer's update": ([modify(image("1"), image(str(AT), PEER))], None, None, False, {"echoes": 1}),
    "peer's stamp, but older than what was here": ([modify(image("2"), image("1", PEER))], None, None, True, {"lifted": 1}),
    "a peer's item copied long after": ([insert(image("1", PEER))], None, None, False, {"echoes": 1, "old_echoes": 1}),
    "content changed, stamp not": ([modify(image(), image(**TOUCHED))], None, None, False, {"unstamped": 1}),
    "the same on a peer's item": (
        [modify(image("1", PEER), image("1", PEER, **TOUCHED))], None, None, False, {"unstamped": 1}),
    "insert without stamp": ([insert(BARE)], None, PUT, False, {"unstamped": 1}),
    "put without stamp over a stamped item": ([modify(image(), BARE)], None, None, False, {"unstamped": 1}),
    "clock behind": ([modify(image("2"), image("1"))], None, None, True, {"lifted": 1}),
    "insert behind a delete": ([insert(image("1"))], tombstone("2"), None, True, {"lifted": 1}),
    "insert with the stamp of the deleted version": ([insert(image("2"))], tombstone("2"), None, True, {"lifted": 1}),
    "insert after a delete": ([insert(image("3"))], tombstone("2"), PUT, False, {}),
    "milliseconds": ([insert(image(str(AT * 1000)))], None, None, True, {"ahead": 1}),
    "milliseconds that bear the peer's region": ([insert(image(str(AT * 1000), PEER))], None, None, True, {"ahead": 1}),
    "five minutes ahead": ([insert(image(str(AT + 300)))], None, PUT, False, {}),
    "local delete": ([remove(image())], None, DELETE, False, {}),
    "local delete of what the peer wrote": ([remove(image("1", PEER))], None, DELETE, False, {}),
    "the peer's delete": ([remove(image("1"))], tombstone("1", from_peer=True), None, False, {"echoes": 1}),
    "the peer's later delete": ([remove(image("1"))], tombstone("2", from_peer=True), None, False, {"echoes": 1}),
    "local delete of a later version": ([remove(image("2"))], tombstone("1", from_peer=True), DELETE, False, {}),
    "our own delete, seen again": ([remove(image("1"))], tombstone("1"), DELETE, False, {}),
    "deleted by TTL": ([remove(image(), userIdentity=TTL_IDENTITY)], None, None, False, {"expired": 1}),
    "write and delete": ([insert(image("1")), remove(image("1"))], None, DELETE, False, {}),
    "delete and insert": ([remove(image("1")), insert(image("2"))], None, PUT, False, {}),
    "unstamped, then stamped": ([modify(image(), image(**TOUCHED)), modify(image(**TOUCHED), image("2"))],
                                None, PUT, False, {"unstamped": 1}),
    "behind, then ahead of all": ([modify(image("5"), image("3")), modify(image("3"), image("7"))],
                                  None, PUT, False, {"lifted": 1}),
    "behind, then still behind what was": ([modify(image("5"), image("3")), modify(image("3"), image("4"))],
                                           None, None, True, {"lifted": 2}),
    "overwritten by the peer before it had a stamp": (
        [modify(image("5"), image("3")), modify(image("3"), image(str(AT), PEER))],
        None, None, False, {"lifted": 1, "echoes": 1, "overwritten": 1}),
}  # fmt: skip
ISSUED, LATER = given_stamp(AT), given_stamp(AT + 1)
FROM_PEER = given_stamp(AT, PEER)
MANAGED_CASES = {
    "insert without stamp": ([insert(BARE)], None, None, True, {"stamped": 1}),
    "content changed, stamp not": ([modify(ISSUED, ISSUED | TOUCHED)], None, None, True, {"stamped": 1}),
    "put without stamp over a stamped item": ([modify(ISSUED, BARE)], None, None, True, {"stamped": 1}),
    "the bridge's own stamp": ([modify(ISSUED, LATER)], None, PUT, False, {}),
    "the peer's": ([modify(BARE, FROM_PEER)], None, None, False, {"echoes": 1}),
    "a writer's own stamp counts for nothing": ([insert(image(str(AT)))], None, None, True, {"stamped": 1}),
    "another item's stamp": ([insert(given_stamp(AT, PEER, {"PK": {"S": "b"}}))], None, None, True, {"stamped": 1}),
    "an old version put back": ([modify(LATER, ISSUED)], None, None, True, {"lifted": 1}),
    "a burst: the stamped version travels, the row is stamped again": (
        [modify(ISSUED, LATER), modify(LATER, LATER | TOUCHED)], None, PUT, True, {"stamped": 1}),
    "deleted before it had a stamp": ([insert(BARE), remove(BARE)], None, DELETE, False, {"stamped": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", APPLICATION)
def test_application_mode(name):
    check(APPLICATION[name], POLICY)


@pytest.mark.parametrize("name", MANAGED_CASES)
def test_managed_mode(name):
    check(MANAGED_CASES[name], MANAGED)


def check(case, policy):
    records, remembered, sent, lifted, tally = case
    findings = found(*records, policy=policy, remembered=remembered)
    assert (findings.send.operation if findings.send else None) == sent
    assert (findings.lift is not None) == lifted
    assert findings.tally == tally


def test_a_delete_counts_from_the_latest_that_was_here():
    """GIVEN a write behind the clock and then a delete THEN the delete beats what the write replaced, not just the write."""
    findings = found(modify(image("5"), image("3")), remove(image("3")))
    assert findings.send.image == {NAMES.timestamp: {"N": "5"}, NAMES.region: {"S": HERE}}
    assert findings.remember == Place(read_stamp(image("5"), NAMES), True)


def test_the_same_across_batches_by_what_is_remembered():
    floor = Remembered(Place(read_stamp(image("5"), NAMES)))
    assert found(remove(image("3")), remembered=floor).send.image[NAMES.timestamp] == {"N": "5"}
    assert asks_memory(remove(image("3")), NAMES)


def test_ttl_deletes_replicate_by_switch_and_are_remembered_either_way():
    expiry = remove(image(), userIdentity=TTL_IDENTITY)
    switched = Policy("user-cn", "user-sg", HERE, PEER, replicate_ttl_deletes=True)
    assert found(expiry, policy=switched).send.operation == DELETE
    assert found(expiry).send is None and found(expiry).remember is not None


def test_a_stamp_beyond_the_bound_counts_as_far_as_it_can_have_refused_anything():
    """GIVEN milliseconds and then a delete THEN the delete bears the bound at the time it was made."""
    findings = found(remove(image(str(AT * 1000))))
    assert findings.send.image[NAMES.timestamp] == {"N": f"{AT + 901}.000000"}


def test_an_item_without_any_stamp_is_deleted_at_the_lowest_place():
    assert found(remove(BARE)).remember == Place(UNSTAMPED, True) > NOWHERE


def test_several_changes_travel_as_the_last_with_their_number():
    records = [modify(image(str(number)), image(str(number + 1))) for number in range(1, 6)]
    change = found(*records).send
    assert (change.image[NAMES.timestamp], change.count, change.position, change.table) == ({"N": "6"}, 5, 0, "user-sg")


def test_a_lift_has_to_be_later_than_all_that_was_reached():
    lift = found(modify(image("5"), image("3")), modify(image("3"), image("4"))).lift
    assert lift.floor == Place(Stamp(NUMBER_TIME, Decimal(5), HERE.encode())) and lift.seen is None


@pytest.mark.parametrize(("late", "taken"), [(-60, True), (0, True), (5, True), (6, False)])
@pytest.mark.parametrize("from_peer", [False, True])
def test_an_older_version_of_the_peers_is_told_from_one_that_was_put_back_by_when_it_came(late, taken, from_peer):
    """GIVEN a delete that is remembered WHEN the record of an older version of the peer's comes THEN one from before is the
    receiver's and nothing to answer; one from later was put back by a writer, and gets a new stamp."""
    grave = Remembered(Place(read_stamp(image("5"), NAMES), True), from_peer, at=AT - late)
    findings = found(insert(image("4", PEER)), remembered=grave)
    assert (findings.lift is None) == taken and findings.send is None
    assert findings.deleted == (grave.place if taken else None)


def test_a_write_of_this_side_is_never_taken_for_the_receivers():
    grave = Remembered(Place(read_stamp(image("5"), NAMES), True), True, at=AT + 60)
    assert found(insert(image("4")), remembered=grave).lift is not None
