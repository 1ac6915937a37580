# SPDX-License-Identifier: GPL-3.0-or-later
"""How both sides stand, for the role status: the work is in module_utils/dynabridge/status.py."""

import time
from pathlib import Path

import ansible.module_utils

# Ansible hands the kit to modules; a filter finds it where it lies.
KIT = str(Path(__file__).resolve().parents[2] / "module_utils")
if KIT not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(KIT)

from ansible.module_utils.dynabridge import status, status_screen  # noqa: E402  after the path
from ansible.module_utils.dynabridge.status_facts import Facts  # noqa: E402


def document(facts, now=None):
    """facts: of each side, as status_facts.Facts has them."""
    return status.status([Facts(**one) for one in facts], time.time() if now is None else now)


def screen(found):
    """The document, for people."""
    return "\n".join(status_screen.screen(found))


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"dynabridge_status": document, "dynabridge_status_screen": screen}
