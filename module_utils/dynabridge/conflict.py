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
from typing import Any

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

    It names what refuses a change rather than what admits it: in DynamoDB a comparison with a missing attribute, or with
    one of another type, is false, so ``NOT`` covers these without a clause of their own.
    Returns ConditionExpression, ExpressionAttributeNames and, where needed, ExpressionAttributeValues.
    """
    stamp, is_delete = place(change, names)
    hash_key = next(iter(change.keys))
    if stamp.kind == NO_TIME and not is_delete:
        return {"ConditionExpression": "attribute_not_exists(#k)", "ExpressionAttributeNames": {"#k": hash_key}}
    refusals, values = _refusals(stamp, is_delete)
    text, expression_names = f"NOT ({' OR '.join(refusals)})", {"#t": names.timestamp}
    if "#r" in text:
        expression_names["#r"] = names.region
    if stamp.kind != NO_TIME:
        values[":t"] = change.image[names.timestamp]
    if is_delete:
        # A delete of nothing would count as a write.
        text, expression_names["#k"] = f"attribute_exists(#k) AND {text}", hash_key
    return {
        "ConditionExpression": text,
        "ExpressionAttributeNames": expression_names,
        "ExpressionAttributeValues": values,
    }


def _refusals(stamp: Stamp, is_delete: bool) -> tuple[list[str], dict[str, Any]]:
    """Alternatives of which each means that what is stored comes after the change, and the values they use."""
    refusals, values = [], {}
    if stamp.kind != NUMBER_TIME:
        refusals.append("attribute_type(#t, :number)")
        values[":number"] = {"S": "N"}
    if stamp.kind == NO_TIME:
        return [*refusals, "attribute_type(#t, :string)"], values | {":string": {"S": "S"}}
    if not stamp.region and not is_delete:
        return [*refusals, "#t >= :t"], values  # nothing comes before the empty region
    later = ">" if is_delete else ">="
    refusals += ["#t > :t", f"(#t = :t AND #r {later} :r)"]
    return refusals, values | {":r": {"S": stamp.region.decode()}}
