# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test or a drill may set by environment: AWS takes minutes where this machine takes a second."""

import os

MAX_WINDOW_SECONDS = 24 * 3600
TOKEN_VALID_SECONDS = 8 * 3600
LISTED_SECONDS = 90 * 24 * 3600
ITEMS_PER_FILE = 2500
LEAST_INCREMENTAL_BILL_BYTES = 10_000_000


def export_seconds() -> float:
    """How long an export stays IN_PROGRESS (AWS: 2 to 12 minutes)."""
    return float(os.environ.get("LOCAL_AWS_EXPORT_SECONDS", "1.0"))


def min_window_seconds() -> float:
    """The shortest window of an incremental export."""
    return float(os.environ.get("LOCAL_AWS_EXPORT_MIN_WINDOW", "900"))


def recovery_lag_seconds() -> float:
    """How far LatestRestorableDateTime, and with it the latest explicit ExportTime, is behind the clock."""
    return float(os.environ.get("LOCAL_AWS_PITR_LAG", "300"))
