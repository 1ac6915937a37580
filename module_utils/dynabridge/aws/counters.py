# SPDX-License-Identifier: MIT
"""The counters, metrics and log lines that people watch: how much was replicated, how late, what was kept back."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from .botocore_errors import BotoCoreError, ClientError

DIMENSIONS = [{"Name": "replicator", "Value": "ddb-replicator"}]
METRICS_A_CALL = 1000  # PutMetricData takes no more
# Of the tally these are published when they happen.
PUBLISHED = {
    "unstamped": "Unstamped_count",
    "given_stamps": "Stamped_count",
    "lifted": "Lifted_count",
    "ahead": "Ahead_count",
    "overwritten": "Overwritten_count",
    "old_echoes": "Old_echo_count",
    "late": "Late_count",
    "quarantined": "Quarantined_count",
    "unsent": "Unsent_count",
    "unsettled": "Unsettled_count",
}
Metrics = dict[str, tuple[float, str]]


def count_replicated(dynamodb: Any, stats_table: str, applied: int, lag: float) -> Metrics:
    """Add to ``replicated_count``.``cnt`` and give the metrics that tell of it.

    ``cnt`` counts changes that were written here. A change delivered twice is refused by the rule the second time and so
    counted once; a function that dies between its writes and this call leaves the batch uncounted. A failure to count must
    not send applied changes round again, so it is logged only.
    """
    if not applied:
        return {}
    metrics: Metrics = {"Updated_count": (applied, "Count"), "Replication_lag": (lag, "Seconds")}
    try:
        # ADD makes the row where it is missing.
        answer = dynamodb.update_item(
            TableName=stats_table,
            Key={"PK": {"S": "replicated_count"}},
            UpdateExpression="ADD cnt :n",
            ExpressionAttributeValues={":n": {"N": str(applied)}},
            ReturnValues="UPDATED_NEW",
        )
        metrics["Total_replicated"] = (float(answer["Attributes"]["cnt"]["N"]), "Count")
    except (ClientError, BotoCoreError) as error:
        log(error=f"replicated count {applied} not added to table {stats_table}: {error}")
    return metrics


def report(
    function: str, tally: Mapping[str, int], cloudwatch: Any, namespace: str, metrics: Metrics | None = None
) -> None:
    """Log the batch in one line and publish its metrics, at 1-second resolution, in one call."""
    log(function=function, **{name: number for name, number in tally.items() if number})
    metrics = (metrics or {}) | {
        metric: (tally[name], "Count") for name, metric in PUBLISHED.items() if tally.get(name)
    }
    publish(
        cloudwatch,
        namespace,
        [
            {"MetricName": name, "Dimensions": DIMENSIONS, "Value": value, "Unit": unit, "StorageResolution": 1}
            for name, (value, unit) in metrics.items()
        ],
    )


def publish(cloudwatch: Any, namespace: str, data: list[dict[str, Any]]) -> None:
    """Publish metrics, many a call; that they cannot be published is logged, and stops nobody."""
    for start in range(0, len(data), METRICS_A_CALL):
        some = data[start : start + METRICS_A_CALL]
        try:
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=some)
        except (ClientError, BotoCoreError) as error:
            log(error=f"metrics {', '.join(entry['MetricName'] for entry in some)} not published: {error}")


def log(**fields: Any) -> None:
    """One JSON line: CloudWatch Logs Insights reads its fields."""
    sys.stdout.write(json.dumps(fields, default=str) + "\n")
    sys.stdout.flush()
