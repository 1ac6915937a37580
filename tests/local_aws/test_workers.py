# SPDX-License-Identifier: GPL-3.0-or-later
"""Warm functions, their logs, their environment and their credentials (AWS Lambda Developer Guide)."""

import base64
import json
import time

import pytest

from .functions import make_function, make_role, make_table


def invoke(pair, name, payload=None):
    """The function's answer, its error (or None), and the tail of its log."""
    answer = pair.client("cn", "lambda").invoke(FunctionName=name, Payload=json.dumps(payload).encode(), LogType="Tail")
    log = base64.b64decode(answer.get("LogResult", "")).decode()
    return json.loads(answer["Payload"].read()), answer.get("FunctionError"), log


def test_a_silent_warm_function_answers_at_once(pair, unique):
    """A warm invocation costs what the handler costs, whether it logs or not."""
    # GIVEN a warm function that prints nothing
    make_function(pair, "cn", unique, "def handler(event, context):\n    return event\n")
    invoke(pair, unique)
    # WHEN it is invoked again and again THEN the quickest takes less than the 50 ms the emulator would wait
    durations = []
    for _attempt in range(5):
        before = time.monotonic()
        invoke(pair, unique)
        durations.append(time.monotonic() - before)
    assert min(durations) < 0.045, durations


def test_all_lines_of_a_log_belong_to_their_invocation(pair, unique):
    """An invocation's log holds every line it wrote, and none of the one before."""
    # GIVEN a function that writes many lines, the last one unfinished
    make_function(
        pair,
        "cn",
        unique,
        "import sys\ndef handler(event, context):\n"
        "    for number in range(event):\n        print('line', number)\n    sys.stdout.write('end')\n",
    )
    # WHEN it is invoked twice THEN each log is complete and separate
    long, short = invoke(pair, unique, 300)[2], invoke(pair, unique, 1)[2]
    assert long.splitlines()[-3:-1] == ["line 299", "end"] or "line 299\nend" in long, long
    assert "line 1" not in short
    assert "line 0\nend" in short
    assert "end of the invocation" not in long + short


def test_a_handlers_exception_keeps_the_environment(pair, unique):
    """After a handler has raised, the next invocation finds the same environment: no cold start."""
    # GIVEN a function that counts its invocations and fails on request
    make_function(
        pair,
        "cn",
        unique,
        "COUNT = []\ndef handler(event, context):\n    COUNT.append(1)\n"
        "    if event == 'fail':\n        raise ValueError('as asked')\n    return len(COUNT)\n",
    )
    invoke(pair, unique)
    # WHEN it fails THEN the failure is reported with its trace, and the count goes on
    answer, error, log = invoke(pair, unique, "fail")
    assert (answer["errorMessage"], answer["errorType"], error) == ("as asked", "ValueError", "Unhandled")
    assert "ValueError: as asked" in log
    assert invoke(pair, unique)[0] == 3


def test_functions_hold_their_roles_credentials_and_nothing_of_the_users_environment(pair, unique):
    """Execution role: a function may do what its role allows, and no more; it sees no profile of the user."""
    # GIVEN a role that may describe one table, and a function that tries two actions
    table = make_table(pair, "cn", unique).partition("/stream/")[0]
    role = make_role(
        pair,
        "cn",
        unique,
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "dynamodb:DescribeTable", "Resource": table}],
        },
    )
    make_function(
        pair,
        "cn",
        unique,
        "import boto3, os\ndef handler(name, context):\n"
        "    table = boto3.client('dynamodb')\n"
        "    status = table.describe_table(TableName=name)['Table']['TableStatus']\n"
        "    try:\n        table.scan(TableName=name)\n"
        "    except Exception as error:\n        refused = str(error)\n"
        "    return [status, refused, sorted(n for n in os.environ if 'PROFILE' in n or 'PROXY' in n.upper())]\n",
        role,
    )
    # WHEN it runs THEN the one succeeds and the other is refused to the role's session
    (status, refused, leaked), error, _log = invoke(pair, unique, unique)
    assert (status, error, leaked) == ("ACTIVE", None, [])
    assert "AccessDeniedException" in refused
    assert f"arn:aws-cn:sts::100000000001:assumed-role/{unique}/{unique}" in refused


@pytest.mark.parametrize("size", [1, 700_000])
def test_events_of_any_size_arrive(pair, unique, size):
    """Invocation payloads up to 6 MB."""
    make_function(pair, "cn", unique, "def handler(event, context):\n    return len(event)\n")
    assert invoke(pair, unique, "x" * size)[0] == size
