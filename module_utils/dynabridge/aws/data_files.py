# SPDX-License-Identifier: MIT
"""Data files of a full export, written as their lines come: compressed in a thread, sent in parts, in bounded memory."""

from __future__ import annotations

import gzip
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from ..errors import BackupError
from ..exports import GZIP, md5_of, new_md5, spelled
from ..merged_set import MergedFile
from .objects import Objects
from .uploads import PART, UNDER_WAY, Upload

BLOCK = 1 << 20  # bytes of text that are compressed at a time; zlib releases Python's lock for them
BLOCKS_WAITING = 8
FILE_BYTES = 96 << 20  # compressed
MOST_FILES = 50_000  # that ImportTable takes
MOST_PARTS = 10_000
EMPTY = gzip.compress(b"", mtime=0)  # what DynamoDB writes for a file without lines


class DataFiles:
    """``with DataFiles(...) as files: files.write(line)``. Files lie at ``<prefix>NNNNN.json.gz``.

    ``files``: those that are written, complete after the block. ``expected``: bytes that they may take together, which decides
    how large each becomes. After an error the one that was being written is not there. ``written``: called with each.
    """

    def __init__(
        self,
        objects: Objects,
        prefix: str,
        level: int = 1,
        kms_key: str = "",
        expected: int = 0,
        file_bytes: int = FILE_BYTES,
        part_bytes: int = PART,
        written: Callable[[MergedFile], None] = lambda file: None,
    ) -> None:
        self.objects, self.prefix, self.text_bytes = objects, prefix, 0
        self.files: list[MergedFile] = []
        self._level, self._kms_key, self._written = level, kms_key, written
        self._file_bytes = max(file_bytes, 2 * expected // MOST_FILES)
        self._part_bytes = max(part_bytes, 2 * self._file_bytes // MOST_PARTS)
        self._lines: list[bytes] = []
        self._size = 0
        self._waiting: deque[Future] = deque()
        self._squeezer = ThreadPoolExecutor(1)
        self._senders = ThreadPoolExecutor(UNDER_WAY)
        self._file: _File | None = None

    def __enter__(self) -> DataFiles:
        return self

    def write(self, line: bytes) -> None:
        """A line with its newline. Waits while too much is waiting to be compressed."""
        self._lines.append(line)
        self._size += len(line)
        if self._size >= BLOCK:
            self._hand_over()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._end()
        finally:
            for waiting in self._waiting:
                waiting.cancel()
            self._squeezer.shutdown()
            if self._file:  # not finished
                self._file.upload.abort()
            self._senders.shutdown()

    def _end(self) -> None:
        self._hand_over()
        while self._waiting:
            self._waiting.popleft().result()
        if self._file or not self.files:
            self._squeezer.submit(self._finish_file).result()

    def _hand_over(self) -> None:
        while len(self._waiting) >= BLOCKS_WAITING:
            self._waiting.popleft().result()
        if self._lines:
            self._waiting.append(self._squeezer.submit(self._squeeze, b"".join(self._lines), len(self._lines)))
        self._lines, self._size = [], 0

    def _squeeze(self, text: bytes, items: int) -> None:
        self.text_bytes += len(text)
        file = self._open_file()
        file.take(text, items)
        if file.upload.size >= self._file_bytes:
            self._finish_file()

    def _open_file(self) -> _File:
        if self._file is None:
            if len(self.files) >= MOST_FILES:
                raise BackupError(f"more than {MOST_FILES:,} files under {self.prefix}: ImportTable takes no more")
            key = f"{self.prefix}{len(self.files):05d}.json.gz"
            upload = Upload(self.objects, key, self._senders, self._kms_key, self._part_bytes)
            self._file = _File(upload, self._level)
        return self._file

    def _finish_file(self) -> None:
        file = self._open_file().finish()
        self._file = None
        self.files.append(file)
        self._written(file)


class _File:
    """One data file on its way."""

    def __init__(self, upload: Upload, level: int) -> None:
        self.upload, self.items = upload, 0
        self._gzip, self._md5 = zlib.compressobj(level, zlib.DEFLATED, GZIP), new_md5()

    def take(self, text: bytes, items: int) -> None:
        self.items += items
        self._send(self._gzip.compress(text))

    def finish(self) -> MergedFile:
        self._send(self._gzip.flush())
        self.upload.finish()
        return MergedFile(self.upload.key, self.items, spelled(self._md5), self.upload.size)

    def _send(self, squeezed: bytes) -> None:
        self._md5.update(squeezed)
        self.upload.write(squeezed)


def empty_file(objects: Objects, key: str) -> MergedFile:
    """Make an object that is there a data file without lines: nobody may delete in the bucket."""
    objects.put(key, EMPTY, "application/gzip")
    return MergedFile(key, 0, md5_of(EMPTY), len(EMPTY))
