# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: find what differs between the two sides of a table, and mend it through the conflict rule."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_resync
short_description: Find what differs between the two sides of a replicated table, and mend it
version_added: 0.1.0
description:
  - Mends what the streams do not hold any more (an outage longer than their retention, lost batches), and seeds an empty twin of
    a table that already has data. Traffic may go on.
  - Reads both tables into digests of buckets, by parallel scans. Only where these differ it looks at keys, reads each
    one and what both sides remember of it, decides by the conflict rule, and writes conditionally.
  - A row without a winner by the rule (equal stamps with different contents; a local write that never got its stamp) gets a
    new stamp on its side and is copied then.
  - Memory is bounded whatever the size of the tables. A run that was stopped goes on where it was.
  - Each side is reached from here by its own profile; nothing runs on the sides.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  name:
    description: What the table is called in messages, in the file of the state, and by O(confirm_delete).
    type: str
    required: true
  left:
    description: One side.
    type: dict
    required: true
    suboptions: &side
      name:
        description: Name of the side, as in O(direction).
        type: str
        required: true
      table:
        description: Name of its table.
        type: str
        required: true
      tombstones_table:
        description: The table of what the side remembers of deletes.
        type: str
        default: replicator_tombstones
      region:
        description: Region of the side. New stamps bear it.
        type: str
        required: true
      profile:
        description: AWS profile whose credentials reach the side. The environment's credentials when empty.
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
  direction:
    description:
      - V(both), or C(cn_to_sg) for sides that are called cn and sg. With one direction the source keeps its rows (a tie gives
        one a new stamp), and what is newer on the target is left and counted.
    type: str
    default: both
  missing:
    description:
      - What is done about rows that only the target has, with one direction. V(copy) leaves them; with both directions they are
        copied. V(delete) deletes them and needs O(confirm_delete).
    type: str
    choices: [copy, delete]
    default: copy
  confirm_delete:
    description: The O(name) again, to confirm O(missing=delete).
    type: str
    default: ''
  put_back:
    description:
      - With one direction, the source is what the target was at a moment, such as a restored table, and is right whatever the
        stamps say. V(missing) copies rows that the target lacks, V(changed) also those that differ. They get new stamps, in the
        source too, and so win on both sides of a replicated target. Rows that only the target has are left. Empty for a resync.
    type: str
    choices: ['', missing, changed]
    default: ''
  written_before:
    description: With V(put_back=changed), a time with its zone. Rows of the target with a stamp from then on are left.
    type: str
    default: ''
  twins:
    description: Names of the two tables that replicate, where one of the sides is another table. Both sides' tables when empty.
    type: list
    elements: str
    default: []
  stamping:
    description: V(managed) when writers know nothing of stamps and the bridge gives them, else V(application).
    type: str
    choices: [application, managed]
    default: application
  max_wcu:
    description: Write units a second that may be used on each side, indexes not counted. V(0) is no limit.
    type: float
    default: 0
  write_batch:
    description: Writes in one transaction, which cost twice the units of single writes. V(1) writes singly.
    type: int
    default: 100
  segments:
    description: Parallel scans of each table.
    type: int
    default: 4
  buckets:
    description: Digests that a table is reduced to. More make the share of a huge table smaller that is looked at by key.
    type: int
    default: 4096
  settle:
    description: Seconds after which a differing key is looked at again before it counts, because changes are on their way.
    type: float
    default: 5
  show:
    description: Keys to name of each kind of difference.
    type: int
    default: 5
  state_dir:
    description: Directory of the file that says where a run stands. Nothing is kept in check mode, or when empty.
    type: path
  restart:
    description: Begin anew, whatever an earlier run left.
    type: bool
    default: false
extends_documentation_fragment:
  - dynabridge.stamps
  - dynabridge.progress
attributes:
  check_mode:
    support: full
    description: A dry run. Looks and counts, writes nothing.
requirements:
  - boto3
  - botocore
seealso:
  - module: dynamodb_compare_info
"""

EXAMPLES = r"""
- name: See what differs
  dynamodb_resync:
    name: user
    left: {name: cn, table: user-cn, profile: cn, region: cn-north-1}
    right: {name: sg, table: user-sg, profile: sg, region: ap-southeast-1}
  check_mode: true

- name: Put back what the table has lost since it was as in the restored one
  dynamodb_resync:
    name: user
    left: {name: restored, table: user-cn-restored-20261120T101503Z, profile: cn, region: cn-north-1}
    right: {name: cn, table: user-cn, profile: cn, region: cn-north-1}
    direction: restored_to_cn
    put_back: missing
    twins: [user-cn, user-sg]

- name: Seed the empty twin, at no more than 500 write units a second
  dynamodb_resync:
    name: user
    left: {name: cn, table: user-cn, profile: cn, region: cn-north-1}
    right: {name: sg, table: user-sg, profile: sg, region: ap-southeast-1}
    direction: cn_to_sg
    max_wcu: 500
    state_dir: /var/lib/dynabridge/resync
"""

RETURN = r"""
summary:
  description: The outcome in a few lines, the first keys of each kind included.
  returned: always
  type: str
items:
  description: Items by side, as the first pass read them.
  returned: always
  type: dict
  sample: {"cn": 20000, "sg": 19990}
equal:
  description: Keys that are the same on both sides.
  returned: always
  type: int
differing:
  description: Keys that differ, those included that one direction leaves.
  returned: always
  type: int
only:
  description: Differing keys that only this side has, by side.
  returned: always
  type: dict
  sample: {"cn": 10, "sg": 0}
newer:
  description: Differing keys whose row on this side is the later one, by side.
  returned: always
  type: dict
  sample: {"cn": 3, "sg": 1}
ties:
  description: Differing keys with equal stamps.
  returned: always
  type: int
deleted:
  description: Keys with a row on one side, or both, that a later delete is remembered of.
  returned: always
  type: int
to_copy:
  description: Differing keys with a row to be copied.
  returned: always
  type: int
to_delete:
  description: Differing keys with rows to be deleted.
  returned: always
  type: int
left_alone:
  description: Differing keys that are not mended with this direction.
  returned: always
  type: int
repaired:
  description: Rows written and deleted. 0 in check mode.
  returned: always
  type: int
lifted:
  description: Rows that got a new stamp. 0 in check mode.
  returned: always
  type: int
overtaken:
  description: Repairs that were refused because somebody wrote meanwhile. The replication takes care of those.
  returned: always
  type: int
poison:
  description: Rows that DynamoDB refuses to take.
  returned: always
  type: int
unsettled:
  description: Rows that could not be written for now, such as throttled ones.
  returned: always
  type: int
examples:
  description: The first keys of each kind, with what is done about them or the reason why it failed.
  returned: always
  type: list
  elements: dict
  sample: [{"key": {"PK": {"S": "a"}}, "state": "only_left", "action": "copy"}]
resumed:
  description: Whether an earlier run was taken up.
  returned: always
  type: bool
seconds:
  description: How long it took.
  returned: always
  type: float
"""

import os
import time
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.memory import Memory
    from ansible.module_utils.dynabridge.aws.resync import Options, Resync, Side
    from ansible.module_utils.dynabridge.aws.scan import describe_keys
    from ansible.module_utils.dynabridge.aws.sides import side_client
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection

from ansible.module_utils.dynabridge.arguments import PROGRESS, REACHED, STAMPS
from ansible.module_utils.dynabridge.compare import Rows
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.moments import read_date
from ansible.module_utils.dynabridge.resync import BOTH, CHANGED, COPY, DELETE, LEFT, RIGHT, SIDES, Rule
from ansible.module_utils.dynabridge.resync_report import Meter, result_of, summary
from ansible.module_utils.dynabridge.resync_state import ResyncState
from ansible.module_utils.dynabridge.stamps import StampNames
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

SIDE = {
    "type": "dict",
    "required": True,
    "options": {
        "name": {"type": "str", "required": True},
        "table": {"type": "str", "required": True},
        "tombstones_table": {"type": "str", "default": "replicator_tombstones"},
        **REACHED,
        "region": {"type": "str", "required": True},
    },
}
ARGUMENT_SPEC = {
    **STAMPS,
    **PROGRESS,
    "name": {"type": "str", "required": True},
    "left": SIDE,
    "right": SIDE,
    "direction": {"type": "str", "default": "both"},
    "missing": {"type": "str", "choices": ["copy", "delete"], "default": "copy"},
    "confirm_delete": {"type": "str", "default": ""},
    "put_back": {"type": "str", "choices": ["", "missing", "changed"], "default": ""},
    "written_before": {"type": "str", "default": ""},
    "twins": {"type": "list", "elements": "str", "default": []},
    "stamping": {"type": "str", "choices": ["application", "managed"], "default": "application"},
    "max_wcu": {"type": "float", "default": 0},
    "write_batch": {"type": "int", "default": 100},
    "segments": {"type": "int", "default": 4},
    "buckets": {"type": "int", "default": 4096},
    "settle": {"type": "float", "default": 5},
    "show": {"type": "int", "default": 5},
    "state_dir": {"type": "path"},
    "restart": {"type": "bool", "default": False},
}
LIMITS = (
    ("tombstone_days", 1, 3650),
    ("max_wcu", 0, 10**7),
    ("write_batch", 1, 100),
    ("segments", 1, 64),
    ("buckets", 1, 2**22),
    ("settle", 0, 3600),
    ("show", 0, 1000),
)
# A side that is down is to be known in seconds; one that answers gets the patience of the long work.
PROBE = {"connect_timeout": 5, "read_timeout": 10, "retries": {"mode": "standard", "max_attempts": 2}}
WORK = {"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard", "max_attempts": 10}}
NOTHING_CHANGED = "Nothing was changed."


def check(params: dict[str, Any]) -> None:
    for name, low, high in LIMITS:
        if not low <= params[name] <= high:
            raise SettingsError(f"{name} is {params[name]:g}: it must be from {low} to {high}. {NOTHING_CHANGED}")
    target = target_of(params)
    if params["missing"] == DELETE:
        check_delete(params, target)
    if params["put_back"] and (target == BOTH or params["missing"] == DELETE):
        raise SettingsError(f"put_back goes with one direction, and not with missing=delete. {NOTHING_CHANGED}")
    moment_of(params)


def check_delete(params: dict[str, Any], target: str) -> None:
    if target == BOTH:
        raise SettingsError(
            f"missing=delete does not go with direction=both: name the one to follow ({', '.join(directions(params))}), "
            f"the rows that it lacks are deleted on the other side. {NOTHING_CHANGED}"
        )
    if params["confirm_delete"] != params["name"]:
        raise SettingsError(
            f"missing=delete deletes every row of {params[target]['table']} that the other side does not have: "
            f"confirm it with resync_confirm_delete={params['name']}. {NOTHING_CHANGED}"
        )


def moment_of(params: dict[str, Any]) -> float:
    """Epoch seconds of written_before, 0 without it."""
    if not params["written_before"]:
        return 0
    if params["put_back"] != CHANGED:
        raise SettingsError(f"written_before goes with put_back=changed. {NOTHING_CHANGED}")
    asked = read_date(params["written_before"], time.time())
    if asked.moment is None:
        raise SettingsError(
            f"written_before is {params['written_before']}: write a time with its zone, as 2026-11-20T10:40:00Z. "
            f"{NOTHING_CHANGED}"
        )
    return asked.moment


def directions(params: dict[str, Any]) -> dict[str, str]:
    """The one-way directions by name, each with the side that is written."""
    left, right = params["left"]["name"], params["right"]["name"]
    return {f"{left}_to_{right}": RIGHT, f"{right}_to_{left}": LEFT}


def target_of(params: dict[str, Any]) -> str:
    known = {"both": BOTH} | directions(params)
    if params["direction"] not in known:
        raise SettingsError(
            f"There is no direction '{params['direction']}': it must be one of {', '.join(known)}. {NOTHING_CHANGED}"
        )
    return known[params["direction"]]


def connect(side: dict[str, Any], settings: dict[str, Any], connections: int = 10) -> Any:
    return side_client(side, "dynamodb", settings | {"max_pool_connections": connections})


def probe(side: dict[str, Any]) -> tuple[tuple, str]:
    """The table's keys, and what tells it from one of the same name made later. Raises where something is missing."""
    client = connect(side, PROBE)
    try:
        keys = describe_keys(client, side["table"])
        describe_keys(client, side["tombstones_table"])
        description = client.describe_table(TableName=side["table"])["Table"]
    except (NoConnection, HTTPClientError) as error:
        raise SettingsError(
            f"Side {side['name']} cannot be reached ({client.meta.endpoint_url}): {error}. {NOTHING_CHANGED} "
            "Check that the side is up, and the network from here, and run the resync again."
        ) from error
    return keys, f"{description['TableArn']} {description['CreationDateTime']}"


def rows_of(params: dict[str, Any], keys: dict[str, tuple]) -> Rows:
    if keys[LEFT] != keys[RIGHT]:
        spelled = {side: " + ".join(f"{name} ({kind})" for name, kind in keys[side]) for side in SIDES}
        raise SettingsError(
            f"The tables cannot be resynced, their keys differ: {params['left']['table']} has {spelled[LEFT]}, "
            f"{params['right']['table']} has {spelled[RIGHT]}. {NOTHING_CHANGED}"
        )
    return Rows(tuple(name for name, _kind in keys[LEFT]), buckets=params["buckets"])


def state_of(params: dict[str, Any], tables: dict[str, str], check_mode: bool) -> ResyncState:
    """Where an earlier run of the same parameters came to. Others (pace, patience) may change between runs."""
    decisive = ("direction", "missing", "stamping", "segments", "buckets", "timestamp_attribute", "region_attribute")
    decisive += ("put_back", "written_before")
    path = ""
    if params["state_dir"] and not check_mode:
        path = os.path.join(params["state_dir"], f"{params['name']}-{params['direction']}.json")
    return ResyncState(path, {name: params[name] for name in decisive} | {"tables": tables}, params["show"])


def make_side(params: dict[str, Any], which: str, names: StampNames) -> Side:
    side = params[which]
    client = connect(side, WORK, 2 * params["segments"] + 2)
    memory = Memory(client, side["tombstones_table"], names, params["tombstone_days"] * 86400)
    return Side.of(
        side["name"],
        side["table"],
        client,
        names,
        memory,
        side["region"],
        params["max_wcu"],
        params["write_batch"],
    )


def make_rule(params: dict[str, Any], names: StampNames) -> Rule:
    sides = (params["left"], params["right"])
    return Rule(
        names=names,
        regions=tuple(side["region"] for side in sides),
        pair="|".join(sorted(params["twins"] or (side["table"] for side in sides))),
        target=target_of(params),
        missing=params["missing"] if params["missing"] == DELETE else COPY,
        managed=params["stamping"] == "managed",
        put_back=params["put_back"],
        written_before=moment_of(params),
    )


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The resync; the result to return, without its time."""
    check(params)
    found = {side: probe(params[side]) for side in SIDES}
    rows = rows_of(params, {side: keys for side, (keys, _table) in found.items()})
    names = StampNames(params["timestamp_attribute"], params["region_attribute"])
    state = state_of(params, {side: table for side, (_keys, table) in found.items()}, check_mode)
    resumed = not params["restart"] and state.take_up()
    side_names = {side: params[side]["name"] for side in SIDES}
    resync = Resync(
        {side: make_side(params, side, names) for side in SIDES},
        rows,
        make_rule(params, names),
        Options(params["segments"], params["settle"], not check_mode),
        state,
        Meter(params["name"], side_names, state, params["progress_file"], params["segments"]).show,
    )
    try:
        resync.run(resumed)
    except (DynabridgeError, ClientError, BotoCoreError) as error:
        if state.path and os.path.exists(state.path):
            raise SettingsError(
                f"The resync of {params['name']} stopped: {error}. Run it again: it goes on where it was ({state.path})."
            ) from error
        raise
    state.remove()
    result = result_of(state, side_names, check_mode) | {"resumed": resumed}
    return result | {"summary": summary(result, params, check_mode)}


def main() -> None:
    # Without the connection parameters of other modules: each side has its own.
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, default_args=False)
    started = time.monotonic()
    try:
        result = run(module.params, module.check_mode)
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot resync {module.params['name']}")
    result["seconds"] = round(time.monotonic() - started, 3)
    if result["poison"] or result["unsettled"]:
        module.fail_json(msg=result["summary"], **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
