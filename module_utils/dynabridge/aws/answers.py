# SPDX-License-Identifier: MIT
"""What AWS answers, read in one place."""

from __future__ import annotations

from typing import Any


def error_code(error: Any) -> str:
    """The code of a botocore ClientError: ``AccessDeniedException``; '' where the answer has none."""
    return error.response.get("Error", {}).get("Code", "")
