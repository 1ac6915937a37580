# SPDX-License-Identifier: MIT
"""The body of a side's CloudWatch dashboard: what a bridge does, how late it is, and what waits.

Structure: Amazon CloudWatch API Reference, "Dashboard Body Structure and Syntax": a grid of 24 columns; a metric is a list of
namespace, name and pairs of dimension name and value, with a mapping of its rendering at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS, HEIGHT, TITLE_HEIGHT = 24, 6, 1
MINUTE = 60
SUM, MAXIMUM, AVERAGE = "Sum", "Maximum", "Average"

Body = dict[str, Any]
Metric = list[Any]


@dataclass(frozen=True)
class Place:
    """What a side has. ``functions`` maps a word for people to the function's name; ``counted`` are its tables that replicate."""

    side: str
    peer: str
    region: str
    counted: Sequence[str]
    backed_up: Sequence[str]
    captured: Sequence[str]
    functions: Mapping[str, str]
    stream: str
    queues: Sequence[str]
    loader_namespace: str
    replicator_namespace: str
    backup_namespace: str


def dashboard(place: Place) -> Body:
    """The body: rows of charts under a heading each. Where nothing is backed up or captured, their rows are missing."""
    rows = [*_replication(place), *_functions(place), *_tables(place), *_waiting(place), *_recovery(place)]
    return {"widgets": list(_laid_out(rows))}


def _replication(place: Place) -> Iterable[list[Body]]:
    replicator = ("replicator", "ddb-replicator")
    yield [
        _heading(
            f"Side {place.side}: what {place.peer} wrote arrives here, what is written here leaves for {place.peer}"
        )
    ]
    yield [
        _chart(
            place,
            "Loaded and replicated, in all",
            MAXIMUM,
            [
                [place.loader_namespace, "Total_loaded", "loader", "ddb-loader", _label("loaded here")],
                [place.replicator_namespace, "Total_replicated", *replicator, _label(f"arrived from {place.peer}")],
            ],
        ),
        _chart(
            place,
            "Changes that arrived, a minute",
            SUM,
            [[place.replicator_namespace, "Updated_count", *replicator, _label(f"from {place.peer}")]],
        ),
        _chart(
            place,
            "Lag, seconds",
            MAXIMUM,
            [[place.replicator_namespace, "Replication_lag", *replicator, _label(f"{place.peer} to {place.side}")]],
        ),
    ]


def _functions(place: Place) -> Iterable[list[Body]]:
    yield [_heading("Functions")]
    named = place.functions.items()
    yield [
        _chart(place, "Invocations, a minute", SUM, [_lambda("Invocations", name, word) for word, name in named]),
        _chart(place, "Errors, a minute", SUM, [_lambda("Errors", name, word) for word, name in named]),
        _success(place),
    ]
    yield [
        _chart(place, "Duration, milliseconds", "p95", [_lambda("Duration", name, word) for word, name in named]),
        _chart(
            place,
            "Age of what is read, milliseconds",
            MAXIMUM,
            [_lambda("IteratorAge", name, word) for word, name in named],
        ),
        _chart(
            place,
            "At work at once",
            MAXIMUM,
            [_lambda("ConcurrentExecutions", name, word) for word, name in named],
        ),
    ]


def _success(place: Place) -> Body:
    """Percent of invocations without an error: two hidden metrics and an expression for each function."""
    metrics: list[Metric] = []
    for number, (word, name) in enumerate(place.functions.items()):
        metrics += [
            ["AWS/Lambda", "Errors", "FunctionName", name, {"id": f"errors{number}", "visible": False}],
            ["AWS/Lambda", "Invocations", "FunctionName", name, {"id": f"calls{number}", "visible": False}],
            [
                {
                    "expression": f"100 - 100 * errors{number} / MAX([errors{number}, calls{number}])",
                    "label": word,
                    "id": f"rate{number}",
                }
            ],
        ]
    chart = _chart(place, "Success, percent", SUM, metrics)
    chart["properties"]["yAxis"] = {"left": {"min": 0, "max": 100}}
    return chart


def _tables(place: Place) -> Iterable[list[Body]]:
    yield [_heading("Tables and stream")]
    yield [
        _chart(
            place,
            "Capacity used, a minute",
            SUM,
            [
                _table(metric, name, f"{name} {word}")
                for name in place.counted
                for metric, word in (
                    ("ConsumedWriteCapacityUnits", "writes"),
                    ("ConsumedReadCapacityUnits", "reads"),
                )
            ],
        ),
        _chart(
            place,
            "Throttled, a minute",
            SUM,
            [
                *(
                    _table(metric, name, f"{name} {word}")
                    for name in place.counted
                    for metric, word in (("WriteThrottleEvents", "writes"), ("ReadThrottleEvents", "reads"))
                ),
                _kinesis("WriteProvisionedThroughputExceeded", place.stream, "stream in"),
                _kinesis("ReadProvisionedThroughputExceeded", place.stream, "stream out"),
            ],
        ),
        _chart(
            place,
            f"Stream {place.stream}, records a minute",
            SUM,
            [
                _kinesis("IncomingRecords", place.stream, "in"),
                _kinesis("GetRecords.Records", place.stream, "out"),
            ],
        ),
    ]


def _waiting(place: Place) -> Iterable[list[Body]]:
    replicator = ("replicator", "ddb-replicator")
    kept = (
        "Quarantined_count",
        "Unsent_count",
        "Unsettled_count",
        "Unstamped_count",
        "Ahead_count",
        "Overwritten_count",
    )
    yield [_heading("What waits, and what people should look at")]
    yield [
        _chart(
            place,
            "Batches that were given up, in queues",
            MAXIMUM,
            [
                ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, _label(queue)]
                for queue in place.queues
            ],
        ),
        _chart(
            place,
            "Kept back, sent again, not plain, a minute",
            SUM,
            [[place.replicator_namespace, name, *replicator, _label(name)] for name in kept],
        ),
    ]


def _recovery(place: Place) -> Iterable[list[Body]]:
    charts = []
    if place.backed_up:
        charts.append(
            _chart(
                place,
                "Age of the last verified backup, hours",
                MAXIMUM,
                [[place.backup_namespace, "Backup_age_hours", "Table", name, _label(name)] for name in place.backed_up],
            )
        )
    if place.captured:
        charts.append(
            _chart(
                place,
                "Recoverable until so long ago, seconds",
                MAXIMUM,
                [
                    [place.backup_namespace, "Recoverable_age_seconds", "Table", name, _label(name)]
                    for name in place.captured
                ],
            )
        )
    if charts:
        yield [_heading("Backups and recovery")]
        yield charts


def _chart(place: Place, title: str, statistic: str, metrics: list[Metric]) -> Body:
    properties = {
        "title": title,
        "region": place.region,
        "view": "timeSeries",
        "stacked": False,
        "stat": statistic,
        "period": MINUTE,
        "metrics": metrics,
    }
    return {"type": "metric", "height": HEIGHT, "properties": properties}


def _heading(text: str) -> Body:
    return {"type": "text", "height": TITLE_HEIGHT, "properties": {"markdown": f"## {text}"}}


def _label(text: str) -> dict[str, Any]:
    return {"label": text}


def _lambda(metric: str, function: str, word: str) -> Metric:
    return ["AWS/Lambda", metric, "FunctionName", function, _label(word)]


def _table(metric: str, table: str, word: str) -> Metric:
    return ["AWS/DynamoDB", metric, "TableName", table, _label(word)]


def _kinesis(metric: str, stream: str, word: str) -> Metric:
    return ["AWS/Kinesis", metric, "StreamName", stream, _label(word)]


def _laid_out(rows: Iterable[list[Body]]) -> Iterable[Body]:
    """Place rows below each other; those of one row share its width."""
    y = 0
    for row in rows:
        width = COLUMNS // len(row)
        for index, widget in enumerate(row):
            yield {"x": index * width, "y": y, "width": width, **widget}
        y += row[0]["height"]
