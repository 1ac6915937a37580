# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: make a table anew from a verified backup or a merged set, with everything that it had."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_restore
short_description: Restore a DynamoDB table from a backup, with everything that it had
version_added: 0.1.0
description:
  - Makes a new table by ImportTable from the data files of a verified full backup, or from a set that C(dynamodb_merge) has
    merged. A table with local indexes, which an import cannot make, is created and written.
  - What an import says of itself is checked. It has to be COMPLETED without errors, with as many items as the manifest says.
  - Then everything is set again that an import leaves out, from the schema saved with the backup. What cannot be set is
    returned in RV(left_out) and shown as a warning; it is never left out unseen.
  - Objects in Glacier classes are retrieved first.
  - A table that exists is never touched, unless this restore has made it. Run again, the module goes on where it was
    interrupted; its state lies in the bucket under C(restore/<target table>-<plan id>/).
  - Calls nothing of the region that was backed up.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  target_table:
    description: Name of the new table.
    type: str
    required: true
  source:
    description: V(merged) takes the merged set of the plan, V(base) the full backup alone, without any changes after it.
    type: str
    choices: [merged, base]
    default: merged
  fill:
    description:
      - V(import) by ImportTable, which takes no write capacity. V(write) by BatchWriteItem into an empty table. V(auto) imports
        unless the table has local indexes.
    type: str
    choices: [auto, import, write]
    default: auto
  kms_key_arn:
    description:
      - KMS key of the table, of its own region; V(alias/aws/dynamodb) for AWS's own. When empty, the key that was saved, if it is
        of this region, and else AWS's own KMS key, with a warning.
    type: str
    default: ''
  on_demand:
    description: Make the table on demand, whatever its capacity was. Its autoscaling is left out then.
    type: bool
    default: false
  reapply:
    description: What is set again. Leave out what a table for a drill must not have.
    type: list
    elements: str
    choices: &settings [table_class, stream, point_in_time_recovery, ttl, tags, autoscaling, resource_policy, deletion_protection]
    default: *settings
  wait:
    description:
      - Wait for retrieval and import. Otherwise the module returns RV(resumable) while AWS is at work, and goes on when it is run
        again.
    type: bool
    default: true
  remove_failed:
    description: Remove the half-made table of an import that failed. Otherwise it is left, and the error names it.
    type: bool
    default: false
  bucket_owner:
    description: Account that the bucket must belong to. Needed where it is another one than the caller's.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.bucket
  - dynabridge.plan
  - dynabridge.retrieval
  - dynabridge.waiting
  - dynabridge.progress
attributes:
  check_mode:
    support: full
    description: Refuses what would be refused, and says what would be done.
seealso:
  - module: dynamodb_restore_info
  - module: dynamodb_retrieve
"""

EXAMPLES = r"""
- name: The full backup of a plan as a new table in another region
  dynamodb_restore:
    plan: "{{ planned.plan }}"
    target_table: user-cn-restored
    source: base
    bucket: dynabridge-backup-cn-123456789012

- name: A table for a drill, on demand, without what would keep it from being removed
  dynamodb_restore:
    plan: "{{ planned.plan }}"
    target_table: user-cn-drill
    on_demand: true
    reapply: [ttl, tags]
    bucket: dynabridge-backup-cn-123456789012
    bucket_region: cn-northwest-1
"""

RETURN = r"""
table_arn:
  description: The table's ARN; empty as long as there is none.
  returned: always
  type: str
imported_items:
  description: Items in the table, as counted; 0 until they are all there.
  returned: always
  type: int
rows:
  description: The same, for the report of a restore; null until they are all there.
  returned: always
  type: int
phases:
  description: Seconds of C(retrieve), C(fill) and C(settle), of all runs together.
  returned: always
  type: dict
left_out:
  description: Sentences on what the table lacks.
  returned: always
  type: list
  elements: str
resumable:
  description: Whether AWS is still at work, so that running again goes on.
  returned: always
  type: bool
run:
  description: Name of the run, which is also that of its folder in the bucket.
  returned: always
  type: str
text:
  description: What was done, or would be.
  returned: always
  type: list
  elements: str
seconds:
  description: How long it took this time.
  returned: always
  type: float
"""

import time
from contextlib import suppress
from functools import cache
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects, patient
    from ansible.module_utils.dynabridge.aws.restores import Outcome, Restore, Wish
    from ansible.module_utils.dynabridge.aws.retrieval import AT_ONCE
    from ansible.module_utils.dynabridge.aws.session import client_maker
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import BUCKET, PLAN, PROGRESS, RETRIEVAL, WAITING, check_lowest
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.progress import teller
from ansible.module_utils.dynabridge.restore_plan import plan_from
from ansible.module_utils.dynabridge.restored_schema import SETTINGS
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **BUCKET,
    **PLAN,
    **RETRIEVAL,
    **WAITING,
    **PROGRESS,
    "target_table": {"type": "str", "required": True},
    "source": {"type": "str", "choices": ["merged", "base"], "default": "merged"},
    "fill": {"type": "str", "choices": ["auto", "import", "write"], "default": "auto"},
    "kms_key_arn": {"type": "str", "default": "", "no_log": False},  # the name of a key, no secret
    "on_demand": {"type": "bool", "default": False},
    "reapply": {"type": "list", "elements": "str", "choices": list(SETTINGS), "default": list(SETTINGS)},
    "wait": {"type": "bool", "default": True},
    "remove_failed": {"type": "bool", "default": False},
}


def connect(module: Any) -> Restore:
    params = module.params
    make = client_maker(module)
    many = patient(max_pool_connections=2 * AT_ONCE)

    @cache
    def clients(service: str) -> Any:
        return make(service, config=many)

    wish = Wish(
        table=params["target_table"],
        source=params["source"],
        fill=params["fill"],
        kms_key=params["kms_key_arn"],
        on_demand=params["on_demand"],
        settings=tuple(params["reapply"]),
        tier=params["tier"],
        days=params["retrieved_days"],
        wait=params["wait"],
        timeout=params["wait_timeout"],
        poll=params["poll"],
        remove_failed=params["remove_failed"],
        bucket_owner=params["bucket_owner"],
    )
    objects = bucket_objects(module, make=make, config=many)
    plan = plan_from(params["plan"])
    if plan.bucket != params["bucket"]:
        raise SettingsError(f"plan is of bucket {plan.bucket}, bucket is {params['bucket']}: plan for this bucket")
    region = clients("dynamodb").meta.region_name
    return Restore(objects, clients, region, plan, wish, teller(params["progress_file"]))


def check(params: dict[str, Any]) -> None:
    check_lowest(params, wait_timeout=1, poll=0.1, retrieved_days=1)


def told(outcome: Outcome) -> dict[str, Any]:
    state = outcome.state
    return {
        "changed": outcome.changed,
        "table_arn": state.table_arn,
        "imported_items": state.items,
        "rows": state.items if state.filled else None,
        "phases": state.phases,
        "left_out": outcome.left_out,
        "resumable": outcome.resumable,
        "run": state.run,
        "text": outcome.text,
    }


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    started = time.monotonic()
    restore = None
    try:
        check(module.params)
        restore = connect(module)
        outcome = restore.would() if module.check_mode else restore.run()
    except DynabridgeError as error:
        so_far = told(Outcome(restore.state)) if restore else {}
        module.fail_json(msg=str(error), **so_far)
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot restore table {module.params['target_table']}")
    result = told(outcome)
    result["seconds"] = round(time.monotonic() - started, 3)
    if outcome.resumable and module.params["wait"]:
        waited = f"after {module.params['wait_timeout']} s: nothing is lost"
        module.fail_json(
            msg=f"table {module.params['target_table']} is not done {waited}. {outcome.text[-1]}", **result
        )
    for sentence in outcome.left_out:
        module.warn(f"table {module.params['target_table']}: {sentence}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
