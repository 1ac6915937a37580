# SPDX-License-Identifier: MIT
"""Where a resync stands: kept in a file, so that a run that was stopped goes on from there."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .attributes import to_boto, to_json
from .errors import SettingsError

VERSION = 1
SAVE_EVERY = 1.0


class ResyncState:
    """What was found by the first pass, and how far each segment of the second one has come.

    path: '' = nowhere, as for a dry run. parameters: a state of other parameters is not taken up. show: examples to keep of
    each state. Keys of segments are in boto form, others in JSON form.
    """

    def __init__(
        self, path: str, parameters: dict[str, Any], show: int = 10, clock: Callable[[], float] = time.time
    ) -> None:
        self.path, self._show, self._clock, self._lock = path, show, clock, threading.Lock()
        self._saved_at = 0.0
        self._identity = {"version": VERSION, "parameters": json.loads(json.dumps(parameters))}
        self._content: dict[str, Any] = self._identity | {"counts": {}, "examples": {}}

    def take_up(self) -> bool:
        """Go on with what the file says. False where there is none, or one of other parameters."""
        if not self.path or not os.path.exists(self.path):
            return False
        try:
            with open(self.path, encoding="utf-8") as file:
                content = json.load(file)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"The state of an earlier resync in {self.path} cannot be read ({error}): give restart=true to begin anew."
            ) from error
        if not isinstance(content, dict) or any(content.get(name) != self._identity[name] for name in self._identity):
            return False
        self._content = content
        return True

    def begin(self, buckets: dict[str, list[int]], items: dict[str, int], segments: int) -> None:
        """Note the first pass: for each side the buckets to look at and its items."""
        unread = {side: [{"done": not buckets[side], "key": None} for _segment in range(segments)] for side in buckets}
        self._content |= {"started": self._clock(), "buckets": buckets, "items": items, "segments": unread}
        self.save()

    @property
    def started(self) -> float:
        return self._content["started"]

    @property
    def buckets(self) -> dict[str, list[int]]:
        return self._content["buckets"]

    @property
    def items(self) -> dict[str, int]:
        return self._content["items"]

    @property
    def counts(self) -> dict[str, int]:
        return self._content["counts"]

    @property
    def examples(self) -> list[dict[str, Any]]:
        return [example for known in self._content["examples"].values() for example in known][: self._show]

    def note(self, example: dict[str, Any] | None = None, **counts: int) -> None:
        """Add to the counts, and keep an example of each state while there are few."""
        with self._lock:
            for name, number in counts.items():
                self.counts[name] = self.counts.get(name, 0) + number
            if example is not None:
                known = self._content["examples"].setdefault(example["state"], [])
                if len(known) < self._show:
                    known.append(example)

    def start_key(self, side: str, segment: int) -> dict[str, Any] | None:
        """Where the segment goes on; None: at its beginning."""
        key = self._content["segments"][side][segment]["key"]
        return key and to_boto(key)

    def is_done(self, side: str, segment: int) -> bool:
        return self._content["segments"][side][segment]["done"]

    def segments_done(self, side: str) -> int:
        return sum(segment["done"] for segment in self._content["segments"][side])

    def reached(self, side: str, segment: int, key: dict[str, Any] | None) -> None:
        """The segment is settled up to this key; None: to its end."""
        with self._lock:
            place = {"done": not key, "key": key and to_json(key)}
            self._content["segments"][side][segment] = place
            if self._clock() - self._saved_at >= SAVE_EVERY:
                self._write()

    def save(self) -> None:
        with self._lock:
            self._write()

    def remove(self) -> None:
        """The resync has come to its end: nothing is left of the file, nor of directories that it alone was in."""
        if not self.path:
            return
        with suppress(OSError):
            os.unlink(self.path)
            directory = os.path.dirname(self.path)
            os.rmdir(directory)
            os.rmdir(os.path.dirname(directory))

    def _write(self) -> None:
        if not self.path:
            return
        beside = f"{self.path}.new"
        try:
            os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump(self._content, file, separators=(",", ":"))
            os.replace(beside, self.path)
        except OSError as error:
            raise SettingsError(
                f"The state of the resync cannot be written to {self.path} ({error.strerror}): "
                "give another directory with resync_state_dir."
            ) from error
        self._saved_at = self._clock()
