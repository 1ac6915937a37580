# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: stream, recovery, deletion protection and TTL of a DynamoDB table."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_table_settings
short_description: Set stream, point-in-time recovery, deletion protection and TTL of a DynamoDB table
version_added: 0.1.0
description:
  - Sets what C(community.aws.dynamodb_table) does not know of an existing table, and returns the table's
    key schema and the ARN of its stream.
  - A parameter that is left out leaves the setting as it is.
  - Everything is checked before anything changes.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  table_name:
    description:
      - Name of the table. It must exist; in check mode see O(missing_ok_in_check_mode).
    type: str
    required: true
  stream_view_type:
    description:
      - What the table's stream tells of a change; V(none) for no stream.
    type: str
    choices: [NEW_AND_OLD_IMAGES, NEW_IMAGE, OLD_IMAGE, KEYS_ONLY, none]
  replace_stream:
    description:
      - Allow another O(stream_view_type) than the stream's own. The stream is then replaced by a new one
        with a new ARN, and consumers lose their position in the old one.
      - Without it the module fails when the view types differ.
    type: bool
    default: false
  point_in_time_recovery:
    description:
      - Whether the table can be restored as it was at any second.
    type: bool
  recovery_period_days:
    description:
      - How many days back, V(1) to V(35). Has no effect while point-in-time recovery is off.
      - AWS takes 35 when it was never set.
    type: int
  deletion_protection:
    description:
      - Whether AWS refuses to delete the table.
    type: bool
  ttl_attribute:
    description:
      - Attribute with the time of expiry (epoch seconds); empty for no expiry.
      - AWS takes one change an hour, so going from one attribute to another takes two runs.
    type: str
  expected_key_schema:
    description:
      - The keys that the table must have. When it has others the module fails before anything changes.
    type: dict
    suboptions:
      hash:
        description: The partition key.
        type: dict
        required: true
        suboptions:
          name:
            description: Name of the attribute.
            type: str
            required: true
          type:
            description: Its type.
            type: str
            choices: [S, N, B]
            default: S
      range:
        description: The sort key, if the table has one.
        type: dict
        suboptions:
          name:
            description: Name of the attribute.
            type: str
            required: true
          type:
            description: Its type.
            type: str
            choices: [S, N, B]
            default: S
  missing_ok_in_check_mode:
    description:
      - In check mode take a missing table as one that would be created before this task, and tell what
        would be set.
      - Outside check mode a missing table is an error.
    type: bool
    default: true
  wait:
    description:
      - Wait until the table is active again after the last change. Between two changes the module waits
        anyhow.
    type: bool
    default: true
  wait_timeout:
    description:
      - Longest wait for any one change, in seconds.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    description: Changes nothing, tells what would change.
  diff_mode:
    support: full
    description: Shows the settings before and after.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: community.aws.dynamodb_table
"""

EXAMPLES = r"""
- name: Stream and recovery of a replicated table
  dynamodb_table_settings:
    table_name: user-cn
    stream_view_type: NEW_AND_OLD_IMAGES
    point_in_time_recovery: true
    recovery_period_days: 35
    deletion_protection: true
    expected_key_schema:
      hash: {name: PK, type: S}
  register: user_table

- name: No stream, no expiry
  dynamodb_table_settings:
    table_name: loader_stats
    stream_view_type: none
    ttl_attribute: ''
"""

RETURN = r"""
table:
  description:
    - The table after the run; in check mode as it would be, with an empty RV(table.arn) or
      RV(table.stream_arn) where AWS would give a new one.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the table.
      type: str
      returned: always
      sample: user-cn
    exists:
      description: Whether the table is there. V(false) only in check mode.
      type: bool
      returned: always
    arn:
      description: ARN of the table.
      type: str
      returned: always
      sample: arn:aws-cn:dynamodb:cn-north-1:100000000001:table/user-cn
    stream_arn:
      description: ARN of the stream in use, empty when there is none.
      type: str
      returned: always
      sample: arn:aws-cn:dynamodb:cn-north-1:100000000001:table/user-cn/stream/2025-01-31T02:00:00.000
    key_schema:
      description: Partition key C(hash) and sort key C(range), if there is one, with C(name) and C(type).
      type: dict
      returned: always
      sample: {hash: {name: PK, type: S}}
    status:
      description: State of the table, empty when it is not there.
      type: str
      returned: always
      sample: ACTIVE
    stream_view_type:
      description: View type of the stream, V(none) when there is none.
      type: str
      returned: always
      sample: NEW_AND_OLD_IMAGES
    point_in_time_recovery:
      description: Whether point-in-time recovery is on.
      type: bool
      returned: always
    recovery_period_days:
      description: How many days back, V(0) when point-in-time recovery is off.
      type: int
      returned: always
      sample: 35
    deletion_protection:
      description: Whether AWS refuses to delete the table.
      type: bool
      returned: always
    ttl_attribute:
      description: Attribute with the time of expiry, empty when there is none.
      type: str
      returned: always
msg:
  description: What was done, or would be.
  returned: success
  type: str
  sample: "table user-cn: set stream_view_type"
"""

try:
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible.module_utils.dynabridge import desired_state
from ansible.module_utils.dynabridge.aws.answers import error_code
from ansible.module_utils.dynabridge.desired_state import NO_STREAM, DesiredStateError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

KEY_SPEC = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["S", "N", "B"], "default": "S"},
}
ARGUMENT_SPEC = {
    "table_name": {"type": "str", "required": True},
    "stream_view_type": {
        "type": "str",
        "choices": ["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY", NO_STREAM],
    },
    "replace_stream": {"type": "bool", "default": False},
    "point_in_time_recovery": {"type": "bool"},
    "recovery_period_days": {"type": "int"},
    "deletion_protection": {"type": "bool"},
    "ttl_attribute": {"type": "str"},
    "expected_key_schema": {
        "type": "dict",
        "no_log": False,  # the keys of a table, no secret; Ansible asks because of the name
        "options": {
            "hash": {"type": "dict", "required": True, "options": KEY_SPEC},
            "range": {"type": "dict", "options": KEY_SPEC},
        },
    },
    "missing_ok_in_check_mode": {"type": "bool", "default": True},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
}
FRESH_TABLE = desired_state.table_settings({}, {}, {})


class TableMissing(Exception):
    """There is no such table."""


class Table:
    """The calls on one table."""

    def __init__(self, client, name: str, timeout: int):
        self.client = client
        self.name = name
        self.timeout = timeout

    def description(self) -> dict:
        """Answer of DescribeTable."""
        try:
            return self.client.describe_table(TableName=self.name)["Table"]
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                raise TableMissing(self.name) from error
            raise

    def active_description(self, is_ready=lambda description: True) -> dict:
        """Answer of DescribeTable once the table is active and ready."""
        status = ""

        def look():
            nonlocal status
            description = self.description()
            status = description["TableStatus"]
            if status == "DELETING":
                raise DesiredStateError(f"table {self.name} is being deleted: run again when it is gone")
            return description if status == "ACTIVE" and is_ready(description) else None

        return desired_state.wait_for(look, self.timeout, lambda: f"table {self.name} to be ACTIVE, it is {status}")

    def backups(self) -> dict:
        return self.client.describe_continuous_backups(TableName=self.name)["ContinuousBackupsDescription"]

    def ttl(self) -> dict:
        return self.client.describe_time_to_live(TableName=self.name)["TimeToLiveDescription"]

    def update(self, **change) -> None:
        """UpdateTable: it takes one change after the other, each on an active table."""
        self.patiently("ResourceInUseException", self.client.update_table, **change)

    def update_recovery(self, enabled: bool, days: int) -> None:
        specification = {"PointInTimeRecoveryEnabled": enabled}
        if enabled:
            specification["RecoveryPeriodInDays"] = days
        # AWS switches the backups of a new table on for a while, and refuses this meanwhile
        self.patiently(
            "ContinuousBackupsUnavailableException",
            self.client.update_continuous_backups,
            PointInTimeRecoverySpecification=specification,
        )

    def update_ttl(self, enabled: bool, attribute: str) -> None:
        try:
            self.patiently(
                "ResourceInUseException",
                self.client.update_time_to_live,
                TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute},
            )
        except ClientError as error:
            if error_code(error) == "ValidationException" and "multiple times" in str(error):
                raise DesiredStateError(
                    f"TTL of table {self.name} was changed within the last hour, and AWS takes one change an "
                    "hour: run again later"
                ) from error
            raise

    def patiently(self, temporary_code: str, call, **arguments) -> None:
        desired_state.keep_trying(
            lambda: call(TableName=self.name, **arguments),
            lambda error: isinstance(error, ClientError) and error_code(error) == temporary_code,
            self.timeout,
        )


def stream_steps(view: str, wanted_view: str) -> list[dict]:
    """Arguments of UpdateTable, one after the other: a stream keeps its view type, so it is replaced."""
    steps = []
    if view != NO_STREAM:
        steps.append({"StreamSpecification": {"StreamEnabled": False}})
    if wanted_view != NO_STREAM:
        steps.append({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": wanted_view}})
    return steps


def change_settings(table: Table, description: dict, before: dict, after: dict, wait: bool) -> dict:
    """Bring the table from one state to the other and return its new description."""
    changes = desired_state.differences(before, after)
    steps = []
    if "stream_view_type" in changes:
        steps = stream_steps(before["stream_view_type"], after["stream_view_type"])
    if "deletion_protection" in changes:
        steps.append({"DeletionProtectionEnabled": after["deletion_protection"]})
    for step in steps:
        table.active_description()
        table.update(**step)
    if "point_in_time_recovery" in changes or "recovery_period_days" in changes:
        table.update_recovery(after["point_in_time_recovery"], after["recovery_period_days"])
    if "ttl_attribute" in changes:
        table.update_ttl(bool(after["ttl_attribute"]), after["ttl_attribute"] or before["ttl_attribute"])
    if not wait:
        return table.description()

    def shows_new_stream(seen: dict) -> bool:
        # DescribeTable is eventually consistent: without this a mapping could be given the old stream's ARN
        awaited = "stream_view_type" in changes and after["stream_view_type"] != NO_STREAM
        return not awaited or seen.get("LatestStreamArn") not in (None, description.get("LatestStreamArn"))

    return table.active_description(shows_new_stream)


def refuse_other_keys(name: str, expected: dict, found: dict) -> None:
    """Raise when the table has other keys than expected."""
    if expected and expected != found:
        text = desired_state.key_schema_text
        raise DesiredStateError(
            f"table {name} has the keys {text(found)}, wanted are {text(expected)}: nothing was changed. "
            "The keys of a table cannot be changed; take another name or migrate the data"
        )


def told_table(name: str, description: dict, keys: dict, settings: dict, stream_arn: str) -> dict:
    """The table as this module returns it."""
    return {
        "name": name,
        "exists": bool(description),
        "arn": description.get("TableArn", ""),
        "status": description.get("TableStatus", ""),
        "stream_arn": stream_arn,
        "key_schema": keys,
        **settings,
    }


def result(name: str, before: dict, after: dict, table: dict, check_mode: bool) -> dict:
    """What the module returns."""
    changes = sorted(desired_state.differences(before, after))
    deed = f"{'would set' if check_mode else 'set'} {', '.join(changes)}" if changes else "nothing to change"
    return {
        "changed": bool(changes) or not table["exists"],
        "table": table,
        "msg": f"table {name}: {deed}",
        "diff": {"before_header": name, "after_header": name, "before": before, "after": after},
    }


def missing_table(name: str, params: dict, expected_keys: dict) -> dict:
    """What the module returns in check mode for a table that would be created first."""
    wanted = desired_state.wanted_table_settings(FRESH_TABLE, params)
    told = result(name, {}, wanted, told_table(name, {}, expected_keys, wanted, ""), check_mode=True)
    told["msg"] = f"table {name} is not there yet: it would be created before, and then set"
    return told


def run(client, params: dict, check_mode: bool) -> dict:
    """Compare, refuse what must not be, change what differs, tell."""
    name = params["table_name"]
    expected_keys = desired_state.plain_key_schema(params["expected_key_schema"])
    table = Table(client, name, params["wait_timeout"])
    try:
        description = table.description() if check_mode else table.active_description()
    except TableMissing:
        if check_mode and params["missing_ok_in_check_mode"]:
            return missing_table(name, params, expected_keys)
        raise
    keys = desired_state.key_schema(description)
    refuse_other_keys(name, expected_keys, keys)
    ttl = table.ttl()
    before = desired_state.table_settings(description, table.backups(), ttl)
    after = desired_state.wanted_table_settings(before, params)
    ttl_status = ttl.get("TimeToLiveStatus", "DISABLED")
    desired_state.refuse_table_plan(name, before, after, ttl_status, params["replace_stream"])
    stays = before["stream_view_type"] == after["stream_view_type"]
    if not check_mode and before != after:
        description = change_settings(table, description, before, after, params["wait"])
        stays = True
    in_use = after["stream_view_type"] != NO_STREAM and stays
    stream_arn = description.get("LatestStreamArn", "") if in_use else ""
    return result(name, before, after, told_table(name, description, keys, after, stream_arn), check_mode)


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params, name = module.params, module.params["table_name"]
    days = params["recovery_period_days"]
    if days is not None and not 1 <= days <= 35:
        module.fail_json(msg=f"recovery_period_days is {days}, allowed is 1 to 35")
    try:
        outcome = run(tell(module.client("dynamodb")), params, module.check_mode)
    except TableMissing:
        region = module.region
        module.fail_json(msg=f"table {name} is not there in region {region}, run deploy.yml --tags tables")
    except DesiredStateError as error:
        module.fail_json(msg=str(error))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"cannot set up table {name} in region {module.region}")
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
