# SPDX-License-Identifier: MIT
"""Objects of S3's archive classes: asked for, awaited, and how long that takes.

Such an object can be read only after S3 has made a copy of it for some days. That takes minutes to two days, by class and
tier. What has been asked for is known from S3 alone, so asking can be interrupted and repeated at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from ..errors import RestoreError
from ..restore_plan import Plan
from ..verification import read_manifests
from .objects import ALREADY_ACTIVE, Listed, Objects

GLACIER, DEEP_ARCHIVE, INTELLIGENT = "GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"
ARCHIVES = frozenset({GLACIER, DEEP_ARCHIVE, INTELLIGENT})  # of the last one some tiers are
EXPEDITED, STANDARD, BULK = TIERS = ("Expedited", "Standard", "Bulk")
# S3 User Guide, "Archive retrieval options". Deep Archive has no Expedited.
HOW_LONG = {
    (GLACIER, EXPEDITED): "1 to 5 minutes",
    (GLACIER, STANDARD): "3 to 5 hours",
    (GLACIER, BULK): "5 to 12 hours",
    (DEEP_ARCHIVE, STANDARD): "up to 12 hours",
    (DEEP_ARCHIVE, BULK): "up to 48 hours",
}
TIER_OF = {"ARCHIVE_ACCESS": GLACIER, "DEEP_ARCHIVE_ACCESS": DEEP_ARCHIVE}  # of INTELLIGENT_TIERING
AT_ONCE = 16
CHUNK = 200  # keys that are looked at together


@dataclass
class Retrieval:
    """``asked``: for the first time just now; ``pending``: S3 is at work, those just asked for among them; ``ready``: can be
    read. ``classes``: number of the pending ones by archive class. While ``pending`` is not empty ``ready`` may be more."""

    asked: int = 0
    ready: int = 0
    pending: list[str] = field(default_factory=list)
    classes: dict[str, int] = field(default_factory=dict)

    def text(self, tier: str) -> str:
        """``3 objects are being retrieved from GLACIER by Standard, which takes 3 to 5 hours``."""
        parts = [
            f"{count:,} from {name} by {tier}, which takes {HOW_LONG.get((name, tier), 'its time')}"
            for name, count in sorted(self.classes.items())
        ]
        return f"{len(self.pending):,} archived objects are being retrieved: {'; '.join(parts)}"


def retrieve(objects: Objects, keys: Iterable[str], tier: str, days: int) -> Retrieval:
    """Ask for what is archived and has not been asked for. ``days``: how long the copies are to stay.

    A class that does not know the tier, and an object that is gone, are RestoreError before anything is asked for in its
    chunk of keys.
    """
    found = Retrieval()
    for states in _looked_at(objects, keys):
        wrong = [state for state in states if state.problem(tier)]
        if wrong:
            raise RestoreError(wrong[0].problem(tier))
        asked = _each(lambda state: state.ask(objects, tier, days), [state for state in states if state.archived])
        found.asked += sum(asked)
        _count(found, states)
    return found


def look(objects: Objects, retrieval: Retrieval) -> Retrieval:
    """How the pending ones stand. Looks no further than a chunk that has some: all of them are needed."""
    found = Retrieval(ready=retrieval.ready)
    keys = iter(retrieval.pending)
    for states in _looked_at(objects, keys):
        before = len(found.pending)
        _count(found, states)
        if len(found.pending) > before:
            break
    rest = list(keys)
    found.pending += rest
    if found.classes and rest:  # of the same classes, in all likelihood
        name = max(found.classes, key=lambda name: found.classes[name])
        found.classes[name] += len(rest)
    return found


def wait(
    objects: Objects,
    retrieval: Retrieval,
    tier: str,
    until: float,
    poll: float,
    tell: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Retrieval:
    """Look again and again until all can be read, or ``until`` (of ``clock``)."""
    begun = clock()
    while retrieval.pending and clock() + poll <= until:
        tell(f"{retrieval.text(tier)} (waiting since {clock() - begun:.0f} s)")
        pause(poll)
        retrieval = look(objects, retrieval)
    return retrieval


def archived(listed: Iterable[Listed]) -> list[str]:
    """Keys of what may be archived, by the listing."""
    return [found.key for found in listed if found.storage_class in ARCHIVES]


def plan_keys(objects: Objects, plan: Plan) -> Iterator[list[str]]:
    """Keys of what may be archived of all that the plan reads, in two lots: the manifests of the second are in the first."""
    folders = [plan.base.folder, *(window.folder for window in plan.windows)]
    yield archived(chain.from_iterable(objects.list(folder) for folder in folders))
    # The data files of incrementals lie in the folder of their day together, whosever they are.
    shared = sorted({f"{window.folder.rstrip('/').rpartition('/')[0]}/data/" for window in plan.windows})
    may_be = set(archived(chain.from_iterable(objects.list(folder) for folder in shared)))
    if may_be:
        needed = {file.key for window in plan.windows for file in read_manifests(objects, window.folder).files}
        yield sorted(may_be & needed)


class Retrieving:
    """All that a plan reads."""

    def __init__(self, objects: Objects, plan: Plan, tier: str, days: int, tell: Callable[[str], None]) -> None:
        self._objects, self._plan, self._tier, self._days, self._tell = objects, plan, tier, days, tell

    def count(self) -> int:
        """Objects that may be archived, as far as the listing alone says."""
        return len(next(plan_keys(self._objects, self._plan)))

    def run(
        self,
        timeout: float,
        poll: float,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> Retrieval:
        """Ask for everything and wait until ``timeout``; 0 = look only once. With ``pending``: not all that is read is there,
        and where manifests are among it, not all has been asked for."""
        until, total = clock() + timeout, Retrieval()
        for keys in plan_keys(self._objects, self._plan):
            found = retrieve(self._objects, keys, self._tier, self._days)
            total.asked += found.asked
            found = wait(self._objects, found, self._tier, until, poll, self._tell, pause, clock)
            total.ready, total.pending, total.classes = total.ready + found.ready, found.pending, found.classes
            if total.pending:
                return total
        return total


@dataclass
class _State:
    """One object as HEAD tells it."""

    key: str
    bucket: str
    told: dict[str, Any] | None
    asked: bool = False

    @property
    def archive(self) -> str:
        """GLACIER or DEEP_ARCHIVE; '' where it can be read at once."""
        told = self.told or {}
        name = told.get("StorageClass", "")
        return TIER_OF.get(told.get("ArchiveStatus", ""), "") if name == INTELLIGENT else name * (name in ARCHIVES)

    @property
    def archived(self) -> bool:
        """Whether it has to be asked for."""
        return bool(self.archive) and not self._restore

    @property
    def pending(self) -> bool:
        return self.asked or 'ongoing-request="true"' in self._restore or self.archived

    @property
    def _restore(self) -> str:
        return (self.told or {}).get("Restore", "")

    def problem(self, tier: str) -> str:
        where = f"s3://{self.bucket}/{self.key}"
        if self.told is None:
            return f"{where} is not there any more: take another backup"
        if self.archived and (self.archive, tier) not in HOW_LONG:
            return f"{where} lies in {self.archive}, which has no tier {tier}: take Standard or Bulk"
        return ""

    def ask(self, objects: Objects, tier: str, days: int) -> bool:
        """Whether S3 was at rest until now."""
        request: dict[str, Any] = {"GlacierJobParameters": {"Tier": tier}}
        if (self.told or {}).get("StorageClass") != INTELLIGENT:  # that one moves the object itself, for good
            request["Days"] = days
        answer = objects.fetch_from_archive(self.key, request)
        if answer == ALREADY_ACTIVE:
            self.told = {}
            return False
        self.asked = True
        return not answer


def _looked_at(objects: Objects, keys: Iterable[str]) -> Iterator[list[_State]]:
    keys = iter(keys)
    while some := list(islice(keys, CHUNK)):
        yield _each(lambda key: _State(key, objects.bucket, objects.head(key)), some)


def _each(call: Callable[[Any], Any], subjects: list[Any]) -> list[Any]:
    if not subjects:
        return []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, subjects))


def _count(found: Retrieval, states: Iterable[_State]) -> None:
    for state in states:
        if state.pending:
            found.pending.append(state.key)
            found.classes[state.archive] = found.classes.get(state.archive, 0) + 1
        else:
            found.ready += 1


def check_tier(tier: str, days: int) -> None:
    """Raises RestoreError for what S3 does not take."""
    if tier not in TIERS or days < 1:
        raise RestoreError(f"tier is {tier!r}, days {days}: the tier must be {', '.join(TIERS)}, the days at least 1")
