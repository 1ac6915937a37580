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
    return BackupSettings(
        tables=named_tables(env, "BACKUP_TABLES", "backup"),
        prefix=required(env, "BACKUP_PREFIX").strip("/"),
        **bucket_settings(env),
    )


def named_tables(env: Mapping[str, str], name: str, tag: str) -> tuple[str, ...]:
    """The tables that a variable names. Raises SettingsError where there is none; ``tag``: what of deploy.yml sets it."""
    tables = tuple(filter(None, (table.strip() for table in required(env, name).split(","))))
    if not tables:
        raise SettingsError(f"environment variable {name} names no table: run deploy.yml --tags {tag} for this side")
    return tables


def bucket_settings(env: Mapping[str, str]) -> dict[str, str]:
    """What every function that works in the backup bucket runs by."""
    return {
        "side": required(env, "SIDE"),
        "bucket": required(env, "BACKUP_BUCKET"),
        "bucket_region": required(env, "BACKUP_BUCKET_REGION"),
        "owner": env.get("BACKUP_BUCKET_OWNER", ""),
        "kms_key": env.get("BACKUP_KMS_KEY_ARN", ""),
        "namespace": env.get("METRIC_NAMESPACE") or "DDB-Backup",
    }
