# SPDX-License-Identifier: MIT
"""Lines of progress of a module, for its action plugin to show while it works."""

from __future__ import annotations

from collections.abc import Callable


def teller(path: str | None) -> Callable[[str], None]:
    """Appends lines to the file; without one they go nowhere."""

    def tell(line: str) -> None:
        if path:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    return tell
