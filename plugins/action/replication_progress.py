# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin: run the module of the same name and show its lines of progress while it waits.

A module cannot speak before it ends. So it appends lines to a file, and this plugin relays them; possible where module and
controller share a machine. Elsewhere the module runs without lines.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# Ansible hands the kit to modules; a plugin finds it where it lies.
KIT = str(Path(__file__).resolve().parents[2] / "module_utils")
if KIT not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(KIT)

from ansible.module_utils.dynabridge import progress  # noqa: E402  after the path
from ansible.module_utils.dynabridge.screen import Shown  # noqa: E402

LOOK_EVERY = 0.5


def relay(path: str, stop: threading.Event, show: Any) -> None:
    """Show each whole line that appears in the file, until told to stop and all is shown."""
    rest = ""
    with open(path, encoding="utf-8") as file:
        while True:
            stopping = stop.wait(LOOK_EVERY)
            *lines, rest = (rest + file.read()).split("\n")
            for line in lines:
                show(line)
            if stopping:
                return


class ActionModule(ActionBase):
    """Relays progress; everything else is the module's."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._connection.transport != "local" or arguments.get("progress_file"):
            return result | self._execute_module(module_args=arguments, task_vars=task_vars)
        handle, path = tempfile.mkstemp(prefix="dynabridge-progress-")
        os.close(handle)
        stop = threading.Event()
        shown = Shown(Display().display, progress.OUTPUT)
        relayer = threading.Thread(target=relay, args=(path, stop, shown.line), daemon=True)
        relayer.start()
        try:
            return result | self._execute_module(module_args=arguments | {"progress_file": path}, task_vars=task_vars)
        finally:
            stop.set()
            relayer.join()
            shown.close()
            os.unlink(path)
