# SPDX-License-Identifier: GPL-3.0-or-later
"""What CreateEventSourceMapping and UpdateEventSourceMapping accept, and the defaults AWS answers with.

API reference of CreateEventSourceMapping (valid ranges, defaults) and its `StartingPosition`.
"""

STREAM_DEFAULTS = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "MaximumRetryAttempts": -1,
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "TumblingWindowInSeconds": 0,
    "FunctionResponseTypes": [],
    "DestinationConfig": {"OnFailure": {}},
}
RANGES = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "ParallelizationFactor": (1, 10),
    "MaximumRetryAttempts": (-1, 10_000),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
}
STARTING_POSITIONS = {"dynamodb": ("TRIM_HORIZON", "LATEST"), "kinesis": ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")}


class Refused(Exception):
    """The request is answered with this error code and message."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def check_ranges(request: dict) -> None:
    for name, (lowest, highest) in RANGES.items():
        value = request.get(name)
        if value is not None and not lowest <= value <= highest:
            relation = f"less than or equal to {highest}" if value > highest else f"greater than or equal to {lowest}"
            raise Refused(
                "ValidationException",
                f"1 validation error detected: Value '{value}' at '{name[0].lower()}{name[1:]}' failed to "
                f"satisfy constraint: Member must have value {relation}",
            )
    if 0 <= request.get("MaximumRecordAgeInSeconds", -1) < 60:
        raise Refused(
            "InvalidParameterValueException", "MaximumRecordAgeInSeconds must be -1, or a value between 60 and 604800."
        )


def check_queue(request: dict) -> None:
    if request.get("BatchSize", 10) > 10 and not request.get("MaximumBatchingWindowInSeconds"):
        raise Refused(
            "InvalidParameterValueException",
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        )


def check_stream(request: dict, service: str) -> None:
    starting = request.get("StartingPosition")
    if starting is None:
        raise Refused(
            "ValidationException",
            "1 validation error detected: Value null at 'startingPosition' failed "
            "to satisfy constraint: Member must not be null.",
        )
    if starting not in STARTING_POSITIONS[service]:
        raise Refused(
            "InvalidParameterValueException", f"Unsupported starting position for arn type: {request['EventSourceArn']}"
        )
    if starting == "AT_TIMESTAMP" and request.get("StartingPositionTimestamp") is None:
        raise Refused(
            "InvalidParameterValueException",
            "StartingPositionTimestamp is required when the starting position is AT_TIMESTAMP.",
        )


def with_stream_defaults(request: dict) -> dict:
    return {**STREAM_DEFAULTS, **{name: value for name, value in request.items() if value is not None}}
