# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mapping API accepts, answers and refuses (AWS Lambda API reference)."""

import pytest
from botocore.exceptions import ClientError

from .functions import make_function, make_queue, make_stream, make_table

SUCCEED = "def handler(event, context):\n    return None\n"


@pytest.fixture(scope="module")
def source(pair):
    """A function and a stream for all tests here; mappings are removed by the tests."""
    make_function(pair, "sg", "requests", SUCCEED)
    return make_stream(pair, "sg", "requests")


@pytest.fixture
def create(pair, source):
    functions, made = pair.client("sg", "lambda"), []

    def request(**settings):
        made.append(
            functions.create_event_source_mapping(
                **{"FunctionName": "requests", "EventSourceArn": source, "StartingPosition": "LATEST", **settings}
            )
        )
        return made[-1]

    yield request
    for mapping in made:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])


def refusal(call, **settings):
    with pytest.raises(ClientError) as refused:
        call(**settings)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def test_defaults_are_those_of_a_stream_mapping(create):
    """CreateEventSourceMapping answers with the defaults of stream sources: batches of 100, endless retries."""
    # GIVEN nothing but the source, WHEN it is mapped THEN the answer holds AWS's defaults
    mapping = create()
    expected = {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "FunctionResponseTypes": [],
        "StartingPosition": "LATEST",
    }
    assert {name: mapping[name] for name in expected} == expected


@pytest.mark.parametrize(
    "setting",
    [
        {"BatchSize": 10001},
        {"MaximumBatchingWindowInSeconds": 301},
        {"ParallelizationFactor": 11},
        {"MaximumRetryAttempts": 10001},
        {"MaximumRecordAgeInSeconds": 604801},
    ],
)
def test_values_out_of_range_are_refused(create, setting):
    """Each number has AWS's range; the message names the field and its bound."""
    # GIVEN a number one above its range, WHEN it is sent THEN it is refused by name
    name, value = next(iter(setting.items()))
    code, message = refusal(create, **setting)
    assert code == "ValidationException"
    assert f"Value '{value}' at '{name[0].lower()}{name[1:]}'" in message
    assert f"less than or equal to {value - 1}" in message


def test_record_ages_below_a_minute_are_refused(create):
    """MaximumRecordAgeInSeconds is -1 or at least 60."""
    assert refusal(create, MaximumRecordAgeInSeconds=59)[0] == "InvalidParameterValueException"


def test_update_checks_the_same_ranges(pair, create):
    """UpdateEventSourceMapping has the ranges of the creation, and keeps what it was not told."""
    # GIVEN a mapping, WHEN a number out of range is sent THEN nothing changes
    uuid = create(BatchSize=7)["UUID"]
    functions = pair.client("sg", "lambda")
    code, _message = refusal(functions.update_event_source_mapping, UUID=uuid, ParallelizationFactor=11)
    assert code == "ValidationException"
    # WHEN other settings are sent THEN they are stored and the rest stays
    queue = make_queue(pair, "sg", "requests-discarded")[1]
    functions.update_event_source_mapping(
        UUID=uuid, MaximumRetryAttempts=3, DestinationConfig={"OnFailure": {"Destination": queue}}
    )
    mapping = functions.get_event_source_mapping(UUID=uuid)
    assert (mapping["BatchSize"], mapping["MaximumRetryAttempts"]) == (7, 3)
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": queue}}


def test_a_second_mapping_of_the_pair_is_refused(create):
    """One mapping for a function and a source; the refusal names the UUID of the present one."""
    uuid = create()["UUID"]
    code, message = refusal(create)
    assert code == "ResourceConflictException"
    assert uuid in message


def test_starting_position_is_required_and_fits_the_source(pair, create):
    """Streams need a StartingPosition, and a DynamoDB stream knows no AT_TIMESTAMP."""
    functions = pair.client("sg", "lambda")
    table = make_table(pair, "sg", "requests-table")
    code, message = refusal(functions.create_event_source_mapping, FunctionName="requests", EventSourceArn=table)
    assert (code, "startingPosition" in message) == ("ValidationException", True)
    code, message = refusal(create, EventSourceArn=table, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=1)
    assert (code, "Unsupported starting position" in message) == ("InvalidParameterValueException", True)


def test_a_stream_that_does_not_exist_is_refused(create, source):
    """The source must exist."""
    code, message = refusal(create, EventSourceArn=f"{source}-missing")
    assert (code, message) == ("InvalidParameterValueException", f"Stream not found: {source}-missing")


def test_large_queue_batches_need_a_window(pair, create):
    """SQS: a batch size above 10 needs a batching window; stream batches do not."""
    queue = make_queue(pair, "sg", "requests-queue")[1]
    functions = pair.client("sg", "lambda")
    code, message = refusal(
        functions.create_event_source_mapping, FunctionName="requests", EventSourceArn=queue, BatchSize=11
    )
    assert (code, "batch window" in message) == ("InvalidParameterValueException", True)
    assert create(BatchSize=11)["BatchSize"] == 11
