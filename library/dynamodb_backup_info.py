# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: what backups a bucket holds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_backup_info
short_description: The catalogue of a bucket's DynamoDB backups
version_added: 0.1.0
description:
  - Says what backups there are, which of them count, and what moments they reach.
  - Reads S3 alone, so it works when the region that was backed up is gone. Listings are paged; memory is one entry for each
    backup.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  tables:
    description: Only backups of these tables. Of all when empty.
    type: list
    elements: str
    default: []
  since:
    description: Only backups of this day, as V(2026-11-21), and later.
    type: str
    default: ''
  until:
    description: Only backups of this day and earlier.
    type: str
    default: ''
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.bucket
  - dynabridge.prefix
  - dynabridge.reads_only
"""

EXAMPLES = r"""
- name: See what backups there are
  dynamodb_backup_info:
    bucket: dynabridge-backup-cn-123456789012
    tables: [user-cn]
  register: catalogue

- name: Tell from when to when the table can be brought back
  ansible.builtin.debug:
    msg: "{{ catalogue.tables['user-cn'].coverage }}"
"""

RETURN = r"""
backups:
  description: All backups, oldest first.
  returned: always
  type: list
  elements: dict
  contains:
    table:
      description: Name of the table.
      returned: always
      type: str
    id:
      description: Id of the export, which begins with the milliseconds at which it began.
      returned: always
      type: str
      sample: 01715685260608-c488b4e1
    day:
      description: UTC day under which it lies.
      returned: always
      type: str
    folder:
      description: Where it lies in the bucket.
      returned: always
      type: str
    state:
      description: >-
        V(verified) is the only one that counts. V(running): DynamoDB is at work. V(unverified): ended, not verified yet.
        V(failed): by DynamoDB. V(damaged): what lies there is not what DynamoDB said.
      returned: always
      type: str
    reason:
      description: Why it failed or is damaged.
      returned: always
      type: str
    kind:
      description: V(full) or V(incremental).
      returned: always
      type: str
    start:
      description: Of an incremental, begin of its window (inclusive).
      returned: always
      type: str
    moment:
      description: What a full one shows, or the end of an incremental's window (exclusive).
      returned: always
      type: str
    requested:
      description: When it was asked for.
      returned: always
      type: str
    verified:
      description: When it was verified.
      returned: always
      type: str
    items:
      description: Items, or changes of an incremental.
      returned: always
      type: int
    billed_bytes:
      description: Size that AWS bills.
      returned: always
      type: int
    stored_bytes:
      description: Size on S3, compressed.
      returned: always
      type: int
    files:
      description: Data files.
      returned: always
      type: int
    bucket:
      description: The bucket.
      returned: always
      type: str
    region:
      description: Region of the table.
      returned: always
      type: str
    account_id:
      description: Account of the table.
      returned: always
      type: str
    export_arn:
      description: ARN of the export.
      returned: always
      type: str
    table_arn:
      description: ARN of the table.
      returned: always
      type: str
    table_id:
      description: Id of the table. One that was deleted and made again has another.
      returned: always
      type: str
    storage_classes:
      description: Stored bytes by storage class, as they lie now. Of full backups.
      returned: always
      type: dict
tables:
  description: By table, what its verified backups reach. Tables that were asked for are there, with backups or without.
  returned: always
  type: dict
  contains:
    coverage:
      description:
        - Spans that backups reach, C(from) and C(to). In a span the ends of incrementals can be brought back, and of a full
          backup alone its moment.
      returned: always
      type: list
      elements: dict
    gaps:
      description: Holes between incrementals, C(from) and C(to).
      returned: always
      type: list
      elements: dict
lifecycle_rules:
  description: The bucket's lifecycle rules, as GetBucketLifecycleConfiguration gives them.
  returned: always
  type: list
  elements: dict
"""

from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.catalogue import AT_ONCE, read_catalogue
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects, patient
    from ansible.module_utils.dynabridge.aws.lifecycle import read_rules
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import BUCKET, PREFIX
from ansible.module_utils.dynabridge.backup_layout import check_day, iso
from ansible.module_utils.dynabridge.catalogue import Backup, Span, coverage, gaps
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **BUCKET,
    **PREFIX,
    "tables": {"type": "list", "elements": "str", "default": []},
    "since": {"type": "str", "default": ""},
    "until": {"type": "str", "default": ""},
}


def look(objects: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The result to return."""
    for name in ("since", "until"):
        check_day(params[name], name)
    prefix = params["prefix"].strip("/")
    backups = read_catalogue(objects, prefix, params["tables"], params["since"], params["until"])
    by_table: dict[str, list[Backup]] = {table: [] for table in params["tables"]}
    for backup in backups:
        by_table.setdefault(backup.table, []).append(backup)
    return {
        "backups": [backup.as_dict() for backup in backups],
        "tables": {
            table: {"coverage": spelled(coverage(found)), "gaps": spelled(gaps(found))}
            for table, found in sorted(by_table.items())
        },
        "lifecycle_rules": read_rules(objects.s3, params["bucket"], params["bucket_owner"]),
    }


def spelled(spans: list[Span]) -> list[dict[str, str]]:
    return [{"from": iso(span.start), "to": iso(span.end)} for span in spans]


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        objects = bucket_objects(module, config=patient(max_pool_connections=AT_ONCE))
        result = look(objects, module.params)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot read the backups of bucket {module.params['bucket']}")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
