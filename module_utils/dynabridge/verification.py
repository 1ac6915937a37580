# SPDX-License-Identifier: MIT
"""Whether an export on S3 is whole: its manifests and their checksums, every data file's checksum and lines, the counts.

Files are streamed, several at a time, and what is found is kept from one run to the next: a function that runs out of time
goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from .errors import DamagedExport
from .exports import (
    FILES,
    SUMMARY,
    DataFile,
    Summary,
    checksum_names,
    inflate,
    md5_of,
    new_md5,
    read_files,
    read_summary,
    spelled,
)

PROBLEMS_KEPT = 20
AT_ONCE = 4  # files; a gunzip and an MD5 release Python's lock


class Source(Protocol):
    """Where objects are read from."""

    def get(self, key: str) -> bytes | None:
        """A small object; None when it is not there."""

    def stream(self, key: str) -> Iterable[bytes]:
        """A large one. Raises DamagedExport when it is not there, and another BackupError when it may not be read."""


@dataclass
class Progress:
    """What a verification has found so far. ``files``: data files that were looked at, in the manifest's order."""

    manifest: str = ""  # checksum of manifest-files.json: another one means another export
    files: int = 0
    items: int = 0
    stored_bytes: int = 0
    text_bytes: int = 0
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)

    def blame(self, problem: str) -> None:
        """Keep the first problems, and count all."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(problem)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Manifests:
    """An export's manifests, which agree with their checksums."""

    summary: Summary
    files: list[DataFile]
    checksum: str


class OutOfTime(Exception):
    """The verification has to go on later, from ``progress``."""

    def __init__(self, progress: Progress):
        super().__init__(f"{progress.files} files so far")
        self.progress = progress


def read_manifests(source: Source, folder: str) -> Manifests:
    """Both manifests of the export in ``folder``. Raises DamagedExport naming the first that is missing or wrong."""
    summary = read_summary(_sealed(source, folder, SUMMARY))
    body = _sealed(source, folder, FILES)
    return Manifests(summary, _where_they_lie(read_files(body), summary, folder), md5_of(body))


def verify(
    source: Source,
    folder: str,
    progress: Progress | None = None,
    until: float = float("inf"),
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Summary, Progress]:
    """Look at the whole export in ``folder``; it is whole when the progress names no problem.

    Raises DamagedExport when a manifest is missing or wrong, OutOfTime when ``clock`` passes ``until``.
    """
    manifests = read_manifests(source, folder)
    if progress is None or progress.manifest != manifests.checksum:
        progress = Progress(manifests.checksum)
    for file, looked in _look_at_all(source, manifests.files[progress.files :]):
        _note(progress, file, looked)
        if clock() > until and progress.files < len(manifests.files):
            raise OutOfTime(progress)
    _compare_counts(progress, manifests)
    return manifests.summary, progress


@dataclass(frozen=True)
class Looked:
    """What a data file turned out to hold."""

    md5: str = ""
    items: int = 0
    stored_bytes: int = 0
    text_bytes: int = 0
    problem: str = ""


def look_at(source: Source, file: DataFile) -> Looked:
    """Read a data file once: checksum, lines, sizes."""
    digest, sizes = new_md5(), [0]

    def watched() -> Iterator[bytes]:
        for chunk in source.stream(file.key):
            digest.update(chunk)
            sizes[0] += len(chunk)
            yield chunk

    items = text_bytes = 0
    last = b"\n"
    try:
        for text in inflate(watched()):
            items += text.count(b"\n")
            text_bytes += len(text)
            last = text[-1:]
    except DamagedExport as error:
        return Looked(problem=f"{file.key} {error}")
    return Looked(spelled(digest), items + (last != b"\n"), sizes[0], text_bytes)


def _sealed(source: Source, folder: str, manifest: str) -> bytes:
    body = source.get(folder + manifest)
    if body is None:
        raise DamagedExport(f"{folder}{manifest} is missing")
    seals = [seal for name in checksum_names(manifest) if (seal := source.get(folder + name)) is not None]
    if not seals:
        raise DamagedExport(f"the checksum of {folder}{manifest} is missing ({' or '.join(checksum_names(manifest))})")
    if any(seal.strip().decode(errors="replace") != md5_of(body) for seal in seals):
        raise DamagedExport(f"{folder}{manifest} does not match its checksum")
    return body


def _where_they_lie(files: list[DataFile], summary: Summary, folder: str) -> list[DataFile]:
    """Manifests name keys as they were written; a backup may have been copied to another bucket or prefix since."""
    written, found = _above(summary.files_key), _above(folder.rstrip("/"))
    if written == found:
        return files
    return [replace(file, key=found + file.key.removeprefix(written)) for file in files]


def _above(key: str) -> str:
    """``.../AWSDynamoDB`` of the folder itself, or of something in it."""
    return key[: key.rindex("AWSDynamoDB") + len("AWSDynamoDB")] if "AWSDynamoDB" in key else key


def _look_at_all(source: Source, files: list[DataFile]) -> Iterator[tuple[DataFile, Looked]]:
    """In the manifest's order, so that a number of files says how far it got; a few at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(files), AT_ONCE):
            some = files[start : start + AT_ONCE]
            yield from zip(some, pool.map(lambda file: look_at(source, file), some), strict=True)


def _note(progress: Progress, file: DataFile, looked: Looked) -> None:
    progress.files += 1
    progress.items += looked.items
    progress.stored_bytes += looked.stored_bytes
    progress.text_bytes += looked.text_bytes
    if looked.problem:
        progress.blame(looked.problem)
    elif looked.md5 != file.md5:
        progress.blame(f"{file.key} does not match its checksum")
    elif looked.items != file.items:
        progress.blame(f"{file.key} holds {looked.items:,} items, its manifest says {file.items:,}")


def _compare_counts(progress: Progress, manifests: Manifests) -> None:
    listed = sum(file.items for file in manifests.files)
    if listed != manifests.summary.items:
        progress.blame(f"{SUMMARY} says {manifests.summary.items:,} items, the files of {FILES} hold {listed:,}")


def restored_progress(document: Mapping[str, Any] | None) -> Progress | None:
    """Of ``as_dict``; None for nothing, or for what is none."""
    try:
        return Progress(**document) if document else None
    except TypeError:
        return None
