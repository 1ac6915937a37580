# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tools.reference`` writes docs/reference; with ``--check`` it only says whether that is current."""

import sys
from pathlib import Path

from . import modules, playbooks, roles

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "docs" / "reference"
NOTE = "<!-- Written by `make reference`. Do not edit. -->"
PAGES = {"playbooks.md": playbooks.page, "roles.md": roles.page, "modules.md": modules.page}


def texts() -> dict[Path, str]:
    """What the pages should be."""
    return {FOLDER / name: "\n".join([NOTE, "", *page(REPOSITORY), ""]) for name, page in PAGES.items()}


def stale() -> list[str]:
    """Names of the pages that are not what they should be."""
    return [path.name for path, text in texts().items() if not path.is_file() or path.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        names = stale()
        if names:
            print(f"docs/reference is not current ({', '.join(names)}): run `make reference`.", file=sys.stderr)
        return 1 if names else 0
    if arguments:
        print("tools.reference: give nothing, or --check.", file=sys.stderr)
        return 2
    FOLDER.mkdir(exist_ok=True)
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
