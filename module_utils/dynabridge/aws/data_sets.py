# SPDX-License-Identifier: MIT
"""What a table is restored from: the data files of a verified full backup, or those of a merged set, known to be whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..backup_layout import FAILURE, SUCCESS
from ..catalogue import VERIFIED
from ..errors import RestoreError
from ..exports import DataFile, read_time
from ..restore_layout import DATA, MERGED
from ..restore_plan import Plan
from ..verification import read_manifests
from .objects import Listed, Objects

BASE, MERGED_SET = "base", "merged"
SHOWN = 3


@dataclass(frozen=True)
class DataSet:
    """``prefix``: all objects under it, and no others, are the ``files``. Empty files: what they are is not read yet."""

    prefix: str
    listed: tuple[Listed, ...]
    items: int
    files: tuple[DataFile, ...] = ()

    @property
    def stored_bytes(self) -> int:
        return sum(found.size for found in self.listed)


def check_verified(objects: Objects, plan: Plan) -> None:
    """Raises RestoreError unless the full backup counts: by the plan, and by what lies beside it now."""
    folder = plan.base.folder
    where = f"the full backup s3://{objects.bucket}/{folder}"
    if plan.base.state != VERIFIED:
        raise RestoreError(f"{where} is {plan.base.state}: only a verified backup is restored. See backup_status.yml")
    good, bad = objects.get_json(folder + SUCCESS), objects.get_json(folder + FAILURE)
    if not _is_later(good, bad):
        said = "has been found damaged since" if bad else "has no verdict (_SUCCESS) any more"
        raise RestoreError(f"{where} {said}: plan anew, or verify it with backup.yml -e action=verify")


def base_set(objects: Objects, plan: Plan) -> DataSet:
    """The full backup by its listing; its manifest may have to be retrieved first. Raises RestoreError when it is empty."""
    prefix = plan.base.folder + DATA
    listed = tuple(objects.list(prefix))
    if not listed:
        raise RestoreError(
            f"s3://{objects.bucket}/{prefix} holds nothing: an import of it would end with an empty table. The backup's "
            "data files are gone; take another backup"
        )
    return DataSet(prefix, listed, plan.base.items)


def with_files(objects: Objects, plan: Plan, data: DataSet) -> DataSet:
    """With the data files of the manifest, which have to be what is listed."""
    files = tuple(read_manifests(objects, plan.base.folder).files)
    return checked(objects, DataSet(data.prefix, data.listed, sum(file.items for file in files), files))


def merged_set(objects: Objects, plan: Plan, folder: str) -> DataSet:
    """The merged set of a run's ``folder``. Raises RestoreError when there is none, or it is not this plan's."""
    where = f"s3://{objects.bucket}/{folder}{MERGED}"
    document = objects.get_json(folder + MERGED)
    if not document:  # an empty one: a merge is under way, or was interrupted
        raise RestoreError(
            f"{where} is not there: the merge has not been done, or not to its end. Run it (again) first"
        )
    try:
        if document["plan"] != plan.id:
            raise RestoreError(f"{where} is of plan {document['plan']}, not of {plan.id}: merge for this plan first")
        files = tuple(DataFile(file["key"], int(file["items"]), file["md5"]) for file in document["files"])
        items = int(document["items"])
    except (KeyError, TypeError, ValueError) as error:
        raise RestoreError(f"{where} cannot be read ({error!r}): merge again") from error
    return checked(objects, DataSet(folder + DATA, tuple(objects.list(folder + DATA)), items, files))


def checked(objects: Objects, data: DataSet) -> DataSet:
    """The set. Raises RestoreError where files are missing, others lie beside them, or the numbers do not add up."""
    known, there = {file.key for file in data.files}, {found.key for found in data.listed}
    where = f"s3://{objects.bucket}/{data.prefix}"
    if known - there:
        raise RestoreError(f"{where} lacks {_some(known - there)}: nothing can be restored from it")
    if there - known:
        raise RestoreError(
            f"{where} holds {_some(there - known)}, which its manifest does not name: an import takes everything that lies "
            "there. Give another target_table for a run of its own"
        )
    counted = sum(file.items for file in data.files)
    if counted != data.items:
        raise RestoreError(f"{where}: the files hold {counted:,} items, said were {data.items:,}")
    return data


def _is_later(good: Any, bad: Any) -> bool:
    try:
        return bool(good) and (not bad or read_time(good["checked_at"]) >= read_time(bad["checked_at"]))
    except (KeyError, TypeError, ValueError):
        return False


def _some(keys: Iterable[str]) -> str:
    keys = sorted(keys)
    more = f" and {len(keys) - SHOWN:,} more" if len(keys) > SHOWN else ""
    return ", ".join(key.rpartition("/")[2] for key in keys[:SHOWN]) + more
