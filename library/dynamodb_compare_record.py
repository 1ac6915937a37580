# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: keep on both sides what a comparison of theirs found."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_compare_record
short_description: Keep on both sides what the last comparison of a table found
version_added: 0.1.0
description:
  - Puts one item into the table of counters of each side, in the place of that of the comparison before. M(side_status_info)
    reads it.
  - A side that cannot be written to is warned of, and fails nothing. What the comparison found is known all the same.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  name:
    description: Name of the table in C(dynabridge_tables).
    type: str
    required: true
  left:
    description: One side.
    type: dict
    required: true
    suboptions: &side
      table:
        description: Name of the side's table of counters.
        type: str
        required: true
      profile:
        description: AWS profile whose credentials reach the side. The environment's credentials when empty.
        type: str
      region:
        description: Region of the side. The profile's region when empty.
        type: str
      endpoint_url:
        description: Endpoint of DynamoDB. The profile's or the region's own when empty.
        type: str
      proxy:
        description: V(host:port) of the proxy by which this side is reached. That of the environment when empty.
        type: str
  right:
    description: The other side.
    type: dict
    required: true
    suboptions: *side
  result:
    description: What M(dynamodb_compare_info) returned.
    type: dict
    required: true
  ignored:
    description: Attributes that the comparison left out.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Writes nothing.
requirements:
  - boto3
  - botocore
"""

EXAMPLES = r"""
- name: Keep what the comparison found
  dynamodb_compare_record:
    name: user
    left:
      table: replicator_stats
      profile: cn
      region: cn-north-1
    right:
      table: replicator_stats
      profile: sg
      region: ap-southeast-1
    result: "{{ comparison }}"
"""

RETURN = r"""
kept:
  description: Tables of counters that have it now, or would have.
  returned: success
  type: list
  elements: str
"""

import time
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.sides import SOON, side_client
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.common.warnings import warn
from ansible.module_utils.dynabridge.arguments import REACHED
from ansible.module_utils.dynabridge.compare_record import item_of
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

SIDE = {
    "type": "dict",
    "required": True,
    "options": {**REACHED, "table": {"type": "str", "required": True}},
}
ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "left": SIDE,
    "right": SIDE,
    "result": {"type": "dict", "required": True},
    "ignored": {"type": "list", "elements": "str", "default": []},
}


def connect(side: dict[str, Any]) -> Any:
    return side_client(side, "dynamodb", SOON)


def keep(side: dict[str, Any], item: dict[str, Any], check_mode: bool) -> bool:
    """Whether the side has it."""
    try:
        if not check_mode:
            connect(side).put_item(TableName=side["table"], Item=item)
        return True
    except (ClientError, BotoCoreError) as error:
        where = f"table {side['table']} in {side['region'] or 'the region of the profile'}"
        warn(f"what the comparison found could not be kept in {where}, and status.yml does not know of it: {error}")
        return False


def main() -> None:
    # Without the connection parameters of other modules: each side has its own.
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, default_args=False)
    params = module.params
    sides = (params["left"], params["right"])
    try:
        item = item_of(params["name"], params["result"], params["ignored"], time.time())
        kept = [side["table"] for side in sides if keep(side, item, module.check_mode)]
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (KeyError, TypeError) as error:
        module.fail_json(msg=f"result is not what dynamodb_compare_info returns: {error!r}")
    module.exit_json(changed=bool(kept), kept=kept)


if __name__ == "__main__":
    main()
