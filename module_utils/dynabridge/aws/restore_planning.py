# SPDX-License-Identifier: MIT
"""Plans of restores, from the bucket alone: its catalogue, and the log of captured changes."""

from __future__ import annotations

from dataclasses import replace

from ..backup_layout import day_of, iso
from ..catalogue import Backup
from ..change_lines import MICROS, read_change
from ..change_log import object_of
from ..errors import BackupError, SettingsError
from ..exports import lines_of
from ..moments import Asked
from ..restore_plan import FULL_ONLY, METHODS, Lack, LogPart, Plan, named
from ..restore_route import CapturedLog, Route, check_holes, moment_of, recoverable, route_to
from ..watermark import key_of_watermark, watermark_from
from .catalogue import read_catalogue
from .change_sources import log_objects
from .objects import Objects

NEWEST_READ = 3  # objects of the last hour that are looked into for the newest record


class Planner:
    """``margin``: seconds by which an export's clock may differ from a stream's."""

    def __init__(self, objects: Objects, prefix: str, changes_prefix: str, margin: float) -> None:
        self.objects, self.prefix, self.changes_prefix, self.margin = objects, prefix, changes_prefix, margin

    def catalogue(self, tables: list[str], asked: Asked) -> dict[str, list[Backup]]:
        """Backups by table that the moment could need; of every table where none is named.

        Raises SettingsError for a table that has none.
        """
        until = asked.day or (day_of(asked.moment) if asked.moment is not None else "")
        found: dict[str, list[Backup]] = {}
        for backup in read_catalogue(self.objects, self.prefix, tables, until=until):
            found.setdefault(backup.table, []).append(backup)
        missing = [table for table in tables if table not in found]
        if missing:
            raise SettingsError(self._unknown(missing, until))
        if not found:
            raise SettingsError(
                f"bucket {self.objects.bucket} holds no backups under {self.prefix}/{f' up to {until}' if until else ''}"
            )
        return found

    def plan(self, table: str, backups: list[Backup], asked: Asked, method: str, allow_gaps: bool) -> Plan:
        """Raises BackupError, beginning with the table's name, where there is no way, or one with holes only."""
        if method not in METHODS:
            raise SettingsError(f"method is {method!r}: it must be {', '.join(METHODS)}")
        try:
            return self._plan(table, backups, asked, method, allow_gaps)
        except BackupError as error:
            raise BackupError(f"table {table} {error}") from error

    def _plan(self, table: str, backups: list[Backup], asked: Asked, method: str, allow_gaps: bool) -> Plan:
        log = None if asked.day else self.captured(table, asked.latest)
        moment = moment_of(asked, backups, log)
        if method == FULL_ONLY:
            route, notes = _full_only(route_to(moment, backups, None, self.margin), moment)
            moment = route.base.moment
        else:
            route, notes = _latest(route_to(moment, backups, log, self.margin), asked, log)
            check_holes(route, moment, recoverable(backups, log, self.margin), allow_gaps)
        return named(
            Plan(
                table,
                moment,
                method,
                self.objects.bucket,
                self.prefix,
                self.changes_prefix,
                route.base,
                route.windows,
                self._part(table, route, moment),
                route.holes,
                notes,
            )
        )

    def captured(self, table: str, newest: bool = False) -> CapturedLog | None:
        """What is known of the table's log, None without one. ``newest``: look for the newest record as well."""
        key = key_of_watermark(table, self.changes_prefix)
        document = self.objects.get_json(key)
        if document is None:
            return None
        try:
            mark = watermark_from(document)
        except (KeyError, TypeError, ValueError) as error:
            raise BackupError(f"has a log whose s3://{self.objects.bucket}/{key} cannot be read ({error!r})") from error
        holes = tuple(Lack(hole.start, hole.end, hole.why) for hole in mark.holes)
        return CapturedLog(mark.since, mark.until, holes, self._newest(table) if newest else 0)

    def _part(self, table: str, route: Route, moment: float) -> LogPart | None:
        if route.log_start is None:
            return None
        found = list(log_objects(self.objects, table, route.log_start, moment, self.changes_prefix))
        return LogPart(route.log_start, moment, len(found), sum(listed.size for listed in found))

    def _newest(self, table: str) -> float:
        """End of the second of the newest captured record; 0 without one."""
        folder = f"{self.changes_prefix}/{table}/"
        for _part in ("year", "month", "day", "hour"):
            inside = sorted(self.objects.folders(folder))
            if not inside:
                return 0
            folder = inside[-1]
        keys = sorted(listed.key for listed in self.objects.list(folder) if object_of(listed.key, self.changes_prefix))
        newest = 0
        for key in keys[-NEWEST_READ:]:
            for line in lines_of(self.objects.stream(key)):
                newest = max(newest, read_change(line).micros + MICROS)
        return newest / MICROS

    def _unknown(self, missing: list[str], until: str) -> str:
        known = sorted({backup.table for backup in read_catalogue(self.objects, self.prefix)})
        upto = f" up to {until}" if until and set(missing) & set(known) else ""
        return (
            f"bucket {self.objects.bucket} has no backup of {', '.join(missing)}{upto}; it has backups of "
            f"{', '.join(known) or 'no table'}: correct -e table="
        )


def _full_only(route: Route, moment: float) -> tuple[Route, tuple[str, ...]]:
    """Only the full backup: the changes after it are left out, and that is said."""
    notes: tuple[str, ...] = ()
    if route.base.moment < moment:
        notes = (f"only the full backup of {iso(route.base.moment)}: changes after it are left out, as was asked for",)
    return Route(route.base), notes


def _latest(route: Route, asked: Asked, log: CapturedLog | None) -> tuple[Route, tuple[str, ...]]:
    """The latest there is may lack what was on its way when the source was lost; that stops nobody, and is said."""
    if not asked.latest or log is None:
        return route, ()
    beyond = [hole for hole in route.holes if hole.start >= log.until]
    notes = tuple(
        f"changes from {iso(hole.start)} on are there up to {iso(hole.end)}, but may not be all: {hole.why}"
        for hole in beyond
    )
    return replace(route, holes=tuple(hole for hole in route.holes if hole not in beyond)), notes
