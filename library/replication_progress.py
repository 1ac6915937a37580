# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: wait until a side's counter of replicated changes has grown as far as expected."""

from __future__ import annotations

DOCUMENTATION = r"""
module: replication_progress
short_description: Wait until a side has replicated the expected number of changes
version_added: 0.1.0
description:
  - Reads C(replicated_count) of a side's stats table, which counts the changes (puts, updates and deletes) that were
    written there for the peer, until it has grown by O(expected) since O(baseline).
  - Without O(expected) it reads the counter once and returns.
  - With connection local the action plugin of the same name shows a line of progress every other second.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  stats_table:
    description: The table that holds the counter.
    type: str
    default: replicator_stats
  counter:
    description: Value of the key C(PK) of the counter's row. A row that is not there counts as zero.
    type: str
    default: replicated_count
  expected:
    description: Changes to wait for. V(0) waits for nothing.
    type: int
    default: 0
  baseline:
    description: The counter before the changes were made. Read at the start when not given.
    type: int
  interval:
    description: Seconds between two readings.
    type: float
    default: 0.25
  timeout:
    description: Seconds to wait altogether.
    type: int
    default: 3600
  stall_timeout:
    description: Seconds to wait without any progress.
    type: int
    default: 60
  on_stall:
    description:
      - V(fail) fails when a timeout has passed. V(return) returns RV(complete=false) and the same sentence as RV(msg), for a
        caller that compares the tables anyway.
    type: str
    choices: [fail, return]
    default: fail
  label:
    description: What the lines of progress and messages call the side. The client's region when not given.
    type: str
attributes:
  check_mode:
    support: full
    description: Reads the counter once and does not wait, as nothing was loaded.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.progress
seealso:
  - module: dynamodb_load
"""

EXAMPLES = r"""
- name: Read the counter before the load
  replication_progress:
    stats_table: replicator_stats
  register: before

- name: Wait until the peer's 20,000 changes are here
  replication_progress:
    baseline: "{{ before.count }}"
    expected: 20000
"""

RETURN = r"""
count:
  description: The counter as it was read last.
  returned: always
  type: int
  sample: 20000
baseline:
  description: The counter before.
  returned: always
  type: int
  sample: 0
replicated:
  description: How far the counter grew.
  returned: always
  type: int
  sample: 20000
expected:
  description: How far it was expected to grow.
  returned: always
  type: int
  sample: 20000
complete:
  description: Whether it grew that far.
  returned: always
  type: bool
msg:
  description: What stands still, and what to look at.
  returned: when a timeout has passed
  type: str
started_at:
  description: When the waiting began, epoch seconds.
  returned: always
  type: float
ended_at:
  description: When the counter was last seen to grow, epoch seconds.
  returned: always
  type: float
seconds:
  description: From the beginning to the last growth.
  returned: always
  type: float
items_per_second:
  description: Replicated changes a second.
  returned: always
  type: float
curve:
  description: Replicated changes over time, pairs of epoch seconds and cumulative count, at most 500.
  returned: always
  type: list
  elements: list
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import PROGRESS, check_lowest
from ansible.module_utils.dynabridge.aws.answers import error_code
from ansible.module_utils.dynabridge.curves import progress_line, rate, thin
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **PROGRESS,
    "stats_table": {"type": "str", "default": "replicator_stats"},
    "counter": {"type": "str", "default": "replicated_count"},
    "expected": {"type": "int", "default": 0},
    "baseline": {"type": "int"},
    "interval": {"type": "float", "default": 0.25},
    "timeout": {"type": "int", "default": 3600},
    "stall_timeout": {"type": "int", "default": 60},
    "on_stall": {"type": "str", "choices": ["fail", "return"], "default": "fail"},
    "label": {"type": "str"},
}

CURVE_POINTS = 500
LINE_EVERY = 2.0


class Stalled(DynabridgeError):
    """The counter stands still, or time is up."""


@dataclass
class Progress:
    """How the counter grew. Times are epoch seconds; the curve begins with nothing at the start."""

    label: str
    baseline: int
    expected: int
    started: float
    count: int = 0
    curve: list[list[float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.count = self.baseline
        self.curve = [[self.started, 0]]

    def see(self, count: int, now: float) -> bool:
        """Note a reading; whether the counter grew."""
        if count <= self.count:
            return False
        self.count = count
        self.curve.append([now, self.replicated])
        return True

    @property
    def replicated(self) -> int:
        return self.count - self.baseline

    @property
    def complete(self) -> bool:
        return self.replicated >= self.expected

    @property
    def grew_at(self) -> float:
        return self.curve[-1][0]

    def result(self) -> dict[str, Any]:
        seconds = self.grew_at - self.started
        return {
            "count": self.count,
            "baseline": self.baseline,
            "replicated": self.replicated,
            "expected": self.expected,
            "complete": self.complete,
            "started_at": self.started,
            "ended_at": self.grew_at,
            "seconds": round(seconds, 3),
            "items_per_second": round(rate(self.replicated, seconds), 1),
            "curve": thin(self.curve, CURVE_POINTS),
        }


class Lines:
    """Lines of progress with the speed since the line before."""

    def __init__(self, path: str | None, every: float = LINE_EVERY) -> None:
        self.path, self.every = path, every
        self.at: float | None = None  # when the last line was shown
        self.replicated = 0

    def show(self, progress: Progress, now: float, last: bool = False) -> None:
        if self.path is None or (not last and self.at is not None and now - self.at < self.every):
            return
        seconds = now - (progress.started if self.at is None else self.at)
        speed = rate(progress.replicated - self.replicated, max(1.0, seconds))  # a moment's speed says nothing
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(progress_line(progress.label, progress.replicated, progress.expected, speed) + "\n")
        self.at, self.replicated = now, progress.replicated


def wait_for(
    read: Callable[[], int],
    progress: Progress,
    params: dict[str, Any],
    lines: Lines,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Read the counter until it has grown as expected. Raises Stalled with what to look at."""
    while True:
        grew = progress.see(read(), clock())
        now = clock()
        lines.show(progress, now, last=progress.complete)
        if progress.complete:
            return
        if not grew and now - progress.grew_at >= params["stall_timeout"]:
            raise Stalled(stall_message(progress, params, f"no progress for {params['stall_timeout']} s"))
        if now - progress.started >= params["timeout"]:
            raise Stalled(stall_message(progress, params, f"not done after {params['timeout']} s"))
        sleep(params["interval"])


def stall_message(progress: Progress, params: dict[str, Any], what: str) -> str:
    return (
        f"{progress.label}: {what}: replicated {progress.replicated:,} of {progress.expected:,} "
        f"({params['counter']} in table {params['stats_table']} went from {progress.baseline:,} to {progress.count:,}). "
        "Look at the log of the receiver function here and of the sender function at the peer, at the on-failure queues "
        "and the quarantine of both, and at the state of both event source mappings."
    )


def read_counter(client: Any, table: str, counter: str) -> int:
    """The counter as it is now. Raises SettingsError where the table is not there."""
    try:
        row = client.get_item(TableName=table, Key={"PK": {"S": counter}}, ConsistentRead=True).get("Item", {})
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise SettingsError(
            f"There is no table {table} in {client.meta.region_name}: deploy the side first."
        ) from error
    return int(row.get("cnt", {}).get("N", "0"))


def check(params: dict[str, Any]) -> None:
    check_lowest(params, expected=0, timeout=1, stall_timeout=1, interval=0.01)


def run(client: Any, params: dict[str, Any], label: str, check_mode: bool) -> dict[str, Any]:
    """Wait as the parameters say; the result to return, with ``msg`` where the wait was in vain."""
    check(params)

    def read() -> int:
        return read_counter(client, params["stats_table"], params["counter"])

    now_count = read()
    baseline = now_count if params["baseline"] is None else params["baseline"]
    progress = Progress(label, baseline, params["expected"], time.time())
    if check_mode or not params["expected"]:
        progress.see(now_count, time.time())
        return progress.result()
    try:
        wait_for(read, progress, params, Lines(params["progress_file"]))
    except Stalled as error:
        return progress.result() | {"msg": str(error)}
    return progress.result()


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    try:
        result = run(tell(module.client("dynamodb")), params, params["label"] or module.region, module.check_mode)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot read {params['counter']} of table {params['stats_table']}")
    if "msg" in result and params["on_stall"] == "fail":
        module.fail_json(changed=False, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
