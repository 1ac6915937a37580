# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: the whole event source mapping of a Lambda function on a stream."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_event_source_mapping
short_description: Manage the mapping of a stream to a Lambda function, with all its settings
version_added: 0.1.0
description:
  - Connects a DynamoDB stream or a Kinesis stream to a Lambda function, with the settings that
    C(amazon.aws.lambda_event) does not know, like parallelization, retries, record age, bisecting, on-failure
    destination, partial responses and filters.
  - Mappings of one function are told apart by O(event_source_arn). An existing one is updated where it
    differs, and never deleted to be made anew. What counts only at its creation (O(starting_position) and
    O(starting_position_timestamp)) is not compared.
  - A parameter without a default that is left out leaves the setting as it is.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  function_name:
    description:
      - Name or ARN of the function, with C(:alias) or C(:version) if the mapping is to go there.
    type: str
    required: true
  event_source_arn:
    description:
      - ARN of the stream. It tells which mapping of the function is meant.
      - In check mode it may be empty, for a stream that would be created before this task.
      - With O(state=absent) leave it out to remove all mappings of the function.
    type: str
  state:
    description:
      - Whether the mapping is to exist.
    type: str
    choices: [present, absent]
    default: present
  create:
    description:
      - Whether a mapping that is not there is made. With V(false) only one that is there is set, and a function that is not
        there is no error.
      - Set O(report_batch_item_failures) so before a function gets code that answers which records failed. Lambda takes
        such an answer for success where the mapping does not ask for it.
    type: bool
    default: true
  enabled:
    description:
      - Whether the function is invoked. A disabled mapping keeps its position in the stream.
    type: bool
    default: true
  starting_position:
    description:
      - Where a new mapping starts to read.
    type: str
    choices: [TRIM_HORIZON, LATEST, AT_TIMESTAMP]
    default: TRIM_HORIZON
  starting_position_timestamp:
    description:
      - Time to start at with O(starting_position=AT_TIMESTAMP), ISO 8601 (UTC when it has no offset).
        Kinesis only.
    type: str
  batch_size:
    description:
      - Most records in one invocation, V(1) to V(10000).
    type: int
    default: 500
  maximum_batching_window_in_seconds:
    description:
      - Longest wait for a batch to fill, V(0) to V(300).
    type: int
    default: 0
  parallelization_factor:
    description:
      - Batches of one shard that are processed at the same time, V(1) to V(10). Order is kept per partition
        key.
    type: int
    default: 10
  maximum_retry_attempts:
    description:
      - Retries before a batch is given up, V(0) to V(10000), V(-1) for no limit.
    type: int
  maximum_record_age_in_seconds:
    description:
      - Age at which a record is given up, V(60) to V(604800), V(-1) for no limit.
    type: int
  bisect_batch_on_function_error:
    description:
      - Split a failed batch in two and retry each.
    type: bool
  on_failure_destination_arn:
    description:
      - ARN of the queue or topic that is told of batches that were given up; empty for none.
    type: str
  report_batch_item_failures:
    description:
      - Whether the function answers which records of a batch failed (C(ReportBatchItemFailures)).
    type: bool
  filter_patterns:
    description:
      - Only records that match one of these patterns invoke the function. Each is a dictionary or JSON text.
      - An empty list for no filter.
    type: list
    elements: raw
  replace_stale:
    description:
      - Delete mappings of the function to older streams of the same table, which stay behind when the table
        or its stream was made anew. That happens after the mapping to O(event_source_arn) is there.
      - What the function has not read of the older stream yet, it will not read any more. The module warns
        of it.
    type: bool
    default: true
  wait:
    description:
      - Wait until the mapping is enabled, disabled or gone.
    type: bool
    default: true
  wait_timeout:
    description:
      - Longest wait for any one change, in seconds.
      - Bounds the retries, too, while AWS does not know a new role's rights yet or another change is going
        on.
    type: int
    default: 180
attributes:
  check_mode:
    support: full
    description: Changes nothing, tells what would change.
  diff_mode:
    support: full
    description: Shows the function's mappings that this task is about, before and after.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: amazon.aws.lambda_event
"""

EXAMPLES = r"""
- name: The table's stream invokes the sender
  lambda_event_source_mapping:
    function_name: ddb_send_to_kinesis
    event_source_arn: "{{ user_table.table.stream_arn }}"
    batch_size: 500
    parallelization_factor: 10
    maximum_retry_attempts: 300
    maximum_record_age_in_seconds: 86400
    bisect_batch_on_function_error: true
    on_failure_destination_arn: "{{ queue_arn }}"
    report_batch_item_failures: true

- name: Only what was not deleted by expiry
  lambda_event_source_mapping:
    function_name: ddb_send_to_kinesis
    event_source_arn: "{{ user_table.table.stream_arn }}"
    filter_patterns:
      - userIdentity: {type: [{"anything-but": [Service]}]}

- name: Nothing invokes the function any more
  lambda_event_source_mapping:
    function_name: ddb_send_to_kinesis
    state: absent
"""

RETURN = r"""
mapping:
  description:
    - The mapping after the run; in check mode as it would be, with an empty RV(mapping.uuid) for a new one.
    - Empty with O(state=absent), and where there is none and O(create=false).
  returned: success
  type: dict
  contains:
    uuid:
      description: Identifier of the mapping.
      type: str
      returned: when there is one
      sample: 2b733gdc-8ac3-cdf5-af3a-1827b3b11284
    event_source_arn:
      description: ARN of the stream.
      type: str
      returned: when there is one
      sample: arn:aws-cn:kinesis:cn-north-1:100000000001:stream/ddb_replication_stream_cn
    function_arn:
      description: ARN of the function, with the alias or version; empty in check mode for a new mapping.
      type: str
      returned: when there is one
      sample: arn:aws-cn:lambda:cn-north-1:100000000001:function:replicator_kinesis
    state:
      description: State of the mapping, empty in check mode for a new one.
      type: str
      returned: when there is one
      sample: Enabled
    starting_position:
      description: Where the mapping started to read.
      type: str
      returned: when there is one
      sample: TRIM_HORIZON
    enabled:
      description: Whether the function is invoked.
      type: bool
      returned: when there is one
    batch_size:
      description: Most records in one invocation.
      type: int
      returned: when there is one
      sample: 500
    maximum_batching_window_in_seconds:
      description: Longest wait for a batch to fill.
      type: int
      returned: when there is one
      sample: 0
    parallelization_factor:
      description: Batches of one shard that are processed at the same time.
      type: int
      returned: when there is one
      sample: 10
    maximum_retry_attempts:
      description: Retries before a batch is given up, V(-1) for no limit.
      type: int
      returned: when there is one
      sample: 300
    maximum_record_age_in_seconds:
      description: Age at which a record is given up, V(-1) for no limit.
      type: int
      returned: when there is one
      sample: 86400
    bisect_batch_on_function_error:
      description: Whether a failed batch is split in two.
      type: bool
      returned: when there is one
    on_failure_destination_arn:
      description: ARN of the queue or topic for batches that were given up, empty when there is none.
      type: str
      returned: when there is one
    report_batch_item_failures:
      description: Whether the function answers which records failed.
      type: bool
      returned: when there is one
    filter_patterns:
      description: The filters as JSON text, sorted.
      type: list
      elements: str
      returned: when there is one
removed:
  description: The mappings that were removed, or would be.
  returned: success
  type: list
  elements: dict
  contains:
    uuid:
      description: Identifier of the mapping.
      type: str
      returned: always
    event_source_arn:
      description: ARN of its stream.
      type: str
      returned: always
msg:
  description: What was done, or would be.
  returned: success
  type: str
  sample: "ddb_send_to_kinesis: create the mapping"
"""

from datetime import UTC, datetime

try:
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible.module_utils.common.warnings import warn
from ansible.module_utils.dynabridge import desired_state
from ansible.module_utils.dynabridge.aws.answers import error_code
from ansible.module_utils.dynabridge.desired_state import DesiredStateError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    "function_name": {"type": "str", "required": True},
    "event_source_arn": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "create": {"type": "bool", "default": True},
    "enabled": {"type": "bool", "default": True},
    "starting_position": {
        "type": "str",
        "choices": ["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"],
        "default": "TRIM_HORIZON",
    },
    "starting_position_timestamp": {"type": "str"},
    "batch_size": {"type": "int", "default": 500},
    "maximum_batching_window_in_seconds": {"type": "int", "default": 0},
    "parallelization_factor": {"type": "int", "default": 10},
    "maximum_retry_attempts": {"type": "int"},
    "maximum_record_age_in_seconds": {"type": "int"},
    "bisect_batch_on_function_error": {"type": "bool"},
    "on_failure_destination_arn": {"type": "str"},
    "report_batch_item_failures": {"type": "bool"},
    "filter_patterns": {"type": "list", "elements": "raw"},
    "replace_stale": {"type": "bool", "default": True},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 180},
}
CHANGING = ("Creating", "Enabling", "Disabling", "Updating")
TEMPORARY_CODES = ("ResourceInUseException", "TooManyRequestsException")
# InvalidParameterValueException of a function whose role is seconds old: IAM has not told everybody yet
TEMPORARY_TEXTS = (
    "Cannot access stream",
    "cannot be assumed",
    "does not have permissions to call",
    "not authorized to perform",
)


class FunctionMissing(Exception):
    """There is no such function."""


class Mappings:
    """The calls on the mappings of one function."""

    def __init__(self, client, function_name: str, timeout: int):
        self.client = client
        self.function_name = function_name
        self.timeout = timeout

    def existing(self) -> list[dict]:
        """All mappings of exactly this function (and alias or version)."""
        identity = desired_state.function_identity
        wanted = identity(self.function_name)
        return [mapping for mapping in self._listed() if identity(mapping["FunctionArn"]) == wanted]

    def _listed(self) -> list[dict]:
        found, marker = [], {}
        while True:
            try:
                page = self.client.list_event_source_mappings(FunctionName=self.function_name, **marker)
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return []
                raise
            found.extend(page["EventSourceMappings"])
            if not page.get("NextMarker"):
                return found
            marker = {"Marker": page["NextMarker"]}

    def create(self, **request) -> dict:
        try:
            return self._patiently(self.client.create_event_source_mapping, FunctionName=self.function_name, **request)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException" and "unction not found" in str(error):
                raise FunctionMissing(self.function_name) from error
            raise

    def update(self, uuid: str, **request) -> dict:
        return self._patiently(self.client.update_event_source_mapping, UUID=uuid, **request)

    def delete(self, uuid: str) -> None:
        try:
            self._patiently(self.client.delete_event_source_mapping, UUID=uuid)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise

    def get(self, uuid: str) -> dict | None:
        try:
            return self.client.get_event_source_mapping(UUID=uuid)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise

    def settled(self, uuid: str) -> dict:
        """The mapping once no change is going on."""
        progress = ""

        def look():
            nonlocal progress
            mapping = self.get(uuid)
            if mapping is None:
                raise DesiredStateError(f"mapping {uuid} of {self.function_name} was deleted meanwhile")
            progress = state_text(mapping)
            return None if mapping["State"] in CHANGING else mapping

        return desired_state.wait_for(look, self.timeout, lambda: f"mapping {uuid} to settle, it is {progress}")

    def gone(self, uuid: str) -> None:
        desired_state.wait_for(lambda: self.get(uuid) is None, self.timeout, lambda: f"mapping {uuid} to be gone")

    def _patiently(self, call, **arguments):
        return desired_state.keep_trying(lambda: call(**arguments), is_temporary, self.timeout)


def state_text(mapping: dict) -> str:
    return f"{mapping['State']} ({mapping.get('StateTransitionReason') or 'no reason told'})"


def is_temporary(error: Exception) -> bool:
    """Whether a call may succeed in a while."""
    if not isinstance(error, ClientError):
        return False
    is_young_role = error_code(error) == "InvalidParameterValueException" and any(
        text in str(error) for text in TEMPORARY_TEXTS
    )
    return is_young_role or error_code(error) in TEMPORARY_CODES


def told_mapping(mapping: dict) -> dict:
    """A mapping as this module returns it."""
    return {
        "uuid": mapping["UUID"],
        "event_source_arn": mapping["EventSourceArn"],
        "function_arn": mapping["FunctionArn"],
        "state": mapping["State"],
        "starting_position": mapping.get("StartingPosition", ""),
        **desired_state.mapping_settings(mapping),
    }


def predicted_mapping(params: dict, wanted: dict) -> dict:
    """A mapping that would be made, as this module returns it."""
    nothing = {"UUID": "", "EventSourceArn": params["event_source_arn"], "FunctionArn": "", "State": ""}
    return {**told_mapping(nothing), "starting_position": params["starting_position"], **wanted}


def starting_point(params: dict) -> dict:
    """The arguments that count at the creation only."""
    point = {"StartingPosition": params["starting_position"]}
    given = params["starting_position_timestamp"]
    if (params["starting_position"] == "AT_TIMESTAMP") != bool(given):
        raise DesiredStateError("starting_position AT_TIMESTAMP and starting_position_timestamp go together")
    if given:
        try:
            moment = datetime.fromisoformat(given)
        except ValueError as error:
            raise DesiredStateError(f"starting_position_timestamp {given!r} is no ISO 8601 time") from error
        point["StartingPositionTimestamp"] = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return point


def create_mapping(mappings: Mappings, params: dict, wanted: dict, deleting: list[dict]) -> dict:
    """Make the mapping, after one on the same stream that is being deleted is gone: AWS allows no two."""
    for mapping in deleting:
        mappings.gone(mapping["UUID"])
    asked = {name: value for name, value in wanted.items() if value not in ("", [])}
    request = {**starting_point(params), **desired_state.mapping_request(asked)}
    return mappings.create(EventSourceArn=params["event_source_arn"], **request)


def awaited(mappings: Mappings, mapping: dict, enabled: bool) -> dict:
    """The mapping when it is as it was asked to be."""
    settled = mappings.settled(mapping["UUID"])
    if desired_state.mapping_settings(settled)["enabled"] != enabled:
        raise DesiredStateError(
            f"mapping {mapping['UUID']} of {mapping['EventSourceArn']} to {mappings.function_name} is "
            f"{state_text(settled)}, wanted is {'Enabled' if enabled else 'Disabled'}"
        )
    return settled


def is_there(mapping: dict) -> bool:
    return mapping["State"] != "Deleting"


def stale_mappings(found: list[dict], source: str) -> list[dict]:
    """The mappings to older streams of the table whose stream is the source."""
    is_older = desired_state.is_older_stream
    return [one for one in found if is_there(one) and is_older(one["EventSourceArn"], source)]


def present(mappings: Mappings, params: dict, check_mode: bool) -> dict:
    """Bring about that the mapping is there, and that those to older streams of the same table are not."""
    source = params["event_source_arn"]
    wanted = desired_state.wanted_mapping_settings(params)
    found = mappings.existing()
    same = [mapping for mapping in found if mapping["EventSourceArn"] == source]
    existing = next(filter(is_there, same), None)
    if existing is None and not params["create"]:
        return outcome(params, [], {}, {}, [])
    if existing and existing["State"] in CHANGING and not check_mode:
        existing = mappings.settled(existing["UUID"])
    before = told_mapping(existing) if existing else {}
    after = {**before, **wanted} if existing else predicted_mapping(params, wanted)
    stale = stale_mappings(found, source) if params["replace_stale"] else []
    changes = desired_state.differences(before, wanted)
    if not check_mode:
        mapping = existing or create_mapping(mappings, params, wanted, deleting=same)
        if existing and changes:
            mapping = mappings.update(existing["UUID"], **desired_state.mapping_request(changes))
        if changes and params["wait"]:
            mapping = awaited(mappings, mapping, wanted["enabled"])
        after = told_mapping(mapping)
        remove(mappings, stale, params["wait"])
    deed = f"set {', '.join(sorted(changes))}" if existing else "create the mapping"
    return outcome(params, [deed] if changes else [], before, after, stale)


def absent(mappings: Mappings, params: dict, check_mode: bool) -> dict:
    """Bring about that the mapping, or every mapping of the function, is not there."""
    source = params["event_source_arn"]
    found = [one for one in mappings.existing() if is_there(one) and source in (None, one["EventSourceArn"])]
    if not check_mode:
        remove(mappings, found, params["wait"])
    return outcome(params, [], {}, {}, found)


def remove(mappings: Mappings, unwanted: list[dict], wait: bool) -> None:
    """Delete the mappings."""
    for mapping in unwanted:
        mappings.delete(mapping["UUID"])
    for mapping in unwanted:
        if wait:
            mappings.gone(mapping["UUID"])


def outcome(params: dict, deeds: list[str], before: dict, after: dict, removed: list[dict]) -> dict:
    """What the module returns."""
    name = params["function_name"]
    deeds = deeds + [f"remove the mapping to {mapping['EventSourceArn']}" for mapping in removed]
    removed_before = [told_mapping(mapping) for mapping in removed]
    return {
        "changed": bool(deeds),
        "mapping": after,
        "removed": [{key: one[key] for key in ("uuid", "event_source_arn")} for one in removed_before],
        "msg": f"{name}: {'; '.join(deeds) or 'nothing to change'}",
        "diff": {
            "before_header": name,
            "after_header": name,
            "before": {"mappings": ([before] if before else []) + removed_before},
            "after": {"mappings": [after] if after else []},
        },
    }


def check_params(params: dict, check_mode: bool) -> None:
    """Raise before any call for what cannot work."""
    source = params["event_source_arn"]
    if params["state"] == "absent":
        if source == "":
            raise DesiredStateError("event_source_arn is empty: leave it out to remove all mappings")
        return
    if source is None or (source == "" and not check_mode):
        raise DesiredStateError(
            f"event_source_arn for {params['function_name']} is missing or empty: the stream must exist "
            "and be enabled before it is mapped"
        )
    desired_state.check_mapping(params)
    starting_point(params)


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params, name = module.params, module.params["function_name"]
    work = present if params["state"] == "present" else absent
    try:
        check_params(params, module.check_mode)
        mappings = Mappings(tell(module.client("lambda")), name, params["wait_timeout"])
        told = work(mappings, params, module.check_mode)
    except DesiredStateError as error:
        module.fail_json(msg=str(error))
    except FunctionMissing:
        module.fail_json(msg=f"function {name} is not there in region {module.region}: deploy it first")
    except (BotoCoreError, ClientError) as error:
        source = params["event_source_arn"] or "all its streams"
        module.fail_json_aws(error, msg=f"cannot map {source} to function {name} in region {module.region}")
    if params["state"] == "present":
        for mapping in told["removed"]:
            warn(  # not module.warn: AnsibleAWSModule hands its warnings on in a way that core 2.21 warns of
                f"{name} reads {mapping['event_source_arn']} no more: what it had not read of that older "
                "stream is not processed. Compare the tables, and resync if they differ"
            )
    module.exit_json(**told)


if __name__ == "__main__":
    main()
