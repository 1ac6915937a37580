# SPDX-License-Identifier: GPL-3.0-or-later
"""A world of its own around a real squid: who asks, who is asked, and names that mean nothing anywhere else."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from botocore.loaders import create_loader
from botocore.regions import EndpointResolver

from tests.proxy_world.authority import make_authority
from tests.proxy_world.network import Network, network
from tests.proxy_world.squid import Squid


def endpoint(service: str, region: str) -> str:
    """The host name that botocore would ask."""
    data = create_loader().load_data("endpoints")
    return EndpointResolver(data).construct_endpoint(service, region)["hostname"]


@dataclass(frozen=True)
class World:
    """``squid`` is up; ``bundle`` is what clients trust, ``certificate`` what servers show (both PEM files)."""

    network: Network
    squid: Squid
    bundle: Path
    certificate: Path


@contextlib.contextmanager
def proxy_world(names: dict[str, int | str], allowed: dict) -> Iterator[World]:
    """names: host name -> one of the network's servers by number, or an address. allowed: what passes, in variables of the role
    squid_proxy."""
    # Not pytest's folder: squid gives root up, and must get through to its own.
    directory = Path(tempfile.mkdtemp(prefix="dynabridge-proxy-"))
    directory.chmod(0o755)
    try:
        with network() as cable:
            squid = Squid(cable, directory)
            known = {name: cable.servers[to] if isinstance(to, int) else to for name, to in names.items()}
            squid.prepare(known, allowed)
            bundle, certificate = make_authority(directory, list(names))
            try:
                squid.start()
                yield World(cable, squid, bundle, certificate)
            finally:
                squid.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
