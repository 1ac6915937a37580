# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports, made up. ``page``: what makes their files, found where Ansible finds it."""

import ansible.module_utils

from tests.local_pair import REPOSITORY

if str(REPOSITORY / "module_utils") not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(str(REPOSITORY / "module_utils"))

from ansible.module_utils.dynabridge_report import page

__all__ = ["page"]
