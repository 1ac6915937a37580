# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for how backups stand and what they cost. The reckoning is the kit's."""

import time
from pathlib import Path

import ansible.module_utils
from ansible.errors import AnsibleFilterError

# Ansible hands the kit to modules; a filter finds it where it lies.
KIT = str(Path(__file__).resolve().parents[2] / "module_utils")
if KIT not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(KIT)

from ansible.module_utils.dynabridge import backup_cost, backup_report, backup_screen  # noqa: E402  after the path
from ansible.module_utils.dynabridge.catalogue import backup_from  # noqa: E402
from ansible.module_utils.dynabridge.errors import DynabridgeError  # noqa: E402


def cost(sizes, prices, lifecycle, expiration_days, backups_per_month=30, compression=1.0):
    """A month of daily full backups. sizes: GB of one table, or of several by name. Gives the tables and their total."""
    tables = sizes if isinstance(sizes, dict) else {"table": sizes}
    try:
        costs = {
            name: backup_cost.estimate(
                float(size), prices, lifecycle, int(expiration_days), float(backups_per_month), float(compression)
            )
            for name, size in tables.items()
        }
        total = backup_cost.together(costs.values(), prices)
    except (DynabridgeError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"the cost of backups cannot be reckoned: {error}") from error
    return {
        "currency": prices.get("currency", ""),
        "tables": {name: one.as_dict() for name, one in costs.items()},
        "total": total.as_dict(),
    }


def limits(tables, side, hours, only=""):
    """The side's tables that are to be backed up, each with the hours that its last backup may be old."""
    return {
        table["names"][side]: _hours(table, hours)
        for table in tables
        if table.get("backup", False) and only in ("", table["name"], table["names"][side])
    }


def _hours(table, default):
    given = table.get("backup_max_age_hours", default)
    try:
        hours = float(given)
    except (TypeError, ValueError):
        hours = 0.0
    if not 0 < hours < float("inf"):
        raise AnsibleFilterError(
            f"table {table['name']}: its last backup may be {given!r} hours old, which is no number above 0."
            " Correct backup_max_age_hours of the table, or dynabridge_backup_max_age_hours."
        )
    return hours


def report(backups, settings, now=None):
    """How one side's backups stand. backups: as dynamodb_backup_info gives them; settings: see backup_report."""
    against = backup_report.Settings(**settings, now=time.time() if now is None else now)
    return backup_report.report(map(backup_from, backups), against)


def screen(reports):
    """The reports of both sides, for people."""
    return "\n".join(backup_screen.screen(reports))


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_backup_cost": cost,
            "dynabridge_backup_limits": limits,
            "dynabridge_backup_report": report,
            "dynabridge_backup_screen": screen,
        }
