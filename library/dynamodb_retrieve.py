# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: have everything that a plan reads brought back from S3's archive classes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_retrieve
short_description: Retrieve what a restore reads from S3's archive classes
version_added: 0.1.0
description:
  - Looks which objects of a plan lie in C(GLACIER), C(DEEP_ARCHIVE) or an archive tier of C(INTELLIGENT_TIERING), asks for those
    that have not been asked for, and waits until all can be read.
  - Everything is known from S3 itself, so the module can be interrupted and run again at any time.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  wait:
    description: Wait until everything can be read. Otherwise RV(resumable) says whether S3 is still at work.
    type: bool
    default: true
  poll:
    default: 60
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
    description: Says how many objects may be archived; asks for nothing.
"""

EXAMPLES = r"""
- name: Bring back what the plan reads, cheaply, and look again tomorrow
  dynamodb_retrieve:
    plan: "{{ planned.plan }}"
    tier: Bulk
    wait: false
    bucket: dynabridge-backup-cn-123456789012
"""

RETURN = r"""
asked:
  description: Objects that were asked for just now.
  returned: always
  type: int
pending:
  description: Objects that S3 is still bringing back.
  returned: always
  type: int
ready:
  description: Objects of archive classes that can be read; while there are pending ones it may be more.
  returned: always
  type: int
resumable:
  description: Whether S3 is still at work, so that running again goes on.
  returned: always
  type: bool
text:
  description: How it stands, and how long it takes.
  returned: always
  type: list
  elements: str
"""

from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects, patient
    from ansible.module_utils.dynabridge.aws.retrieval import AT_ONCE, Retrieving
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import BUCKET, PLAN, PROGRESS, RETRIEVAL, WAITING, check_lowest
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible.module_utils.dynabridge.progress import teller
from ansible.module_utils.dynabridge.restore_plan import plan_from
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **BUCKET,
    **PLAN,
    **RETRIEVAL,
    **WAITING,
    **PROGRESS,
    "wait": {"type": "bool", "default": True},
    "poll": {"type": "float", "default": 60},
}


def check(params: dict[str, Any]) -> None:
    check_lowest(params, wait_timeout=1, poll=0.1, retrieved_days=1)


def act(module: Any) -> dict[str, Any]:
    """The result to return."""
    params = module.params
    check(params)
    plan = plan_from(params["plan"])
    objects = bucket_objects(module, config=patient(max_pool_connections=AT_ONCE))
    retrieving = Retrieving(objects, plan, params["tier"], params["retrieved_days"], teller(params["progress_file"]))
    if module.check_mode:
        count = retrieving.count()
        text = [f"would look at {count:,} objects that may be archived, and retrieve them ({params['tier']})"]
        return {"changed": count > 0, "asked": 0, "pending": 0, "ready": 0, "resumable": False, "text": text}
    found = retrieving.run(params["wait_timeout"] if params["wait"] else 0, params["poll"])
    return {
        "changed": found.asked > 0,
        "asked": found.asked,
        "pending": len(found.pending),
        "ready": found.ready,
        "resumable": bool(found.pending),
        "text": [found.text(params["tier"]) if found.pending else "everything that the plan reads can be read"],
    }


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = act(module)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot retrieve objects of bucket {module.params['bucket']}")
    if result["resumable"] and module.params["wait"]:
        waited = f"not done after {module.params['wait_timeout']} s; run again to go on"
        module.fail_json(msg=f"{result['text'][0]}: {waited}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
