# SPDX-License-Identifier: MIT
"""The environment variables of the backup function, read once and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import SettingsError
from .settings import required


@dataclass(frozen=True)
class BackupSettings:
    """What ``DynamoDBBackupFunction`` runs by. ``kms_key``: '' for AES256; ``owner``: '' for the function's own account."""

    side: str
    tables: tuple[str, ...]
    bucket: str
    bucket_region: str
    owner: str
    prefix: str
    kms_key: str
    namespace: str


def backup_settings(env: Mapping[str, str]) -> BackupSettings:
    """Read the function's environment. Raises SettingsError naming the variable."""
    tables = tuple(filter(None, (name.strip() for name in required(env, "BACKUP_TABLES").split(","))))
    if not tables:
        raise SettingsError(
            "environment variable BACKUP_TABLES names no table: run deploy.yml --tags backup for this side"
        )
    return BackupSettings(
        side=required(env, "SIDE"),
        tables=tables,
        bucket=required(env, "BACKUP_BUCKET"),
        bucket_region=required(env, "BACKUP_BUCKET_REGION"),
        owner=env.get("BACKUP_BUCKET_OWNER", ""),
        prefix=required(env, "BACKUP_PREFIX").strip("/"),
        kms_key=env.get("BACKUP_KMS_KEY_ARN", ""),
        namespace=env.get("METRIC_NAMESPACE") or "DDB-Backup",
    )
