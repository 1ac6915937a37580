# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: write user profiles into a DynamoDB table with several processes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_load
short_description: Put, update or delete many stamped items in a DynamoDB table
version_added: 0.1.0
description:
  - Writes O(items) user profiles with each of O(processes) processes, in batches; what DynamoDB leaves over is sent again
    until it is settled, so nothing is dropped.
  - Every item carries the time of its write and the name of its region, which replication orders changes by.
  - The keys are C(<run_id>-<process>-<index>) in the table's own key attributes and types, so a later run with the same
    O(run_id), O(processes) and O(items) updates or deletes the same items.
  - Settled items are added to C(loaded_count) of the stats table and published as the metric C(Total_loaded).
  - Needs the Python package Faker, except to delete.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  table_name:
    description: The table to write to.
    type: str
    required: true
  items:
    description: Items for each process.
    type: int
    required: true
  processes:
    description: Processes that write at the same time.
    type: int
    default: 1
  rate:
    description: Items a second over all processes. V(0) is as fast as it goes.
    type: float
    default: 0
  operation:
    description:
      - V(put) and V(update) put whole items; V(update) and V(delete) take a O(share) of the items of an earlier run.
    type: str
    choices: [put, update, delete]
    default: put
  share:
    description: Part of the items, V(0) to V(1), that an update or delete takes; the choice follows O(seed).
    type: float
    default: 1
  run_id:
    description:
      - First part of every key. Required to update and delete; a put without it makes one of region and time.
    type: str
    aliases: [key_prefix]
  seed:
    description: Another seed makes other profiles and another choice.
    type: int
    default: 0
  region_name:
    description: What the items name as the region of their last writer. The client's region when not given.
    type: str
  timestamp_attribute:
    description: Attribute for the time of the write, epoch seconds with microseconds.
    type: str
    default: last_update_timestamp
  region_attribute:
    description: Attribute for the region of the writer.
    type: str
    default: last_updater_region
  stats_table:
    description: Table whose row C(loaded_count) counts settled items in C(cnt). Empty to count nowhere.
    type: str
    default: loader_stats
  metric_namespace:
    description: CloudWatch namespace for the metric C(Total_loaded), dimension C(loader=ddb-loader). Empty for none.
    type: str
    default: DDB-Loader
  journal:
    description:
      - Directory to which every settled write is appended, for M(dynamodb_journal_info). It is made where it is missing.
      - Runs that write the same items must follow each other. None when not given.
    type: path
attributes:
  check_mode:
    support: full
    description: Checks tables and parameters, says how many changes it would make.
requirements:
  - Faker
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: replication_progress
  - module: dynamodb_compare_info
"""

EXAMPLES = r"""
- name: Load 100,000 profiles with five processes
  dynamodb_load:
    table_name: user-cn
    items: 20000
    processes: 5
  register: load

- name: Update a tenth of them, 500 items a second
  dynamodb_load:
    table_name: user-cn
    items: 20000
    processes: 5
    run_id: "{{ load.run_id }}"
    operation: update
    share: 0.1
    rate: 500
"""

RETURN = r"""
planned:
  description: Changes the plan holds.
  returned: always
  type: int
  sample: 100000
loaded:
  description: Items settled.
  returned: always
  type: int
  sample: 100000
failed_items:
  description: Items that were not settled; the module fails when there are any.
  returned: when not in check mode
  type: int
  sample: 0
run_id:
  description: First part of every key.
  returned: always
  type: str
  sample: cn-north-1-1767225600000
started_at:
  description: When the load began, epoch seconds.
  returned: when not in check mode
  type: float
ended_at:
  description: When the last item was settled, epoch seconds.
  returned: when not in check mode
  type: float
seconds:
  description: From the beginning to the last item.
  returned: when not in check mode
  type: float
items_per_second:
  description: Settled items a second.
  returned: when not in check mode
  type: float
curve:
  description: Settled items over time, pairs of epoch seconds and cumulative count, at most 500.
  returned: when not in check mode
  type: list
  elements: list
"""

import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.load import Target, load
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from ansible.module_utils.dynabridge.aws.scan import describe_keys
    from botocore.exceptions import BotoCoreError, ClientError

try:
    from faker import Faker
except ImportError:
    Faker = None

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.dynabridge.arguments import check_ranges
from ansible.module_utils.dynabridge.curves import cumulative, rate, thin
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.journal import file_name, lines
from ansible.module_utils.dynabridge.load_plan import DELETE, PUT, LoadPlan
from ansible.module_utils.dynabridge.stamps import StampNames
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    "table_name": {"type": "str", "required": True},
    "items": {"type": "int", "required": True},
    "processes": {"type": "int", "default": 1},
    "rate": {"type": "float", "default": 0},
    "operation": {"type": "str", "choices": ["put", "update", "delete"], "default": "put"},
    "share": {"type": "float", "default": 1},
    "run_id": {"type": "str", "aliases": ["key_prefix"]},
    "seed": {"type": "int", "default": 0},
    "region_name": {"type": "str"},
    "timestamp_attribute": {"type": "str", "default": "last_update_timestamp"},
    "region_attribute": {"type": "str", "default": "last_updater_region"},
    "stats_table": {"type": "str", "default": "loader_stats"},
    "metric_namespace": {"type": "str", "default": "DDB-Loader"},
    "journal": {"type": "path"},
}

POOL = 200  # Faker takes about a millisecond for a profile: items are drawn from a pool
CURVE_POINTS = 500
REPORT_EVERY = 0.1
MAX_PROCESSES = 64
# The items are made here, not by a user: botocore's validation of each costs a third of the throughput.
CLIENT_CONFIG = {"parameter_validation": False, "retries": {"mode": "standard", "max_attempts": 5}}

Event = tuple[float, int]
Work = Callable[[int, Callable[[float, int], None]], None]


def make_profiles(seed: int, count: int = POOL) -> list[dict[str, str]]:
    """A pool of people with addresses, the same for the same seed."""
    fake = Faker("en_US")
    fake.seed_instance(seed)
    profiles = []
    for index in range(count):
        sex = "FM"[index % 2]
        first_name = fake.first_name_female() if sex == "F" else fake.first_name_male()
        profiles.append(
            {
                "first_name": first_name,
                "last_name": fake.last_name(),
                "sex": sex,
                "street_address": fake.street_address(),
                "city": fake.city(),
                "state": fake.state(),
                "zipcode": fake.zipcode(),
                "country": "United States",
            }
        )
    return profiles


def make_plan(params: dict[str, Any], region: str) -> LoadPlan:
    """The plan of the parameters. Raises SettingsError naming the one that makes no sense."""
    check_ranges(params, items=(1, 10**9), processes=(1, MAX_PROCESSES), rate=(0, 10**6), share=(0, 1))
    if params["operation"] == PUT and params["share"] != 1:
        raise SettingsError("share is for update and delete: a put writes all its items")
    run_id = params["run_id"] or f"{region}-{int(time.time() * 1000)}"
    return LoadPlan(run_id, params["items"], params["processes"], params["rate"], params["share"], params["seed"])


def make_target(params: dict[str, Any], region: str, dynamodb: Any) -> Target:
    """The target of the parameters; its tables are looked at. Raises TableUnavailable."""
    schema = describe_keys(dynamodb, params["table_name"])
    if params["stats_table"]:
        describe_keys(dynamodb, params["stats_table"])
    names = StampNames(params["timestamp_attribute"], params["region_attribute"])
    return Target(
        params["table_name"],
        schema,
        params["operation"],
        params["region_name"] or region,
        names,
        params["stats_table"],
        params["metric_namespace"],
    )


def run_processes(count: int, work: Work) -> tuple[list[Event], list[str]]:
    """Run ``work(process, report)`` in processes; what they reported, and a sentence for each that failed.

    By fork: a module runs from a zip that exists only in this process' memory and path, and the pool of profiles and the
    imported libraries come along for nothing.
    """
    context = multiprocessing.get_context("fork")
    readers: dict[Connection, int] = {}
    children = []
    for process in range(count):
        reader, writer = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(work, process, writer), daemon=True)
        child.start()
        writer.close()  # so that the reader sees the end when the child dies
        readers[reader] = process
        children.append(child)
    events, failures = _collect(readers)
    for child in children:
        child.join()
    return events, failures


def _collect(readers: dict[Connection, int]) -> tuple[list[Event], list[str]]:
    events: list[Event] = []
    failures: list[str] = []
    while readers:
        for reader in wait(list(readers)):
            try:
                message = reader.recv()
            except EOFError:
                failures.append(f"process {readers.pop(reader)} died before it was done")
                continue
            if isinstance(message, tuple):
                events.append(message)
                continue
            process = readers.pop(reader)
            if message:
                failures.append(f"process {process}: {message}")
    return events, failures


def _child(work: Work, process: int, writer: Connection) -> None:
    """Send (when, how many) now and then, and at the end the sentence of a failure, or ''."""
    pending, sent_at, last = 0, 0.0, 0.0

    def report(when: float, count: int) -> None:
        nonlocal pending, sent_at, last
        pending, last = pending + count, when
        if when - sent_at >= REPORT_EVERY:
            writer.send((when, pending))
            pending, sent_at = 0, when

    failure = ""
    try:
        work(process, report)
    except Exception as error:  # whatever it is, the parent has to hear of it
        failure = str(error) or type(error).__name__
    if pending:
        writer.send((last, pending))
    writer.send(failure)


def make_clients(module: AnsibleAWSModule, metrics: bool) -> tuple[Any, Any]:
    """Clients for DynamoDB and, for metrics, CloudWatch: each process has its own connections."""
    return module.client("dynamodb", config=CLIENT_CONFIG), module.client("cloudwatch") if metrics else None


def run(module: AnsibleAWSModule, plan: LoadPlan, target: Target) -> dict[str, Any]:
    """Do the plan; the result to return, with ``failures`` where there are any."""
    profiles = [] if target.operation == DELETE else make_profiles(plan.seed)

    started, journal = time.time(), module.params["journal"]

    def work(process: int, report: Callable[[float, int], None]) -> None:
        clients = make_clients(module, bool(target.metric_namespace))
        if not journal:
            load(plan, process, target, profiles, *clients, report)
            return
        with (Path(journal) / file_name(started, process)).open("x", encoding="utf-8") as file:
            load(plan, process, target, profiles, *clients, report, lambda batch: file.writelines(lines(batch)))

    events, failures = run_processes(plan.processes, work)
    curve = cumulative(events, started)
    ended, loaded = curve[-1]
    # Not "started": async_status takes a result that has it for one of a job that still runs.
    return {
        "loaded": loaded,
        "failed_items": plan.changes - loaded,
        "failures": failures,
        "started_at": started,
        "ended_at": ended,
        "seconds": round(ended - started, 3),
        "items_per_second": round(rate(loaded, ended - started), 1),
        "curve": thin(curve, CURVE_POINTS),
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        required_if=[("operation", "update", ["run_id"]), ("operation", "delete", ["run_id"])],
    )
    if Faker is None and module.params["operation"] != DELETE:
        module.fail_json(msg=missing_required_lib("Faker", reason="to make user profiles"))
    try:
        plan = make_plan(module.params, module.region)
        target = make_target(module.params, module.region, tell(module.client("dynamodb")))
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot look at table {module.params['table_name']}")
    result = {"changed": plan.changes > 0, "planned": plan.changes, "loaded": 0, "run_id": plan.run_id}
    if module.check_mode:
        module.exit_json(msg=f"would {target.operation} {plan.changes:,} items in {target.table}", **result)
    try:
        if module.params["journal"]:
            Path(module.params["journal"]).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        module.fail_json(
            msg=f"journal is {module.params['journal']}, which cannot be made a directory: {error.strerror}"
        )
    result |= run(module, plan, target)
    failures = result.pop("failures")
    if failures or result["failed_items"]:
        module.fail_json(
            msg=f"{result['failed_items']:,} of {plan.changes:,} items were not written: " + "; ".join(failures),
            **result,
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
