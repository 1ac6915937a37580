# SPDX-License-Identifier: MIT
"""A plan made into a merged data set on S3: the items of its moment, ready for one import."""

from __future__ import annotations

import errno
import gc
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..change_lines import MICROS
from ..errors import BackupError, DamagedExport
from ..merge import Merged, merge
from ..merged_set import MergedFile, MergedSet, merged_set_from
from ..restore_layout import DATA, MERGED, folder_of, run_of
from ..restore_plan import Plan
from ..workspace import workspace
from .change_sources import Sources, ignore
from .data_files import DataFiles, empty_file
from .objects import Objects

MB = 1 << 20
BUDGET = 256 * MB
LEVEL = 1
# What lines of changes become in a file: of their text, some ten times what lies on S3, the old image is left out, and as much
# again may come of the base.
SPILLED = 10
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
COLLECT_AFTER = (
    50_000  # objects made; by itself Python looks for cycles after 700, which here takes an eighth of the time
)


@dataclass(frozen=True)
class Merging:
    """``target_table`` names the run. ``directory``: for what does not fit into ``budget`` bytes, '' for the system's own.

    ``sources``: makes what the plan is read by. Raises BackupError and DamagedExport; what was written does not count then.
    """

    objects: Objects
    plan: Plan
    target_table: str
    directory: str = ""
    budget: int = BUDGET
    level: int = LEVEL
    kms_key: str = ""
    tell: Callable[[str], None] = ignore
    sources: Callable[..., Sources] = Sources
    file_bytes: int = 0

    @property
    def run(self) -> str:
        return run_of(self.target_table, self.plan.id)

    @property
    def folder(self) -> str:
        return folder_of(self.run)

    @property
    def change_bytes(self) -> int:
        """Of changes, as they lie on S3."""
        return sum(window.stored_bytes for window in self.plan.windows) + (self.plan.log.bytes if self.plan.log else 0)

    @property
    def may_spill(self) -> int:
        """Bytes that may have to be written to the directory; 0 where all changes fit into memory."""
        text = self.change_bytes * SPILLED
        return text if text > self.budget else 0

    def done(self) -> MergedSet | None:
        """The set that an earlier run made of this plan, if all of it is there."""
        try:
            found = merged_set_from(self.objects.get_json(self.folder + MERGED))
        except (KeyError, TypeError, ValueError):  # none, or not one that can be read: merged anew
            return None
        if found.plan != self.plan.id:
            return None
        return found if self._lying() == {file.key: file.bytes for file in found.files} else None

    def merge(self) -> MergedSet:
        """Make the set anew. Its document is written last, and without that the set does not count."""
        started = time.monotonic()
        if self.objects.get(self.folder + MERGED) is not None:
            self.objects.put_json(self.folder + MERGED, {})  # it speaks of files that are about to be written over
        with workspace(f"merge-{self.run}", self.directory) as directory, _rare_collections():
            self._check_space(directory)
            try:
                merged = self._merge(directory, started)
            except OSError as error:
                if error.errno not in DISK_FULL:
                    raise
                raise BackupError(self._disk_full(directory)) from error
        self.objects.put_json(self.folder + MERGED, merged.as_dict())
        self.tell(f"{self.plan.table}: merged set of {merged.items:,} items in {self.folder}")
        return merged

    def _merge(self, directory: Path, started: float) -> MergedSet:
        sources = self.sources(self.objects, self.plan, self.tell)
        states = sources.last_states(directory, self.budget)
        read = time.monotonic()
        self.tell(f"{self.plan.table}: {states.changes:,} changes read{', in files' if states.spilled else ''}")
        counts = Merged()
        files, text_bytes = self._write(merge(sources.base_lines(), states, counts))
        self._check_base(counts)
        ended = time.monotonic()
        return MergedSet(
            plan=self.plan.id,
            table=self.plan.table,
            moment=self.plan.moment,
            base=self.plan.base.folder,
            items=counts.items,
            changes=states.changes,
            counts={"kept": counts.kept, "replaced": counts.replaced, "removed": counts.removed, "added": counts.added},
            last_change=states.newest / MICROS if states.changes else None,
            files=tuple(files),
            uncompressed_bytes=text_bytes,
            seconds=round(ended - started, 3),
            phases={"changes": round(read - started, 3), "base": round(ended - read, 3)},
        )

    def _write(self, lines: Iterable[bytes]) -> tuple[list[MergedFile], int]:
        """The files that the lines went to, and the bytes of their text."""
        sized = {"file_bytes": self.file_bytes} if self.file_bytes else {}
        expected = self.plan.base.stored_bytes + self.change_bytes
        target = DataFiles(
            self.objects, self.folder + DATA, self.level, self.kms_key, expected, written=self._tell_file, **sized
        )
        with target as files:
            write = files.write
            for line in lines:
                write(line)
        return self._alone(files.files), files.text_bytes

    def _alone(self, files: list[MergedFile]) -> list[MergedFile]:
        """All that lies there, since an import takes all: what an earlier attempt left beyond these is emptied."""
        mine = {file.key for file in files}
        files = files + [empty_file(self.objects, key) for key in self._lying() if key not in mine]
        if self._lying() != {file.key: file.bytes for file in files}:
            raise BackupError(
                f"s3://{self.objects.bucket}/{self.folder}{DATA} does not hold what was written there: "
                "does another run merge the same at the same time?"
            )
        return files

    def _tell_file(self, file: MergedFile) -> None:
        self.tell(f"{self.plan.table}: {file.key} written, {file.items:,} items")

    def _lying(self) -> dict[str, int]:
        return {listed.key: listed.size for listed in self.objects.list(self.folder + DATA)}

    def _check_base(self, counts: Merged) -> None:
        base = self.plan.base
        read = counts.kept + counts.replaced + counts.removed
        if read != base.items:
            raise DamagedExport(
                f"s3://{self.objects.bucket}/{base.folder} holds {read:,} items, and {base.items:,} were verified: "
                "verify the backup again (backup.yml -e action=verify)"
            )

    def _check_space(self, directory: Path) -> None:
        free = shutil.disk_usage(directory).free
        if self.may_spill > free:
            raise BackupError(
                f"{directory} may need {self.may_spill / MB:,.0f} MB for changes that do not fit into memory, and has "
                f"{free / MB:,.0f} MB: name another directory, or raise budget_mb above {self.may_spill // MB:,}"
            )

    def _disk_full(self, directory: Path) -> str:
        return (
            f"disk full: {directory} cannot hold the changes that do not fit into memory, which may take "
            f"{self.change_bytes * SPILLED / MB:,.0f} MB; what was written there is removed. Name another directory, or raise "
            "budget_mb"
        )


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Millions of lines are parsed, none of which makes a cycle."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
