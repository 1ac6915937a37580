# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: compare a DynamoDB table with what loads have written."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_journal_info
short_description: Compare a DynamoDB table with the journal of what M(dynamodb_load) has written
version_added: 0.1.0
description:
  - The oracle of a test. The journal knows every item without reading a table, so a table that was restored is held against what
    was written, and not against what some other part of the bridge made of it.
  - Only what was written by the loads counts. The table must have been empty before, and nobody else may write to it.
  - Reads only. Memory is a digest for each key.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  journal:
    description: Directory that the loads wrote to, O(dynamodb_load#module:journal).
    type: path
    required: true
  table_name:
    description: The table.
    type: str
    required: true
  segments:
    description: Parallel scans of the table.
    type: int
    default: 4
  show:
    description: Differing keys to return.
    type: int
    default: 10
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.reads_only
seealso:
  - module: dynamodb_load
  - module: dynamodb_compare_info
"""

EXAMPLES = r"""
- name: See that the restored table holds what was written
  dynamodb_journal_info:
    journal: /tmp/test1
    table_name: dynabridge-test1-cn-drill-20261120T101503Z
  register: oracle
"""

RETURN = r"""
equal:
  description: Whether the table holds what was written, and nothing else.
  returned: always
  type: bool
summary:
  description: The outcome in a sentence, the first differing keys included.
  returned: always
  type: str
changes:
  description: Lines of the journal.
  returned: always
  type: int
expected_items:
  description: Items that have to be there.
  returned: always
  type: int
found_items:
  description: Items that are there.
  returned: always
  type: int
differing:
  description: Keys that differ.
  returned: always
  type: int
differences:
  description: The first O(show) of them, C(key) and C(state), which is C(missing), C(unexpected) or C(different).
  returned: always
  type: list
  elements: dict
"""

from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from ansible.module_utils.dynabridge.aws.scan import describe_keys, reduce_table
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import check_ranges
from ansible.module_utils.dynabridge.attributes import to_json
from ansible.module_utils.dynabridge.compare import (
    DIFFERENT,
    MISSING_LEFT,
    MISSING_RIGHT,
    BucketDigests,
    KeyDigests,
    Rows,
    differences,
)
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible.module_utils.dynabridge.journal import Journal, changes
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    "journal": {"type": "path", "required": True},
    "table_name": {"type": "str", "required": True},
    "segments": {"type": "int", "default": 4},
    "show": {"type": "int", "default": 10},
}
STATES = {MISSING_LEFT: "unexpected", MISSING_RIGHT: "missing", DIFFERENT: "different"}


def look(client: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The result to return."""
    check_ranges(params, segments=(1, 256), show=(0, 1000))
    table = params["table_name"]
    rows = Rows(tuple(name for name, _kind in describe_keys(client, table)))
    journal = Journal(rows, partial(changes, Path(params["journal"])))
    wanted = journal.digests()
    found = reduce_table(client, table, params["segments"], lambda: BucketDigests(rows))
    count, shown = 0, []
    buckets = wanted.differing(found)
    if buckets:
        there = reduce_table(client, table, params["segments"], lambda: KeyDigests(rows, buckets))
        differing = list(differences(journal.keys(buckets), there))
        count = len(differing)
        shown = [{"key": to_json(one.key), "state": STATES[one.state]} for one in islice(differing, params["show"])]
    result = {
        "equal": not buckets,
        "changes": journal.changes,
        "expected_items": wanted.items,
        "found_items": found.items,
        "differing": count,
        "differences": shown,
    }
    return result | {"summary": summary(table, result)}


def summary(table: str, result: dict[str, Any]) -> str:
    if result["equal"]:
        return f"{table} holds the {result['expected_items']:,} items that {result['changes']:,} writes have left"
    keys = "; ".join(f"{entry['key']} is {entry['state']}" for entry in result["differences"])
    return (
        f"{table} has {result['found_items']:,} items, {result['expected_items']:,} were left by {result['changes']:,} writes;"
        f" {result['differing']:,} keys differ: {keys}"
    )


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = look(tell(module.client("dynamodb")), module.params)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot compare table {module.params['table_name']} with its journal")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
