# SPDX-License-Identifier: MIT
"""Whether a peer's key is to be replaced, and how a replacement that fails is taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from .errors import DynabridgeError, SettingsError

# IAM gives a user no third key.
MOST_KEYS = 2
DAY = 86400.0


class Pair(NamedTuple):
    """A key pair. Its secret shows in no representation."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Pair({self.access_key})"


@dataclass(frozen=True)
class Key:
    """What IAM tells of a key. last_used: a sentence, asked for only where a person has to decide."""

    id: str
    active: bool
    created: datetime
    last_used: str = ""

    def age_days(self, now: datetime) -> float:
        return (now - self.created).total_seconds() / DAY


@dataclass(frozen=True)
class Plan:
    """What is to be done, and why. old: the key that is stored, None when the user has no such key any more."""

    rotate: bool
    reason: str
    old: Key | None
    age_days: float = 0.0


class RotationFailed(DynabridgeError):
    """The new key could not take the old one's place; the sentence says what was taken back."""


def plan(keys: list[Key], stored: str, max_age_days: int, now: datetime) -> Plan:
    """Judge the user's keys. A key that does not open the peer is replaced whatever its age.

    Raises SettingsError where the user has no room for a new key.
    """
    if max_age_days < 0:
        raise SettingsError(f"max_age_days is {max_age_days}: it must be 0 (rotate always) or more")
    old = next((key for key in keys if key.id == stored), None)
    if old is None:
        verdict = Plan(True, f"key {stored}, which is stored, is no key of the user any more", None)
    elif not old.active:
        verdict = Plan(True, f"key {stored} is inactive", old, old.age_days(now))
    else:
        age = old.age_days(now)
        verdict = Plan(age >= max_age_days, f"key {stored} is {age:.1f} days old", old, age)
    if verdict.rotate and len(keys) >= MOST_KEYS:
        raise SettingsError(_no_room(keys, stored))
    return verdict


def _no_room(keys: list[Key], stored: str) -> str:
    others = [key for key in keys if key.id != stored]
    named = "; ".join(
        f"{key.id} ({'active' if key.active else 'inactive'}, made {key.created:%Y-%m-%d}, {key.last_used or 'use unknown'})"
        for key in others
    )
    which = "the one beside the stored one is" if len(others) < len(keys) else "neither is the stored one:"
    return (
        f"the user has {len(keys)} keys, the most that AWS allows, so there is no room for a new one; {which} {named}"
    )


@dataclass
class Undo:
    """Steps that take back what was done, newest first."""

    steps: list[tuple[str, Callable[[], None]]] = field(default_factory=list)

    def add(self, what: str, step: Callable[[], None]) -> None:
        self.steps.append((what, step))

    def run(self) -> str:
        """Take everything back; the sentence to tell.

        A step that fails ends it: to delete the new key where the old pair could not be stored again would leave the
        sender with nothing.
        """
        done: list[str] = []
        while self.steps:
            what, step = self.steps.pop()
            try:
                step()
            except Exception as error:
                left = [what, *(name for name, _step in reversed(self.steps))]
                told = f"Taken back: {', '.join(done)}. " if done else ""
                return f"{told}This could not be taken back ({error}), do it by hand: {'; '.join(left)}."
            done.append(what)
        return f"Everything is as before: {', '.join(done)}." if done else "Nothing was changed."
