# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: apply the changes of a restore's plan to a table that exists."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_apply
short_description: Apply saved changes to a DynamoDB table, up to a moment
version_added: 0.1.0
description:
  - Reads the changes of a plan (incremental exports, and what was captured from the table's stream), keeps each item's last state
    before the plan's moment, and writes it. Nothing of after that moment is written.
  - What is throttled or comes back unprocessed is tried again with backoff and jitter until every item is settled. Where nothing
    gets through for O(patience) seconds the module fails, and the same task goes on from there.
  - Applying twice leaves the same items as applying once.
  - Memory is bounded by O(budget_mb), whatever the number of changes. What does not fit goes to files in O(directory).
  - Writes a log C(apply_changes_<table>_<time>.log), which a run that goes on appends to. It names keys, nothing else of items.
  - With V(--diff) the items of a few keys are shown as they are and as they would be.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  target_table:
    description: The table to write. Its key has to be that of the plan's table.
    type: str
    required: true
  mode:
    description:
      - V(exclusive) for a table that nobody else writes, such as one that was restored from the plan's full backup. Items that
        changed become those of the moment, whatever it holds.
      - V(live) for a table in use. Each change goes through the conflict rule by the items' stamps. What is newer in the table
        stays; an item without a stamp is written only where none is.
    type: str
    choices: [exclusive, live]
    default: exclusive
  confirm_overwrite:
    description: Name of the table again, where V(exclusive) is to write the very table that the changes are of.
    type: str
    default: ''
  log_dir:
    description: Directory of the log, and of the state that a run which was stopped goes on from.
    type: path
    required: true
  resume:
    description: Go on where an earlier run of the same plan stopped. Otherwise begin anew.
    type: bool
    default: true
  max_wcu:
    description: Write units a second that may be used, indexes not counted. V(0) is no limit.
    type: float
    default: 0
  workers:
    description: Calls that are under way at the same time.
    type: int
    default: 4
  patience:
    description: Seconds in which something of a batch must get through.
    type: int
    default: 300
  write_batch:
    description: Of V(mode=live), writes in one transaction, which cost twice the units of single writes. V(1) writes singly.
    type: int
    default: 100
  tombstones_table:
    description: Of V(mode=live), the table of what the side remembers of deletes. Empty for a table that is not replicated.
    type: str
    default: replicator_tombstones
  show:
    description: Keys to show with V(--diff).
    type: int
    default: 5
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.plan_bucket
  - dynabridge.plan
  - dynabridge.spill
  - dynabridge.stamps
  - dynabridge.progress
attributes:
  check_mode:
    support: full
    description: Reads the changes and counts what would be written. Of the table nothing is read but its keys.
  diff_mode:
    support: partial
    description: Shows the items of O(show) keys.
seealso:
  - module: dynamodb_restore_info
"""

EXAMPLES = r"""
- name: What is there to apply
  dynamodb_restore_info:
    tables: [user-cn]
    date: '2026-11-20T10:15:03Z'
    method: apply
    bucket: dynabridge-backup-cn-123456789012
  register: found

- name: Bring a table that was restored from the full backup to the moment
  dynamodb_apply:
    plan: '{{ found.plans[0] }}'
    target_table: user-cn-restored
    log_dir: /var/log/dynabridge

- name: Put back into the table in use what it lost, at no more than 500 write units a second
  dynamodb_apply:
    plan: '{{ found.plans[0] }}'
    target_table: user-cn
    mode: live
    max_wcu: 500
    log_dir: /var/log/dynabridge
"""

RETURN = r"""
changes:
  description: Changes that were read and count for the moment.
  returned: always
  type: int
items:
  description: Items that they are of.
  returned: always
  type: int
puts:
  description: Items that were put. In check mode, that would be, as far as the conflict rule allows.
  returned: always
  type: int
deletes:
  description: Items that were deleted. In check mode, that would be.
  returned: always
  type: int
kept:
  description: Of V(mode=live), items that stay as they are, because they are newer or the same already.
  returned: always
  type: int
retries:
  description: Writes that were tried again.
  returned: always
  type: int
newest:
  description: When the newest of the changes was written. Empty when there is none.
  returned: always
  type: str
  sample: '2026-11-20T10:15:02.000Z'
problems:
  description: The first items that DynamoDB refuses, with the reason. The module fails when there is one.
  returned: always
  type: list
  elements: dict
  sample: [{"key": {"PK": {"S": "a"}}, "reason": "Item size has exceeded the maximum allowed size"}]
resumed:
  description: Whether an earlier run was gone on with.
  returned: always
  type: bool
log_file:
  description: The log. Empty in check mode.
  returned: always
  type: str
text:
  description: The outcome in a line.
  returned: always
  type: str
seconds:
  description: How long it took.
  returned: always
  type: float
"""

import time
from collections import Counter
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.apply import Applier
    from ansible.module_utils.dynabridge.aws.apply_changes import (
        ApplyRun,
        BatchWriter,
        GraveSources,
        NoMemory,
        Patience,
        RuleWriter,
        Tally,
        counted,
        would_write,
    )
    from ansible.module_utils.dynabridge.aws.apply_samples import samples
    from ansible.module_utils.dynabridge.aws.connections import bucket_objects, patient
    from ansible.module_utils.dynabridge.aws.memory import Memory
    from ansible.module_utils.dynabridge.aws.scan import describe_keys
    from ansible.module_utils.dynabridge.aws.session import client_maker
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.apply_parts import count_of_parts, parts_of
from ansible.module_utils.dynabridge.apply_state import ApplyLog, ApplyState
from ansible.module_utils.dynabridge.arguments import PLAN, PLAN_BUCKET, PROGRESS, SPILL, STAMPS
from ansible.module_utils.dynabridge.backup_layout import iso
from ansible.module_utils.dynabridge.change_lines import MICROS
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError, TableUnavailable
from ansible.module_utils.dynabridge.pace import Pace
from ansible.module_utils.dynabridge.progress import teller
from ansible.module_utils.dynabridge.restore_plan import Plan, plan_from
from ansible.module_utils.dynabridge.stamps import StampNames
from ansible.module_utils.dynabridge.workspace import workspace
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

EXCLUSIVE = "exclusive"
LIVE = "live"
ARGUMENT_SPEC = {
    **PLAN_BUCKET,
    **PLAN,
    **SPILL,
    **STAMPS,
    **PROGRESS,
    "target_table": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["exclusive", "live"], "default": "exclusive"},
    "confirm_overwrite": {"type": "str", "default": ""},
    "log_dir": {"type": "path", "required": True},
    "resume": {"type": "bool", "default": True},
    "max_wcu": {"type": "float", "default": 0},
    "workers": {"type": "int", "default": 4},
    "patience": {"type": "int", "default": 300},
    "write_batch": {"type": "int", "default": 100},
    "tombstones_table": {"type": "str", "default": "replicator_tombstones"},
    "show": {"type": "int", "default": 5},
}
LIMITS = (
    ("max_wcu", 0, 10**7),
    ("workers", 1, 64),
    ("patience", 1, 86400),
    ("write_batch", 1, 100),
    ("tombstone_days", 1, 3650),
    ("budget_mb", 1, 10**6),
    ("show", 0, 100),
)
NOTHING_CHANGED = "Nothing was changed."


class Task:
    """One call of the module: what it is given, and the clients that it works with."""

    def __init__(self, module: Any) -> None:
        self.module, self.params = module, module.params
        self.names = StampNames(self.params["timestamp_attribute"], self.params["region_attribute"])
        self.tell = teller(self.params["progress_file"])
        self.check_limits()
        self.plan: Plan = plan_from(self.params["plan"])
        self.check_plan()
        self.table = self.params["target_table"]
        make = client_maker(module)
        # Writes are tried again by the kit, which says so in the log.
        brief = Config(
            retries={"mode": "standard", "max_attempts": 2},
            max_pool_connections=self.params["workers"] + 2,
            parameter_validation=False,
        )
        self.dynamodb = make("dynamodb", config=brief)
        bucket = self.params["bucket"] or self.plan.bucket
        objects = bucket_objects(module, make=make, bucket=bucket, config=patient())
        self.sources = GraveSources(objects, self.plan, self.tell)
        self.sources.names = self.names

    @property
    def live(self) -> bool:
        return self.params["mode"] == LIVE

    # -- before anything is written ----------------------------------------------------------

    def check_limits(self) -> None:
        for name, low, high in LIMITS:
            if not low <= self.params[name] <= high:
                raise SettingsError(
                    f"{name} is {self.params[name]:g}: it must be from {low} to {high}. {NOTHING_CHANGED}"
                )

    def check_target(self) -> str:
        """What tells the table from one of the same name made later."""
        keys = describe_keys(self.dynamodb, self.table)
        description = self.dynamodb.describe_table(TableName=self.table)["Table"]
        if description.get("TableStatus", "ACTIVE") not in ("ACTIVE", "UPDATING"):
            raise SettingsError(
                f"table {self.table} is {description['TableStatus']}: it can be written once it is ACTIVE. {NOTHING_CHANGED}"
            )
        self.check_keys(keys)
        arn = description["TableArn"]
        if not self.live and arn == self.plan.base.table_arn and self.params["confirm_overwrite"] != self.table:
            raise SettingsError(
                f"the changes are of table {self.table} itself: mode=exclusive would put its items back to "
                f"{iso(self.plan.moment)} and lose what was written to them since. Give mode=live or another target_table, or "
                f"confirm it with confirm_overwrite={self.table}. {NOTHING_CHANGED}"
            )
        if self.live and self.params["tombstones_table"]:
            self.check_memory()
        return f"{arn} {description.get('CreationDateTime', '')}"

    def check_memory(self) -> None:
        try:
            describe_keys(self.dynamodb, self.params["tombstones_table"])
        except TableUnavailable as error:
            raise SettingsError(
                f"{error} It is the memory of deletes: give tombstones_table='' where table {self.table} is not replicated. "
                f"{NOTHING_CHANGED}"
            ) from error

    def check_plan(self) -> None:
        """A plan may have been written by hand, or for another table."""
        plan, base = self.plan, self.plan.base
        late = [window.folder for window in plan.windows if window.moment > plan.moment]
        foreign = [
            window.folder
            for window in plan.windows
            if window.table != plan.table or {window.table_id, base.table_id} - {"", base.table_id}
        ]
        if plan.log and plan.log.end > plan.moment:
            late.append(f"{plan.changes_prefix}/{plan.table}/")
        if late or foreign:
            what = (
                f"reach beyond {iso(plan.moment)}" if late else f"are not of the table {plan.table} that was backed up"
            )
            raise SettingsError(f"the plan is wrong: changes in {(late or foreign)[0]} {what}. {NOTHING_CHANGED}")

    def check_keys(self, keys: tuple[tuple[str, str], ...]) -> None:
        schema = self.sources.schema()
        types = {one["AttributeName"]: one["AttributeType"] for one in schema["attribute_definitions"]}
        wanted = tuple((name, types.get(name, "?")) for name in self.sources.key_names())
        if wanted != keys:
            spelled = [" + ".join(f"{name} ({kind})" for name, kind in one) for one in (wanted, keys)]
            raise SettingsError(
                f"the changes of {self.plan.table} have the key {spelled[0]}, table {self.table} has {spelled[1]}: they cannot "
                f"be applied to it. {NOTHING_CHANGED}"
            )

    # -- the work ----------------------------------------------------------------------------

    def act(self) -> dict[str, Any]:
        """The result to return."""
        made = self.check_target()
        with workspace(f"apply-{self.table}-{self.plan.id}", self.params["directory"] or "") as room:
            try:
                states = self.sources.last_states(room, self.params["budget_mb"] << 20)
                shown = self.diff(states)
                result = self.would(states) if self.module.check_mode else self.write(states, made)
            except OSError as error:
                raise SettingsError(
                    f"changes cannot be put aside in {room} ({error.strerror}): give a directory with more room"
                ) from error
            newest = iso(states.newest / MICROS) if states.newest else ""
            return result | shown | {"changes": states.changes, "newest": newest}

    def would(self, states: Any) -> dict[str, Any]:
        counts = would_write(states)
        result = self.result(counts, "", False, [])
        result["text"] = f"{self.table}: would put {counts['puts']:,} and delete {counts['deletes']:,} items"
        return result

    def write(self, states: Any, made: str) -> dict[str, Any]:
        state = ApplyState(self.params["log_dir"], self.table)
        run, left = {"plan": self.plan.id, "table": made, "mode": self.params["mode"]}, ""
        if not self.params["resume"]:
            state.anew(run)
        elif other := state.take_up(run):
            left = f"an earlier run of plan {other.get('plan')} on table {self.table} did not come to its end, and is left so"
            self.module.warn(left)
        log = ApplyLog(state.log)
        try:
            if left:
                log.line(left)
            return self.logged(states, state, log)
        except DynabridgeError as error:
            log.line(f"failed: {error}")
            raise DynabridgeError(
                f"{error}. What was applied is kept in {state.path}: the same task goes on from there. The log: {state.log}"
            ) from error
        except (ClientError, BotoCoreError) as error:
            log.line(f"failed: {error}")
            raise
        finally:
            log.close()

    def logged(self, states: Any, state: ApplyState, log: ApplyLog) -> dict[str, Any]:
        count = count_of_parts(states)
        resumed = state.begin(f"{count} {'put aside' if states.spilled else 'in memory'}")
        for line in self.head(states, count, state if resumed else None):
            log.line(line)
        self.tell(f"{self.table}: {states.changes:,} changes read, to be written in {count} parts")
        tally = Tally(log)
        patience = Patience(self.table, self.params["patience"])
        writer = self.writer(states.names, patience, tally)
        run = ApplyRun(writer, self.table, state, tally, patience.stop, self.params["workers"], self.tell)
        run.run(states)
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in tally.reasons.most_common())
        log.line(f"end: {counted(tally.counts)}{f' ({reasons})' if reasons else ''}")
        if not tally.problems:
            state.remove()
        return self.result(tally.counts, state.log, resumed, tally.problems)

    def writer(self, key_names: tuple[str, ...], patience: Patience, tally: Tally) -> Any:
        params, pace = self.params, Pace(self.params["max_wcu"])
        if not self.live:
            return BatchWriter(self.dynamodb, self.table, key_names, pace, patience, tally)
        applier = Applier(self.dynamodb, self.names, self.memory(), params["write_batch"], patience.stop.wait)
        return RuleWriter(applier, self.table, key_names, pace, patience, tally, params["write_batch"] > 1)

    def memory(self) -> Any:
        table = self.params["tombstones_table"]
        return Memory(self.dynamodb, table, self.names, self.params["tombstone_days"] * 86400) if table else NoMemory()

    def head(self, states: Any, count: int, earlier: ApplyState | None) -> list[str]:
        """What a run says first in its log."""
        plan = self.plan
        log = plan.log and f"captured from {iso(plan.log.start)} to {iso(plan.log.end)}: {plan.log.objects:,} objects"
        return [
            f"{'goes on' if earlier else 'start'}: table {self.table}, plan {plan.id}, changes of {plan.table} before "
            f"{iso(plan.moment)}, mode {self.params['mode']}, {self.params['workers']} workers, "
            f"max_wcu {self.params['max_wcu']:g}",
            *(f"source: s3://{plan.bucket}/{window.folder}" for window in plan.windows),
            *([f"source: s3://{plan.bucket}/{plan.changes_prefix}/{plan.table}/ {log}"] if log else []),
            *(f"hole: {iso(hole.start)} to {iso(hole.end)}: {hole.why}" for hole in plan.holes),
            f"read: {states.changes:,} changes, {count} parts"
            + (f"; parts 1 to {earlier.next} are settled: {counted(earlier.counts)}" if earlier else ""),
        ]

    def result(self, counts: Counter[str], log: str, resumed: bool, problems: list[dict]) -> dict[str, Any]:
        numbers = {name: counts[name] for name in ("puts", "deletes", "kept", "retries")}
        return {
            **numbers,
            "changed": bool(counts["puts"] or counts["deletes"]),
            "items": counts["puts"] + counts["deletes"] + counts["kept"] + counts["problems"],
            "problems": problems,
            "resumed": resumed,
            "log_file": log,
            "text": f"{self.table}: {counted(counts)}",
        }

    def diff(self, states: Any) -> dict[str, Any]:
        if not self.module._diff or not self.params["show"]:
            return {}
        entries = next((entries for _number, entries in parts_of(states) if entries), [])[: self.params["show"]]
        rule = (self.names, self.memory()) if self.live else None
        before, after = samples(self.dynamodb, self.table, states.names, entries, rule)
        return {"diff": {"before_header": self.table, "after_header": self.table, "before": before, "after": after}}


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    started = time.monotonic()
    try:
        result = Task(module).act()
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot apply changes to table {module.params['target_table']}")
    result["seconds"] = round(time.monotonic() - started, 3)
    if result["problems"]:
        first = result["problems"][0]
        module.fail_json(
            msg=f"{result['text']}. DynamoDB refuses items, the first with the key {first['key']} ({first['reason']}); all are "
            f"in {result['log_file']}. Mend the cause, and the same task goes on.",
            **result,
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
