# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for restores: which tables are meant, and plans and reports as people read them."""

from ansible.module_utils.dynabridge.restore_report import plan_lines


def restore_names(tables, wanted, side):
    """Real names, on this side, of the tables that are meant.

    By the name in dynabridge_tables or by the table's own; [] for one of another side, and for all where none is named.
    What the inventory does not know is taken as it is: it may have backups still.
    """
    if not wanted:
        return []
    for table in tables:
        names = table.get("names") or {}
        if wanted == names.get(side) or (wanted == table["name"] and side in names):
            return [names[side]]
        if wanted in names.values():
            return []
    return [wanted]


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_restore_names": restore_names,
            "dynabridge_restore_plan_lines": plan_lines,
        }
