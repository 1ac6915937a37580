# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace with a cable to this machine: the proxy stands at its far end, clients and servers at the near one."""

import contextlib
import ipaddress
import itertools
import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

# For tests of network devices (RFC 2544): routed nowhere, and not private, so that a proxy need not make an exception of it.
NETWORKS = ipaddress.ip_network("198.18.0.0/15")
SIZE = 28  # 14 addresses

_numbers = itertools.count()


@dataclass(frozen=True)
class Network:
    """Addresses of the near end are this machine's; ``proxy`` is the only one of the namespace, which has no way out."""

    namespace: str
    proxy: str
    client: str  # what the kernel chooses for connections to the proxy
    stranger: str
    servers: tuple[str, ...]

    def inside(self, *command: str) -> list[str]:
        """The command, to be run in the namespace."""
        return ["ip", "netns", "exec", self.namespace, *command]


@contextlib.contextmanager
def network():
    """The namespace and its cable, for the length of the block."""
    _sweep()
    mark = f"{os.getpid()}-{next(_numbers)}"
    namespace, near, far = f"dynabridge-{mark}", f"dbn{mark}", f"dbf{mark}"
    addresses = [str(address) for address in _free_network().hosts()]
    try:
        _ip("netns", "add", namespace)
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", namespace)
        for address in addresses[1:]:
            _ip("address", "add", f"{address}/{SIZE}", "dev", near)
        _ip("link", "set", near, "up")
        for command in (f"address add {addresses[0]}/{SIZE} dev {far}", f"link set {far} up", "link set lo up"):
            _ip("-n", namespace, *command.split())
        yield Network(namespace, addresses[0], addresses[1], addresses[2], tuple(addresses[3:]))
    finally:
        # With one end the kernel removes the other; the namespace lives on while a process is in it.
        subprocess.run(["ip", "link", "delete", near], capture_output=True, check=False, timeout=30)
        subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False, timeout=30)


def _sweep() -> None:
    """Take away what a test left that was killed: with the namespace its end of the cable goes, and so the other one."""
    for line in _ip("netns", "list").splitlines():
        if (found := re.match(r"dynabridge-(\d+)-", line)) and not Path("/proc", found[1]).exists():
            namespace = line.split()[0]
            for pid in _ip("netns", "pids", namespace).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            _ip("netns", "delete", namespace)


def _free_network() -> ipaddress.IPv4Network:
    """Another process may make its own at the same time: each begins to look at a place of its own."""
    taken = {
        ipaddress.ip_address(entry["local"])
        for device in json.loads(_ip("-json", "-4", "address", "show"))
        for entry in device["addr_info"]
    }
    networks = list(NETWORKS.subnets(new_prefix=SIZE))
    start = os.getpid() * 7 % len(networks)
    for candidate in networks[start:] + networks[:start]:
        if not any(address in candidate for address in taken):
            return candidate
    raise RuntimeError(f"no network of {NETWORKS} is free on this machine")


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
