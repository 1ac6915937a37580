# SPDX-License-Identifier: MIT
"""The conflict rule: last writer wins, decided the same way on both sides and in any order of arrival.

Every version of an item has a place in one total order: (stamp, is it a delete). A change is applied when its place is
after that of what is stored, and not before the place that the side remembers of the item. A delete bears the stamp of
the version it deleted and comes right after it: it beats that version and everything older, and any later stamp beats
the delete. The greatest place wins on both sides, so the order, the delay and the number of deliveries do not matter.
docs/conflicts.md has the whole argument.

The rule exists twice by necessity, as a function (``wins``) and as the conditions that DynamoDB evaluates at the moment
of the write; a contract test holds the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .changes import DELETE, PUT, Change
from .stamps import NO_TIME, NUMBER_TIME, UNSTAMPED, Item, Stamp, StampNames, read_stamp, stamp_attributes


class Place(NamedTuple):
    """Where a version stands in the order of all versions of its item; compare with ``<``."""

    stamp: Stamp
    is_delete: bool = False


NOWHERE = Place(UNSTAMPED)
"""Before every stamp: the place of an item that was never there, and of a row without a stamp."""


@dataclass(frozen=True)
class Lift:
    """A row that needs a new stamp: a local write brought none, or one that is not later than what it replaced.

    keys: in JSON form. pair: names the two tables (see clock.issue). floor: the new stamp has to be later, and a row that
    is later already is left alone. seen: a stamp beyond the clock's bound that is replaced although it is later.
    position: index of the stream record that asks for it.
    """

    table: str
    keys: Item
    pair: str
    floor: Place
    seen: Stamp | None = None
    ahead: float = 0.0
    position: int = 0


def place(change: Change, names: StampNames) -> Place:
    """The change's place in the order of all changes of its item."""
    return Place(read_stamp(change.image, names), change.operation == DELETE)


def row_place(row: Item | None, names: StampNames) -> Place:
    """The place of what a table holds (None: no such item)."""
    return NOWHERE if row is None else Place(read_stamp(row, names))


def wins(change: Change, stored: Item | None, names: StampNames, remembered: Place = NOWHERE) -> bool:
    """Whether ``change`` is to be applied over ``stored`` (None: no such item), given what the side remembers of it."""
    if place(change, names) < remembered:
        return False
    if stored is None:
        return change.operation == PUT
    return place(change, names) > row_place(stored, names)


def fold(changes: list[Change], names: StampNames) -> list[Change]:
    """Of several changes of one item keep the winner; items in the order of their first change.

    Equal places mean the same change delivered twice; the first stands. Counts add up only over different places.
    """
    winners: dict[tuple, Change] = {}
    for change in changes:
        rival = winners.get(change.identity)
        winners[change.identity] = change if rival is None else _winner(rival, change, names)
    return list(winners.values())


def _winner(first: Change, second: Change, names: StampNames) -> Change:
    first_place, second_place = place(first, names), place(second, names)
    if first_place == second_place:
        return first
    winner = second if second_place > first_place else first
    return replace(winner, count=first.count + second.count, position=min(first.position, second.position))


class Condition:
    """A condition expression as the arguments of PutItem, UpdateItem, DeleteItem and TransactWriteItems."""

    def __init__(self, text: str, values: dict[str, Any], hash_key: str, names: StampNames) -> None:
        self.text, self.values = text, values
        placeholders = {"#k": hash_key, "#t": names.timestamp, "#r": names.region, "#d": "deleted"}
        self.names = {short: name for short, name in placeholders.items() if short in text}

    def arguments(self) -> dict[str, Any]:
        """ConditionExpression, ExpressionAttributeNames and, where needed, ExpressionAttributeValues, in JSON form."""
        arguments = {"ConditionExpression": self.text, "ExpressionAttributeNames": self.names}
        return arguments | ({"ExpressionAttributeValues": self.values} if self.values else {})


def condition(change: Change, names: StampNames) -> dict[str, Any]:
    """``wins`` over what is stored, for DynamoDB.

    It names what refuses a change rather than what admits it: in DynamoDB a comparison with a missing attribute, or with
    one of another type, is false, so ``NOT`` covers these without a clause of their own.
    """
    change_place, hash_key = place(change, names), key_attribute_of(change.keys)
    if change_place == NOWHERE:
        return Condition("attribute_not_exists(#k)", {}, hash_key, names).arguments()
    refusals, values = refusing(change_place, names)
    text = f"NOT ({' OR '.join(refusals)})"
    # A delete of nothing would count as a write.
    text = f"attribute_exists(#k) AND {text}" if change_place.is_delete else text
    return Condition(text, values, hash_key, names).arguments()


def lift_condition(lift: Lift, names: StampNames) -> dict[str, Any]:
    """A row is lifted where it is there and not later than the floor, or bears exactly the stamp that was seen."""
    refusals, values = refusing(Place(lift.floor.stamp, True), names)
    text = f"NOT ({' OR '.join(refusals)})"
    if lift.seen is not None:
        same, seen_values = exactly(lift.seen, names)
        text, values = f"({same} OR {text})", values | seen_values
    return Condition(f"attribute_exists(#k) AND {text}", values, key_attribute_of(lift.keys), names).arguments()


def exact_condition(stamp: Stamp, keys: Item, names: StampNames) -> dict[str, Any]:
    """Only the row with just this stamp. A stamp without time names no version: ValueError."""
    if stamp.kind == NO_TIME:
        raise ValueError("a row without a stamp cannot be told from another one")
    text, values = exactly(stamp, names)
    return Condition(f"attribute_exists(#k) AND {text}", values, key_attribute_of(keys), names).arguments()


def key_attribute_of(keys: Item) -> str:
    """An attribute that every item of the table has: any of the key's will do."""
    return next(iter(keys))


def refusing(change: Place, names: StampNames) -> tuple[list[str], dict[str, Any]]:
    """Alternatives of which each means that the stored row does not come before ``change``, and the values they use."""
    stamp, is_delete = change
    refusals, values = [], {}
    if stamp.kind != NUMBER_TIME:
        refusals.append("attribute_type(#t, :number)")
        values[":number"] = {"S": "N"}
    if stamp.kind == NO_TIME:
        return [*refusals, "attribute_type(#t, :string)"], values | {":string": {"S": "S"}}
    values[":t"] = stamp_attributes(stamp, names)[names.timestamp]
    if not stamp.region and not is_delete:
        return [*refusals, "#t >= :t"], values  # nothing comes before the empty region
    later = ">" if is_delete else ">="
    refusals += ["#t > :t", f"(#t = :t AND #r {later} :r)"]
    return refusals, values | {":r": {"S": stamp.region.decode()}}


def exactly(stamp: Stamp, names: StampNames) -> tuple[str, dict[str, Any]]:
    """That the stored row bears just this stamp, and the values that it uses."""
    values = {":st": stamp_attributes(stamp, names)[names.timestamp], ":sr": {"S": stamp.region.decode()}}
    # A region that is missing or no text counts as the empty one, which nothing comes before.
    return f"(#t = :st AND {'#r = :sr' if stamp.region else 'NOT #r > :sr'})", values
