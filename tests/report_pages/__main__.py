# SPDX-License-Identifier: GPL-3.0-or-later
"""``PYTHONPATH=module_utils:. python -m tests.report_pages DIRECTORY``: made-up reports of each kind, to look at."""

import sys
from pathlib import Path

from tests.report_facts import FACTS
from tests.report_pages import page


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, (kind, facts) in FACTS.items():
        for file, content in page.files(page.DOCUMENTS[kind](facts()), name).items():
            (directory / file).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
