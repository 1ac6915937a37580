# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad days for a local pair: throttled and failing calls, trimmed streams, killed workers, a side or a region that is gone.

What each does stands in `local_aws/patches/faults`. Everything is off until asked for.
"""

import contextlib
import json
import urllib.error
import urllib.request

from local_aws import pausing
from local_aws.state import StateDirectory
from tests.local_pair import LocalPair

KINDS = ("throttling", "unavailable", "internal", "partial")


def throttle(pair: LocalPair, side: str, share: float, calls=("*",), kinds=KINDS, seed: int = 1) -> None:
    """Let a share of the side's calls fail from now on; 0 ends it. A call is named as in a policy: ``dynamodb:PutItem``."""
    _ask(pair, side, "PUT", "faults", {"share": share, "calls": list(calls), "kinds": list(kinds), "seed": seed})


@contextlib.contextmanager
def throttled(pair: LocalPair, share: float, calls=("*",), kinds=KINDS, seed: int = 1):
    """A share of the calls of both sides fails for the length of the block."""
    for side in pair.sides:
        throttle(pair, side, share, calls, kinds, seed)
    try:
        yield
    finally:
        for side in pair.sides:
            throttle(pair, side, 0)


def failed(pair: LocalPair, side: str) -> dict[str, int]:
    """How many calls failed since `throttle`: {"dynamodb:PutItem throttling": 3}."""
    return _ask(pair, side, "GET", "faults")["failed"]


def trim(pair: LocalPair, side: str, what: str) -> int:
    """End the retention of all records of a table's stream (its table's name) or a Kinesis stream; how many there were."""
    return _ask(pair, side, "POST", "trim", {"stream": what})["trimmed"]


def kill_mid_batch(pair: LocalPair, side: str, function: str, after: int = 1, calls=("*",), times: int = 1) -> None:
    """Kill the function's workers at their next such call number `after`: it is carried out, and never answered.

    Calls on this side only: a sender's PutRecords is a call of the peer.
    """
    _ask(pair, side, "PUT", "kill", {"function": function, "after": after, "calls": list(calls), "times": times})


def killed(pair: LocalPair, side: str, function: str) -> int:
    """How many of the function's workers were killed since the faults were last switched off."""
    return _ask(pair, side, "GET", "faults")["killed"].get(function, 0)


def all_well(pair: LocalPair, side: str) -> None:
    """Switch every fault of the side off."""
    _ask(pair, side, "DELETE", "faults")


@contextlib.contextmanager
def region_down(pair: LocalPair, side: str, region: str):
    """The region answers nobody for the length of the block, and what runs in it stands still. The side's others go on."""
    _ask(pair, side, "PUT", "region", {"region": region, "down": True})
    try:
        yield
    finally:
        _ask(pair, side, "PUT", "region", {"region": region, "down": False})


def calls_of_lost_region(pair: LocalPair, side: str, region: str) -> dict[str, int]:
    """The calls that the region got while it was last down, by call: {"dynamodb ListTables": 3}."""
    return _ask(pair, side, "GET", "faults")["regions"].get(region, {}).get("by_call", {})


@contextlib.contextmanager
def stopped(pair: LocalPair, side: str):
    """The side does not answer for the length of the block, and then goes on with all it had."""
    directory = StateDirectory(pair.directory)
    pausing.pause(directory, side)
    try:
        yield
    finally:
        pausing.resume(directory, side)


def _ask(pair: LocalPair, side: str, method: str, what: str, content: dict | None = None) -> dict:
    request = urllib.request.Request(
        f"{pair.sides[side]['endpoint_url']}/_dynabridge/{what}",
        data=json.dumps(content).encode() if content is not None else None,
        method=method,
    )
    try:
        # Without the proxies of the environment: this is a call to this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise ValueError(json.loads(error.read())["message"]) from error
