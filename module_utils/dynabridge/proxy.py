# SPDX-License-Identifier: MIT
"""What a failure on the way through a proxy means, in words: it refused, it is down, or it could not get further.

Errors are told by their texts and numbers, not by their classes, so that nothing of botocore or urllib3 is needed: botocore's
ProxyConnectionError holds urllib3's error, which holds the OSError that says what happened.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

REFUSED, DOWN, UNREACHABLE, LOGIN = "refused", "down", "unreachable", "login"
PORT = 80  # of a proxy whose address names none
# http.client's words for any answer to CONNECT but 200.
ANSWER = re.compile(r"Tunnel connection failed: (\d{3})(?: ([^'\")]*))?")
# What a socket says when there is nobody to talk to.
DOWN_NUMBERS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ETIMEDOUT: "timed out",
    errno.EHOSTUNREACH: "no route to it",
    errno.ENETUNREACH: "network unreachable",
    errno.ECONNRESET: "connection reset",
}
DOWN_TEXTS = (
    (
        re.compile(r"name resolution|getaddrinfo|Name or service not known|nodename nor servname|No address"),
        "its name is unknown",
    ),
    (re.compile(r"[Cc]onnection refused"), "connection refused"),
    (re.compile(r"No route to host|[Nn]etwork is unreachable"), "no route to it"),
    (re.compile(r"[Cc]onnect timeout|timed out"), "timed out"),
    (re.compile(r"Remote end closed connection|[Cc]onnection reset"), "it closed the connection"),
)
# botocore's and urllib3's names of what can only have happened before a request was under way.
BEFORE_REQUEST = frozenset(
    {"ProxyConnectionError", "EndpointConnectionError", "ConnectTimeoutError", "ProxyError", "NewConnectionError"}
)
# ... and of what the endpoint itself can be the cause of.
BEYOND = frozenset({"SSLError", "SSLCertVerificationError", "SSLEOFError", "ReadTimeoutError"})


class Problem(NamedTuple):
    """kind: of REFUSED, DOWN, UNREACHABLE, LOGIN; detail: in a few words."""

    kind: str
    detail: str


def explain(error: BaseException, proxy: str, target: str) -> str | None:
    """The sentence to show for a request to ``target`` that failed at ``proxy``; None when the proxy is not to blame."""
    problem = diagnose(error)
    return sentence(problem, proxy, target) if problem else None


def sentence(problem: Problem, proxy: str, target: str) -> str:
    """What, where, why, what to do."""
    where = f"the proxy {masked(proxy)}"
    return {
        REFUSED: f"{where} refused CONNECT {target} ({problem.detail}): it lets only the clients and host names through that it"
        " was given. Add this client's address to dynabridge_proxy_clients, or the host to what the proxy serves, and run"
        " proxy.yml; proxy_check.yml shows what passes",
        DOWN: f"{where} cannot be reached ({problem.detail}), so nothing gets to {target}: look whether squid runs there"
        " (systemctl status squid), whether address and port are right, and whether its security group admits this client;"
        " or go without it (dynabridge_use_proxy: 'FALSE', then deploy.yml)",
        UNREACHABLE: f"{where} was willing, but could not reach {target} ({problem.detail}): look at its name server and at its"
        " own way out",
        LOGIN: f"{where} wants a name and a password before CONNECT {target} ({problem.detail}): it is not a proxy of proxy.yml;"
        " let it admit this client by its address",
    }[problem.kind]


def diagnose(error: BaseException) -> Problem | None:
    """What happened between the client and the proxy; None for anything that happened beyond."""
    errors = list(_chain(error))
    for found in errors:
        answer = ANSWER.search(str(found))
        if answer:
            return of_answer(int(answer[1]), (answer[2] or "").strip())
    names = {type(found).__name__ for found in errors}
    # A connection that was cut or fell silent may have been the endpoint's doing; a bare socket error is the proxy's.
    if names & BEYOND or not (isinstance(error, OSError) or names & BEFORE_REQUEST):
        return None
    return _down(errors)


def of_answer(status: int, reason: str = "") -> Problem:
    """Of the status by which a proxy declined CONNECT."""
    detail = f"{status} {reason}".strip()
    if status == 407:
        return Problem(LOGIN, detail)
    return Problem(UNREACHABLE if status >= 500 else REFUSED, detail)


def masked(proxy: str) -> str:
    """The proxy without what stands before the @: that may be a password."""
    return re.sub(r"^([a-z]+://)?.*@", lambda found: found[1] or "", proxy)


def address(server: str) -> tuple[str, int]:
    """(host, port) of ``host``, ``host:port``, ``[address]:port`` or a URL. Raises ValueError."""
    wrong = f"{masked(server)!r} is no host:port"
    try:
        parts = urlsplit(server if "://" in server else f"//{server}")
        host, port = parts.hostname, PORT if parts.port is None else parts.port
    except ValueError as error:
        raise ValueError(f"{wrong}: {error}") from error
    if not host:
        raise ValueError(wrong)
    return host, port


def _down(errors: list[BaseException]) -> Problem | None:
    for found in errors:
        if isinstance(found, socket.gaierror):
            return Problem(DOWN, "its name is unknown")
        if isinstance(found, TimeoutError):
            return Problem(DOWN, "timed out")
        number = getattr(found, "errno", None)
        if number in DOWN_NUMBERS:
            return Problem(DOWN, DOWN_NUMBERS[number])
    for found in reversed(errors):
        for pattern, detail in DOWN_TEXTS:
            if pattern.search(str(found)):
                return Problem(DOWN, detail)
    named = [found for found in errors if type(found).__name__ in BEFORE_REQUEST]
    return Problem(DOWN, masked(str(named[0]))) if named else None


def _chain(error: BaseException, limit: int = 20) -> Iterator[BaseException]:
    """The error and all that it holds or came from, outermost first."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < limit:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        inner = [*getattr(found, "args", ()), *getattr(found, "kwargs", {}).values()]
        inner += [getattr(found, "reason", None), found.__cause__, found.__context__]
        waiting.extend(each for each in inner if isinstance(each, BaseException))
