# SPDX-License-Identifier: MIT
"""Figures as people read them."""

from __future__ import annotations


def size_text(size: float) -> str:
    """``1.5 MB``, of a number of bytes."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} TB"
