# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: up to when every change of tables is captured, and waiting for it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_capture_info
short_description: Up to when every change of DynamoDB tables is captured
version_added: 0.1.0
description:
  - Reads the watermarks that the capture writes to the backup bucket each minute, and waits until they have come to a moment.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  tables:
    description: Names of the tables.
    type: list
    elements: str
    required: true
  until:
    description: Moment to wait for, as V(2026-11-20T10:15:03Z). Does not wait when empty.
    type: str
    default: ''
  function:
    description:
      - The function that captures, in the module's region, which is asked to look at each poll; the caller needs
        C(lambda:InvokeFunction). When empty, it looks by its own schedule.
    type: str
    default: ''
  wait_timeout:
    description: Seconds to wait at most.
    default: 1800
  prefix:
    description: Captured changes lie under C(<prefix>/<table>/).
    type: str
    default: changes
  role_arn:
    description: Role to read the bucket under. The caller's own rights when empty.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.bucket
  - dynabridge.waiting
attributes:
  check_mode:
    support: full
    description: Reads only, looks once, and asks no function.
"""

EXAMPLES = r"""
- name: Wait until everything that was written is captured
  dynamodb_capture_info:
    tables: [user-cn]
    until: 2026-11-20T10:15:03Z
    bucket: dynabridge-backup-cn-123456789012
"""

RETURN = r"""
watermarks:
  description: By table, what the capture says; None for a table without a watermark.
  returned: always
  type: dict
reached:
  description: Whether all of them have come to O(until).
  returned: always
  type: bool
seconds:
  description: How long it took.
  returned: always
  type: float
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import BUCKET, WAITING, check_lowest
from ansible.module_utils.dynabridge.errors import BackupError, DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.exports import read_time
from ansible.module_utils.dynabridge.watermark import Watermark, key_of_watermark, watermark_from
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    **BUCKET,
    **WAITING,
    "tables": {"type": "list", "elements": "str", "required": True},
    "until": {"type": "str", "default": ""},
    "function": {"type": "str", "default": ""},
    "wait_timeout": {"type": "int", "default": 1800},
    "prefix": {"type": "str", "default": "changes"},
}
TEND = json.dumps({"action": "tend"}).encode()


def moment_of(params: dict[str, Any]) -> float:
    """The moment to wait for; 0 = none. Raises SettingsError."""
    check_lowest(params, wait_timeout=1, poll=0.1)
    try:
        return read_time(params["until"]) if params["until"] else 0
    except ValueError as error:
        raise SettingsError(f"until is {params['until']!r}, which is no time as 2026-11-20T10:15:03Z") from error


def read(objects: Any, table: str, prefix: str) -> Watermark | None:
    key = key_of_watermark(table, prefix.strip("/"))
    document = objects.get_json(key)
    try:
        return watermark_from(document) if document is not None else None
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"s3://{objects.bucket}/{key} is no watermark ({error!r})") from error


def wait(
    look: Callable[[], dict[str, Watermark | None]], ask: Callable[[], None], moment: float, params: dict[str, Any]
):
    """The watermarks once all have come to the moment, or when the time is up."""
    until = time.monotonic() + params["wait_timeout"]
    while True:
        found = look()
        if reached(found, moment) or time.monotonic() + params["poll"] > until:
            return found
        ask()
        time.sleep(params["poll"])


def reached(found: dict[str, Watermark | None], moment: float) -> bool:
    return all(mark is not None and mark.until >= moment for mark in found.values())


def asker(module: Any) -> Callable[[], None]:
    """Asks the function to look. Its own errors ring elsewhere, and do not keep it from what can be done."""
    function = module.params["function"]
    if not function:
        return lambda: None
    client = tell(module.client("lambda"))
    return lambda: client.invoke(FunctionName=function, Payload=TEND)


def sentence(found: dict[str, Watermark | None], moment: float, params: dict[str, Any]) -> str:
    behind = [
        f"{table} up to {mark.as_dict()['until']}" if mark else f"{table} not at all"
        for table, mark in found.items()
        if mark is None or mark.until < moment
    ]
    return (
        f"after {params['wait_timeout']} s it is not known that every change up to {params['until']} is captured: "
        f"{', '.join(behind)}. The log of the function that captures says why; docs/capture.md what to do"
    )


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params, started = module.params, time.monotonic()
    try:
        moment = moment_of(params)
        objects = bucket_objects(module)

        def look() -> dict[str, Watermark | None]:
            return {table: read(objects, table, params["prefix"]) for table in params["tables"]}

        found = wait(look, asker(module), moment, params) if moment and not module.check_mode else look()
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg="Cannot find out up to when changes are captured")
    result = {
        "watermarks": {table: mark and mark.as_dict() for table, mark in found.items()},
        "reached": reached(found, moment),
        "seconds": round(time.monotonic() - started, 3),
    }
    if moment and not result["reached"] and not module.check_mode:
        module.fail_json(msg=sentence(found, moment, params), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
