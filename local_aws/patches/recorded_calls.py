# SPDX-License-Identifier: GPL-3.0-or-later
"""What callers ask of IAM is written down, for who wants to know which rights they need.

This stands for what AWS CloudTrail and IAM Access Analyzer's policy generation do for an account (IAM User Guide, "IAM Access
Analyzer policy generation"). LOCAL_AWS_RECORD_DIR names a directory; without it nothing is recorded. Its file `<side>.jsonl`
has a line for each principal, action and resource, once. Whoever moves the file away gets a new one, from the start.
"""

import json
import os
import threading
from pathlib import Path

from ministack.core import iam_actions, iam_evaluator

from ..sides import Side

VARIABLE = "LOCAL_AWS_RECORD_DIR"

_lock = threading.Lock()
_written: set[tuple[str, str, str]] = set()


def install(side: Side) -> None:
    if directory := os.environ.get(VARIABLE):
        _record_into(Path(directory) / f"{side.name}.jsonl")


def reset() -> None:
    _written.clear()


def _record_into(file: Path) -> None:
    emulator_enforce, emulator_action = iam_evaluator.enforce, iam_actions.extract_iam_action

    def enforce(access_key_id, iam_action, service, region, resource_arn="*", **more):
        _write(file, _principal(access_key_id), iam_action, resource_arn)
        return emulator_enforce(access_key_id, iam_action, service, region, resource_arn=resource_arn, **more)

    def action(service, method, path, *more):
        found = emulator_action(service, method, path, *more)
        if found is None:  # allowed to everybody here, and not on AWS
            _write(file, "anybody", f"{service}:unknown", f"{method} {path}")
        return found

    iam_evaluator.enforce = enforce
    iam_actions.extract_iam_action = action


def _principal(access_key_id: str) -> str:
    identity = iam_evaluator.resolve_caller_identity(access_key_id or "")
    return str((identity or {}).get("userArn", "unknown"))


def _write(file: Path, *call: str) -> None:
    with _lock:
        if not file.exists():
            _written.clear()
        if call in _written:
            return
        _written.add(call)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(dict(zip(("principal", "action", "resource"), call, strict=True))) + "\n")
