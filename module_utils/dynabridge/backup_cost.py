# SPDX-License-Identifier: MIT
"""What backups cost a month: an estimate for a table of some size, and the bill of the backups that are there.

A price table is of one side and one currency::

    {"currency": "USD", "export": 0.10, "transfer": 0.02, "function_month": 0.20,
     "storage": {"STANDARD": 0.023, "STANDARD_IA": 0.0125, "GLACIER": 0.004, "DEEP_ARCHIVE": 0.00099}}

``export`` and ``transfer`` are for a GB, ``storage`` for a GB and month, ``function_month`` for all that the function does.
A GB is 2**30 bytes, as AWS bills S3 ("100 GB (107,374,182,400 bytes)", Amazon S3 FAQs, Billing).
Not reckoned: requests, retrievals, the surcharges of the colder classes for small objects, noncurrent versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .catalogue import DAMAGED, UNVERIFIED, VERIFIED, Backup
from .errors import SettingsError
from .exports import INCREMENTAL
from .retention import STANDARD, Rules, classes_of

GB = 2**30
MONTH_DAYS = 30
MONTH = MONTH_DAYS * 86400
# DynamoDB bills an incremental export so many bytes at least.
INCREMENTAL_BYTES = 10_000_000


@dataclass(frozen=True)
class Cost:
    """The parts of a month's cost; ``storage`` by class."""

    export: float
    transfer: float
    storage: Mapping[str, float]
    function: float = 0.0

    @property
    def stored(self) -> float:
        return sum(self.storage.values())

    @property
    def total(self) -> float:
        return self.export + self.transfer + self.stored + self.function

    def as_dict(self) -> dict[str, Any]:
        """For JSON, in cents."""
        parts = {"export": self.export, "transfer": self.transfer, "stored": self.stored, "function": self.function}
        rounded = {name: round(amount, 2) for name, amount in (parts | {"total": self.total}).items()}
        return rounded | {"storage": {name: round(amount, 2) for name, amount in self.storage.items()}}


class Stay(NamedTuple):
    """Days that an object spends in a storage class."""

    storage_class: str
    days: int


def stays(lifecycle: Sequence[Mapping[str, Any]], expiration_days: int) -> list[Stay]:
    """How long a backup lies in each class. ``lifecycle``: ``[{"storage_class": ..., "days": since creation}]``."""
    moves = sorted((int(move["days"]), str(move["storage_class"])) for move in lifecycle)
    if expiration_days <= (moves[-1][0] if moves else 0):
        raise SettingsError(
            f"backups expire after {expiration_days} days: for an estimate that must be more than 0 and more than the days of "
            "the last move to another storage class. What never expires costs more every month"
        )
    begins = [(0, STANDARD), *moves]
    ends = [*(day for day, _class in moves), expiration_days]
    return [Stay(name, end - day) for (day, name), end in zip(begins, ends, strict=True) if end > day]


def estimate(
    gigabytes: float,
    prices: Mapping[str, Any],
    lifecycle: Sequence[Mapping[str, Any]],
    expiration_days: int,
    backups_per_month: float = MONTH_DAYS,
    compression: float = 1.0,
) -> Cost:
    """A month of full backups of a table, once the oldest of them expire.

    ``compression``: stored size by table size; only what is stored and sent is compressed, an export is billed by the table's
    size. It leaves the function out, which works for all tables: see ``together``.
    """
    if gigabytes < 0 or backups_per_month < 0 or not 0 < compression <= 1:
        raise SettingsError(
            f"size {gigabytes} GB, {backups_per_month} backups a month, compression {compression}: "
            "a size and a number are not below 0, compression is above 0 and at most 1"
        )
    exported = gigabytes * backups_per_month
    stored_a_day = exported * compression / MONTH_DAYS
    lying = [(stay.storage_class, stored_a_day * stay.days) for stay in stays(lifecycle, expiration_days)]
    return Cost(
        export=exported * price(prices, "export"),
        transfer=exported * compression * price(prices, "transfer"),
        storage=_sums((name, size * storage_price(prices, name)) for name, size in lying),
    )


def together(costs: Iterable[Cost], prices: Mapping[str, Any]) -> Cost:
    """All tables, and the function that backs them up."""
    costs = list(costs)
    return Cost(
        export=sum(cost.export for cost in costs),
        transfer=sum(cost.transfer for cost in costs),
        storage=_sums(entry for cost in costs for entry in cost.storage.items()),
        function=price(prices, "function_month"),
    )


def _sums(entries: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Amounts of the same name put together."""
    sums: dict[str, float] = {}
    for name, amount in entries:
        sums[name] = sums.get(name, 0) + amount
    return sums


def bill(backups: Iterable[Backup], prices: Mapping[str, Any], now: float, rules: Rules = ()) -> dict[str, Cost]:
    """By table: the exports of the last 30 days, what they sent, and a month of everything that is stored now."""
    tables: dict[str, list[Backup]] = {}
    for backup in backups:
        tables.setdefault(backup.table, []).append(backup)
    return {name: _bill(tables[name], prices, now, rules) for name in sorted(tables)}


def _bill(backups: Sequence[Backup], prices: Mapping[str, Any], now: float, rules: Rules) -> Cost:
    recent = [backup for backup in backups if now - MONTH < backup.requested <= now]
    stored = _sums(entry for backup in backups for entry in classes_of(backup, rules, now).items())
    return Cost(
        export=sum(map(_billed, recent)) / GB * price(prices, "export"),
        transfer=sum(backup.stored_bytes for backup in recent) / GB * price(prices, "transfer"),
        storage={name: size / GB * storage_price(prices, name) for name, size in sorted(stored.items())},
    )


def _billed(backup: Backup) -> int:
    """An export that has not ended, or failed, says no size."""
    ended = backup.state in (UNVERIFIED, VERIFIED, DAMAGED)
    return max(backup.billed_bytes, INCREMENTAL_BYTES) if ended and backup.kind == INCREMENTAL else backup.billed_bytes


def price(prices: Mapping[str, Any], name: str) -> float:
    """One price. Raises SettingsError naming what is missing."""
    return _number(prices, name, name)


def storage_price(prices: Mapping[str, Any], storage_class: str) -> float:
    """A GB and month of a storage class. Raises SettingsError naming the class."""
    return _number(prices.get("storage") or {}, storage_class, f"storage.{storage_class}")


def _number(prices: Mapping[str, Any], name: str, path: str) -> float:
    if name not in prices:
        raise SettingsError(
            f"dynabridge_backup_prices has no {path}: add the price for a GB in the region of the backups, from AWS's price page"
        )
    try:
        amount = float(prices[name])
    except (TypeError, ValueError):
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise SettingsError(f"dynabridge_backup_prices.{path} is {prices[name]!r}: it must be a number, 0 or more")
    return amount
