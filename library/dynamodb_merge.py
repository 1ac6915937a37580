# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: a full backup and the changes after it, merged into one data set for an import."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_merge
short_description: Merge a full backup and the changes after it into one data set on S3
version_added: 0.1.0
description:
  - Makes of a plan the items as they were at its moment, as files that ImportTable takes, under
    C(restore/<target table>-<plan id>/data/) of the backup bucket. Beside them C(merged.json) says what they hold; it is written
    last, and without it the set does not count.
  - Reads and writes S3 alone. No table is read or written.
  - A set that is there already is not made again. One that is not whole is made anew from its beginning.
  - Memory is bounded by O(budget_mb) and some 100 MB, whatever the size of table and changes. Changes that do not fit go to files
    in O(directory).
  - Nothing is deleted. The bucket's lifecycle removes sets.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  target_table:
    description: Name of the table that is to be restored. It names the set.
    type: str
    required: true
  level:
    description: How hard the files are compressed, from 1 (quick) to 9 (small).
    type: int
    default: 1
  kms_key_arn:
    description: Key that encrypts the data files. What the bucket does by itself when empty.
    type: str
    default: ''
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.plan_bucket
  - dynabridge.plan
  - dynabridge.spill
  - dynabridge.progress
attributes:
  check_mode:
    support: full
    description: Says what would be read and written. Nothing of the data is read.
seealso:
  - module: dynamodb_restore_info
"""

EXAMPLES = r"""
- name: How is the table brought back
  dynamodb_restore_info:
    tables: [user-cn]
    date: 2026-11-20T10:15:03Z
    bucket: dynabridge-backup-cn-123456789012
  register: found

- name: Make the items of that moment
  dynamodb_merge:
    plan: "{{ found.plans[0] }}"
    target_table: user-cn-restored
"""

RETURN = r"""
folder:
  description: Where the set lies in the bucket.
  returned: always
  type: str
  sample: restore/user-cn-restored-1a2b3c4d/
merged:
  description: What C(merged.json) says. Without it in check mode, unless the set is there already.
  returned: when there is a set
  type: dict
  contains:
    items:
      description: Items of the set.
      returned: always
      type: int
    changes:
      description: Changes that counted.
      returned: always
      type: int
    counts:
      description: Items of the full backup C(kept), C(replaced) and C(removed), and items C(added).
      returned: always
      type: dict
    last_change:
      description: Time of the newest change that counted. None without any.
      returned: always
      type: str
    files:
      description: The data files, each with C(key), C(items), C(md5) and C(bytes).
      returned: always
      type: list
      elements: dict
    uncompressed_bytes:
      description: Bytes of the lines.
      returned: always
      type: int
    phases:
      description: Seconds for C(changes) and C(base).
      returned: always
      type: dict
reads:
  description:
    - What is read, C(base_items), C(base_bytes), C(windows), C(window_bytes), C(log_objects), C(log_bytes), and C(may_spill), the
      bytes that O(directory) may have to hold. Bytes on S3 are compressed ones.
  returned: always
  type: dict
text:
  description: The outcome in a line.
  returned: always
  type: str
seconds:
  description: How long it took.
  returned: always
  type: float
"""

import time
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects, patient
    from ansible.module_utils.dynabridge.aws.merging import MB, Merging
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import PLAN, PLAN_BUCKET, PROGRESS, SPILL, check_ranges
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.merged_set import MergedSet
from ansible.module_utils.dynabridge.progress import teller
from ansible.module_utils.dynabridge.restore_plan import plan_from
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **PLAN_BUCKET,
    **PLAN,
    **SPILL,
    **PROGRESS,
    "target_table": {"type": "str", "required": True},
    "level": {"type": "int", "default": 1},
    "kms_key_arn": {"type": "str", "default": "", "no_log": False},  # the name of a key, no secret
}

CONNECTIONS = 16


def connect(module: Any) -> Merging:
    params = module.params
    plan = plan_from(params["plan"])
    return Merging(
        bucket_objects(
            module, bucket=params["bucket"] or plan.bucket, config=patient(max_pool_connections=CONNECTIONS)
        ),
        plan,
        params["target_table"],
        directory=params["directory"] or "",
        budget=params["budget_mb"] * MB,
        level=params["level"],
        kms_key=params["kms_key_arn"],
        tell=teller(params["progress_file"]),
    )


def check(params: dict[str, Any]) -> None:
    check_ranges(params, budget_mb=(1, 2**20), level=(1, 9))
    if not params["target_table"]:
        raise SettingsError("target_table is empty: name the table that is to be restored")


def reads(merging: Merging) -> dict[str, int]:
    plan = merging.plan
    return {
        "base_items": plan.base.items,
        "base_bytes": plan.base.stored_bytes,
        "windows": len(plan.windows),
        "window_bytes": sum(window.stored_bytes for window in plan.windows),
        "log_objects": plan.log.objects if plan.log else 0,
        "log_bytes": plan.log.bytes if plan.log else 0,
        "may_spill": merging.may_spill,
    }


def act(merging: Merging, check_mode: bool) -> dict[str, Any]:
    """The result to return."""
    result = {"folder": merging.folder, "reads": reads(merging)}
    done = merging.done()
    if done:
        return result | {"changed": False, "merged": done.as_dict(), "text": f"{said(done)}, made before"}
    if check_mode:
        base = result["reads"]
        text = f"would merge {base['base_items']:,} items with {changes_text(base)} into {merging.folder}"
        return result | {"changed": True, "text": text}
    merged = merging.merge()
    return result | {"changed": True, "merged": merged.as_dict(), "text": said(merged)}


def changes_text(base: dict[str, int]) -> str:
    return (
        f"{base['windows']:,} incrementals and {base['log_objects']:,} objects of captured changes "
        f"({(base['window_bytes'] + base['log_bytes']) / MB:,.1f} MB)"
    )


def said(merged: MergedSet) -> str:
    counts = ", ".join(f"{count:,} {name}" for name, count in merged.counts.items())
    return f"{merged.table}: {merged.items:,} items of {merged.changes:,} changes and the full backup ({counts})"


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    started = time.monotonic()
    try:
        check(module.params)
        result = act(connect(module), module.check_mode)
    except DynabridgeError as error:
        module.fail_json(msg=f"Cannot merge into {module.params['target_table']}: {error}")
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot merge into {module.params['target_table']}")
    module.exit_json(seconds=round(time.monotonic() - started, 3), **result)


if __name__ == "__main__":
    main()
