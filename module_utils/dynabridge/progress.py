# SPDX-License-Identifier: MIT
"""Lines of progress of a module, for its action plugin to show while it works."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from .screen import Output

# How the run shows them; set by the callback dynabridge_summary before there are tasks.
OUTPUT = Output()


def teller(path: str | None) -> Callable[[str], None]:
    """Appends lines to the file; without one they go nowhere."""

    def tell(line: str) -> None:
        if path:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    return tell


class Count:
    """Says every other second how much threads have added up. ``text``: has a place for the number."""

    def __init__(
        self, tell: Callable[[str], None], text: str, every: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell, self._text, self._every, self._clock = tell, text, every, clock
        self._lock, self._number, self._at = threading.Lock(), 0, clock()

    def add(self, number: int) -> None:
        with self._lock:
            self._number += number
            if self._clock() - self._at >= self._every:
                self._at = self._clock()
                self._tell(self._text.format(self._number))

    def of(self, make: Callable[[], Any]) -> Callable[[], Any]:
        """``make``, whose reducers' items are counted."""

        def counted() -> Any:
            reducer = make()
            add = reducer.add

            def count(items: list[Any]) -> None:
                add(items)
                self.add(len(items))

            reducer.add = count
            return reducer

        return counted
