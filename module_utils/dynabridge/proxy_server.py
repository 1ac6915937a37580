# SPDX-License-Identifier: MIT
"""The proxy that somebody names: one spelling of it, and a clear refusal of what cannot be one."""

from __future__ import annotations

from .errors import SettingsError
from .proxy import address, masked


def proxy_url(server: str, where: str) -> str:
    """``http://host:port`` of ``host:port`` or a URL. ``where``: the setting, for the sentence. Raises SettingsError.

    A proxy with a password is refused: it would stand in the function's environment and in playbooks' output for all to read.
    """
    if "@" in server:
        raise SettingsError(
            f"{where} has a name or a password before the @ of {masked(server)}, which would stand open in the function's"
            " environment and in logs: give host:port alone, and let the proxy admit its clients by their addresses, as the one"
            " of proxy.yml does"
        )
    try:
        address(server)
    except ValueError:
        raise SettingsError(f"{where} is '{server}': it must be host:port of a proxy, as 203.0.113.7:80") from None
    if "://" not in server:
        return f"http://{server}"
    if not server.startswith(("http://", "https://")):
        raise SettingsError(f"{where} is '{server}': a proxy is reached by http:// or https://")
    return server.rstrip("/")
