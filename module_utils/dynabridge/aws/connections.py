# SPDX-License-Identifier: MIT
"""What a module works with, by its parameters: those of arguments.PLACE, and ``bucket``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

with suppress(ImportError):  # AnsibleAWSModule says what is missing
    from botocore.config import Config

from .objects import Objects
from .session import MakeClient, client_maker


def patient(**more: Any) -> Config:
    """Of a client that is throttled for long before it gives up. ``more``: as max_pool_connections."""
    return Config(retries={"mode": "standard", "max_attempts": 10}, **more)


def bucket_objects(module: Any, *, make: MakeClient | None = None, bucket: str = "", **more: Any) -> Objects:
    """The module's bucket, under its role. ``make``: where the module has one already; ``bucket``: another than its own."""
    params = module.params
    s3 = (make or client_maker(module))("s3", region=params["bucket_region"] or module.region, **more)
    return Objects(s3, bucket or params["bucket"], params["bucket_owner"])
