# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard's body: CloudWatch's structure, metrics that somebody publishes, nothing that covers something else."""

import dataclasses
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from dynabridge.aws.counters import PUBLISHED
from dynabridge.dashboard import COLUMNS, Place, dashboard
from tests.local_pair import REPOSITORY

PLACE = Place(
    side="cn",
    peer="sg",
    region="cn-north-1",
    counted=("user-cn", "orders-cn"),
    backed_up=("user-cn",),
    captured=("user-cn",),
    functions={"sender": "ddb_send_to_kinesis", "receiver": "replicator_kinesis"},
    stream="ddb_replication_stream_cn",
    queues=("ddbstreamcn", "ddbreplicatorcn"),
    loader_namespace="DDB-Loader",
    replicator_namespace="DDB-Replicator",
    backup_namespace="DDB-Backup",
)
# Developer guides: "Types of metrics for Lambda functions", "DynamoDB metrics and dimensions", "Monitoring Kinesis Data
# Streams with CloudWatch" (stream level), "Available CloudWatch metrics for Amazon SQS".
OF_AWS = {
    "AWS/Lambda": ("FunctionName", {"Invocations", "Errors", "Duration", "IteratorAge", "ConcurrentExecutions"}),
    "AWS/DynamoDB": (
        "TableName",
        {"ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits", "WriteThrottleEvents", "ReadThrottleEvents"},
    ),
    "AWS/Kinesis": (
        "StreamName",
        {
            "IncomingRecords",
            "GetRecords.Records",
            "WriteProvisionedThroughputExceeded",
            "ReadProvisionedThroughputExceeded",
        },
    ),
    "AWS/SQS": ("QueueName", {"ApproximateNumberOfMessagesVisible"}),
}
# Of this project: namespace, dimension, and the file that publishes each.
OURS = {
    "DDB-Loader": (["loader", "ddb-loader"], {"Total_loaded": "aws/load.py"}),
    "DDB-Replicator": (
        ["replicator", "ddb-replicator"],
        dict.fromkeys([*PUBLISHED.values(), "Total_replicated", "Updated_count", "Replication_lag"], "aws/counters.py"),
    ),
    "DDB-Backup": (
        None,
        {"Backup_age_hours": "aws/backup_watch.py", "Recoverable_age_seconds": "aws/capture_tend.py"},
    ),
}
names = st.lists(st.text("abc-_.09", min_size=3, max_size=12), unique=True, max_size=4).map(tuple)
places = st.builds(
    lambda counted, backed_up, captured, queues: dataclasses.replace(
        PLACE, counted=counted, backed_up=backed_up, captured=captured, queues=queues
    ),
    names,
    names,
    names,
    names,
)


def check_structure(body):
    """API Reference, "Dashboard Body Structure and Syntax", as far as it is used here."""
    assert set(body) <= {"start", "end", "periodOverride", "variables", "widgets"} and len(body["widgets"]) <= 500
    for widget in body["widgets"]:
        assert widget["type"] in ("metric", "text")
        assert 0 <= widget["x"] <= 23 and widget["y"] >= 0 and 1 <= widget["height"] <= 1000
        assert widget["width"] >= 1 and widget["x"] + widget["width"] <= COLUMNS
        if widget["type"] == "text":
            assert set(widget["properties"]) == {"markdown"}
        else:
            check_chart(widget["properties"])


def check_chart(properties):
    assert {"region", "metrics", "title"} <= set(properties)
    assert properties["view"] in ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")
    assert properties["period"] in (1, 5, 10, 30) or properties["period"] % 60 == 0
    assert properties["stat"] in ("Sum", "Maximum", "Average", "Minimum", "SampleCount", "p95")
    for metric in properties["metrics"]:
        rendering = metric[-1]
        if len(metric) == 1:
            assert {"expression", "id"} <= set(rendering)
            continue
        assert isinstance(rendering, dict) and set(rendering) <= {"label", "id", "visible"}
        words = metric[:-1]
        assert all(isinstance(word, str) for word in words) and len(words) % 2 == 0 and len(words) >= 4


def metrics_of(body):
    for widget in body["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if len(metric) > 1:
                yield metric[:-1]


def test_the_body_has_cloudwatchs_structure():
    check_structure(dashboard(PLACE))


@given(places)
def test_any_side_gets_a_body_in_which_nothing_covers_anything(place):
    """GIVEN any tables and queues THEN the body is sound, its widgets lie apart, and every chart shows the side's region."""
    body = dashboard(place)
    check_structure(body)
    for one, other in combinations(body["widgets"], 2):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        below = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert beside or below
    charts = [widget["properties"] for widget in body["widgets"] if widget["type"] == "metric"]
    assert {chart["region"] for chart in charts} == {"cn-north-1"}
    for table in (*place.counted, *place.backed_up, *place.captured):
        assert any(table in metric for metric in metrics_of(body))


def test_every_metric_is_one_that_is_published():
    """GIVEN a side with everything THEN AWS or a file of this project publishes each metric, with these dimensions."""
    for namespace, name, *dimensions in metrics_of(dashboard(PLACE)):
        if namespace in OF_AWS:
            dimension, published = OF_AWS[namespace]
            assert name in published and dimensions[0] == dimension and len(dimensions) == 2
        else:
            dimension, files = OURS[namespace]
            text = (REPOSITORY / "module_utils" / "dynabridge" / files[name]).read_text(encoding="utf-8")
            assert f'"{name}"' in text
            assert dimensions == (dimension or ["Table", "user-cn"])


def test_what_the_source_documents_watch_is_there():
    """Row R12: both functions and the capacity of the table; row R8: the counters."""
    shown = {(name, value) for _namespace, name, _dimension, value in metrics_of(dashboard(PLACE))}
    watched = ("Invocations", "Duration", "Errors", "IteratorAge", "ConcurrentExecutions")
    assert shown >= {(name, function) for name in watched for function in PLACE.functions.values()}
    assert ("ConsumedWriteCapacityUnits", "user-cn") in shown
    assert shown >= {("Total_loaded", "ddb-loader")} | {
        (name, "ddb-replicator") for name in ("Total_replicated", "Updated_count", "Replication_lag")
    }


def test_a_side_without_backups_has_no_charts_of_them():
    body = dashboard(dataclasses.replace(PLACE, backed_up=(), captured=()))
    assert all(namespace != "DDB-Backup" for namespace, *_rest in metrics_of(body))
    assert not any("Backups" in widget["properties"].get("markdown", "") for widget in body["widgets"])
