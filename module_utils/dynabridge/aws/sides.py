# SPDX-License-Identifier: MIT
"""Clients of modules that work on both sides at once: each side is a dict that tells how to reach it (arguments.REACHED)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

with suppress(ImportError):  # AnsibleAWSModule says what is missing
    import boto3
    from botocore.config import Config

from .proxies import tell, through

# Of a client whose few calls somebody waits for.
SOON = {"connect_timeout": 10, "read_timeout": 20, "retries": {"mode": "standard", "total_max_attempts": 4}}


def side_client(
    side: dict[str, Any],
    service: str,
    settings: dict[str, Any],
    *,
    region: str = "",
    credentials: dict[str, str] | None = None,
) -> Any:
    """A client of the side, through its own proxy if it has one. ``settings``: of botocore's Config.

    ``region``: another than the side's; ``credentials``: others than its profile's, as Session.client names them. Raises
    SettingsError for a proxy that is none, and botocore's errors for a profile or region that is none.
    """
    session = boto3.Session(profile_name=side["profile"] or None, region_name=side["region"] or None)
    client = session.client(
        service,
        region_name=region or None,
        endpoint_url=side["endpoint_url"] or None,
        config=Config(**settings, **through(side)),
        **(credentials or {}),
    )
    return tell(client)
