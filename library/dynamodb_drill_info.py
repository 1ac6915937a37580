# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: the last drills of each table."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_drill_info
short_description: The last drills of restoring DynamoDB tables
version_added: 0.1.0
description:
  - Reads the records that M(dynamodb_drill_report) keeps in the backup bucket. S3 alone is asked.
  - Listings are paged; of each table the newest O(newest) are read and kept in memory.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  tables:
    description: Names of the tables. Of all that were practised on when empty.
    type: list
    elements: str
    default: []
  newest:
    description: How many of each table.
    type: int
    default: 10
  folder:
    description: Folder of the bucket that keeps the records.
    type: str
    default: drills
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.bucket
  - dynabridge.reads_only
seealso:
  - module: dynamodb_drill_report
"""

EXAMPLES = r"""
- name: See how the last drills went
  dynamodb_drill_info:
    newest: 3
    bucket: dynabridge-backup-cn-123456789012
  register: drills

- name: Stop when the last one of a table failed
  ansible.builtin.assert:
    that: drills.drills | selectattr('table', 'equalto', 'user-cn') | map(attribute='ok') | first
"""

RETURN = r"""
drills:
  description: By table, the newest first; each as RV(dynamodb_drill_report#module:record).
  returned: always
  type: list
  elements: dict
unreadable:
  description: Objects that should be records, and are none.
  returned: always
  type: list
  elements: str
text:
  description: The same for people, a line each.
  returned: always
  type: list
  elements: str
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import BUCKET, check_ranges
from ansible.module_utils.dynabridge.drills import FOLDER, history_lines, record_from
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

MOST = 1000
ARGUMENT_SPEC = {
    **BUCKET,
    "tables": {"type": "list", "elements": "str", "default": []},
    "newest": {"type": "int", "default": 10},
    "folder": {"type": "str", "default": FOLDER},
}


def newest_keys(objects: Any, folder: str, count: int) -> Iterator[str]:
    """Of the table whose folder it is, the newest first: keys sort by time."""
    found = (listed.key for listed in objects.list(folder) if listed.key.endswith(".json"))
    return reversed(deque(found, count))


def look(objects: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The result to return."""
    check_ranges(params, newest=(1, MOST))
    root = f"{params['folder'].strip('/')}/"
    folders = [f"{root}{table}/" for table in params["tables"]] or list(objects.folders(root))
    drills, unreadable = [], []
    for folder in folders:
        for key in newest_keys(objects, folder, params["newest"]):
            record = record_from(objects.get_json(key))
            if record is None:
                unreadable.append(f"s3://{objects.bucket}/{key}")
            else:
                drills.append(record)
    text = history_lines(drills) + [f"no record of a drill: {place}" for place in unreadable]
    return {"drills": drills, "unreadable": unreadable, "text": text}


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    try:
        result = look(bucket_objects(module), params)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot read the drills of bucket {params['bucket']}")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
