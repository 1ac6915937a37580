# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback that loads filters before there are tasks."""

import subprocess
import sys

from tests.local_pair import REPOSITORY

# In a process of its own: what is loaded there stays loaded.
LOOK = """
from ansible.plugins.loader import callback_loader, filter_loader, init_plugin_loader
init_plugin_loader()
callback_loader.get("dynabridge_preload").v2_playbook_on_start(None)
sides = filter_loader.get("dynabridge_partition").j2_function
print(sides.__globals__["_resolver"].cache_info().currsize)
"""


def test_filters_and_the_list_of_regions_are_there_before_the_first_task(tmp_path):
    """GIVEN the callback of this project WHEN a playbook starts THEN filters are loaded and regions read, once."""
    environment = {"ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert run.stdout.split() == ["1"], run.stdout + run.stderr
