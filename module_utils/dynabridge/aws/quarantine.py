# SPDX-License-Identifier: MIT
"""The quarantine: records that cannot be read or applied are kept whole on S3, and their shard goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass
class Quarantine:
    """Keeps records of one function in its side's bucket. ``kept``: the keys written since ``begin``."""

    s3: Any
    bucket: str
    side: str
    function: str
    kept: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """A new batch."""
        self.kept = []

    def answer(self, event: dict[str, Any], failures: list[dict[str, str]]) -> dict[str, Any]:
        """The partial batch response; a replay is told what went back to the quarantine as well."""
        return {"batchItemFailures": failures} | ({"kept": self.kept} if event.get("replay") else {})

    def keep(self, record: Any, reason: str, source_arn: str, sequence_number: str, arrived: float) -> str:
        """Store ``record`` with the reason; gives the object's key.

        The key follows from the record, so a second delivery writes the same object.
        """
        source = source_arn.rsplit(":", 1)[-1].replace("/", "-") or "unknown"
        day = datetime.fromtimestamp(arrived, UTC).strftime("%Y/%m/%d")
        key = f"quarantine/{self.function}/{day}/{source}/{sequence_number}.json"
        body = {
            "version": 1,
            "side": self.side,
            "function": self.function,
            "reason": reason,
            "source": source_arn,
            "sequence_number": sequence_number,
            "arrived": arrived,
            "record": record,
        }
        self.s3.put_object(
            Bucket=self.bucket, Key=key, Body=json.dumps(body, default=str).encode(), ContentType="application/json"
        )
        self.kept.append(key)
        return key
