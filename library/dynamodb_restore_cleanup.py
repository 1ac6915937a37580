# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: remove a table that a restore has made."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_restore_cleanup
short_description: Remove a DynamoDB table that M(dynamodb_restore) has made
version_added: 0.1.0
description:
  - Removes a table, with its autoscaling and against its deletion protection, when the state of a restore in the backup bucket
    says that this very table, by its id, was made by it. Any other table of that name is left alone, and the module fails.
  - Nothing is removed from the bucket.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  target_table:
    description: Name of the table.
    type: str
    required: true
  wait_timeout:
    description: Seconds to wait at most, until it can be removed and until it is gone.
    type: int
    default: 900
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.bucket
attributes:
  check_mode:
    support: full
    description: Refuses what would be refused, and says what would be removed.
seealso:
  - module: dynamodb_restore
"""

EXAMPLES = r"""
- name: Remove the table of a drill
  dynamodb_restore_cleanup:
    target_table: user-cn-drill-20261120T101503Z
    bucket: dynabridge-backup-cn-123456789012
"""

RETURN = r"""
text:
  description: What was removed, or would be. Empty when there is no such table.
  returned: always
  type: str
"""

from contextlib import suppress
from functools import cache
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects
    from ansible.module_utils.dynabridge.aws.restore_cleanup import Cleanup
    from ansible.module_utils.dynabridge.aws.session import client_maker
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import BUCKET, check_lowest
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **BUCKET,
    "target_table": {"type": "str", "required": True},
    "wait_timeout": {"type": "int", "default": 900},
}


def connect(module: Any) -> Cleanup:
    params = module.params
    check_lowest(params, wait_timeout=1)
    make = client_maker(module)

    @cache
    def clients(service: str) -> Any:
        return make(service)

    return Cleanup(bucket_objects(module, make=make), clients, module.region, params["wait_timeout"])


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    name = module.params["target_table"]
    try:
        cleanup = connect(module)
        text = cleanup.would(name) if module.check_mode else cleanup.remove(name)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot remove table {name}")
    module.exit_json(changed=bool(text), text=text)


if __name__ == "__main__":
    main()
