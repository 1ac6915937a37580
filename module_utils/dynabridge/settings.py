# SPDX-License-Identifier: MIT
"""The environment variables of the two functions, read once and checked.

The names are those of the source documents where these have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import SettingsError
from .history import Policy
from .proxy_server import proxy_url
from .stamps import StampNames
from .tombstones import RETENTION_DAYS
from .wire import LANES

# Seconds that a writer's clock may be ahead before its stamp is brought back; people's clocks are off by minutes.
MAX_CLOCK_SKEW = 900


@dataclass(frozen=True)
class Tombstones:
    """Where a side remembers deletes, and for how long."""

    table: str
    keep_seconds: float


@dataclass(frozen=True)
class SenderSettings:
    """What ``ddb_send_to_kinesis`` runs by. ``target_tables`` maps a table of this side to the peer's twin."""

    side: str
    region: str
    parameter_path: str
    target_region: str
    target_stream: str
    target_tables: Mapping[str, str]
    quarantine_bucket: str
    namespace: str
    names: StampNames
    proxies: Mapping[str, str]
    replicate_ttl_deletes: bool
    lanes: int
    managed_tables: frozenset[str]
    max_clock_skew: float
    tombstones: Tombstones

    def policy(self, table: str) -> Policy:
        """How records of a table of this side are judged."""
        return Policy(
            table,
            self.target_table(table),
            self.region,
            self.target_region,
            self.names,
            table in self.managed_tables,
            self.replicate_ttl_deletes,
            self.max_clock_skew,
        )

    def target_table(self, table: str) -> str:
        """The peer's twin of a table of this side."""
        twin = self.target_tables.get(table, self.target_tables.get("*"))
        if twin is None:
            raise SettingsError(f"TARGET_TABLE names no twin for table {table}: deploy again, or remove its mapping")
        return twin


@dataclass(frozen=True)
class ReceiverSettings:
    """What ``replicator_kinesis`` runs by. ``tables`` are those it may write to."""

    side: str
    tables: frozenset[str]
    stats_table: str
    quarantine_bucket: str
    namespace: str
    names: StampNames
    write_batch: int
    tombstones: Tombstones


def sender_settings(env: Mapping[str, str]) -> SenderSettings:
    """Read the sender's environment. Raises SettingsError naming the variable."""
    return SenderSettings(
        side=required(env, "SIDE"),
        region=required(env, "AWS_REGION"),
        parameter_path=required(env, "PARAMETER_STORE_PATH_PREFIX"),
        target_region=required(env, "TARGET_REGION"),
        target_stream=required(env, "TARGET_STREAM"),
        target_tables=_twins(required(env, "TARGET_TABLE")),
        quarantine_bucket=required(env, "QUARANTINE_BUCKET"),
        namespace=env.get("METRIC_NAMESPACE") or "DDB-Replicator",
        names=_stamp_names(env),
        proxies=_proxies(env),
        replicate_ttl_deletes=_switch(env, "REPLICATE_TTL_DELETES"),
        lanes=number(env, "WIRE_LANES", LANES, 1, 256),
        managed_tables=frozenset(filter(None, env.get("MANAGED_TABLES", "").split(","))),
        max_clock_skew=number(env, "MAX_CLOCK_SKEW_SECONDS", MAX_CLOCK_SKEW, 0, 86400),
        tombstones=_tombstones(env),
    )


def receiver_settings(env: Mapping[str, str]) -> ReceiverSettings:
    """Read the receiver's environment. Raises SettingsError naming the variable."""
    return ReceiverSettings(
        side=required(env, "SIDE"),
        tables=frozenset(required(env, "TARGET_TABLE").split(",")),
        stats_table=required(env, "STATS_TABLE"),
        quarantine_bucket=required(env, "QUARANTINE_BUCKET"),
        namespace=env.get("METRIC_NAMESPACE") or "DDB-Replicator",
        names=_stamp_names(env),
        write_batch=number(env, "WRITE_BATCH", 100, 1, 100),
        tombstones=_tombstones(env),
    )


def required(env: Mapping[str, str], name: str) -> str:
    """The variable's value. Raises SettingsError when it is missing or blank."""
    value = env.get(name, "").strip()
    if not value:
        raise SettingsError(f"environment variable {name} is missing: run deploy.yml for this side")
    return value


def _tombstones(env: Mapping[str, str]) -> Tombstones:
    days = number(env, "TOMBSTONE_DAYS", RETENTION_DAYS, 1, 3650)
    return Tombstones(required(env, "TOMBSTONES_TABLE"), days * 86400.0)


def _stamp_names(env: Mapping[str, str]) -> StampNames:
    default = StampNames()
    return StampNames(
        env.get("TIMESTAMP_ATTRIBUTE") or default.timestamp, env.get("REGION_ATTRIBUTE") or default.region
    )


def _twins(text: str) -> dict[str, str]:
    """``user-sg`` (the only table) or ``user-cn=user-sg,orders-cn=orders-sg``."""
    if "=" not in text:
        return {"*": text}
    return dict(pair.split("=", 1) for pair in text.split(","))


def _switch(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "FALSE").strip().upper() or "FALSE"
    if value not in ("TRUE", "FALSE"):
        raise SettingsError(f"environment variable {name} is {value!r}: it must be TRUE or FALSE")
    return value == "TRUE"


def number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """The variable's value, or the default. Raises SettingsError when it is no number of the range."""
    text: Any = env.get(name, "").strip() or default
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise SettingsError(f"environment variable {name} is {text!r}: it must be a number from {low} to {high}")
    return value


def _proxies(env: Mapping[str, str]) -> dict[str, str]:
    """botocore picks the entry by the endpoint's scheme; the proxy itself is reached by http unless it says https."""
    if not _switch(env, "USE_PROXY"):
        return {}
    url = proxy_url(required(env, "PROXY_SERVER"), "environment variable PROXY_SERVER")
    return {"http": url, "https": url}
