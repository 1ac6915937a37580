# SPDX-License-Identifier: GPL-3.0-or-later
"""A side's values, from the inventory."""

from pathlib import Path

import yaml

from .groups import REPOSITORY
from .resources import Place

VARIABLES = REPOSITORY / "inventories" / "group_vars" / "all"


def place_of(side: str, account: str) -> Place:
    sides = _read(VARIABLES / "sides.yml")["dynabridge_aws_sides"]
    tables = _read(VARIABLES / "tables.yml")["dynabridge_tables"]
    own = sides[side]
    return Place(
        side=side,
        peer=own["peer"],
        partition=own["partition"],
        region=own["region"],
        backup_region=_read(VARIABLES / "backup.yml")["dynabridge_backup_regions"][side],
        account=account,
        tables=tuple(table["names"][side] for table in tables),
    )


def _read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
