# SPDX-License-Identifier: MIT
"""A directory of a run's own, for what does not fit into memory. What a killed run left in it, the next one clears away."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import SettingsError


@contextmanager
def workspace(name: str, parent: str = "") -> Iterator[Path]:
    """``<parent>/dynabridge-<name>``, empty, and gone afterwards. ``parent``: '' for the system's temporary directory.

    Raises SettingsError where it cannot be made, and where another run of the same name is at work.
    """
    path = Path(parent or tempfile.gettempdir()) / f"dynabridge-{name}"
    lock = _locked(path)
    try:
        for left in path.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _locked(path: Path) -> int:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise SettingsError(f"{path} cannot be made ({error.strerror}): give another directory") from error
    try:
        if os.fstat(lock).st_uid != os.getuid():
            raise SettingsError(f"{path} belongs to somebody else: give another directory")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise SettingsError(f"another run is at work in {path}: it does the same, wait for its end") from error
    except BaseException:
        os.close(lock)
        raise
    return lock
