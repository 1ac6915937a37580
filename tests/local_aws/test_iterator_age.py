# SPDX-License-Identifier: GPL-3.0-or-later
"""IteratorAge: how old the last record of a batch is when its mapping hands it over (`local_aws.patches.mappings.ages`)."""

import base64
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.local_aws.functions import eventually, make_function, make_stream, make_table

DONE = "def handler(event, context):\n    print('done')\n"


def ages(pair, side, function):
    """Milliseconds, all of the last five minutes, as a maximum of each minute."""
    metric = {
        "Namespace": "AWS/Lambda",
        "MetricName": "IteratorAge",
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
    }
    now = datetime.now(UTC)
    query = {"Id": "age", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
    answer = pair.client(side, "cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(seconds=1)
    )
    return answer["MetricDataResults"][0]["Values"]


def write(pair, side, kind, name):
    if kind == "dynamodb":
        pair.client(side, "dynamodb").put_item(TableName=name, Item={"PK": {"S": "x"}})
    else:
        pair.client(side, "kinesis").put_record(StreamName=name, Data=base64.b64encode(b"x"), PartitionKey="x")


@pytest.mark.parametrize("side", ["cn", "sg"])
@pytest.mark.parametrize("kind", ["dynamodb", "kinesis"])
def test_the_age_of_what_is_handed_over_is_a_metric(pair, unique, side, kind):
    """A batch at once is young; one that waited for its mapping is as old as its last record; idle tells nothing."""
    # GIVEN a mapping that is switched off, and a record two seconds old
    source = make_table(pair, side, unique) if kind == "dynamodb" else make_stream(pair, side, unique)
    make_function(pair, side, unique, DONE)
    functions = pair.client(side, "lambda")
    mapping = functions.create_event_source_mapping(
        FunctionName=unique, EventSourceArn=source, StartingPosition="TRIM_HORIZON", BatchSize=100, Enabled=False
    )["UUID"]
    write(pair, side, kind, unique)
    written = time.time()
    time.sleep(2)
    assert ages(pair, side, unique) == []
    # WHEN it is switched on
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    # THEN the metric has the age, in milliseconds (DynamoDB tells the time of a record by the second)
    found = max(eventually(lambda: ages(pair, side, unique), bool))
    assert 2000 <= found <= (time.time() - written) * 1000 + 1100
    functions.delete_event_source_mapping(UUID=mapping)
