# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: judge a drill, and keep what came of it for good."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_drill_report
short_description: Judge a drill of restoring a DynamoDB table, and remember it
version_added: 0.1.0
description:
  - Holds what came of a drill against how long a restore may take and how much may be lost, and writes it to
    C(<folder>/<table>/<time>.json) of the backup bucket, where nothing expires.
  - A drill that failed is remembered, too. The module itself fails only when the record cannot be written; whoever calls it looks
    at RV(record.ok).
author:
  - dynabridge contributors (!UNKNOWN)
options:
  table:
    description: The table that was practised on.
    type: str
    required: true
  target_table:
    description: The scratch table.
    type: str
    required: true
  date:
    description: What was asked for, as O(dynamodb_restore_info#module:date).
    type: str
    default: latest
  began:
    description: Epoch seconds at which the drill began.
    type: float
    required: true
  report:
    description: The restore's report, RV(dynamodb_restore_report#module:report). Empty when it did not come so far.
    type: dict
    default: {}
  failure:
    description: Why the restore stopped. Empty when it did not.
    type: str
    default: ''
  left:
    description: Why the scratch table is still there. Empty when it is gone.
    type: str
    default: ''
  source:
    description: Result of M(dynamodb_compare_info) against the live table. For information; it has gone on meanwhile.
    type: dict
    default: {}
  rto_seconds:
    description: How long a restore may take.
    type: float
    required: true
  rpo_seconds:
    description: The changes of how many seconds may be lost.
    type: float
    required: true
  folder:
    description: Folder of the bucket that keeps the records.
    type: str
    default: drills
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.bucket
attributes:
  check_mode:
    support: full
    description: Writes nothing.
seealso:
  - module: dynamodb_drill_info
"""

EXAMPLES = r"""
- name: Judge the drill
  dynamodb_drill_report:
    table: user-cn
    target_table: user-cn-drill-20261120T101503Z
    began: "{{ began }}"
    report: "{{ reported.report }}"
    rto_seconds: 14400
    rpo_seconds: 900
    bucket: dynabridge-backup-cn-123456789012
  register: judged
"""

RETURN = r"""
record:
  description: What is remembered.
  returned: always
  type: dict
  contains:
    table:
      description: The table that was practised on.
      returned: always
      type: str
    ok:
      description: Whether the drill was good.
      returned: always
      type: bool
    problems:
      description: Sentences on what was not.
      returned: always
      type: list
      elements: str
    rows:
      description: Rows that were restored.
      returned: always
      type: int
    rto_seconds:
      description: How long it took, until the table was verified.
      returned: always
      type: float
    rpo_seconds:
      description: The changes of how many seconds would have been lost.
      returned: always
      type: float
text:
  description: How it went, in a sentence.
  returned: always
  type: str
file:
  description: Where the record lies. Empty in check mode.
  returned: always
  type: str
"""

import time
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import BUCKET
from ansible.module_utils.dynabridge.drills import FOLDER, Limits, Outcome, check_limits, record_of, sentence
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible.module_utils.dynabridge.restore_layout import history_key
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **BUCKET,
    "table": {"type": "str", "required": True},
    "target_table": {"type": "str", "required": True},
    "date": {"type": "str", "default": "latest"},
    "began": {"type": "float", "required": True},
    "report": {"type": "dict", "default": {}},
    "failure": {"type": "str", "default": ""},
    "left": {"type": "str", "default": ""},
    "source": {"type": "dict", "default": {}},
    "rto_seconds": {"type": "float", "required": True},
    "rpo_seconds": {"type": "float", "required": True},
    "folder": {"type": "str", "default": FOLDER},
}


def judge(params: dict[str, Any], region: str, now: float) -> dict[str, Any]:
    """The record of the drill."""
    limits = Limits(params["rto_seconds"], params["rpo_seconds"])
    check_limits(limits)
    outcome = Outcome(params["report"] or None, params["failure"].strip(), params["left"], params["source"] or None)
    target = {"table": params["target_table"], "region": region}
    return record_of(params["table"], target, params["date"], params["began"], now, limits, outcome)


def keep(module: Any, record: dict[str, Any]) -> str:
    """Write the record; gives the place."""
    params = module.params
    key = history_key(params["folder"].strip("/"), record["table"], record["began"])
    bucket_objects(module).put_json(key, record)
    return f"s3://{params['bucket']}/{key}"


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    place = ""
    try:
        record = judge(module.params, module.region, time.time())
        if not module.check_mode:
            place = keep(module, record)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the record of the drill on {module.params['table']}")
    module.exit_json(changed=bool(place), record=record, text=sentence(record), file=place)


if __name__ == "__main__":
    main()
