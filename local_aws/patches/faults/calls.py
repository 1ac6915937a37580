# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that fail, and workers that die at a call. While nothing is switched on a call costs one look at a flag."""

import os
import random
import signal
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from . import errors, partial


@dataclass
class Rule:
    """Which share of which calls fails."""

    share: float
    calls: list[str]
    kinds: list[str]
    seed: int
    failed: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def draw(self, call: str) -> tuple[str, bool] | None:
        """What becomes of the call: (kind of failure, whether it is carried out), or None for all goes well."""
        kinds = [kind for kind in self.kinds if kind != errors.PARTIAL]
        if not kinds or not matches(call, self.calls) or self._random.random() >= self.share:
            return None
        kind = self._random.choice(kinds)
        self.failed[f"{call} {kind}"] += 1
        return kind, kind == "internal" and self._random.random() < 0.5

    def left_out(self, call: str, count: int) -> set[int]:
        """Which of so many members of a call are not carried out: about half, when the call is drawn."""
        if errors.PARTIAL not in self.kinds or not matches(call, self.calls) or self._random.random() >= self.share:
            return set()
        self.failed[f"{call} {errors.PARTIAL}"] += 1
        return {position for position in range(count) if self._random.random() < 0.5}


@dataclass
class Ambush:
    """Where the workers of a function are killed."""

    function: str
    calls: list[str]
    after: int
    times: int
    seen: int = 0

    def strikes(self, function: str, call: str) -> bool:
        """Count a call; whether its caller dies of it."""
        if not self.times or function != self.function or not matches(call, self.calls):
            return False
        self.seen += 1
        if self.seen < self.after:
            return False
        self.seen, self.times = 0, self.times - 1
        return True


_rule: Rule | None = None
_ambushes: dict[str, Ambush] = {}
_killed: Counter = Counter()
_armed = False
_lock = threading.Lock()


def matches(call: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(call, pattern) for pattern in patterns)


def switch(rule: Rule | None) -> None:
    global _rule
    with _lock:
        _rule = rule
        _arm()


def lie_in_wait(ambush: Ambush) -> None:
    with _lock:
        _ambushes[ambush.function] = ambush
        _arm()


def switch_off() -> None:
    with _lock:
        _ambushes.clear()
        _killed.clear()
    switch(None)


def _arm() -> None:
    global _armed
    _armed = _rule is not None or any(ambush.times for ambush in _ambushes.values())


def described() -> dict:
    rule = _rule
    settings = {"share": rule.share, "calls": rule.calls, "kinds": rule.kinds, "seed": rule.seed} if rule else None
    waiting = {name: ambush.times for name, ambush in _ambushes.items()}
    return {
        "rule": settings,
        "failed": dict(rule.failed) if rule else {},
        "waiting": waiting,
        "killed": dict(_killed),
    }


def left_out(call: str, count: int) -> set[int]:
    rule = _rule
    return rule.left_out(call, count) if rule else set()


def install(app) -> None:
    partial.install(left_out)
    emulator_dispatch = app._dispatch_service_request

    async def dispatch(method, path, headers, body, query_params, request_id):
        if not _armed:
            return await emulator_dispatch(method, path, headers, body, query_params, request_id)
        call = _name(app, method, path, headers, body, query_params)
        fate = _rule.draw(call) if _rule and call else None
        if fate is None or fate[1]:
            response = await emulator_dispatch(method, path, headers, body, query_params, request_id)
            _kill_where_it_strikes(app, headers, query_params, call)
        return errors.answer(call.split(":")[0], fate[0], headers, request_id) if fate else response

    app._dispatch_service_request = dispatch


def _name(app, method, path, headers, body, query_params) -> str:
    """The call as IAM names it; '' for what is no call of AWS."""
    from ministack.core.iam_actions import extract_iam_action

    parameters = app._routing_params(method, path, headers, body, query_params)
    service = app.detect_service(method, path, headers, parameters)
    return extract_iam_action(service, method, path, headers, body, parameters) or ""


def _kill_where_it_strikes(app, headers, query_params, call: str) -> None:
    if not _ambushes:
        return
    function = _function_of(app.extract_access_key_id(headers, query_params))
    with _lock:
        if not any(ambush.strikes(function, call) for ambush in _ambushes.values()):
            return
        _killed[function] += _kill_workers(function)
        _arm()


def _function_of(access_key: str) -> str:
    """The function whose credentials these are: the emulator names the session of its role by it."""
    from ministack.services import sts

    session = sts._sessions.get(access_key or "") or {}
    return session.get("Arn", "").rsplit("/", 1)[-1]


def _kill_workers(function: str) -> int:
    """SIGKILL to the function's workers that are at work: as a crash of the environment, it leaves no time for anything."""
    from ministack.core import lambda_runtime

    with lambda_runtime._lock:
        workers = [worker for entries in lambda_runtime._workers.values() for worker in entries]
    killed = 0
    for worker in workers:
        process = worker._proc
        if worker.func_name == function and worker.in_use and process is not None and process.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
    return killed
