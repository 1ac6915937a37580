# SPDX-License-Identifier: GPL-3.0-or-later
"""The metric IteratorAge, which the emulator lacks.

AWS Lambda Developer Guide, "Types of metrics for Lambda functions": "For DynamoDB, Kinesis, ... event sources, the age of the
last record in the event. This metric measures the time between when a stream receives the record and when the event source
mapping sends the event to the function." Namespace AWS/Lambda, dimension FunctionName, milliseconds.
"""

import time

from ministack.services import cloudwatch


def publish(function: str, records: list) -> None:
    """Called when the event is sent, in the account and region of the stream, which are the function's."""
    age = max(0.0, time.time() - records[-1].arrival) * 1000
    cloudwatch.record_metric("AWS/Lambda", "IteratorAge", age, "Milliseconds", {"FunctionName": function})
