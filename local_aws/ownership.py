# SPDX-License-Identifier: GPL-3.0-or-later
"""Which running processes are ours: a pid alone proves nothing, pids are recycled.

Every side carries a random token of its own in its environment, and so do the Lambda workers it starts,
because they inherit it. Where the system has no /proc, the token on the command line of the
two servers is looked for; their workers end by themselves when their pipe closes.
"""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

TOKEN_VARIABLE = "LOCAL_AWS_TOKEN"
PROC = Path("/proc")


def owned_pids(token: str) -> set[int]:
    """All living processes that carry the token."""
    if not token:
        return set()
    if (PROC / "self" / "environ").exists():
        return _pids_by_environment(token)
    return _pids_by_command_line(token)


def _pids_by_environment(token: str) -> set[int]:
    mark = f"{TOKEN_VARIABLE}={token}".encode()
    pids = set()
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            # A zombie's environment reads as empty, so it does not count as living.
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                pids.add(int(entry.name))
        except OSError:
            continue  # ended meanwhile, or another user's
    return pids


def _pids_by_command_line(token: str) -> set[int]:
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=False)
    lines = (line.split(None, 1) for line in listing.stdout.splitlines() if token in line)
    return {int(fields[0]) for fields in lines if int(fields[0]) != os.getpid()}


def stop(tokens: list[str], grace: float = 6.0) -> None:
    """Ask the servers to end, wait a bounded time, then kill whatever of ours is left."""
    for pid in _owned_by_any(tokens):
        if _leads_its_group(pid):  # the server; it ends its own workers
            _signal(pid, signal.SIGTERM)
    if _gone_within(tokens, grace):
        return
    for pid in _owned_by_any(tokens):
        _signal(pid, signal.SIGKILL)
    _gone_within(tokens, 2.0)


def _owned_by_any(tokens: list[str]) -> set[int]:
    return set().union(*(owned_pids(token) for token in tokens))


def _leads_its_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def _gone_within(tokens: list[str], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _owned_by_any(tokens):
        _reap()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _reap() -> None:
    """Collect our own ended children (when `up` fails, it is their parent)."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
