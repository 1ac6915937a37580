# SPDX-License-Identifier: GPL-3.0-or-later
"""A side's second door, by TLS: for tests of what lies between the sides, as a proxy that lets through https alone.

The names that are asked for are AWS's own. Who asks resolves them to the address given here, and trusts who signed the
certificate; both are the caller's to arrange.
"""

from dataclasses import dataclass, field
from pathlib import Path

from .errors import LauncherError

PORT = 443


@dataclass(frozen=True)
class Door:
    """Where a side listens, and the file with its certificate and key."""

    host: str
    port: int
    certificate: Path

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Doors:
    """The doors asked for, by side; mostly none."""

    by_side: dict[str, Door] = field(default_factory=dict)

    @classmethod
    def of(cls, addresses: dict[str, str | None], certificate: str | None) -> "Doors":
        """``addresses``: side -> ``HOST`` or ``HOST:PORT``. Raises LauncherError on what cannot be."""
        given = {side: address for side, address in addresses.items() if address}
        if not given:
            return cls()
        if not certificate or not Path(certificate).is_file():
            raise LauncherError(
                f"--tls-certificate is '{certificate or ''}', which is no file: give a PEM file with the certificate of "
                "the names that the sides are asked for, and its key."
            )
        return cls({side: _door(side, address, Path(certificate).absolute()) for side, address in given.items()})

    def get(self, side: str) -> Door | None:
        return self.by_side.get(side)


def _door(side: str, address: str, certificate: Path) -> Door:
    host, _colon, port = address.partition(":")
    if not host or not (port or str(PORT)).isdigit():
        raise LauncherError(f"--{side}-tls is '{address}': give an address of this machine, or ADDRESS:PORT.")
    return Door(host, int(port or PORT), certificate)
