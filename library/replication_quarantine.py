# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: show, replay or discard what a side's functions could not handle."""

from __future__ import annotations

DOCUMENTATION = r"""
module: replication_quarantine
short_description: Show, replay or discard what a side's functions could not handle
version_added: 0.1.0
description:
  - Entries are the objects of the side's quarantine bucket. An entry is a record as Lambda got it, a single change of a record
    that was otherwise applied, or a gap, which names a run of records that the stream had forgotten.
  - Messages of the on-failure queues hold the place of a batch and not its records. With O(collect) the records are stored
    as entries while the stream still has them; what it has forgotten is stored as a gap. A message is deleted after that.
  - A replay invokes the function that the entry belongs to, so its own code, rights and conflict rule apply the record again.
    What went through is moved to C(replayed/) in the bucket. Replaying a record twice changes nothing.
  - To discard is to move to C(discarded/). Nothing is ever erased.
  - Memory is bounded whatever the number of entries.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  action:
    description:
      - V(show) lists entries. V(replay) hands them to their functions. V(discard) puts them away.
    type: str
    choices: [show, replay, discard]
    default: show
  bucket:
    description: The side's quarantine bucket.
    type: str
    required: true
  side:
    description: Name of the side.
    type: str
    required: true
  peer:
    description: Name of the other side.
    type: str
    required: true
  functions:
    description: The side's functions, with the queues that learn of batches their mappings gave up.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the function.
        type: str
        required: true
      queue:
        description: Name of its on-failure queue.
        type: str
        required: true
  table:
    description:
      - Only entries of this table, under its name on this side. Empty for all.
      - An entry that cannot be read has no table.
    type: str
    default: ''
  id:
    description: Only the entry with this id. Empty for all.
    type: str
    default: ''
  collect:
    description:
      - Whether the messages of the queues are taken in before anything else.
      - Not done with O(id), with O(action=discard) or in check mode.
    type: bool
    default: true
  max_messages:
    description: Messages to take in, of each queue.
    type: int
    default: 10000
  tombstone_days:
    description: How long the side remembers deletes. What is older and writes an item is not replayed.
    type: float
    default: 30
  replay_old:
    description: Replay what is older than O(tombstone_days) all the same. It may bring back what was deleted since.
    type: bool
    default: false
  show:
    description: Entries to return. The counts are of all.
    type: int
    default: 200
  timeout:
    description: Seconds to wait for a function's answer.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: Tells what would be replayed or discarded. Queues are counted, not read.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: See what a side could not handle
  replication_quarantine:
    bucket: dynabridge-quarantine-cn-100000000001
    side: cn
    peer: sg
    functions:
      - name: ddb_send_to_kinesis
        queue: ddbstreamcn
      - name: replicator_kinesis
        queue: ddbreplicatorcn
  register: quarantine

- name: Replay what belongs to one table
  replication_quarantine:
    action: replay
    table: user-cn
    bucket: dynabridge-quarantine-cn-100000000001
    side: cn
    peer: sg
    functions:
      - name: replicator_kinesis
        queue: ddbreplicatorcn
"""

RETURN = r"""
found:
  description: Entries that were chosen.
  returned: always
  type: int
  sample: 3
kinds:
  description: How many of them are of which kind, V(record), V(change), V(gap) or V(unreadable).
  returned: always
  type: dict
  sample: {"record": 2, "gap": 1}
entries:
  description: The first O(show) of them.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: What O(id) takes.
      returned: always
      type: str
      sample: 3fa1c09d77be
    side:
      description: The side.
      returned: always
      type: str
    kind:
      description: V(record), V(change), V(gap) or V(unreadable).
      returned: always
      type: str
    function:
      description: The function that kept it.
      returned: always
      type: str
    tables:
      description: Tables of this side that it is about, as far as that can be told.
      returned: always
      type: list
      elements: str
    keys:
      description: Keys of its first items, as attribute values in JSON.
      returned: always
      type: list
      elements: dict
    reason:
      description: Why it was kept.
      returned: always
      type: str
    arrived:
      description: When the stream got it, UTC.
      returned: always
      type: str
      sample: '2026-11-20T10:00:00Z'
    size:
      description: Bytes of the object.
      returned: always
      type: int
    object:
      description: Key of the object in the bucket.
      returned: always
      type: str
waiting:
  description: Messages in each queue, as far as SQS knows, those that another run holds included. Counted at the end.
  returned: always
  type: dict
  sample: {"ddbstreamcn": 0, "ddbreplicatorcn": 0}
collected:
  description: What was taken in from the queues.
  returned: always
  type: dict
  contains:
    messages:
      description: Messages that are settled and deleted.
      returned: always
      type: int
    records:
      description: Records that were stored.
      returned: always
      type: int
    gaps:
      description: Keys of the gaps that were stored.
      returned: always
      type: list
      elements: str
replayed:
  description: Entries that went through; in check mode those that would be tried.
  returned: always
  type: int
discarded:
  description: Entries that were put away, or would be in check mode.
  returned: always
  type: int
problems:
  description: One sentence for each entry that did not go through and each message that could not be taken in. The first O(show).
  returned: always
  type: list
  elements: str
problem_count:
  description: How many there are.
  returned: always
  type: int
text:
  description: The entries and counts as lines for people.
  returned: always
  type: list
  elements: str
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.lost_batches import Collected, Collector, StreamReader, waiting
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from ansible.module_utils.dynabridge.aws.quarantine import Quarantine
    from ansible.module_utils.dynabridge.aws.replays import Limits, Outcome, Replayer, Store
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import check_lowest
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible.module_utils.dynabridge.replays import Entry, listing
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    "action": {"type": "str", "choices": ["show", "replay", "discard"], "default": "show"},
    "bucket": {"type": "str", "required": True},
    "side": {"type": "str", "required": True},
    "peer": {"type": "str", "required": True},
    "functions": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"name": {"type": "str", "required": True}, "queue": {"type": "str", "required": True}},
    },
    "table": {"type": "str", "default": ""},
    "id": {"type": "str", "default": ""},
    "collect": {"type": "bool", "default": True},
    "max_messages": {"type": "int", "default": 10000},
    "tombstone_days": {"type": "float", "default": 30},
    "replay_old": {"type": "bool", "default": False},
    "show": {"type": "int", "default": 200},
    "timeout": {"type": "int", "default": 120},
}


class Clients(NamedTuple):
    """What reaches the side."""

    s3: Any
    sqs: Any
    functions: Any
    kinesis: Any
    streams: Any


def connect(module: AnsibleAWSModule) -> Clients:
    # An invoke that was not answered in time is not repeated: the function may still be at work.
    patient = Config(read_timeout=module.params["timeout"], retries={"total_max_attempts": 1})
    many = Config(max_pool_connections=16, retries={"mode": "standard", "max_attempts": 10})
    return Clients(
        s3=tell(module.client("s3", config=many)),
        sqs=tell(module.client("sqs")),
        functions=tell(module.client("lambda", config=patient)),
        kinesis=tell(module.client("kinesis")),
        streams=tell(module.client("dynamodbstreams")),
    )


@dataclass
class Seen:
    """Counts the entries that pass, and remembers the first of them for the result."""

    side: str
    most: int
    kinds: Counter[str] = field(default_factory=Counter)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def watch(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        for entry in entries:
            self.kinds[entry.kind] += 1
            if len(self.entries) < self.most:
                self.entries.append(entry.summary(self.side))
            yield entry


def check(params: dict[str, Any]) -> None:
    check_lowest(params, show=0, max_messages=1, tombstone_days=0, timeout=1)


def collect(clients: Clients, store: Store, params: dict[str, Any]) -> Collected:
    collected = Collected()
    reader = StreamReader(clients.kinesis, clients.streams)
    for function in params["functions"]:
        quarantine = Quarantine(clients.s3, params["bucket"], params["side"], function["name"])
        collector = Collector(clients.sqs, reader, quarantine, store)
        collector.collect(function["queue"], collected, params["max_messages"])
    return collected


def act(clients: Clients, store: Store, entries: Iterator[Entry], params: dict[str, Any], check_mode: bool) -> Outcome:
    """Do to the entries what is asked for."""
    outcome = Outcome()
    limits = Limits(params["tombstone_days"], params["replay_old"], time.time())
    if params["action"] == "replay" and not check_mode:
        names = frozenset(function["name"] for function in params["functions"])
        return Replayer(clients.functions, store, limits, params["peer"], names).replay(entries)
    for entry in entries:
        objection = limits.objection(entry) if params["action"] == "replay" else ""
        if objection:
            outcome.fail([entry], objection)
        elif params["action"] == "replay":
            outcome.replayed += 1
        elif params["action"] == "discard":
            outcome.discarded += 1
            if not check_mode:
                store.discard(entry)
    return outcome


def run(clients: Clients, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result to return."""
    check(params)
    store = Store(clients.s3, params["bucket"])
    collected = Collected()
    if params["collect"] and not params["id"] and params["action"] != "discard" and not check_mode:
        collected = collect(clients, store, params)
    seen = Seen(params["side"], params["show"])
    outcome = act(clients, store, seen.watch(store.entries(params["table"], params["id"])), params, check_mode)
    problems = [
        *(f"{identity}: {why}" for identity, why in outcome.failed),
        *(f"kept anew out of a replayed record: {key}" for key in outcome.kept_anew),
        *collected.problems,
    ]
    result = {
        "found": seen.kinds.total(),
        "kinds": dict(seen.kinds),
        "entries": seen.entries,
        "waiting": {
            function["queue"]: sum(waiting(clients.sqs, function["queue"])) for function in params["functions"]
        },
        "collected": {"messages": collected.messages, "records": collected.records, "gaps": collected.gaps},
        "problems": [f"side {params['side']}: {problem}" for problem in problems[: params["show"]]],
        "problem_count": len(problems) - len(outcome.failed) + outcome.failed_count,
        "changed": bool(outcome.replayed or outcome.discarded or collected.messages),
        "replayed": outcome.replayed,
        "discarded": outcome.discarded,
    }
    return result | {"text": text(result, params, check_mode)}


def text(result: dict[str, Any], params: dict[str, Any], check_mode: bool) -> list[str]:
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(result["kinds"].items()))
    queues = ", ".join(f"{number:,} in {queue}" for queue, number in result["waiting"].items())
    lines = [f"side {params['side']}: entries: {kinds or 'none'}; messages waiting: {queues}"]
    collected = result["collected"]
    if collected["messages"]:
        lines.append(
            f"taken in: {collected['messages']:,} messages, which gave {collected['records']:,} records and "
            f"{len(collected['gaps']):,} gaps"
        )
    for done in ("replayed", "discarded"):
        if result[done]:
            lines.append(f"{'would be ' if check_mode else ''}{done}: {result[done]:,}")
    lines += listing(result["entries"])
    if result["found"] > len(result["entries"]):
        lines.append(f"and {result['found'] - len(result['entries']):,} more")
    return lines


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    where = f"the quarantine of side {module.params['side']}"
    try:
        result = run(connect(module), module.params, module.check_mode)
    except DynabridgeError as error:
        module.fail_json(msg=f"side {module.params['side']}: {error}")
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(
            error,
            msg=f"Cannot {module.params['action']} {where} (bucket {module.params['bucket']}); is the side deployed",
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
