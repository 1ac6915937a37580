# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: compare two DynamoDB tables row by row, also across accounts and partitions, or with a backup."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_compare_info
short_description: Compare two DynamoDB tables row by row and name the keys that differ
version_added: 0.1.0
description:
  - Reads both tables by parallel scans and reduces every item to a digest that does not depend on order or spelling
    (sets, maps, C(1.0) and C(1)), so memory stays bounded whatever the size of the tables.
  - Only where digests differ a second scan finds the keys, and the first of them are read again to name their attributes.
  - The tables need not stand still, but a change that has reached one table only is a difference. What differed in the
    first scan and no longer does in the second counts as equal.
  - Instead of a table a side may be the items of a full backup or of a merged set, read from S3, so that what was restored can
    be held against what it was restored from, and a table against what it was.
  - Reads only. Each scan costs read capacity for the whole table.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  left:
    description: One table, or items on S3. Either C(table) or C(lines).
    type: dict
    required: true
    suboptions: &side
      table:
        description: Name of the table.
        type: str
      lines:
        description: Items on S3 in place of a table. Their keys' names come from the schema that was saved with the backup.
        type: dict
        suboptions:
          bucket:
            description: The bucket.
            type: str
            required: true
          folder:
            description:
              - Of a verified full backup, as RV(dynamodb_restore_info#module:plans[].base), or of a merged set, as
                RV(dynamodb_merge#module:folder).
            type: str
            required: true
          bucket_region:
            description: Region of the bucket. That of the side when empty.
            type: str
          bucket_owner:
            description: Account that the bucket must belong to. Any when empty.
            type: str
          role_arn:
            description: Role to read under. The profile's own rights when empty.
            type: str
      profile:
        description: AWS profile whose credentials reach the table. The environment's credentials when empty.
        type: str
      region:
        description: Region of the table. The profile's region when empty.
        type: str
      endpoint_url:
        description: Endpoint of DynamoDB, or of S3. The profile's or the region's own when empty.
        type: str
      proxy:
        description: V(host:port) of the proxy by which this side is reached. That of the environment when empty.
        type: str
  right:
    description: The other table.
    type: dict
    required: true
    suboptions: *side
  segments:
    description: Parallel scans of each table, or files of lines that are read at the same time.
    type: int
    default: 4
  buckets:
    description: Digests that a table is reduced to. More make the second scan's share of a huge table smaller.
    type: int
    default: 4096
  show:
    description: Differing keys to return with their attributes.
    type: int
    default: 10
  max_differences:
    description:
      - Keys of differing buckets, of both tables together, that the second scan holds in memory. Buckets beyond are left
        out and RV(capped) is true; one bucket is always looked at.
    type: int
    default: 100000
  consistent_read:
    description:
      - Strongly consistent scans, so that an item written a moment ago is not reported as missing. V(false) halves the read
        units and suits tables to which nobody writes.
    type: bool
    default: true
  wait:
    description: Seconds for which tables that differ are compared again, as for tables that changes are still on the way to.
    type: int
    default: 0
  ignore_attributes:
    description: Top-level attributes that may differ.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - dynabridge.progress
  - dynabridge.reads_only
requirements:
  - boto3
  - botocore
"""

EXAMPLES = r"""
- name: Compare the two sides of a table
  dynamodb_compare_info:
    left:
      table: user-cn
      profile: cn
      region: cn-north-1
    right:
      table: user-sg
      profile: sg
      region: ap-southeast-1
  register: comparison

- name: Hold a restored table against the items that it was restored from
  dynamodb_compare_info:
    left:
      lines:
        bucket: dynabridge-backup-cn-123456789012
        bucket_region: cn-northwest-1
        folder: restore/user-cn-restored-1a2b3c4d/
      profile: cn
      region: cn-northwest-1
    right:
      table: user-cn-restored
      profile: cn
      region: cn-northwest-1
  register: verification

- name: Stop when they differ
  ansible.builtin.assert:
    that: comparison.equal
    fail_msg: "{{ comparison.summary }}"
"""

RETURN = r"""
equal:
  description: Whether both tables hold the same items.
  returned: always
  type: bool
summary:
  description: The outcome in a sentence, the first differing keys included.
  returned: always
  type: str
  sample: user-cn (20,000 items) and user-sg (20,000 items) are equal
differing:
  description: Differing keys that were found. A lower bound when RV(capped).
  returned: always
  type: int
capped:
  description: Whether buckets were left out because of O(max_differences).
  returned: always
  type: bool
differences:
  description: The first O(show) differing keys, in the order of their canonical bytes.
  returned: always
  type: list
  elements: dict
  contains:
    key:
      description: The key as attribute values; binary ones as base64 text.
      returned: always
      type: dict
      sample: {"PK": {"S": "cn-north-1-1767225600000-0-17"}}
    state:
      description: V(missing_left), V(missing_right) or V(different).
      returned: always
      type: str
    attributes:
      description: Attributes that differ, empty unless RV(differences[].state=different).
      returned: always
      type: list
      elements: str
left:
  description: The left table; C(right) likewise.
  returned: always
  type: dict
  contains: &table
    table:
      description: Its name, or where its lines lie.
      returned: always
      type: str
    item_count:
      description: Items the first scan read.
      returned: always
      type: int
right:
  description: The right table.
  returned: always
  type: dict
  contains: *table
seconds:
  description: How long it took.
  returned: always
  type: float
"""

import base64
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.line_sets import LineSet
    from ansible.module_utils.dynabridge.aws.objects import Objects
    from ansible.module_utils.dynabridge.aws.proxies import through
    from ansible.module_utils.dynabridge.aws.scan import describe_keys, reduce_table
    from ansible.module_utils.dynabridge.aws.session import under_role
    from ansible.module_utils.dynabridge.aws.sides import side_client
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import PROGRESS, REACHED, check_ranges
from ansible.module_utils.dynabridge.compare import (
    DIFFERENT,
    BucketDigests,
    Difference,
    KeyDigests,
    PickedItems,
    Rows,
    choose_buckets,
    differences,
    differing_attributes,
)
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.progress import Count, teller
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

LINES = {
    "bucket": {"type": "str", "required": True},
    "folder": {"type": "str", "required": True},
    "bucket_region": {"type": "str"},
    "bucket_owner": {"type": "str"},
    "role_arn": {"type": "str"},
}
SIDE = {
    "type": "dict",
    "required": True,
    "required_one_of": [("table", "lines")],
    "mutually_exclusive": [("table", "lines")],
    "options": {
        **REACHED,
        "table": {"type": "str"},
        "lines": {"type": "dict", "options": LINES},
    },
}
ARGUMENT_SPEC = {
    **PROGRESS,
    "left": SIDE,
    "right": SIDE,
    "segments": {"type": "int", "default": 4},
    "buckets": {"type": "int", "default": 4096},
    "show": {"type": "int", "default": 10},
    "max_differences": {"type": "int", "default": 100000},
    "consistent_read": {"type": "bool", "default": True},
    "wait": {"type": "int", "default": 0},
    "ignore_attributes": {"type": "list", "elements": "str", "default": []},
}

AGAIN_AFTER = 2.0
STATES = {
    "missing_left": "missing in {left}",
    "missing_right": "missing in {right}",
    "different": "different in {attributes}",
}


class Side(NamedTuple):
    """A table and the client that reaches it."""

    table: str
    client: Any

    def keys(self) -> tuple[tuple[str, str], ...]:
        return describe_keys(self.client, self.table)

    def reduce(self, params: dict[str, Any], make: Callable[[], Any]) -> Any:
        return reduce_table(self.client, self.table, params["segments"], make, params["consistent_read"])

    def items(self, keys: list[dict[str, Any]], _rows: Rows, _params: dict[str, Any]) -> list[dict[str, Any]]:
        """The items as they are now, {} for one that is not there."""
        return [
            self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {}) for key in keys
        ]


class Lines(NamedTuple):
    """Items on S3 in the place of a table."""

    lines: Any

    @property
    def table(self) -> str:
        return self.lines.name

    def keys(self) -> tuple[tuple[str, str], ...]:
        return self.lines.keys()

    def reduce(self, params: dict[str, Any], make: Callable[[], Any]) -> Any:
        return self.lines.reduce(params["segments"], make)

    def items(self, keys: list[dict[str, Any]], rows: Rows, params: dict[str, Any]) -> list[dict[str, Any]]:
        """The items; all lines are read for them."""
        return self.reduce(params, lambda: PickedItems(rows, keys)).items(keys) if keys else []


def connect(side: dict[str, Any], segments: int) -> Side | Lines:
    settings = {"max_pool_connections": segments, "retries": {"mode": "standard", "max_attempts": 10}}
    if side.get("lines"):
        return connect_lines(side, settings)
    return Side(side["table"], side_client(side, "dynamodb", settings))


def connect_lines(side: dict[str, Any], settings: dict[str, Any]) -> Lines:
    lines = side["lines"]
    if lines["role_arn"]:
        sts = side_client(side, "sts", {})
        home = sts.meta.region_name
        make = under_role(sts, lines["role_arn"], side["profile"], home, side["endpoint_url"])
        s3 = make("s3", region=lines["bucket_region"] or home, config=Config(**settings, **through(side)))
    else:
        s3 = side_client(side, "s3", settings, region=lines["bucket_region"] or "")
    return Lines(LineSet(Objects(s3, lines["bucket"], lines["bucket_owner"] or ""), lines["folder"]))


def check(params: dict[str, Any]) -> None:
    check_ranges(
        params, segments=(1, 256), buckets=(1, 2**22), show=(0, 1000), max_differences=(1, 10**8), wait=(0, 86400)
    )


def rows_of(left: Side | Lines, right: Side | Lines, params: dict[str, Any]) -> Rows:
    """How to look at both tables' rows. Raises where their keys do not match."""
    schemas = [side.keys() for side in (left, right)]
    if schemas[0] != schemas[1]:
        spelled = [" + ".join(f"{name} ({kind})" for name, kind in schema) for schema in schemas]
        raise SettingsError(
            f"The tables cannot be compared, their keys differ: {left.table} has {spelled[0]}, "
            f"{right.table} has {spelled[1]}."
        )
    names = tuple(name for name, _kind in schemas[0])
    ignored_keys = set(names) & set(params["ignore_attributes"])
    if ignored_keys:
        raise SettingsError(f"ignore_attributes names {', '.join(sorted(ignored_keys))}: a key cannot be ignored")
    return Rows(names, frozenset(params["ignore_attributes"]), params["buckets"])


def scan_both(
    left: Side | Lines, right: Side | Lines, params: dict[str, Any], make: Callable[[], Any]
) -> tuple[Any, Any]:
    with ThreadPoolExecutor(2) as pool:
        return tuple(pool.map(lambda side: side.reduce(params, make), (left, right)))


def describe(
    shown: list[Difference], left: Side | Lines, right: Side | Lines, rows: Rows, params: dict[str, Any]
) -> list[dict[str, Any]]:
    """Differences as they are returned; those between two items are read once more to name the attributes."""
    keys = [difference.key for difference in shown if difference.state == DIFFERENT]
    pairs = zip(left.items(keys, rows, params), right.items(keys, rows, params), strict=True)
    attributes = (differing_attributes(*pair, rows.ignore) for pair in pairs)
    return [
        {
            "key": printable(difference.key),
            "state": difference.state,
            "attributes": next(attributes) if difference.state == DIFFERENT else [],
        }
        for difference in shown
    ]


def printable(key: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {kind: base64.b64encode(value).decode() if kind == "B" else value for kind, value in typed.items()}
        for name, typed in key.items()
    }


def compare(left: Side | Lines, right: Side | Lines, params: dict[str, Any]) -> dict[str, Any]:
    """Both scans; the result to return, without its times."""
    check(params)
    rows = rows_of(left, right, params)
    read = Count(teller(params.get("progress_file")), f"{left.table} and {right.table}: {{:,}} items read")
    first_left, first_right = scan_both(left, right, params, read.of(lambda: BucketDigests(rows)))
    chosen, left_out = choose_buckets(first_left, first_right, params["max_differences"])
    found, shown = 0, []
    if chosen:
        keys = scan_both(left, right, params, read.of(lambda: KeyDigests(rows, chosen)))
        differing = list(differences(*keys))
        found = len(differing)
        shown = describe(list(islice(differing, params["show"])), left, right, rows, params)
    result = {
        "equal": not found and not left_out,
        "differing": found,
        "capped": bool(left_out),
        "differences": shown,
        "left": {"table": left.table, "item_count": first_left.items},
        "right": {"table": right.table, "item_count": first_right.items},
    }
    return result | {"summary": summary(result)}


def compare_until_equal(left: Side | Lines, right: Side | Lines, params: dict[str, Any]) -> dict[str, Any]:
    """The first comparison that finds the tables equal, or the last one that begins in the time to wait."""
    deadline = time.monotonic() + params["wait"]
    while True:
        result = compare(left, right, params)
        if result["equal"] or time.monotonic() + AGAIN_AFTER > deadline:
            return result
        time.sleep(AGAIN_AFTER)


def summary(result: dict[str, Any]) -> str:
    left, right = result["left"], result["right"]
    tables = " and ".join(f"{side['table']} ({side['item_count']:,} items)" for side in (left, right))
    if result["equal"]:
        return f"{tables} are equal"
    count = f"{'at least ' if result['capped'] else ''}{result['differing']:,}"
    lines = [
        f"{key_text(entry['key'])} is "
        + STATES[entry["state"]].format(
            left=left["table"], right=right["table"], attributes=", ".join(entry["attributes"]) or "nothing any more"
        )
        for entry in result["differences"]
    ]
    return f"{tables} differ in {count} keys" + "".join(f"\n  {line}" for line in lines)


def key_text(key: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, typed in key.items() for value in typed.values())


def named(side: dict[str, Any]) -> str:
    return side["table"] or f"s3://{side['lines']['bucket']}/{side['lines']['folder']}"


def main() -> None:
    # Without the connection parameters of other modules: each table has its own.
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, default_args=False)
    started = time.monotonic()
    names = " and ".join(named(module.params[name]) for name in ("left", "right"))
    try:
        left, right = (connect(module.params[name], module.params["segments"]) for name in ("left", "right"))
        result = compare_until_equal(left, right, module.params)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot compare {names}")
    module.exit_json(changed=False, seconds=round(time.monotonic() - started, 3), **result)


if __name__ == "__main__":
    main()
