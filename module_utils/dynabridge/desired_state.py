# SPDX-License-Identifier: MIT
"""What is, what is wanted, and how to wait until it is so: the pure part of the own Ansible modules."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from .errors import DynabridgeError

NO_STREAM = "none"
AWS_RECOVERY_PERIOD_DAYS = 35  # what AWS takes when nobody says

# API name and what AWS takes when nobody says (API reference of CreateEventSourceMapping, stream sources)
_MAPPING_FIELDS = {
    "batch_size": ("BatchSize", 100),
    "maximum_batching_window_in_seconds": ("MaximumBatchingWindowInSeconds", 0),
    "parallelization_factor": ("ParallelizationFactor", 1),
    "maximum_retry_attempts": ("MaximumRetryAttempts", -1),
    "maximum_record_age_in_seconds": ("MaximumRecordAgeInSeconds", -1),
    "bisect_batch_on_function_error": ("BisectBatchOnFunctionError", False),
}
_RANGES = {
    "batch_size": (1, 10_000),
    "maximum_batching_window_in_seconds": (0, 300),
    "parallelization_factor": (1, 10),
    "maximum_retry_attempts": (-1, 10_000),
    "maximum_record_age_in_seconds": (-1, 604_800),
}
_SHORTEST_RECORD_AGE = 60
_PARTIAL_RESPONSES = "ReportBatchItemFailures"
_LATEST = "$LATEST"


class DesiredStateError(DynabridgeError):
    """What is wanted cannot be had, or not without a loss that nobody agreed to."""


def differences(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of wanted that differ from current; None means: leave it as it is."""
    return {name: value for name, value in wanted.items() if value is not None and current.get(name) != value}


def keep_trying(
    attempt: Callable[[], Any],
    is_temporary: Callable[[Exception], bool],
    timeout: float,
    pause: float = 2.0,
) -> Any:
    """The result of attempt, tried again while its errors are temporary and the time is not up."""
    end = time.monotonic() + timeout
    while True:
        try:
            return attempt()
        except Exception as error:
            if not is_temporary(error) or time.monotonic() + pause > end:
                raise
        time.sleep(pause)


def wait_for(probe: Callable[[], Any], timeout: float, what: Callable[[], str], pause: float = 1.0) -> Any:
    """The first true answer of probe; what says what was waited for, and how far it came."""
    end = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() + pause > end:
            raise DesiredStateError(f"waited {timeout:g} s for {what()}")
        time.sleep(pause)


# --- a table's settings


def table_settings(description: Mapping, backups: Mapping, ttl: Mapping) -> dict[str, Any]:
    """The settings of a table from DescribeTable, DescribeContinuousBackups and DescribeTimeToLive."""
    stream = description.get("StreamSpecification") or {}
    recovery = backups.get("PointInTimeRecoveryDescription") or {}
    recoverable = recovery.get("PointInTimeRecoveryStatus") == "ENABLED"
    expiring = ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    period = int(recovery.get("RecoveryPeriodInDays") or AWS_RECOVERY_PERIOD_DAYS)
    return {
        "stream_view_type": stream["StreamViewType"] if stream.get("StreamEnabled") else NO_STREAM,
        "point_in_time_recovery": recoverable,
        "recovery_period_days": period if recoverable else 0,
        "deletion_protection": bool(description.get("DeletionProtectionEnabled")),
        "ttl_attribute": ttl.get("AttributeName", "") if expiring else "",
    }


def wanted_table_settings(current: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings after the run: the given parameters, and what is there for the others."""
    wanted = {**current, **{name: params[name] for name in current if params.get(name) is not None}}
    if not wanted["point_in_time_recovery"]:
        wanted["recovery_period_days"] = 0
    elif not wanted["recovery_period_days"]:
        wanted["recovery_period_days"] = AWS_RECOVERY_PERIOD_DAYS
    return wanted


def refuse_table_plan(
    table: str, current: Mapping[str, Any], wanted: Mapping[str, Any], ttl_status: str, replace_stream: bool
) -> None:
    """Raise when the change loses a stream's position unasked, or is one that AWS refuses for an hour."""
    view, wanted_view = current["stream_view_type"], wanted["stream_view_type"]
    if NO_STREAM not in (view, wanted_view) and view != wanted_view and not replace_stream:
        raise DesiredStateError(
            f"the stream of table {table} is {view}, wanted is {wanted_view}: that takes a new stream, and "
            "consumers lose their position in the old one. Set replace_stream to true to do it all the same"
        )
    attribute, wanted_attribute = current["ttl_attribute"], wanted["ttl_attribute"]
    if attribute == wanted_attribute:
        return
    if ttl_status in ("ENABLING", "DISABLING"):
        raise DesiredStateError(
            f"TTL of table {table} is {ttl_status} by an earlier change: AWS takes one change an hour, run again later"
        )
    if attribute and wanted_attribute:
        raise DesiredStateError(
            f"TTL of table {table} goes by {attribute}, wanted is {wanted_attribute}: AWS takes one change "
            "an hour. Set ttl_attribute to '' now, and an hour later to the new attribute"
        )


def key_schema(description: Mapping) -> dict[str, dict[str, str]]:
    """{'hash': {'name', 'type'}, 'range': ...} of a DescribeTable answer."""
    types = {item["AttributeName"]: item["AttributeType"] for item in description["AttributeDefinitions"]}
    return {
        key["KeyType"].lower(): {"name": key["AttributeName"], "type": types[key["AttributeName"]]}
        for key in description["KeySchema"]
    }


def plain_key_schema(expected: Mapping | None) -> dict[str, dict[str, str]]:
    """A key schema as a parameter gives it, without the parts that are not set."""
    return {part: {"name": key["name"], "type": key["type"]} for part, key in (expected or {}).items() if key}


def key_schema_text(schema: Mapping[str, Mapping[str, str]]) -> str:
    return ", ".join(f"{part} {key['name']} ({key['type']})" for part, key in sorted(schema.items()))


# --- an event source mapping


def check_mapping(params: Mapping[str, Any]) -> None:
    """Raise when AWS would refuse these settings of a mapping."""
    for name, (lowest, highest) in _RANGES.items():
        value = params.get(name)
        if value is not None and not lowest <= value <= highest:
            raise DesiredStateError(f"{name} is {value}, allowed is {lowest} to {highest}")
    age = params.get("maximum_record_age_in_seconds")
    if age is not None and -1 < age < _SHORTEST_RECORD_AGE:
        raise DesiredStateError(
            f"maximum_record_age_in_seconds is {age}, allowed is -1 or {_SHORTEST_RECORD_AGE} to 604800"
        )
    source = params.get("event_source_arn") or ""
    if source and source_kind(source) == "dynamodb" and params.get("starting_position") == "AT_TIMESTAMP":
        raise DesiredStateError(
            "starting_position AT_TIMESTAMP is for Kinesis only: DynamoDB has TRIM_HORIZON and LATEST"
        )


def source_kind(arn: str) -> str:
    """'dynamodb' or 'kinesis'; raise for what is no stream."""
    parts = arn.split(":", 5)
    kind, resource = (parts[2], parts[5]) if len(parts) == 6 and parts[0] == "arn" else ("", "")
    if kind == "kinesis" and resource.startswith("stream/"):
        return kind
    if kind == "dynamodb" and resource.startswith("table/") and "/stream/" in resource:
        return kind
    raise DesiredStateError(
        f"event_source_arn {arn} is no stream: wanted is arn:...:kinesis:...:stream/<name> or "
        "arn:...:dynamodb:...:table/<name>/stream/<label>"
    )


def is_older_stream(arn: str, wanted_arn: str) -> bool:
    """Whether arn is another stream of the same table (a new stream of a table gets a new label)."""
    table, marker, _label = wanted_arn.partition("/stream/")
    return bool(marker) and arn != wanted_arn and arn.startswith(table + marker)


def function_identity(reference: str) -> tuple[str, str]:
    """(name, qualifier) of a function's name, partial ARN or ARN, the qualifier '' for $LATEST."""
    own = reference.rsplit(":function:", 1)[-1]
    name, _colon, qualifier = own.partition(":")
    return name, "" if qualifier == _LATEST else qualifier


def filter_text(pattern: Any) -> str:
    """One spelling for equal patterns, given as a dict or as JSON text."""
    try:
        parsed = json.loads(pattern) if isinstance(pattern, str) else pattern
    except ValueError as error:
        raise DesiredStateError(f"filter pattern {pattern!r} is no JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise DesiredStateError(f"filter pattern {pattern!r} is no JSON object")
    return json.dumps(parsed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def mapping_settings(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a mapping from the API's answer, AWS's defaults for what it leaves out."""
    destination = (mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
    filters = (mapping.get("FilterCriteria") or {}).get("Filters") or []
    settings = {name: mapping.get(api, default) for name, (api, default) in _MAPPING_FIELDS.items()}
    return {
        **settings,
        "enabled": mapping.get("State") not in ("Disabled", "Disabling"),
        "on_failure_destination_arn": destination.get("Destination") or "",
        "report_batch_item_failures": _PARTIAL_RESPONSES in (mapping.get("FunctionResponseTypes") or []),
        "filter_patterns": sorted(filter_text(entry["Pattern"]) for entry in filters),
    }


def wanted_mapping_settings(params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the parameters ask for, without those left open."""
    names = [*_MAPPING_FIELDS, "enabled", "on_failure_destination_arn", "report_batch_item_failures"]
    wanted = {name: params[name] for name in names if params.get(name) is not None}
    if params.get("filter_patterns") is not None:
        wanted["filter_patterns"] = sorted({filter_text(pattern) for pattern in params["filter_patterns"]})
    return wanted


def mapping_request(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as arguments of CreateEventSourceMapping and UpdateEventSourceMapping."""
    request = {api: settings[name] for name, (api, _default) in _MAPPING_FIELDS.items() if name in settings}
    if "enabled" in settings:
        request["Enabled"] = settings["enabled"]
    if "report_batch_item_failures" in settings:
        partial = settings["report_batch_item_failures"]
        request["FunctionResponseTypes"] = [_PARTIAL_RESPONSES] if partial else []
    if "on_failure_destination_arn" in settings:
        arn = settings["on_failure_destination_arn"]
        # {} takes the destination away; {'OnFailure': {}} is refused: "The Destination field is required"
        request["DestinationConfig"] = {"OnFailure": {"Destination": arn}} if arn else {}
    if "filter_patterns" in settings:
        filters = [{"Pattern": pattern} for pattern in settings["filter_patterns"]]
        request["FilterCriteria"] = {"Filters": filters} if filters else {}
    return request
