# SPDX-License-Identifier: GPL-3.0-or-later
"""The role is asked before an on-failure destination is told of an asynchronous invocation that failed for good."""

import json
import time

import pytest

from .functions import EVERYTHING, eventually, make_function, make_queue, make_role

FAIL = "def handler(event, context):\n    raise ValueError('always')\n"
NOTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}],
}


@pytest.mark.parametrize("may_send", [True, False])
def test_a_failed_event_reaches_the_queue_if_the_role_may_send(pair, unique, may_send):
    """GIVEN a function that fails, with a queue WHEN invoked asynchronously THEN the queue gets the event, if it may."""
    url, arn = make_queue(pair, "cn", unique)
    make_function(pair, "cn", unique, FAIL, make_role(pair, "cn", unique, EVERYTHING if may_send else NOTHING))
    functions, sqs = pair.client("cn", "lambda"), pair.client("cn", "sqs")
    functions.put_function_event_invoke_config(
        FunctionName=unique, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    functions.invoke(FunctionName=unique, InvocationType="Event", Payload=json.dumps({"mark": unique}))

    def messages():
        return sqs.receive_message(QueueUrl=url).get("Messages", [])

    if may_send:
        assert unique in eventually(messages, bool)[0]["Body"]
    else:
        time.sleep(2)
        assert not messages()
