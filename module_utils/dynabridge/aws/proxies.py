# SPDX-License-Identifier: MIT
"""Clients that go through a proxy, and say in one sentence when it is the proxy that refused or is down."""

from __future__ import annotations

import urllib.request
from typing import Any
from urllib.parse import urlsplit

from ..proxy import explain
from ..proxy_server import proxy_url
from .botocore_errors import NoConnection

WHY = "This host goes through it because of proxy in dynabridge_aws_sides, or of HTTPS_PROXY"


class ProxyFailure(NoConnection):
    """In place of botocore's error, which does not tell one failure of a proxy from the other."""

    fmt = "{error}"


def through(side: dict[str, Any]) -> dict[str, Any]:
    """For a Config: the side's own proxy, or nothing, which leaves it to the environment. Raises SettingsError."""
    if not side.get("proxy"):
        return {}
    url = proxy_url(side["proxy"], "proxy")
    return {"proxies": {"http": url, "https": url}}


def tell(client: Any) -> Any:
    """The client, whose calls now say what went wrong at the proxy that it uses, if any."""
    proxy = proxy_of(client) if hasattr(getattr(client, "meta", None), "config") else ""
    if proxy:

        def say(exception: Exception, **_more: Any) -> None:
            said = explain(exception, proxy, target_of(client))
            if said:
                raise ProxyFailure(error=f"{said}. {WHY}") from exception

        client.meta.events.register("after-call-error", say)
    return client


def proxy_of(client: Any) -> str:
    """What the client goes through; '' when it goes straight."""
    endpoint = urlsplit(client.meta.endpoint_url)
    if client.meta.config.proxies is not None:
        return client.meta.config.proxies.get(endpoint.scheme, "")
    if urllib.request.proxy_bypass(endpoint.hostname):
        return ""
    return urllib.request.getproxies().get(endpoint.scheme, "")


def target_of(client: Any) -> str:
    """``host:port`` that the client asks for."""
    endpoint = urlsplit(client.meta.endpoint_url)
    return f"{endpoint.hostname}:{endpoint.port or (443 if endpoint.scheme == 'https' else 80)}"
