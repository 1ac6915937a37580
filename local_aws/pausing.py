# SPDX-License-Identifier: GPL-3.0-or-later
"""A side that does not answer, and goes on later with all it had: its processes are held by the kernel (SIGSTOP).

To its callers it is a side whose network is gone: connections are taken up by nobody, and run into their timeouts. What they
had sent before may still be carried out when it goes on, as in a real outage.
"""

import os
import signal
from contextlib import suppress

from . import ownership
from .errors import LauncherError
from .state import StateDirectory


def pause(directory: StateDirectory, side: str) -> None:
    """Hold the side's server, then its Lambda workers: in this order no new ones begin."""
    server = directory.read_state().get(side, {}).get("pid")
    if server not in _pids(directory, side):
        raise LauncherError(f"Side {side} is not running: start it with `python -m local_aws up`.")
    os.kill(server, signal.SIGSTOP)
    _send(directory, side, signal.SIGSTOP)


def resume(directory: StateDirectory, side: str) -> None:
    """Let the side go on."""
    _send(directory, side, signal.SIGCONT)


def _send(directory: StateDirectory, side: str, number: int) -> None:
    for pid in _pids(directory, side):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _pids(directory: StateDirectory, side: str) -> set[int]:
    return ownership.owned_pids(directory.read_launcher().get("tokens", {}).get(side, ""))
