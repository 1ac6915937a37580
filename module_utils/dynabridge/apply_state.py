# SPDX-License-Identifier: MIT
"""How far the changes of a plan have been applied to a table, and the log of it: two files beside each other.

``apply_changes_<table>.state.json`` is there while something is left to do, and ``apply_changes_<table>_<time>.log`` stays.
A run that goes on writes to the log of the run that it goes on from.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from .errors import SettingsError

VERSION = 1


class ApplyState:
    """``next``: the first part that is not settled. ``counts``: of what was settled before it. ``log``: path of the log."""

    def __init__(self, directory: str, table: str, clock: Callable[[], float] = time.time) -> None:
        self.path = os.path.join(directory, f"apply_changes_{table}.state.json")
        stamp = datetime.fromtimestamp(clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        self.log = os.path.join(directory, f"apply_changes_{table}_{stamp}.log")
        self.next = 0
        self.counts: Counter[str] = Counter()
        self._run: dict[str, Any] = {}
        self._parts = ""
        self._kept: dict[str, Any] = {}

    def take_up(self, run: dict[str, Any]) -> dict[str, Any] | None:
        """Go on with what an earlier run left, if it was the same: then its log goes on, too.

        ``run``: plan, table and mode. Gives those of a run of others that did not come to its end.
        """
        self._run = {"version": VERSION, **run}
        try:
            with open(self.path, encoding="utf-8") as file:
                kept = json.load(file)
            if kept["run"] != self._run:
                return kept["run"]
            log, _known = os.path.basename(kept["log"]), (int(kept["next"]), Counter(kept["counts"]), kept["parts"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"The state of an earlier run in {self.path} cannot be read ({error!r}): give resume=false to begin anew"
            ) from error
        self._kept, self.log = kept, os.path.join(os.path.dirname(self.path), log)
        return None

    def anew(self, run: dict[str, Any]) -> None:
        """Whatever an earlier run left."""
        self._run = {"version": VERSION, **run}

    def begin(self, parts: str) -> bool:
        """Whether an earlier run is gone on with. ``parts``: names how the items are divided; other parts begin anew."""
        self._parts = parts
        resumed = self._kept.get("parts") == parts
        if resumed:
            self.next, self.counts = self._kept["next"], Counter(self._kept["counts"])
        self.save()
        return resumed

    def reached(self, following: int, counts: Counter[str]) -> None:
        """Everything before part ``following`` is settled."""
        self.next, self.counts = following, Counter(counts)
        self.save()

    def save(self) -> None:
        content = {
            "run": self._run,
            "parts": self._parts,
            "next": self.next,
            "counts": self.counts,
            "log": os.path.basename(self.log),
        }
        beside = f"{self.path}.new"
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump(content, file)
            os.replace(beside, self.path)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def remove(self) -> None:
        """Everything is applied."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)


class ApplyLog:
    """Lines with the time before them, appended. Names keys and numbers, never what is in an item."""

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock, self._lock = path, clock, threading.Lock()
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._file = open(  # noqa: SIM115 - it lives as long as the run
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8", buffering=1
            )
        except OSError as error:
            raise cannot_write(path, error) from error

    def line(self, text: str) -> None:
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        try:
            with self._lock:
                self._file.write(f"{at} {text}\n")
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def close(self) -> None:
        self._file.close()


def cannot_write(path: str, error: OSError) -> SettingsError:
    """The sentence to raise."""
    return SettingsError(
        f"{path} cannot be written ({error.strerror}): log and state of a run lie in log_dir, give another one"
    )
