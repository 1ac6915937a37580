# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: export a table to S3."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_export
short_description: Export a DynamoDB table to S3
version_added: 0.1.0
description:
  - Asks DynamoDB for a full or an incremental export (ExportTableToPointInTime), and waits for it if wanted.
  - An export is no backup yet. M(dynamodb_backup) saves the schema, verifies and marks as well.
  - The table needs point-in-time recovery. The bucket may be in another region or account.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  table_name:
    description: Name of the table.
    type: str
    required: true
  state:
    description: V(present) for an export that is at work or done; there is no taking back of one.
    type: str
    choices: [present]
    default: present
  kind:
    description: V(incremental) gives the net changes between O(from_time) and O(to_time).
    type: str
    choices: [full, incremental]
    default: full
  export_time:
    description: Moment that a full export shows, as V(2026-11-20T10:15:03Z). Now when empty.
    type: str
    default: ''
  from_time:
    description: Begin of an incremental export's window, inclusive.
    type: str
    default: ''
  to_time:
    description: Its end, exclusive, 15 minutes to 24 hours later. Now when empty.
    type: str
    default: ''
  view_type:
    description: Images in the lines of an incremental export.
    type: str
    choices: [NEW_AND_OLD_IMAGES, NEW_IMAGE]
    default: NEW_AND_OLD_IMAGES
  bucket:
    description: The bucket.
    type: str
    required: true
  bucket_owner:
    description: Its account, where it is another one than the caller's.
    type: str
    default: ''
  prefix:
    description: DynamoDB writes under C(<prefix>/AWSDynamoDB/).
    type: str
    default: ''
  kms_key_arn:
    description: Key that encrypts the export. S3's own AES256 when empty.
    type: str
    default: ''
  client_token:
    description:
      - The same token with the same arguments gives the same export within eight hours, and RV(ignore:changed) is false then.
        Each run without one asks for an export of its own.
    type: str
    default: ''
  wait:
    description: Wait until it has ended, minutes for the smallest table. A failed one fails the module, with AWS's reason.
    type: bool
    default: false
  role_arn:
    description: Role to work under. The caller's own rights when empty.
    type: str
    default: ''
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.waiting
  - dynabridge.progress
attributes:
  check_mode:
    support: full
    description: Looks whether the table is there and can be recovered to the time that is wanted.
"""

EXAMPLES = r"""
- name: Export a table, once a day
  dynamodb_export:
    table_name: user-cn
    bucket: dynabridge-backup-cn-123456789012
    prefix: by-hand
    client_token: "user-cn-{{ '%Y-%m-%d' | strftime }}"
    wait: true

- name: What an hour changed
  dynamodb_export:
    table_name: user-cn
    kind: incremental
    from_time: 2026-11-20T10:00:00Z
    to_time: 2026-11-20T11:00:00Z
    bucket: dynabridge-backup-cn-123456789012
    prefix: by-hand
"""

RETURN = r"""
export:
  description: The export, as DescribeExport gives it, in snake case; times as ISO text.
  returned: when there is one
  type: dict
  sample:
    export_arn: arn:aws:dynamodb:ap-southeast-1:123456789012:table/user-sg/export/01715685260608-c488b4e1
    export_status: COMPLETED
    item_count: 20000
"""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.exports import COMPLETED, IN_PROGRESS, Export, Exports, Table, Target
    from ansible.module_utils.dynabridge.aws.session import client_maker
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible.module_utils.dynabridge.arguments import PROGRESS, WAITING
from ansible.module_utils.dynabridge.backup_layout import iso
from ansible.module_utils.dynabridge.backup_plan import Wanted
from ansible.module_utils.dynabridge.catalogue import Span
from ansible.module_utils.dynabridge.errors import BackupError, DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.exports import FULL, INCREMENTAL, read_time
from ansible.module_utils.dynabridge.progress import teller
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **WAITING,
    **PROGRESS,
    "table_name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present"], "default": "present"},
    "kind": {"type": "str", "choices": ["full", "incremental"], "default": "full"},
    "export_time": {"type": "str", "default": ""},
    "from_time": {"type": "str", "default": ""},
    "to_time": {"type": "str", "default": ""},
    "view_type": {"type": "str", "choices": ["NEW_AND_OLD_IMAGES", "NEW_IMAGE"], "default": "NEW_AND_OLD_IMAGES"},
    "bucket": {"type": "str", "required": True},
    "bucket_owner": {"type": "str", "default": ""},
    "prefix": {"type": "str", "default": ""},
    "kms_key_arn": {"type": "str", "default": "", "no_log": False},  # the name of a key, no secret
    "client_token": {"type": "str", "default": "", "no_log": False},
    "wait": {"type": "bool", "default": False},
    "role_arn": {"type": "str", "default": ""},
}


def moment(params: dict[str, Any], name: str) -> float:
    """Epoch seconds of a parameter. Raises SettingsError for what is no time with a zone."""
    try:
        if datetime.fromisoformat(params[name]).tzinfo is None:
            raise ValueError("it has no zone")
        return read_time(params[name])
    except ValueError as error:
        raise SettingsError(f"{name} is {params[name]!r}: write it as 2026-11-20T10:15:03Z ({error})") from error


def wanted_of(params: dict[str, Any], now: float) -> Wanted:
    """What to ask for. Raises SettingsError for times that do not fit the kind."""
    windowed = params["kind"] == INCREMENTAL
    astray = [name for name in ("from_time", "to_time") if params[name] and not windowed]
    if params["export_time"] and windowed:
        astray.append("export_time")
    if astray:
        raise SettingsError(f"{', '.join(astray)} does not go with kind={params['kind']}")
    if not windowed:
        return Wanted(FULL)
    if not params["from_time"]:
        raise SettingsError("kind=incremental needs from_time: the begin of its window")
    start = moment(params, "from_time")
    return Wanted(INCREMENTAL, Span(start, moment(params, "to_time") if params["to_time"] else int(now)))


def more_of(params: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    if wanted.window:
        return {"view_type": params["view_type"]}
    if params["export_time"]:
        return {"export_time": datetime.fromtimestamp(moment(params, "export_time"), UTC)}
    return {}


def check(table: Table, params: dict[str, Any], wanted: Wanted, more: dict[str, Any]) -> None:
    """Raises SettingsError for what DynamoDB would refuse, or what would never end."""
    if params["wait_timeout"] < 1 or params["poll"] <= 0:
        raise SettingsError("wait_timeout must be at least 1, and poll above 0")
    if wanted.window and wanted.window.start >= wanted.window.end:
        raise SettingsError(f"from_time {iso(wanted.window.start)} is not before to_time {iso(wanted.window.end)}")
    begin = wanted.window.start if wanted.window else "export_time" in more and more["export_time"].timestamp()
    if begin and begin < int(table.recoverable_from or 0):
        raise SettingsError(
            f"table {table.name} can be recovered only from {iso(table.recoverable_from)} on, wanted is {iso(begin)}"
        )


def wait_for(exports: Exports, export: Export, params: dict[str, Any]) -> Export:
    """The export when it has ended. Raises BackupError when it failed, or when the time is up."""
    tell = teller(params["progress_file"])
    begun = time.monotonic()
    while export.state == IN_PROGRESS:
        waited = time.monotonic() - begun
        if waited > params["wait_timeout"]:
            raise BackupError(f"{export.arn} is not done after {params['wait_timeout']} s: it goes on by itself")
        tell(f"{params['table_name']}: DynamoDB is exporting since {waited:.0f} s")
        time.sleep(params["poll"])
        export = exports.describe(export.arn, params["table_name"])
    if export.state != COMPLETED:
        raise BackupError(f"{export.arn} {export.state}: {export.reason}")
    return export


def run(exports: Exports, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result to return."""
    wanted = wanted_of(params, time.time())
    more = more_of(params, wanted)
    table = exports.recoverable(params["table_name"])
    check(table, params, wanted, more)
    if check_mode:
        return {"changed": True}
    before = set(exports.arns(table.arn)) if params["client_token"] else set()
    target = Target(params["bucket"], params["bucket_owner"], params["kms_key_arn"])
    export = exports.start(table, wanted, target, params["prefix"], params["client_token"], **more)
    changed = export.arn not in before
    if params["wait"]:
        export = wait_for(exports, export, params)
    return {"changed": changed, "export": spelled(export)}


def spelled(export: Export) -> dict[str, Any]:
    return with_iso_times(camel_dict_to_snake_dict(dict(export.description)))


def with_iso_times(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: with_iso_times(value) for name, value in found.items()}
    return iso(found.timestamp()) if isinstance(found, datetime) else found


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(Exports(client_maker(module)("dynamodb")), module.params, module.check_mode)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot export table {module.params['table_name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
