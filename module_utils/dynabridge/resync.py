# SPDX-License-Identifier: MIT
"""Resync: what is to be done about one key, from what both sides hold and remember of it.

The greatest place wins, as in the conflict rule, whatever changes were lost on the way. Three cases have no winner by
place and get one by a *lift*: the winner's row is given a new stamp, later than all that is known of the item, and then
travels like any other. These are ties (equal places, different contents), rows that are older than what their own side
remembers, and in managed tables rows whose stamp the bridge did not issue: a local write whose stream record was lost.

Putting back is the exception: the source is what a table was at a moment, and its old rows are to win over what came after.
Each is lifted, and so wins here and on the peer's side as any new write does.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .clock import issued
from .conflict import NOWHERE, Place, row_place
from .stamps import NUMBER_TIME, AttributeValue, Item, StampNames
from .tombstones import Remembered

LEFT, RIGHT = "left", "right"
SIDES = (LEFT, RIGHT)
BOTH = "both"
COPY, DELETE = "copy", "delete"
# What is put back from a source that is right whatever the stamps say: rows that the target lacks; also those that differ.
MISSING, CHANGED = "missing", "changed"

# What becomes of a key.
NOTHING, LEAVE = "nothing", "leave"  # and COPY, DELETE

# How a key stands.
EQUAL, ABSENT, TIE, DELETED = "equal", "absent", "tie", "deleted"
ONLY = {LEFT: "only_left", RIGHT: "only_right"}
NEWER = {LEFT: "left_newer", RIGHT: "right_newer"}


class Seen(NamedTuple):
    """What a side holds and remembers of a key. row: in JSON form; digest: of its content, 0 where there is none."""

    row: Item | None = None
    digest: int = 0
    memory: Remembered | None = None


@dataclass(frozen=True)
class Rule:
    """How a table is resynced.

    target: the side that is written, or BOTH. missing: what is done about rows that only the target has. regions: of the
    left and the right side. pair: names both tables (see clock.issue). managed: writers know nothing of stamps. put_back: ''
    or, with one direction, MISSING or CHANGED. written_before: rows of the target with a stamp from then on (epoch seconds)
    are not put back; 0 = all are.
    """

    names: StampNames
    regions: tuple[str, str]
    pair: str
    target: str = BOTH
    missing: str = COPY
    managed: bool = False
    put_back: str = ""
    written_before: float = 0


@dataclass(frozen=True)
class Decision:
    """state: how the key stands. action: what is to be done, to the rows of ``sides``.

    lift: before it is copied, the row of the other side gets a stamp later than ``place``. place: for a delete, its place.
    """

    state: str
    action: str = NOTHING
    sides: tuple[str, ...] = ()
    lift: bool = False
    place: Place = NOWHERE


def other(side: str) -> str:
    return RIGHT if side == LEFT else LEFT


def decide(keys: Item, left: Seen, right: Seen, rule: Rule) -> Decision:
    """What is to be done about a key (``keys`` in JSON form)."""
    seen = {LEFT: left, RIGHT: right}
    present = [side for side in SIDES if seen[side].row is not None]
    if not present:
        return Decision(ABSENT)
    if len(present) == 2 and left.digest == right.digest:
        return Decision(EQUAL)
    places = {side: row_place(seen[side].row, rule.names) for side in present}
    if rule.put_back and rule.target != BOTH:
        return _put_back(seen, places, rule)
    return _by_the_rule(keys, seen, places, rule)


def _by_the_rule(keys: Item, seen: dict[str, Seen], places: dict[str, Place], rule: Rule) -> Decision:
    present, greatest = list(places), max(places.values())
    late = [side for side in present if _is_late(keys, seen[side], seen[other(side)], rule)]
    grave = max((memory.place for memory in _memories(seen) if memory.place.is_delete), default=NOWHERE)
    if not late and grave > greatest:
        return _bury(present, grave, rule)
    state, winner, lift = _winner(seen, places, late, rule)
    everything = max([greatest, *(memory.place for memory in _memories(seen))])
    if winner != rule.target:
        lift = lift or _refuses(seen[other(winner)], greatest)
        return Decision(state, COPY, (other(winner),), lift, everything if lift else greatest)
    if rule.missing == DELETE and len(present) == 1:
        return Decision(state, DELETE, (winner,), place=Place(everything.stamp, True))
    return Decision(state, LEAVE)


def _put_back(seen: dict[str, Seen], places: dict[str, Place], rule: Rule) -> Decision:
    """The source's row gets a stamp later than all that is known of the item, deletes included."""
    source = other(rule.target)
    if len(places) == 1:
        (side,) = places
        state = ONLY[side]
    else:
        state = TIE if places[LEFT] == places[RIGHT] else NEWER[max(SIDES, key=lambda name: places[name])]
    stays = source not in places or (rule.target in places and not _is_bad(places[rule.target], rule))
    if stays:
        return Decision(state, LEAVE)
    everything = max([*places.values(), *(memory.place for memory in _memories(seen))])
    return Decision(state, COPY, (rule.target,), True, everything)


def _is_bad(place: Place, rule: Rule) -> bool:
    """Whether a row of the target is to give way to the one that was there before."""
    if rule.put_back != CHANGED:
        return False
    stamp = place.stamp
    return not rule.written_before or stamp.kind != NUMBER_TIME or stamp.time < rule.written_before


def _memories(seen: dict[str, Seen]) -> Iterator[Remembered]:
    return (one.memory for one in seen.values() if one.memory is not None)


def _is_late(keys: Item, here: Seen, there: Seen, rule: Rule) -> bool:
    """Whether a row was written after its stamp says, or after what its side remembers: only a local write does that.

    Not so where the side remembers the peer's delete: that one may have stopped between its tombstone and the row.
    """
    stands = row_place(here.row, rule.names)
    if here.memory is not None and here.memory.place > stands:
        return not (here.memory.place.is_delete and here.memory.from_peer)
    if not rule.managed or issued(stands.stamp, rule.pair, keys):
        return False
    # Written without the bridge's stamp. Where the peer deleted just this version, it is the one from before the bridge.
    return there.memory is None or there.memory.place != Place(stands.stamp, True)


def _refuses(there: Seen, place: Place) -> bool:
    """Whether the side would refuse a row at this place for what it remembers (a floor: tombstones are dealt with)."""
    return there.memory is not None and place < there.memory.place


def _bury(present: list[str], grave: Place, rule: Rule) -> Decision:
    """A delete that one of the sides remembers is later than every row."""
    if rule.target == BOTH or present == [rule.target]:
        return Decision(DELETED, DELETE, tuple(present), place=grave)
    return Decision(DELETED, LEAVE)


def _winner(seen: dict[str, Seen], places: dict[str, Place], late: list[str], rule: Rule) -> tuple[str, str, bool]:
    """(state, winning side, whether its row has to be lifted)"""
    if len(places) == 1:
        (side,) = places
        return ONLY[side], side, bool(late)
    if len(late) == 1:
        return NEWER[late[0]], late[0], True
    if late or places[LEFT] == places[RIGHT]:
        return TIE, _tie_winner(seen, places, rule), True
    side = max(places, key=lambda name: places[name])
    return NEWER[side], side, False


def _tie_winner(seen: dict[str, Seen], places: dict[str, Place], rule: Rule) -> str:
    """The source; with both directions the later side, then the one that the stamp names, then the greater digest."""
    if rule.target != BOTH:
        return other(rule.target)
    if places[LEFT] != places[RIGHT]:
        return max(SIDES, key=lambda name: places[name])
    for side, region in zip(SIDES, rule.regions, strict=True):
        if places[side].stamp.region == region.encode():
            return side
    return max(SIDES, key=lambda name: seen[name].digest)


# -- what a write costs -----------------------------------------------------------------------


def write_units(*rows: Item | None, transaction: bool = False) -> int:
    """Write units of a write between these versions of an item (JSON form): the larger one counts."""
    size = max(
        (sum(len(name.encode()) + _size(value) for name, value in row.items()) for row in rows if row), default=0
    )
    return max(1, -(-size // 1024)) * (2 if transaction else 1)


def _size(value: AttributeValue) -> int:
    """Bytes that DynamoDB counts for a value (developer guide, "Item sizes and formats"), rounded up."""
    ((kind, content),) = value.items()
    if kind in _SIZES:
        return _SIZES[kind](content)
    if kind == "L":
        return 3 + sum(1 + _size(member) for member in content)
    return 3 + sum(1 + len(name.encode()) + _size(member) for name, member in content.items())


def _binary_size(text: Any) -> int:
    return len(base64.b64decode(text))


_SIZES: dict[str, Any] = {
    "S": lambda text: len(text.encode()),
    "N": lambda text: min(21, len(text) // 2 + 2),
    "B": _binary_size,
    "BOOL": lambda _flag: 1,
    "NULL": lambda _null: 1,
    "SS": lambda members: sum(len(member.encode()) for member in members),
    "NS": lambda members: sum(min(21, len(member) // 2 + 2) for member in members),
    "BS": lambda members: sum(map(_binary_size, members)),
}
