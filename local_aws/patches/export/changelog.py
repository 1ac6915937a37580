# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes of one table since its point-in-time recovery was switched on."""

import json
import threading
import time
from dataclasses import dataclass

from . import settings


@dataclass(frozen=True)
class NetChange:
    """What a window did to one item; an image that is None is not there."""

    micros: int
    old: str | None
    new: str | None


class ChangeLog:
    """Images are kept as JSON text: the emulator changes some of its items in place."""

    def __init__(self, images: dict, period_days: int, now: float | None = None):
        self.enabled_at = time.time() if now is None else now
        self.period_days = period_days
        self._base = dict(images)
        self._latest = dict(images)
        self._changes: list[tuple[int, object, str | None]] = []
        self._lock = threading.Lock()

    def record(self, identity, image: str | None) -> None:
        """Note the item's new image, None for a delete. A write that changes nothing leaves no trace."""
        with self._lock:
            if self._latest.get(identity) == image:
                return
            self._changes.append((self._next_micros(), identity, image))
            if image is None:
                self._latest.pop(identity, None)
            else:
                self._latest[identity] = image

    def mark(self) -> int:
        """The moment right after everything that is logged and before everything that will be."""
        with self._lock:
            return self._next_micros()

    def earliest_restorable(self) -> int:
        return int(max(self.enabled_at, time.time() - self.period_days * 86400))

    def latest_restorable(self) -> int:
        return max(self.earliest_restorable(), int(time.time() - settings.recovery_lag_seconds()))

    def images_at(self, micros: int) -> dict:
        """The table as it was just before the moment."""
        images = dict(self._base)
        for when, identity, image in self._copy():
            if when >= micros:
                break
            if image is None:
                images.pop(identity, None)
            else:
                images[identity] = image
        return images

    def net_changes(self, start: int, end: int) -> list[NetChange]:
        """One change per item that the window [start, end) touched; born and gone within it leaves none."""
        touched: dict = {}
        for when, identity, image in self._copy():
            if start <= when < end:
                touched[identity] = (when, image)
        before = self.images_at(start)
        changes = (NetChange(when, before.get(key), image) for key, (when, image) in touched.items())
        return [change for change in changes if change.old is not None or change.new is not None]

    def _next_micros(self) -> int:
        previous = self._changes[-1][0] if self._changes else 0
        return max(time.time_ns() // 1000, previous + 1)

    def _copy(self) -> list:
        with self._lock:
            return self._changes[:]


def image_text(item: dict) -> str:
    return json.dumps(item, separators=(",", ":"), ensure_ascii=False)
