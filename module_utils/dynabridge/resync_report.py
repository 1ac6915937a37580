# SPDX-License-Identifier: MIT
"""What a resync says: lines of progress while it works, counts and a few lines of text at its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .curves import rate
from .resync import COPY, DELETE, DELETED, LEAVE, LEFT, NEWER, ONLY, RIGHT, SIDES, TIE
from .resync_state import ResyncState

LINE_EVERY = 2.0
DIFFERENT = (*ONLY.values(), *NEWER.values(), TIE, DELETED)


def differing(counts: Mapping[str, int]) -> int:
    return sum(counts.get(state, 0) for state in DIFFERENT)


class Meter:
    """Appends a line of progress to a file every other second. sides: names of the left and the right side."""

    def __init__(
        self,
        label: str,
        sides: Mapping[str, str],
        state: ResyncState,
        path: str | None,
        segments: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label, self.sides, self.state, self.path, self.segments = label, sides, state, path, segments
        self._clock, self._lock = clock, threading.Lock()
        self._at, self._read = clock(), 0

    def show(self, number: int, side: str) -> None:
        """Say how it goes: ``number`` is the pass, ``side`` the one that is read."""
        with self._lock:
            now = self._clock()
            if self.path is None or now - self._at < LINE_EVERY:
                return
            read = sum(count for name, count in self.state.counts.items() if name.startswith("pass"))
            speed = rate(read - self._read, now - self._at)
            self._at, self._read = now, read
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(f"{self.label}: {self._line(number, side)}, {speed:,.0f} items/s\n")

    def _line(self, number: int, side: str) -> str:
        counts = self.state.counts
        if number == 1:
            of_sides = [f"{self.sides[name]} {counts.get(f'pass1_{name}', 0):,}" for name in SIDES]
            return f"pass 1 of 2, items read: {', '.join(of_sides)}"
        read, items = counts.get(f"pass2_{side}", 0), self.state.items[side]
        percent = min(100, 100 * read // items) if items else 100
        done = f"{self.state.segments_done(side)} of {self.segments} segments"
        return (
            f"pass 2 of 2, {self.sides[side]}: {read:,} of {items:,} ({percent}%, {done} done), "
            f"{counts.get('looked', 0):,} looked at, {differing(counts):,} differing, "
            f"{counts.get('repaired', 0):,} repaired"
        )


def result_of(state: ResyncState, sides: Mapping[str, str], dry_run: bool) -> dict[str, Any]:
    """Counts and examples as the module returns them."""
    counts = state.counts

    def count(name: str) -> int:
        return counts.get(name, 0)

    written = count("repaired") + count("lifted")
    return {
        "changed": bool(count(COPY) + count(DELETE) if dry_run else written),
        "items": {sides[side]: state.items[side] for side in SIDES},
        "equal": count("equal"),
        "differing": differing(counts),
        "only": {sides[side]: count(ONLY[side]) for side in SIDES},
        "newer": {sides[side]: count(NEWER[side]) for side in SIDES},
        "ties": count(TIE),
        "deleted": count(DELETED),
        "to_copy": count(COPY),
        "to_delete": count(DELETE),
        "left_alone": count(LEAVE),
        **{name: count(name) for name in ("repaired", "lifted", "overtaken", "poison", "unsettled")},
        "examples": state.examples,
    }


def summary(result: Mapping[str, Any], params: Mapping[str, Any], dry_run: bool) -> str:
    """The result in a few lines."""
    tables = " and ".join(
        f"{params[side]['table']} ({result['items'][params[side]['name']]:,} items)" for side in SIDES
    )
    head = f"{params['name']}: {tables}, direction {params['direction']}" + (", dry run" if dry_run else "")
    head += ", taken up from an earlier run" if result["resumed"] else ""
    if not result["differing"]:
        return f"{head}: equal"
    lines = [_found(result), _done(result, dry_run), *(_example(entry, params) for entry in result["examples"])]
    lines.append(_next_step(result, params, dry_run))
    return head + "".join(f"\n  {line}" for line in lines if line)


def _found(result: Mapping[str, Any]) -> str:
    kinds = [f"{number:,} only on {side}" for side, number in result["only"].items()]
    kinds += [f"{number:,} newer on {side}" for side, number in result["newer"].items()]
    kinds += [f"{result['ties']:,} ties", f"{result['deleted']:,} deleted on one side"]
    return f"{result['equal']:,} equal, {result['differing']:,} differ: {', '.join(kinds)}"


def _done(result: Mapping[str, Any], dry_run: bool) -> str:
    left_alone = f"{result['left_alone']:,} left as they are in this direction"
    if dry_run:
        return f"to be done: {result['to_copy']:,} copied, {result['to_delete']:,} deleted; {left_alone}"
    done = f"{result['repaired']:,} repaired, {result['lifted']:,} rows stamped anew; {left_alone}"
    if result["overtaken"]:
        done += f"; {result['overtaken']:,} written by others meanwhile, which the replication takes care of"
    if result["poison"]:
        done += f"; {result['poison']:,} that DynamoDB refuses"
    if result["unsettled"]:
        done += f"; {result['unsettled']:,} not written for now: run it again"
    return done


_WORDS = {
    ONLY[LEFT]: "only on {left}",
    ONLY[RIGHT]: "only on {right}",
    NEWER[LEFT]: "newer on {left}",
    NEWER[RIGHT]: "newer on {right}",
    TIE: "equal stamps, other content",
    DELETED: "deleted on one side",
    "poison": "refused",
    "unsettled": "not written for now",
}


def _example(entry: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    key = ", ".join(f"{name}={value}" for name, typed in entry["key"].items() for value in typed.values())
    words = _WORDS[entry["state"]].format(left=params["left"]["name"], right=params["right"]["name"])
    return f"{key}: {words}: {entry.get('reason') or entry['action']}"


def _next_step(result: Mapping[str, Any], params: Mapping[str, Any], dry_run: bool) -> str:
    if not dry_run:
        return f"Verify it: ansible-playbook compare.yml -e table={params['name']}"
    if result["to_copy"] or result["to_delete"]:
        return "Nothing was changed. Mend it with -e dry_run=false"
    return "Nothing was changed, and nothing would be"
