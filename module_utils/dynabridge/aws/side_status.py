# SPDX-License-Identifier: MIT
"""What a side's own region tells of replication, in a few calls: each part by itself, so that one refusal hides no other part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..backup_layout import iso
from ..capture import table_of
from ..compare_record import key_of, record_from
from ..replays import GAPS, QUARANTINE
from ..status_facts import WINDOW_MINUTES
from .answers import error_code
from .botocore_errors import BotoCoreError, ClientError
from .counters import DIMENSIONS
from .lost_batches import waiting

SERVICES = ("lambda", "cloudwatch", "sqs", "s3", "dynamodb", "ssm", "iam")
AT_ONCE = 4
MINUTE = 60
# Metric of a function -> statistic.
FUNCTION_METRICS = {"Invocations": "Sum", "Errors": "Sum", "Throttles": "Sum", "IteratorAge": "Maximum"}
QUERIES_A_CALL = 500  # GetMetricData takes no more


@dataclass(frozen=True)
class Place:
    """What there is on the side. ``compared``: names in dynabridge_tables; ``most``: objects of the quarantine to count."""

    functions: list[str]
    queues: list[str]
    bucket: str
    loader_table: str
    stats_table: str
    compared: list[str]
    parameter_path: str
    user: str
    alarm_prefix: str
    namespace: str
    most: int


def look(clients: dict[str, Any], place: Place, now: float) -> dict[str, Any]:
    """Each part, None where it cannot be known, and ``unknown``: why, by part."""
    parts: dict[str, Callable[[], Any]] = {
        "mappings": lambda: _mappings(clients["lambda"], place.functions),
        "metrics": lambda: _metrics(clients["cloudwatch"], place, now),
        "queues": lambda: {queue: sum(waiting(clients["sqs"], queue)) for queue in place.queues},
        "quarantine": lambda: _quarantine(clients["s3"], place),
        "counters": lambda: _counters(clients["dynamodb"], place),
        "compares": lambda: _compares(clients["dynamodb"], place),
        "stored_key": lambda: _stored_key(clients["ssm"], place.parameter_path),
        "user_keys": lambda: _user_keys(clients["iam"], place.user),
        "alarms": lambda: _alarms(clients["cloudwatch"], place.alarm_prefix),
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(parts, pool.map(_asked, parts.values()), strict=True))
    unknown = {name: why for name, (_value, why) in answers.items() if why}
    return {name: value for name, (value, _why) in answers.items()} | {"unknown": unknown}


def _asked(part: Callable[[], Any]) -> tuple[Any, str]:
    """(what it gives, why it gives nothing)"""
    try:
        return part(), ""
    except ClientError as error:
        return (
            None,
            f"{error.operation_name} was refused ({error_code(error)}): {error.response['Error'].get('Message', '')}",
        )
    except BotoCoreError as error:
        return None, str(error)


def _mappings(client: Any, functions: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    return {function: _mappings_of(client, function) for function in functions}


def _mappings_of(client: Any, function: str) -> list[dict[str, str]]:
    """None of a function that is not there."""
    try:
        pages = client.get_paginator("list_event_source_mappings").paginate(FunctionName=function)
        found = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return []
    return [
        {
            "source": source_of(mapping["EventSourceArn"]),
            "state": mapping["State"],
            "result": mapping.get("LastProcessingResult") or "",
        }
        for mapping in found
    ]


def source_of(arn: str) -> str:
    """The table whose stream it is, or the name of the Kinesis stream."""
    return table_of(arn) or arn.rsplit("/", 1)[-1]


def _metrics(client: Any, place: Place, now: float) -> dict[str, Any]:
    """Of the last quarter of an hour: sums, and the newest age, None where nothing was handed over."""
    wanted = [(function, metric) for function in place.functions for metric in FUNCTION_METRICS]
    queries = [
        _query(
            f"m{number}", "AWS/Lambda", metric, [{"Name": "FunctionName", "Value": function}], FUNCTION_METRICS[metric]
        )
        for number, (function, metric) in enumerate(wanted)
    ]
    queries.append(_query("lag", place.namespace, "Replication_lag", DIMENSIONS, "Maximum"))
    values = _values(client, queries, now)
    functions: dict[str, dict[str, Any]] = {function: {} for function in place.functions}
    for number, (function, metric) in enumerate(wanted):
        found = values.get(f"m{number}", [])
        if metric == "IteratorAge":
            functions[function]["age_seconds"] = round(found[0] / 1000, 1) if found else None
        else:
            functions[function][metric.lower()] = sum(found)
    lag = values.get("lag", [])
    return {"functions": functions, "lag_seconds": round(lag[0], 1) if lag else None}


def _query(name: str, namespace: str, metric: str, dimensions: list[dict[str, str]], statistic: str) -> dict[str, Any]:
    about = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": about, "Period": MINUTE, "Stat": statistic}}


def _values(client: Any, queries: list[dict[str, Any]], now: float) -> dict[str, list[float]]:
    """By query, the newest first."""
    end = datetime.fromtimestamp(now + MINUTE, UTC)
    window = {"StartTime": end - timedelta(minutes=WINDOW_MINUTES + 1), "EndTime": end, "ScanBy": "TimestampDescending"}
    found: dict[str, list[float]] = {}
    for start in range(0, len(queries), QUERIES_A_CALL):
        some = queries[start : start + QUERIES_A_CALL]
        for page in client.get_paginator("get_metric_data").paginate(MetricDataQueries=some, **window):
            for result in page["MetricDataResults"]:
                found.setdefault(result["Id"], []).extend(_newest_first(result))
    return found


def _newest_first(result: dict[str, Any]) -> list[float]:
    pairs = zip(result.get("Timestamps", []), result["Values"], strict=True)
    return [value for _moment, value in sorted(pairs, key=lambda pair: pair[0], reverse=True)]


def _quarantine(s3: Any, place: Place) -> dict[str, Any]:
    """How many entries, by function; no more than ``most`` are counted."""
    entries: Counter[str] = Counter()
    gaps = 0
    for prefix in (QUARANTINE, GAPS):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=prefix)
        for page in pages:
            keys = [listed["Key"] for listed in page.get("Contents", [])]
            if prefix == GAPS:
                gaps += len(keys)
            else:
                entries.update(key.split("/")[1] for key in keys)
            if entries.total() + gaps >= place.most:
                break
    total = entries.total() + gaps
    return {
        "bucket": place.bucket,
        "entries": dict(sorted(entries.items())),
        "gaps": gaps,
        "total": total,
        "more": total >= place.most,
    }


def _counters(dynamodb: Any, place: Place) -> dict[str, int]:
    return {
        "loaded": _count(dynamodb, place.loader_table, "loaded_count"),
        "replicated": _count(dynamodb, place.stats_table, "replicated_count"),
    }


def _count(dynamodb: Any, table: str, counter: str) -> int:
    """0 where nothing was counted so far."""
    item = _item(dynamodb, table, {"PK": {"S": counter}})
    return int(item["cnt"]["N"]) if item else 0


def _compares(dynamodb: Any, place: Place) -> dict[str, Any]:
    return {name: record_from(_item(dynamodb, place.stats_table, key_of(name))) for name in place.compared}


def _item(dynamodb: Any, table: str, key: dict[str, Any]) -> dict[str, Any] | None:
    return dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def _stored_key(ssm: Any, path: str) -> str:
    """The id of the key by which this side writes to its peer, '' where a half of the pair is missing. Decrypts nothing."""
    names = [path + "AccessKey", path + "SecretKey"]
    found = {one["Name"]: one["Value"] for one in ssm.get_parameters(Names=names, WithDecryption=False)["Parameters"]}
    return found[names[0]] if all(found.get(name) for name in names) else ""


def _user_keys(iam: Any, user: str) -> dict[str, Any]:
    """The keys by which the peer writes to this side; none where there is no such user."""
    try:
        listed = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]  # two at most: one page
    except ClientError as error:
        if error_code(error) != "NoSuchEntity":
            raise
        listed = []
    keys = [
        {"id": key["AccessKeyId"], "active": key["Status"] == "Active", "created": iso(key["CreateDate"].timestamp())}
        for key in listed
    ]
    return {"user": user, "keys": keys}


def _alarms(client: Any, prefix: str) -> list[dict[str, str]]:
    """Those that ring."""
    pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix, StateValue="ALARM")
    return [
        {"name": alarm["AlarmName"], "since": iso(alarm["StateUpdatedTimestamp"].timestamp())}
        for page in pages
        for alarm in page["MetricAlarms"]
    ]
