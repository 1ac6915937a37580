# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side of the faults: `/_dynabridge/...` beside the emulator's own `/_ministack/...`."""

import json

from ...sides import Side
from . import calls, errors, regions, trim

PREFIX = "/_dynabridge/"


class BadRequest(Exception):
    """What is asked for makes no sense; the text says why."""


def install(app, side: Side) -> None:
    emulator_shortcuts = app._handle_post_body_shortcuts

    async def shortcuts(method, path, headers, body, query_params, request_id):
        if path.startswith(PREFIX):
            return _answer(side, method, path.removeprefix(PREFIX), body)
        return await emulator_shortcuts(method, path, headers, body, query_params, request_id)

    app._handle_post_body_shortcuts = shortcuts


def _answer(side: Side, method: str, what: str, body: bytes) -> tuple[int, dict, bytes]:
    try:
        status, content = 200, _do(side, method, what, body)
    except BadRequest as error:
        status, content = 400, {"message": str(error)}
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


def _do(side: Side, method: str, what: str, body: bytes) -> dict:
    request = _read(body) if method in ("PUT", "POST") else {}
    match method, what:
        case "GET", "faults":
            pass
        case "PUT", "faults":
            calls.switch(_rule(request))
        case "DELETE", "faults":
            calls.switch_off()
            regions.switch_off()
        case "PUT", "region":
            regions.switch(*_outage(request))
        case "PUT", "kill":
            calls.lie_in_wait(_ambush(request))
        case "POST", "trim":
            return {"trimmed": _trimmed(side, request)}
        case _:
            raise BadRequest(f"{method} {PREFIX}{what} is not known")
    return {**calls.described(), "regions": regions.described()}


def _read(body: bytes) -> dict:
    try:
        request = json.loads(body)
    except ValueError as error:
        raise BadRequest(f"the body is no JSON: {error}") from error
    if not isinstance(request, dict):
        raise BadRequest("the body must be a JSON object")
    return request


def _rule(request: dict) -> calls.Rule | None:
    share, kinds = request.get("share"), request.get("kinds", list(errors.KINDS))
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise BadRequest(f"share is {share!r}: it must be from 0 to 1")
    if not isinstance(kinds, list) or not kinds or not set(kinds) <= set(errors.KINDS):
        raise BadRequest(f"kinds is {kinds!r}: it must be some of {', '.join(errors.KINDS)}")
    return calls.Rule(share, _calls(request), kinds, int(request.get("seed", 0))) if share else None


def _ambush(request: dict) -> calls.Ambush:
    function, after, times = request.get("function"), request.get("after", 1), request.get("times", 1)
    if not function:
        raise BadRequest("function is missing")
    if not isinstance(after, int) or not isinstance(times, int) or after < 1 or times < 0:
        raise BadRequest(f"after is {after!r} and times {times!r}: they must be whole numbers from 1 and from 0 on")
    return calls.Ambush(function, _calls(request), after, times)


def _outage(request: dict) -> tuple[str, bool]:
    region, down = request.get("region"), request.get("down")
    if not isinstance(region, str) or not region or not isinstance(down, bool):
        raise BadRequest(
            f"region is {region!r} and down {down!r}: they must be the name of a region, and true or false"
        )
    return region, down


def _calls(request: dict) -> list[str]:
    patterns = request.get("calls", ["*"])
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise BadRequest(f"calls is {patterns!r}: it must be a list such as ['dynamodb:*', 'kinesis:PutRecords']")
    return patterns


def _trimmed(side: Side, request: dict) -> int:
    name = request.get("stream", "")
    count = trim.trim(side, name)
    if count is None:
        raise BadRequest(f"there is no table and no Kinesis stream {name!r} on side {side.name}")
    return count
