# SPDX-License-Identifier: MIT
"""Read the catalogue of a bucket: list it day by day, and read what each backup says of itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain

from ..backup_layout import Place, folder_of, place_of
from ..catalogue import UNVERIFIED, Backup, Found, bare_backup, judge
from ..errors import ArchivedObject
from ..exports import SUMMARY
from .objects import Objects

AT_ONCE = 16  # calls under way; the client needs as many connections


def read_catalogue(
    objects: Objects,
    prefix: str,
    tables: Collection[str] = (),
    since: str = "",
    until: str = "",
    choose: Callable[[Found], bool] = lambda found: True,
) -> list[Backup]:
    """The backups under the prefix, oldest first. ``tables``: only these; ``since``, ``until``: days (2026-11-21), inclusive.
    ``choose``: by the listing, which ones to read.

    One listing call for a thousand objects, and one or two small reads for each backup; what is held is one entry a backup.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        run = partial(_all, pool)
        days = [
            day for day in _days(objects, prefix, run) if (not since or day >= since) and (not until or day <= until)
        ]
        found = list(run(partial(_list_day, objects, prefix, tables), days))
        chosen = [entry for day in found for entry in day.items() if choose(entry[1])]
        backups = run(lambda entry: _read(objects, prefix, *entry), chosen)
        return sorted(backups, key=lambda backup: (backup.requested, backup.id))


def _all(pool: ThreadPoolExecutor, call: Callable, items: Iterable) -> list:
    return list(pool.map(call, items))


def _days(objects: Objects, prefix: str, run: Callable) -> list[str]:
    """The days that have anything."""
    folders = [f"{prefix}/"]
    for _part in ("year", "month", "day"):
        folders = list(chain.from_iterable(run(lambda folder: list(objects.folders(folder)), folders)))
    return ["-".join(folder.rstrip("/").split("/")[-3:]) for folder in folders]


def _list_day(objects: Objects, prefix: str, tables: Collection[str], day: str) -> dict[Place, Found]:
    top = f"{prefix}/{day.replace('-', '/')}/"
    found: dict[Place, Found] = {}
    for folder in [f"{top}{table}/" for table in tables] or [top]:
        for listed in objects.list(folder):
            place = place_of(prefix, listed.key)
            if place is not None and place.id:
                backup = found.setdefault(place._replace(name=""), Found())
                backup.take(place.name, listed.size, listed.storage_class)
    return found


def _read(objects: Objects, prefix: str, place: Place, found: Found) -> Backup:
    folder = folder_of(prefix, place.day, place.table, place.id)
    try:
        documents = {
            name: objects.get(folder + name) if name == SUMMARY else objects.get_json(folder + name)
            for name in found.telling()
        }
    except ArchivedObject as error:  # one that cannot be read hides none of the others
        return replace(bare_backup(objects.bucket, prefix, place), state=UNVERIFIED, reason=str(error))
    return judge(objects.bucket, prefix, place, found, documents)
