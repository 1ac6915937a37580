# SPDX-License-Identifier: MIT
"""The environment variables of the function that captures changes, read once and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .backup_settings import bucket_settings, named_tables
from .settings import number, required
from .watermark import Pace

DAY = 86_400


@dataclass(frozen=True)
class CaptureSettings:
    """What ``stream_to_s3`` runs by. ``kms_key``: '' for the bucket's own; ``owner``: '' for the function's own account."""

    side: str
    function: str
    tables: tuple[str, ...]
    bucket: str
    bucket_region: str
    owner: str
    prefix: str
    kms_key: str
    quarantine_bucket: str
    queue: str
    namespace: str
    pace: Pace


def capture_settings(env: Mapping[str, str]) -> CaptureSettings:
    """Read the function's environment. Raises SettingsError naming the variable."""
    return CaptureSettings(
        **bucket_settings(env),
        function=required(env, "AWS_LAMBDA_FUNCTION_NAME"),
        tables=named_tables(env, "CAPTURE_TABLES", "change_capture"),
        prefix=required(env, "CAPTURE_PREFIX").strip("/"),
        quarantine_bucket=required(env, "QUARANTINE_BUCKET"),
        queue=required(env, "CAPTURE_QUEUE"),
        pace=Pace(
            margin=number(env, "CAPTURE_MARGIN_SECONDS", 120, 1, 3600),
            settle=number(env, "CAPTURE_SETTLE_SECONDS", 300, 1, 3600),
            keep=number(env, "CAPTURE_RETENTION_DAYS", 90, 1, 36500) * DAY,
        ),
    )
