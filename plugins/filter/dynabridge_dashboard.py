# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard of a side, for its role: the work is in module_utils/dynabridge/dashboard.py."""

from pathlib import Path

import ansible.module_utils

# Ansible hands the kit to modules; a filter finds it where it lies.
KIT = str(Path(__file__).resolve().parents[2] / "module_utils")
if KIT not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(KIT)

from ansible.module_utils.dynabridge import dashboard  # noqa: E402  after the path


def dashboard_body(place):
    """The body for what roles/dashboard/vars/main.yml says of a side."""
    return dashboard.dashboard(dashboard.Place(**place))


class FilterModule:
    def filters(self):
        return {"dynabridge_dashboard": dashboard_body}
