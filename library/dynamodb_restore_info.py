# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: how DynamoDB tables would be brought back as they were at a moment."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_restore_info
short_description: How DynamoDB tables would be brought back as they were at a moment
version_added: 0.1.0
description:
  - Finds, for each table, the verified full backup, the incrementals and the stretch of the captured log that lead to a
    moment with every change, or says what would be missing.
  - Reads S3 alone, so it works when the region that was backed up is gone.
  - A moment is an instant, and everything written strictly before it counts. Captured changes have whole seconds.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  date:
    description:
      - A day of UTC (V(2025-10-26), V(2025/10/26)), which is that day's last verified full backup; a time with its zone
        (V(2025-10-26T10:15:03Z)); or V(latest), which is all that there is.
    type: str
    default: latest
  tables:
    description: Names of the tables. Of all that have backups when empty.
    type: list
    elements: str
    default: []
  method:
    description:
      - V(merge) makes one set of the full backup and the changes, to be imported at once. V(apply) writes the changes to the
        table. V(full_only) leaves them out.
    type: str
    choices: [merge, apply, full_only]
    default: merge
  target_table:
    description: Name of the table to restore into, for one table. V(<table>-restored-<date>) when empty.
    type: str
    default: ''
  allow_gaps:
    description: Plan also where changes may be missing. RV(plans[].holes) says which.
    type: bool
    default: false
  changes_prefix:
    description: Captured changes lie under C(<changes_prefix>/<table>/).
    type: str
    default: changes
  clock_margin:
    description: Seconds by which the clock of an export may differ from that of a stream. AWS says up to a minute.
    type: float
    default: 60
  rates:
    description: MB of text a second by phase (C(merge), C(import), C(apply), C(verify)), for the estimate.
    type: dict
    default: {}
  prices:
    description: C(import) and C(retrieval) a GB in C(currency), for the estimate.
    type: dict
    default: {}
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.bucket
  - dynabridge.prefix
  - dynabridge.reads_only
"""

EXAMPLES = r"""
- name: See how a table would be brought back
  dynamodb_restore_info:
    date: 2026-11-20T10:15:03Z
    tables: [user-cn]
    bucket: dynabridge-backup-cn-123456789012
  register: found
"""

RETURN = r"""
plans:
  description: A plan for each table, which the other modules take.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: 8 hex digits, the same whenever the same is restored from the same objects.
      returned: always
      type: str
    table:
      description: Name of the table.
      returned: always
      type: str
    moment:
      description: Everything written strictly before it counts.
      returned: always
      type: str
    target_table:
      description: As O(target_table), or the name that it gets without one.
      returned: always
      type: str
    method:
      description: As O(method).
      returned: always
      type: str
    base:
      description: The full backup, as RV(dynamodb_backup_info#module:backups).
      returned: always
      type: dict
    windows:
      description: The incrementals, likewise, in their order.
      returned: always
      type: list
      elements: dict
    log:
      description: The stretch of the captured log, C(start), C(end), C(objects), C(bytes). None when there is none.
      returned: always
      type: dict
    holes:
      description: What may be missing, C(start), C(end), C(why). Empty unless O(allow_gaps).
      returned: always
      type: list
      elements: dict
    notes:
      description: What else to know of it, in sentences.
      returned: always
      type: list
      elements: str
    estimate:
      description: C(items), bytes, C(seconds) by phase and C(cost).
      returned: always
      type: dict
seconds:
  description: How long it took.
  returned: always
  type: float
planned_at:
  description: Epoch seconds at which the module began.
  returned: always
  type: float
"""

import time
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.catalogue import AT_ONCE
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects, patient
    from ansible.module_utils.dynabridge.aws.restore_planning import Planner
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import BUCKET, PREFIX
from ansible.module_utils.dynabridge.errors import BackupError, DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.moments import read_date
from ansible.module_utils.dynabridge.restore_estimate import estimate
from ansible.module_utils.dynabridge.restore_layout import target_of
from ansible.module_utils.dynabridge.restore_plan import METHODS
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **BUCKET,
    **PREFIX,
    "date": {"type": "str", "default": "latest"},
    "tables": {"type": "list", "elements": "str", "default": []},
    "method": {"type": "str", "choices": list(METHODS), "default": "merge"},
    "target_table": {"type": "str", "default": ""},
    "allow_gaps": {"type": "bool", "default": False},
    "changes_prefix": {"type": "str", "default": "changes"},
    "clock_margin": {"type": "float", "default": 60},
    "rates": {"type": "dict", "default": {}},
    "prices": {"type": "dict", "default": {}},
}


def connect(module: Any) -> Planner:
    params = module.params
    objects = bucket_objects(module, config=patient(max_pool_connections=AT_ONCE))
    return Planner(objects, params["prefix"].strip("/"), params["changes_prefix"].strip("/"), params["clock_margin"])


def look(planner: Planner, params: dict[str, Any], now: float) -> list[dict[str, Any]]:
    """The plans. Raises one error that names every table to which no way leads."""
    asked = read_date(params["date"], now)
    if params["clock_margin"] < 0:
        raise SettingsError(f"clock_margin is {params['clock_margin']}: it must be 0 or more seconds")
    plans, problems = [], []
    for table, backups in sorted(planner.catalogue(params["tables"], asked).items()):
        try:
            plan = planner.plan(table, backups, asked, params["method"], params["allow_gaps"])
        except BackupError as error:
            problems.append(str(error))
            continue
        target = params["target_table"] or target_of(table, plan.moment, asked.day)
        costs = estimate(plan, params["rates"], params["prices"])
        plans.append(plan.as_dict() | {"target_table": target, "estimate": costs})
    if problems:
        raise BackupError("\n".join(problems))
    return plans


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    began, started = time.time(), time.monotonic()
    try:
        plans = look(connect(module), module.params, began)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot read the backups of bucket {module.params['bucket']}")
    module.exit_json(changed=False, plans=plans, planned_at=began, seconds=round(time.monotonic() - started, 3))


if __name__ == "__main__":
    main()
