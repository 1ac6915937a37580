# SPDX-License-Identifier: MIT
"""An object written piece by piece, in bounded memory; one that is not finished is never seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ..errors import BackupError
from .botocore_errors import BotoCoreError
from .objects import Objects

PART = 8 << 20  # bytes of a part; S3 takes none below 5 MB but the last, and 10,000 of them
UNDER_WAY = 3  # parts of an object that are sent at the same time
CHECKSUM = "CRC32"  # a bucket with Object Lock takes nothing without one


class Upload:
    """``write`` in pieces of any size, then ``finish``, or ``abort``. ``pool``: sends parts.

    What fits into one part is put at once. Raises BackupError.
    """

    def __init__(
        self, objects: Objects, key: str, pool: ThreadPoolExecutor, kms_key: str = "", part_bytes: int = PART
    ) -> None:
        self.objects, self.key, self.size = objects, key, 0
        self._pool, self._kms_key, self._part_bytes = pool, kms_key, part_bytes
        self._held = bytearray()
        self._id = ""
        self._sending: deque[Future] = deque()
        self._parts: list[dict[str, Any]] = []

    def write(self, piece: bytes) -> None:
        """Waits while too much is under way."""
        self._held += piece
        self.size += len(piece)
        while len(self._held) >= self._part_bytes:
            self._send(bytes(self._held[: self._part_bytes]))
            del self._held[: self._part_bytes]

    def finish(self) -> None:
        """The object is there when this returns."""
        if not self._id:
            self._ask("put_object", Body=bytes(self._held), ContentType="application/gzip", **self._told())
            return
        if self._held:
            self._send(bytes(self._held))
        self._settle(0)
        parts = sorted(self._parts, key=lambda part: part["PartNumber"])
        self._ask("complete_multipart_upload", UploadId=self._id, MultipartUpload={"Parts": parts})
        self._id = ""

    def abort(self) -> None:
        """Leave nothing behind: parts of an upload that is neither finished nor aborted are paid for and unseen."""
        for sent in self._sending:
            sent.cancel()
        for sent in self._sending:
            with suppress(Exception):  # what went wrong is being told already
                sent.result()
        if self._id:
            with suppress(BackupError):
                self._ask("abort_multipart_upload", UploadId=self._id)
            self._id = ""

    def _send(self, body: bytes) -> None:
        if not self._id:
            begun = self._ask("create_multipart_upload", ContentType="application/gzip", **self._told())
            self._id = begun["UploadId"]
        self._settle(UNDER_WAY - 1)
        self._sending.append(self._pool.submit(self._send_part, len(self._parts) + len(self._sending) + 1, body))

    def _settle(self, left: int) -> None:
        """Wait until no more than so many are under way."""
        while len(self._sending) > left:
            self._parts.append(self._sending.popleft().result())

    def _send_part(self, number: int, body: bytes) -> dict[str, Any]:
        part = {"PartNumber": number, "Body": body, "ChecksumAlgorithm": CHECKSUM}
        answer = self._ask("upload_part", UploadId=self._id, **part)
        found = {name: answer[name] for name in ("ETag", f"Checksum{CHECKSUM}") if name in answer}
        return {"PartNumber": number} | found

    def _told(self) -> Mapping[str, str]:
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._kms_key} if self._kms_key else {}
        return {"ChecksumAlgorithm": CHECKSUM, **encryption}

    def _ask(self, operation: str, **arguments: Any) -> Any:
        try:
            return self.objects.ask("written", operation, self.key, **arguments)
        except BotoCoreError as error:  # the connection broke
            raise BackupError(f"s3://{self.objects.bucket}/{self.key} cannot be written ({error})") from error
