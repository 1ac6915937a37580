# SPDX-License-Identifier: GPL-3.0-or-later
"""Both functions of a side at work on the same item: whose turn it is changes nothing."""

import contextlib
import io

import pytest

from tests.convergence.bridges import FullRule
from tests.convergence.world import Crash, World

MOST_CALLS = 6  # of the receiver for one change


def deleted_by_the_peer(world):
    """cn holds a version of sg's, has not yet seen the record of its arrival, and is about to hear that it was deleted."""
    cn, sg = world.sides["cn"], world.sides["sg"]
    key = {"PK": {"S": "a"}}
    sg.dynamodb.put(sg.table, key | world.content() | world.stamp(sg, 0))
    for _again in range(2):  # where the bridge stamps, the second time it travels
        world.send(sg, {"a"}, 5)
    [lane] = cn.incoming
    world.receive(cn, lane, 5)
    sg.dynamodb.delete(sg.table, key)
    world.send(sg, {"a"}, 5)
    return cn, lane


def deleted_here_with_an_older_one_on_its_way(world):
    """cn has deleted an item, which its sender does not know yet; an older version of sg's is about to arrive."""
    cn, sg = world.sides["cn"], world.sides["sg"]
    key = {"PK": {"S": "a"}}
    sg.dynamodb.put(sg.table, key | world.content() | world.stamp(sg, 0))
    for _again in range(2):
        world.send(sg, {"a"}, 5)
    [lane] = cn.incoming
    world.now += 1
    cn.dynamodb.put(cn.table, key | world.content() | world.stamp(cn, 0))
    for _again in range(2):
        world.send(cn, {"a"}, 5)
    cn.dynamodb.delete(cn.table, key)
    return cn, lane


def at_call(number, dynamodb, act):
    left = iter(range(1, MOST_CALLS + 1))

    def before(_operation, _arguments):
        if next(left, None) == number:
            dynamodb.before = None
            act()

    return before


def crash():
    raise Crash


@pytest.mark.parametrize("begin", [deleted_by_the_peer, deleted_here_with_an_older_one_on_its_way])
@pytest.mark.parametrize("first", range(1, MOST_CALLS + 1))
@pytest.mark.parametrize("then", range(1, 3))
@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("managed", [False, True])
def test_what_was_deleted_stays_deleted_whenever_the_sender_has_its_turn(begin, first, then, dies, managed):
    """GIVEN a receiver about to delete a row, or to write one that was deleted here WHEN the sender has a record in each of two
    turns between its calls, and the receiver may die there THEN the item is gone from both sides."""
    world = World(lambda world, side: FullRule(world, side, managed))
    world.fine = True
    with contextlib.redirect_stdout(io.StringIO()):
        cn, lane = begin(world)

        def second_turn():
            world.send(cn, {"a"}, 1)
            if dies:
                crash()

        def first_turn():
            world.send(cn, {"a"}, 1)
            cn.dynamodb.before = at_call(then, cn.dynamodb, second_turn)

        cn.dynamodb.before = at_call(first, cn.dynamodb, first_turn)
        world.receive(cn, lane, 5)
        cn.dynamodb.before = None
        world.settle()
    assert [side.rows() for side in world.sides.values()] == [{}, {}]
