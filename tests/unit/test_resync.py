# SPDX-License-Identifier: GPL-3.0-or-later
"""Resync decides the same whichever side is called left, and what it decides makes both sides equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge import changes, resync
from dynabridge.attributes import to_boto
from dynabridge.changes import Change
from dynabridge.clock import issue
from dynabridge.conflict import NOWHERE, Place, place, row_place, wins
from dynabridge.digest import digest, encode_item
from dynabridge.history import Policy
from dynabridge.resync import BOTH, LEFT, RIGHT, SIDES, Decision, Rule, Seen, decide, other, write_units
from dynabridge.stamps import UNSTAMPED, read_stamp, stamp_attributes
from dynabridge.tombstones import Remembered
from tests.strategies import NAMES, stamped_images

KEYS = {"PK": {"S": "k"}}
REGIONS = ("cn-north-1", "ap-southeast-1")
PAIR = "user-cn|user-sg"
MIRROR = {
    "left": "right",
    "right": "left",
    "only_left": "only_right",
    "only_right": "only_left",
    "left_newer": "right_newer",
    "right_newer": "left_newer",
}


def rule_of(target=BOTH, missing=resync.COPY, managed=False, regions=REGIONS):
    return Rule(NAMES, regions, PAIR, target, missing, managed)


def row(time=None, content="x", region=REGIONS[0]):
    made = {**KEYS, "content": {"S": content}}
    return made if time is None else made | {NAMES.timestamp: {"N": str(time)}, NAMES.region: {"S": region}}


def seen(item=None, memory=None):
    return Seen(item, digest(encode_item(to_boto(item))) if item else 0, memory)


def tombstone(time, from_peer=False, region=REGIONS[0]):
    return Remembered(Place(read_stamp(row(time, region=region), NAMES), True), from_peer)


def floor(time):
    return Remembered(Place(read_stamp(row(time), NAMES)))


# -- examples --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "state", "action", "sides", "lift"),
    [
        (seen(), seen(), "absent", "nothing", (), False),
        (seen(row(5)), seen(row(5)), "equal", "nothing", (), False),
        (seen(row(5)), seen(), "only_left", "copy", (RIGHT,), False),
        (seen(row(5)), seen(row(6)), "right_newer", "copy", (LEFT,), False),
        (seen(row()), seen(row(1)), "right_newer", "copy", (LEFT,), False),
        (seen(row()), seen(), "only_left", "copy", (RIGHT,), False),
        # ties: by the region in the stamp, by the digest where there is none
        (seen(row(5, "a")), seen(row(5, "b")), "tie", "copy", (RIGHT,), True),
        (seen(row(5, "a", REGIONS[1])), seen(row(5, "b", REGIONS[1])), "tie", "copy", (LEFT,), True),
        # what the other side remembers
        (seen(row(5)), seen(None, tombstone(5)), "deleted", "delete", (LEFT,), False),
        (seen(row(6)), seen(None, tombstone(5)), "only_left", "copy", (RIGHT,), False),
        (seen(row(5)), seen(None, floor(6)), "only_left", "copy", (RIGHT,), True),
        (seen(row(5)), seen(None, floor(5)), "only_left", "copy", (RIGHT,), False),
        # what the own side remembers: a local write came after; the peer's delete stopped halfway
        (seen(row(5), tombstone(6)), seen(None, tombstone(6, from_peer=True)), "only_left", "copy", (RIGHT,), True),
        (seen(row(5), tombstone(6, from_peer=True)), seen(None), "deleted", "delete", (LEFT,), False),
        (seen(row(), floor(5)), seen(row(5)), "left_newer", "copy", (RIGHT,), True),
    ],
)
def test_both_directions(left, right, state, action, sides, lift):
    decision = decide(KEYS, left, right, rule_of())
    assert (decision.state, decision.action, decision.sides, decision.lift) == (state, action, sides, lift)


def test_two_rows_without_stamps_are_a_tie():
    """GIVEN two different rows without stamps THEN one is lifted and copied, the same one whichever is left."""
    one, two = seen(row(None, "a")), seen(row(None, "b"))
    decision, mirrored = decide(KEYS, one, two, rule_of()), decide(KEYS, two, one, rule_of())
    assert decision.state == mirrored.state == "tie" and decision.lift
    assert decision.sides == tuple(other(side) for side in mirrored.sides)


@pytest.mark.parametrize(
    ("left", "right", "state", "action", "lift"),
    [
        (seen(row(5)), seen(row(4)), "left_newer", "copy", False),
        (seen(row(5)), seen(row(6)), "right_newer", "leave", False),
        (seen(), seen(row(6)), "only_right", "leave", False),
        (seen(row(5)), seen(None, tombstone(5)), "deleted", "leave", False),
        (seen(None, tombstone(5)), seen(row(5)), "deleted", "delete", False),
        (seen(row(5, "a", REGIONS[1])), seen(row(5, "b", REGIONS[1])), "tie", "copy", True),
        (seen(row(5)), seen(row(), floor(5)), "right_newer", "leave", False),
    ],
)
def test_one_way_never_writes_to_the_source(left, right, state, action, lift):
    decision = decide(KEYS, left, right, rule_of(RIGHT))
    assert (decision.state, decision.action, decision.lift) == (state, action, lift)
    assert LEFT not in decision.sides


def test_rows_that_the_source_lacks_are_deleted_when_asked_to():
    """GIVEN missing=delete THEN what only the target has is deleted with its own stamp, and nothing else is."""
    rule = rule_of(RIGHT, resync.DELETE)
    target = row(6)
    stamp = read_stamp(target, NAMES)
    expected = Decision("only_right", "delete", (RIGHT,), place=Place(stamp, True))
    assert decide(KEYS, seen(), seen(target), rule) == expected
    assert decide(KEYS, seen(row(5)), seen(target), rule).action == resync.LEAVE
    later = decide(KEYS, seen(), seen(target, floor(7)), rule)
    assert later.place == Place(read_stamp(row(7), NAMES), True), "the target would refuse an earlier delete"


# -- managed tables --------------------------------------------------------------------------


def stamped_by_bridge(now, region=REGIONS[0], content="x"):
    bare = row(None, content)
    return bare | stamp_attributes(issue(now, UNSTAMPED, PAIR, KEYS, region), NAMES)


def test_managed_rows_without_the_bridges_stamp_are_lifted():
    """GIVEN a managed table and a local write whose record was lost THEN it is stamped, and wins; ties stay ties."""
    rule, bare, issued = rule_of(managed=True), row(None, "new"), stamped_by_bridge(5)
    for written in (bare, row(3, "own idea of a stamp")):
        assert decide(KEYS, seen(written), seen(), rule).lift
        assert decide(KEYS, seen(written), seen(issued), rule).sides == (RIGHT,)
        assert decide(KEYS, seen(issued), seen(written), rule).sides == (LEFT,)
    assert decide(KEYS, seen(bare), seen(row(3)), rule).state == "tie"
    assert not decide(KEYS, seen(issued), seen(), rule).lift
    assert decide(KEYS, seen(bare), seen(bare), rule).state == "equal"


def test_a_managed_row_from_before_the_bridge_stays_deleted():
    """GIVEN an unstamped row that the peer deleted before anything stamped it THEN the delete wins."""
    grave = Remembered(Place(UNSTAMPED, True))
    assert decide(KEYS, seen(row()), seen(None, grave), rule_of(managed=True)).state == "deleted"


def test_both_sides_and_the_resync_call_the_pair_the_same():
    """GIVEN the senders' name of the two tables THEN resync issues stamps by the same, or they would not know them."""
    assert Policy("user-cn", "user-sg", *REGIONS).pair == Policy("user-sg", "user-cn", *REGIONS[::-1]).pair == PAIR


# -- properties ------------------------------------------------------------------------------


@st.composite
def memories(draw):
    if draw(st.booleans()):
        return None
    where = Place(read_stamp(draw(stamped_images()), NAMES), draw(st.booleans()))
    return Remembered(where, draw(st.booleans()))


images = stamped_images().map(lambda image: image | KEYS)
sightings = st.builds(seen, st.none() | images, memories())
rules = st.builds(
    rule_of,
    st.sampled_from([BOTH, LEFT, RIGHT]),
    st.just(resync.COPY),
    st.booleans(),
)


def mirrored(decision):
    return Decision(
        MIRROR.get(decision.state, decision.state),
        decision.action,
        tuple(sorted(other(side) for side in decision.sides)),
        decision.lift,
        decision.place,
    )


@given(sightings, sightings, rules)
def test_swapped_sides_give_the_mirrored_decision(left, right, rule):
    swapped = rule_of(MIRROR.get(rule.target, rule.target), rule.missing, rule.managed, rule.regions[::-1])
    assert decide(KEYS, right, left, swapped) == mirrored(decide(KEYS, left, right, rule))


class Model:
    """Both sides of one key, with the writes that a decision asks for as the core makes them."""

    def __init__(self, left, right):
        self.rows = {LEFT: left.row, RIGHT: right.row}
        self.memory = {LEFT: left.memory, RIGHT: right.memory}

    def seen(self, side):
        return seen(self.rows[side], self.memory[side])

    def apply(self, side, change):
        remembered = self.memory[side].place if self.memory[side] else NOWHERE
        where = place(change, NAMES)
        if where.is_delete and where > remembered:
            self.memory[side] = Remembered(where, True)
        if wins(change, self.rows[side], NAMES, remembered):
            self.rows[side] = change.image if change.operation == changes.PUT else None

    def settle(self, rule, order):
        decision = decide(KEYS, self.seen(LEFT), self.seen(RIGHT), rule)
        if decision.action == resync.COPY:
            self.copy(decision, rule)
        if decision.action == resync.DELETE:
            for side in order(decision.sides):
                image = stamp_attributes(decision.place.stamp, NAMES)
                self.apply(side, Change(changes.DELETE, "t", KEYS, image))
        return decision

    def copy(self, decision, rule):
        (side,) = decision.sides
        winner = self.rows[other(side)]
        if decision.lift:
            region = rule.regions[SIDES.index(other(side))]
            stamp = issue(10.0, decision.place.stamp, rule.pair, KEYS, region)
            winner = {name: value for name, value in winner.items() if name not in NAMES} | stamp_attributes(
                stamp, NAMES
            )
            self.rows[other(side)] = winner
        self.apply(side, Change(changes.PUT, "t", KEYS, winner))


@given(sightings, sightings, st.booleans(), st.randoms(use_true_random=False))
def test_what_is_decided_makes_both_sides_equal(left, right, managed, chance):
    """GIVEN any two sides WHEN the decision is carried out THEN they are equal, and a second look finds nothing to do."""
    model, rule = Model(left, right), rule_of(managed=managed)
    model.settle(rule, lambda sides: chance.sample(sides, len(sides)))
    assert model.seen(LEFT).digest == model.seen(RIGHT).digest
    assert decide(KEYS, model.seen(LEFT), model.seen(RIGHT), rule).action == resync.NOTHING


@given(sightings, sightings, st.sampled_from(SIDES), st.sampled_from([resync.COPY, resync.DELETE]), st.booleans())
def test_one_way_leaves_the_sources_content(left, right, target, missing, managed):
    """GIVEN one direction THEN the source keeps its row but for the stamp; the target is equal, or counted as left."""
    model, rule = Model(left, right), rule_of(target, missing, managed)
    before = model.rows[other(target)]
    decision = model.settle(rule, list)
    after = model.rows[other(target)]
    content = [{name: value for name, value in (item or {}).items() if name not in NAMES} for item in (before, after)]
    assert content[0] == content[1] and (before is None) == (after is None)
    assert decision.action == resync.LEAVE or model.seen(target).digest == seen(after).digest


@given(images, images)
def test_the_greater_place_wins_where_nothing_is_remembered(one, two):
    places = [row_place(item, NAMES) for item in (one, two)]
    decision = decide(KEYS, seen(one), seen(two), rule_of())
    if places[0] > places[1]:
        assert (decision.sides, decision.lift) == ((RIGHT,), False)


# -- units -----------------------------------------------------------------------------------


def test_write_units_are_of_the_larger_version():
    small, large = row(1), row(1, "x" * 3000)
    assert write_units(small) == write_units() == write_units(None) == 1
    assert write_units(small, large) == write_units(large, None) == 3
    assert write_units(small, transaction=True) == 2
    nested = {
        **KEYS,
        "all": {"L": [{"M": {"b": {"B": "A" * 4000}}}, {"SS": ["é" * 300]}, {"NS": ["1"]}, {"NULL": True}]},
    }
    assert write_units(nested) == 4


# -- putting back ----------------------------------------------------------------------------


def put_back(what, written_before=0.0):
    return Rule(NAMES, REGIONS, PAIR, RIGHT, put_back=what, written_before=written_before)


@pytest.mark.parametrize(
    ("left", "right", "what", "state", "action"),
    [
        (seen(row(5)), seen(None, tombstone(5)), resync.MISSING, "only_left", "copy"),
        (seen(row(5)), seen(None), resync.MISSING, "only_left", "copy"),
        (seen(row(5)), seen(row(9, "bad")), resync.MISSING, "right_newer", "leave"),
        (seen(row(5)), seen(row(9, "bad")), resync.CHANGED, "right_newer", "copy"),
        (seen(row(5)), seen(row(5, "bad")), resync.CHANGED, "tie", "copy"),
        (seen(), seen(row(9)), resync.CHANGED, "only_right", "leave"),
        (seen(row(5)), seen(row(5)), resync.CHANGED, "equal", "nothing"),
    ],
)
def test_what_was_right_is_put_back_whatever_the_stamps_say(left, right, what, state, action):
    """GIVEN rows of before, and of after, WHEN they are put back THEN each old row that is wanted is stamped anew."""
    decision = decide(KEYS, left, right, put_back(what))
    assert (decision.state, decision.action, decision.lift) == (state, action, action == "copy")


def test_rows_written_later_stay_when_they_are_put_back_up_to_a_moment():
    """GIVEN a row that was written after the bad deploy THEN it stays; one from before it, or without a time, does not."""
    rule = put_back(resync.CHANGED, written_before=9)
    good = seen(row(5))
    assert decide(KEYS, good, seen(row(9, "later")), rule).action == resync.LEAVE
    assert decide(KEYS, good, seen(row(8, "bad")), rule).action == resync.COPY
    assert decide(KEYS, good, seen(row(None, "bad")), rule).action == resync.COPY
    assert decide(KEYS, good, seen(None, tombstone(12)), rule).action == resync.COPY


@given(sightings, sightings, st.booleans())
def test_what_is_put_back_wins_over_all_that_was_known(left, right, managed):
    """GIVEN any two sides THEN a row of the source that is put back stands on the target, and a second look finds it equal."""
    model = Model(left, right)
    rule = Rule(NAMES, REGIONS, PAIR, RIGHT, managed=managed, put_back=resync.CHANGED)
    model.settle(rule, list)
    if model.rows[LEFT] is None:
        assert model.rows[RIGHT] == right.row
    else:
        assert model.seen(LEFT).digest == model.seen(RIGHT).digest
