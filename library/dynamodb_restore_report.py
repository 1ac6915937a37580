# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: write the report of a restore, in the backup bucket and on this machine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_restore_report
short_description: Write the report of a DynamoDB table that was restored
version_added: 0.1.0
description:
  - Puts together what the modules that restored a table have found, and keeps it beside the restore in the backup bucket, and
    on this machine.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  target_table:
    description: The table that was restored.
    type: str
    required: true
  steps:
    description: Results of the modules that did the work, in their order. Those that were skipped count nothing.
    type: list
    elements: dict
    default: []
  verification:
    description: Result of M(dynamodb_compare_info). Empty when nothing was compared.
    type: dict
    default: {}
  began:
    description: Epoch seconds at which the emergency began.
    type: float
    required: true
  dest:
    description: Directory of this machine for the report. None when empty.
    type: str
    default: ''
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.place
  - dynabridge.plan
attributes:
  check_mode:
    support: full
    description: Writes nothing.
"""

EXAMPLES = r"""
- name: Keep the report
  dynamodb_restore_report:
    plan: "{{ plan }}"
    target_table: user-cn-restored-2026-11-20
    steps: ["{{ merged }}", "{{ restored }}"]
    verification: "{{ compared }}"
    began: "{{ found.planned_at }}"
    dest: reports
"""

RETURN = r"""
report:
  description: The report.
  returned: always
  type: dict
text:
  description: The report in lines.
  returned: always
  type: list
  elements: str
files:
  description: Where it was written.
  returned: always
  type: list
  elements: str
"""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import PLACE, PLAN
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.restore_layout import REPORT, folder_of, run_of
from ansible.module_utils.dynabridge.restore_plan import plan_from
from ansible.module_utils.dynabridge.restore_report import report_lines, report_of
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **PLACE,
    **PLAN,
    "target_table": {"type": "str", "required": True},
    "steps": {"type": "list", "elements": "dict", "default": []},
    "verification": {"type": "dict", "default": {}},
    "began": {"type": "float", "required": True},
    "dest": {"type": "str", "default": ""},
}


def keep(report: dict[str, Any], objects: Any, run: str, params: dict[str, Any]) -> list[str]:
    """Write the report where it belongs; gives the places."""
    key = folder_of(run) + REPORT
    objects.put_json(key, report)
    places = [f"s3://{objects.bucket}/{key}"]
    if params["dest"]:
        path = Path(params["dest"]) / f"restore_{run}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"the report cannot be written to {path}: {error.strerror}; it is in {places[0]}"
            ) from error
        places.append(str(path))
    return places


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    places: list[str] = []
    try:
        plan = plan_from(params["plan"])
        target = {"table": params["target_table"], "region": module.region}
        report = report_of(
            params["plan"], target, params["steps"], params["verification"] or None, params["began"], time.time()
        )
        if not module.check_mode:
            objects = bucket_objects(module, bucket=plan.bucket)
            places = keep(report, objects, run_of(params["target_table"], plan.id), params)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the report of {params['target_table']}")
    module.exit_json(changed=bool(places), report=report, text=report_lines(report), files=places)


if __name__ == "__main__":
    main()
