# SPDX-License-Identifier: MIT
"""The conflict rule: last writer wins, decided the same way on both sides and in any order of arrival.

Every change has a place in one total order: (stamp, is it a delete). A change is applied when its place is after that
of what is stored. A delete bears the stamp of the version it deleted and comes right after it: it beats that version and
everything older, and any later stamp beats the delete. The greatest place wins on both sides, so the order, the delay and
the number of deliveries do not matter.

The rule exists twice by necessity, as a function (``wins``) and as the condition that DynamoDB evaluates at the moment of
the write (``condition``); a contract test holds the two against each other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from .changes import DELETE, PUT, Change
from .stamps import NO_TIME, NUMBER_TIME, Item, Stamp, StampNames, read_stamp


def place(change: Change, names: StampNames) -> tuple[Stamp, bool]:
    """The change's place in the order of all changes of its item."""
    return read_stamp(change.image, names), change.operation == DELETE


def wins(change: Change, stored: Item | None, names: StampNames) -> bool:
    """Whether ``change`` is to be applied over ``stored`` (None: no such item)."""
    if stored is None:
        return change.operation == PUT
    return place(change, names) > (read_stamp(stored, names), False)


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


def condition(change: Change, names: StampNames) -> dict[str, Any]:
    """``wins`` as the condition arguments of PutItem, DeleteItem and TransactWriteItems.

    Returns ConditionExpression, ExpressionAttributeNames and, where needed, ExpressionAttributeValues.
    """
    stamp, is_delete = place(change, names)
    hash_key = next(iter(change.keys))
    if stamp.kind == NO_TIME and not is_delete:
        return {"ConditionExpression": "attribute_not_exists(#k)", "ExpressionAttributeNames": {"#k": hash_key}}
    return _guarded(change, hash_key, _older_than(change, stamp, is_delete, names))


class _Expression(NamedTuple):
    """A condition under construction: alternatives, and the names and values they use."""

    clauses: list[str]
    names: dict[str, str]
    values: dict[str, Any]


def _older_than(change: Change, stamp: Stamp, is_delete: bool, names: StampNames) -> _Expression:
    """Alternatives of which one holds when what is stored comes before the change."""
    expression = _Expression(["attribute_not_exists(#t)"], {"#t": names.timestamp}, {":number": {"S": "N"}})
    clauses, values = expression.clauses, expression.values
    if stamp.kind == NUMBER_TIME:
        clauses.append("NOT attribute_type(#t, :number)")
    else:
        values[":string"] = {"S": "S"}
        clauses.append("(NOT attribute_type(#t, :number) AND NOT attribute_type(#t, :string))")
    if stamp.kind == NO_TIME:
        return expression
    values[":t"] = change.image[names.timestamp]
    clauses.append("#t < :t")
    # Nothing comes before the empty region, but a delete also beats its equal.
    if stamp.region or is_delete:
        older = "<=" if is_delete else "<"
        clauses.append(f"(#t = :t AND (attribute_not_exists(#r) OR NOT attribute_type(#r, :string) OR #r {older} :r))")
        expression.names["#r"] = names.region
        values.update({":string": {"S": "S"}, ":r": {"S": stamp.region.decode()}})
    return expression


def _guarded(change: Change, hash_key: str, expression: _Expression) -> dict[str, Any]:
    """As request arguments; a delete also wants the item to be there, or it would count as a write."""
    text, names = " OR ".join(expression.clauses), expression.names
    if change.operation == DELETE:
        text, names = f"attribute_exists(#k) AND ({text})", names | {"#k": hash_key}
    return {
        "ConditionExpression": text,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": expression.values,
    }
