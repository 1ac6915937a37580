# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: back tables up to S3: exported, awaited, verified, marked."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_backup
short_description: Back DynamoDB tables up to S3, verified
version_added: 0.1.0
description:
  - Saves each table's schema, asks DynamoDB for an export, waits until it has ended, reads back every byte of it, and writes
    the verdict beside it. Only a backup with C(_SUCCESS) counts.
  - Verified means that DynamoDB says COMPLETED, both manifests and their checksums are there and agree, every data file has
    its checksum and the number of items that its manifest says, the counts add up, and the schema can be used.
  - Tables are worked on at the same time. One that cannot be backed up keeps none of the others; the module fails in the end
    and names each.
  - The bucket may be in another region or account. Nothing is ever deleted.
  - Memory is bounded whatever the size of the tables.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  action:
    description:
      - V(backup) begins backups of O(tables) and sees them through.
      - V(finish) sees through what was begun before, by anybody, in the last seven days.
      - V(verify) verifies backups anew, reading S3 alone. A backup that is found damaged is marked so and counts no more.
    type: str
    choices: [backup, finish, verify]
    default: backup
  tables:
    description: Names of the tables. V(finish) and V(verify) take an empty list for all.
    type: list
    elements: str
    default: []
  kind:
    description:
      - V(incremental) asks for the changes since the last backup, in as many windows of 15 minutes to 24 hours as it takes. An
        incremental that failed is made up for. Needs a full backup that it can follow.
    type: str
    choices: [full, incremental]
    default: full
  ids:
    description: Of V(verify), the backups that are meant. Empty for the last verified full one of each table.
    type: list
    elements: str
    default: []
  since:
    description: Of V(verify), look among the backups since this day, as V(2026-11-21). All when empty.
    type: str
    default: ''
  bucket_owner:
    description: Account that the bucket must belong to. Needed where it is another one than the caller's.
  kms_key_arn:
    description: Key that encrypts the exports. S3's own AES256 when empty.
    type: str
    default: ''
  enable_recovery:
    description: Switch point-in-time recovery on where it is off. Otherwise such a table cannot be backed up.
    type: bool
    default: false
  wait:
    description: Wait for the exports and verify them. Otherwise the scheduled function or V(finish) does that.
    type: bool
    default: true
  shortest_window:
    description: Shortest window of an incremental in seconds. DynamoDB takes no shorter one than 15 minutes.
    type: int
    default: 900
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.bucket
  - dynabridge.prefix
  - dynabridge.waiting
  - dynabridge.progress
attributes:
  check_mode:
    support: full
    description: Says which exports would be asked for. Nothing is verified.
"""

EXAMPLES = r"""
- name: Back up two tables
  dynamodb_backup:
    tables: [user-cn, orders-cn]
    bucket: dynabridge-backup-cn-123456789012
    bucket_region: cn-northwest-1

- name: What changed since
  dynamodb_backup:
    tables: [user-cn]
    kind: incremental
    bucket: dynabridge-backup-cn-123456789012

- name: Read the last good backups again, as every month
  dynamodb_backup:
    action: verify
    bucket: dynabridge-backup-cn-123456789012
"""

RETURN = r"""
backups:
  description: The backups as they are now, as RV(dynamodb_backup_info#module:backups).
  returned: always
  type: list
  elements: dict
wanted:
  description: In check mode, the exports that would be asked for.
  returned: check mode
  type: list
  elements: dict
text:
  description: A line for each backup.
  returned: always
  type: list
  elements: str
problems:
  description: A sentence for each table that has no good backup by this run. The module fails when there is one.
  returned: always
  type: list
  elements: str
seconds:
  description: How long it took.
  returned: always
  type: float
"""

import time
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.backup_run import OPEN, REFUSED, Run, named, outcome
    from ansible.module_utils.dynabridge.aws.backups import Backups
    from ansible.module_utils.dynabridge.aws.catalogue import AT_ONCE, read_catalogue
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects, patient
    from ansible.module_utils.dynabridge.aws.exports import Exports, Target
    from ansible.module_utils.dynabridge.aws.session import client_maker
    from ansible.module_utils.dynabridge.aws.table_schema import read_schema
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import BUCKET, PREFIX, PROGRESS, WAITING, check_lowest
from ansible.module_utils.dynabridge.backup_layout import check_day, iso
from ansible.module_utils.dynabridge.catalogue import Backup, verified
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.exports import FULL
from ansible.module_utils.dynabridge.progress import teller
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **BUCKET,
    **PREFIX,
    **WAITING,
    **PROGRESS,
    "action": {"type": "str", "choices": ["backup", "finish", "verify"], "default": "backup"},
    "tables": {"type": "list", "elements": "str", "default": []},
    "kind": {"type": "str", "choices": ["full", "incremental"], "default": "full"},
    "ids": {"type": "list", "elements": "str", "default": []},
    "since": {"type": "str", "default": ""},
    "kms_key_arn": {"type": "str", "default": "", "no_log": False},  # the name of a key, no secret
    "enable_recovery": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "shortest_window": {"type": "int", "default": 900},
}


ARTICLE = {"full": "a", "incremental": "an"}


def connect(module: Any) -> Backups:
    params = module.params
    make = client_maker(module)
    many = patient(max_pool_connections=AT_ONCE)
    dynamodb = make("dynamodb", config=many)
    return Backups(
        bucket_objects(module, make=make, config=many),
        Exports(dynamodb),
        lambda table: read_schema(lambda service: dynamodb if service == "dynamodb" else make(service), table),
        Target(params["bucket"], params["bucket_owner"], params["kms_key_arn"]),
        params["prefix"].strip("/"),
        params["shortest_window"],
        params["enable_recovery"],
    )


def check(params: dict[str, Any]) -> None:
    if params["action"] == "backup" and not params["tables"]:
        raise SettingsError("tables is empty: name the tables to back up")
    check_lowest(params, wait_timeout=1, poll=0.1, shortest_window=1)
    if not params["prefix"].strip("/"):
        raise SettingsError("prefix is empty: backups lie under one, as daily")
    check_day(params["since"], "since")


def would_begin(backups: Backups, params: dict[str, Any]) -> dict[str, Any]:
    wanted, problems = [], []
    for table in params["tables"]:
        try:
            for item in backups.would_start(table, params["kind"]):
                window = {"from": iso(item.window.start), "to": iso(item.window.end)} if item.window else {}
                wanted.append({"table": table, "kind": item.kind, **window})
        except REFUSED as error:
            problems.append(named(table, str(error)))
    text = [
        f"{item['table']}: would take {ARTICLE[item['kind']]} {item['kind']} backup{window_of(item)}" for item in wanted
    ]
    return {"changed": bool(wanted), "wanted": wanted, "backups": [], "problems": problems, "text": text}


def window_of(item: dict[str, Any]) -> str:
    return f" from {item['from']} to {item['to']}" if "from" in item else ""


def chosen(backups: Backups, params: dict[str, Any]) -> list[Backup]:
    """The backups to verify anew. Raises SettingsError for an id that is not there."""
    known = read_catalogue(backups.objects, backups.prefix, params["tables"], since=params["since"])
    if not known:
        raise SettingsError(f"bucket {params['bucket']} holds no such backups under {backups.prefix}/")
    by_id = {backup.id: backup for backup in known}
    missing = [identifier for identifier in params["ids"] if identifier not in by_id]
    if missing:
        raise SettingsError(
            f"bucket {params['bucket']} has no backup {', '.join(missing)}: backup_status.yml lists them"
        )
    if params["ids"]:
        return [by_id[identifier] for identifier in params["ids"]]
    tables = params["tables"] or sorted({backup.table for backup in known})
    fulls = {table: verified((backup for backup in known if backup.table == table), FULL) for table in tables}
    lacking = [table for table, found in fulls.items() if not found]
    if lacking:
        raise SettingsError(f"bucket {params['bucket']} has no verified full backup of {', '.join(lacking)}")
    return [found[-1] for found in fulls.values()]


def act(backups: Backups, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result to return."""
    check(params)
    if params["action"] == "backup" and check_mode:
        return would_begin(backups, params)
    run = Run(backups, teller(params["progress_file"]))
    if params["action"] == "backup":
        run.start(params["tables"], params["kind"])
    elif params["action"] == "finish":
        run.waiting = [backup for backup in backups.known(params["tables"]) if backup.state in OPEN]
    else:
        before = chosen(backups, params)
        if check_mode:
            run.done = before
        else:
            run.check(before)
    if params["wait"] and not check_mode:
        run.finish(params["wait_timeout"], params["poll"])
    begun = params["action"] == "backup" and run.waiting
    return {
        "changed": not check_mode and bool(run.done or begun),
        "backups": [backup.as_dict() for backup in run.done + run.waiting],
        "problems": run.problems,
        "text": [f"{backup.table}: {outcome(backup)}" for backup in run.done + run.waiting],
    }


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    started = time.monotonic()
    try:
        result = act(connect(module), module.params, module.check_mode)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot back up to bucket {module.params['bucket']}")
    result["seconds"] = round(time.monotonic() - started, 3)
    if result["problems"]:
        module.fail_json(msg="\n".join(result["problems"]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
