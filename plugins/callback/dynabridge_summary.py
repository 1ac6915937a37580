# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""After the recap: what changed on each side, how long it took, what to do next. It also tells tasks how to show progress."""

DOCUMENTATION = """
name: dynabridge_summary
type: aggregate
short_description: Sum a playbook up, and see to lines of progress
description:
  - After the recap a few lines say what changed on each side, how long it took and what to do next.
  - Where the output may be read by a program (another output plugin than those for people, or C(-e output=json)) it says
    nothing, and lines of progress go to stderr.
  - In a terminal lines of progress that count are a bar.
options:
  show:
    description: Whether there is a summary.
    type: bool
    default: true
    env:
      - name: DYNABRIDGE_SUMMARY
    ini:
      - section: dynabridge
        key: summary
"""

import os
import shutil
import sys
import time
from pathlib import Path

import ansible.module_utils
from ansible import constants, context
from ansible.plugins.callback import CallbackBase

# Ansible hands the kit to modules; a plugin finds it where it lies.
ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "module_utils") not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.dynabridge import progress
from ansible.module_utils.dynabridge.screen import ASIDE, output_for
from ansible.module_utils.dynabridge.summary import Run, inventories_of, lines, names_of


class CallbackModule(CallbackBase):
    """Speaks once, at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "dynabridge_summary"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.run = Run("", time.time())

    def v2_playbook_on_start(self, playbook):
        name = os.path.basename(playbook._file_name)
        self.run = Run(name, time.time(), check=bool(context.CLIARGS.get("check")))

    def v2_playbook_on_play_start(self, play):
        as_json = play.get_variable_manager().extra_vars.get("output") == "json"
        terminal = shutil.get_terminal_size()
        # The processes of tasks inherit it.
        progress.OUTPUT = output_for(
            constants.DEFAULT_STDOUT_CALLBACK,
            as_json,
            sys.stdout.isatty(),
            os.environ.get("TERM", ""),
            terminal.columns,
        )

    def v2_runner_on_ok(self, result):
        if result.is_changed():
            self.run.changed(result.host.get_name(), _part(result.task), names_of(result.result))

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self.run.failed[result.host.get_name()] = result.task.get_name()

    def v2_runner_on_unreachable(self, result):
        self.run.failed[result.host.get_name()] = "unreachable"

    def v2_playbook_on_stats(self, stats):
        if not self.get_option("show") or progress.OUTPUT.kind == ASIDE:
            return
        failed = sorted({*stats.failures, *stats.dark})
        page = f"docs/playbooks/{self.run.verb}.md"
        told = lines(
            self.run, time.time(), failed, inventories_of(sys.argv[1:]), page if (ROOT / page).exists() else ""
        )
        self._display.display("\n".join([*told, ""]))


def _part(task):
    return task._role.get_name() if task._role else task.get_name()
