# SPDX-License-Identifier: MIT
"""A limit of units a second, shared by threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Pace:
    """A token bucket that begins empty and saves up one second's worth at most. ``per_second``: 0 = no limit."""

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.per_second, self._clock, self._sleep = per_second, clock, sleep
        self._lock, self._tokens, self._at = threading.Lock(), 0.0, clock()

    def take(self, units: float) -> None:
        """Wait until that many units may be used."""
        if not self.per_second:
            return
        with self._lock:
            now = self._clock()
            saved = min(self.per_second, self._tokens + (now - self._at) * self.per_second)
            self._tokens, self._at = saved - units, now
            wait = -self._tokens / self.per_second
        if wait > 0:
            self._sleep(wait)

    def portions(self, things: Iterable[tuple[T, float]]) -> Iterator[list[T]]:
        """Things with their units, in lists of one second's worth; each list is given when its units may be used."""
        portion: list[T] = []
        used = 0.0
        for thing, units in things:
            if portion and self.per_second and used + units > self.per_second:
                self.take(used)
                yield portion
                portion, used = [], 0.0
            portion.append(thing)
            used += units
        if portion:
            self.take(used)
            yield portion
