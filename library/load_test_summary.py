# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module of the role load_test: what came of one direction of a load test."""

from __future__ import annotations

DOCUMENTATION = r"""
module: load_test_summary
short_description: Set what was loaded on one side against what was replicated on the other
version_added: 0.1.0
description:
  - Computes throughput and lag of one direction of replication from the results of C(dynamodb_load) on the writing side and
    of C(replication_progress) on the receiving side.
  - Talks to nobody.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  direction:
    description: Name of the direction.
    type: str
    required: true
  loaded:
    description: Result of C(dynamodb_load).
    type: dict
    required: true
  replicated:
    description: Result of C(replication_progress).
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Sum up one direction
  load_test_summary:
    direction: cn-north-1 -> ap-southeast-1
    loaded: "{{ load }}"
    replicated: "{{ arrived }}"
  register: summary
"""

RETURN = r"""
seconds:
  description: From the beginning of the load to the last change that arrived.
  returned: always
  type: float
items_per_second:
  description: Changes that arrived a second, over that time.
  returned: always
  type: float
lag_p50:
  description: Seconds from write to arrival, median over the changes. Null where none arrived.
  returned: always
  type: float
lag_p99:
  description: Likewise, the 99th percentile.
  returned: always
  type: float
header:
  description: Header of the summary table.
  returned: always
  type: str
line:
  description: This direction's row of the summary table.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.dynabridge.curves import DIRECTION_HEADER, direction_line, lag_percentiles
from ansible.module_utils.dynabridge.load_report import timing

ARGUMENT_SPEC = {
    "direction": {"type": "str", "required": True},
    "loaded": {"type": "dict", "required": True},
    "replicated": {"type": "dict", "required": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    loaded, replicated = module.params["loaded"], module.params["replicated"]
    seconds, per_second = timing(loaded, replicated)
    lags = lag_percentiles(loaded["curve"], replicated["curve"], (50, 99))
    line = direction_line(module.params["direction"], loaded["loaded"], replicated["replicated"], seconds, lags)
    module.exit_json(
        changed=False,
        seconds=seconds,
        items_per_second=per_second,
        lag_p50=lags[50],
        lag_p99=lags[99],
        header=DIRECTION_HEADER,
        line=line,
    )


if __name__ == "__main__":
    main()
