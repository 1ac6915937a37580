# SPDX-License-Identifier: MIT
"""What a proxy is asked to see whether it is locked down, what it should answer, and the table of what it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

PASSES, REFUSED = "passes", "refused"
# Nobody's: a network for documentation, and a bucket that the proxy was not told of.
NOBODY = "203.0.113.1"
NO_BUCKET = "dynabridge-proxy-check-no-such-bucket"
METADATA = "169.254.169.254"


class Probe(NamedTuple):
    """One request. target: ``host:port`` of a CONNECT, or the URL (or path) of a plain GET."""

    what: str
    target: str
    expected: str
    method: str = "CONNECT"


class Row(NamedTuple):
    """A probe and what came of it."""

    probe: Probe
    got: str
    detail: str

    @property
    def ok(self) -> bool:
        return self.got == self.probe.expected


def probes(allowed: Iterable[str], foreign: Mapping[str, str], admitted: bool = True) -> list[Probe]:
    """allowed: the host names that pass. foreign: host names that must not, by what they are.

    admitted=False: asked from a client that the proxy does not know, so that nothing may pass at all.
    """
    known = list(allowed)
    passes = [Probe("allowed host", f"{host}:443", PASSES if admitted else REFUSED) for host in known]
    refused = [Probe(what, f"{host}:443", REFUSED) for what, host in foreign.items() if host not in known]
    for host in known[:1]:
        refused.append(Probe("port 22", f"{host}:22", REFUSED))
        refused.append(Probe("port 80", f"{host}:80", REFUSED))
        refused.append(Probe("plain HTTP", f"http://{host}/", REFUSED, "GET"))
    refused += [
        Probe("address in place of a name", f"{NOBODY}:443", REFUSED),
        Probe("metadata service", f"{METADATA}:443", REFUSED),
        Probe("metadata service", f"http://{METADATA}/latest/meta-data/", REFUSED, "GET"),
        Probe("the proxy itself", "localhost:443", REFUSED),
        Probe("the proxy itself", "127.0.0.1:22", REFUSED),
        Probe("cache manager", "/squid-internal-mgr/info", REFUSED, "GET"),
    ]
    return passes + refused


def table(rows: Iterable[Row]) -> list[str]:
    """The rows as lines of equal columns."""
    cells = [("what", "request", "expected", "got", "")]
    cells += [
        (
            row.probe.what,
            f"{row.probe.method} {row.probe.target}",
            row.probe.expected,
            _got(row),
            "ok" if row.ok else "WRONG",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def summary(rows: list[Row], proxy: str) -> str:
    """The outcome in a sentence, or a few."""
    wrong = [row for row in rows if not row.ok]
    if not wrong:
        return f"The proxy {proxy} lets through what it should and refuses the rest: {len(rows)} requests as expected."
    words = [f"The proxy {proxy} does not do what it should: {len(wrong)} of {len(rows)} requests came out otherwise."]
    return " ".join(words + _advice(rows, wrong))


def _advice(rows: list[Row], wrong: list[Row]) -> list[str]:
    expected_to_pass = [row for row in rows if row.probe.expected == PASSES]
    opened = [row for row in wrong if row.probe.expected == REFUSED]
    words = []
    if opened:
        holes = ", ".join(sorted({row.probe.what for row in opened}))
        words.append(f"It is open where it must not be ({holes}): is this a proxy of proxy.yml? Run proxy.yml for it.")
    if expected_to_pass and all(row.got == REFUSED for row in expected_to_pass):
        words.append(
            "It refused every host: this client's address, as the proxy sees it, is not in dynabridge_proxy_clients; or the proxy"
            " serves another region."
        )
    elif any(row.got == REFUSED for row in wrong):
        words.append(
            "A host that should pass was refused: run proxy.yml, which tells squid of the hosts that are asked for here."
        )
    details = sorted({row.detail for row in wrong if row.detail and row.got not in (PASSES, REFUSED)})
    return words + [f"{detail}." for detail in details[:3]]


def _got(row: Row) -> str:
    return f"{row.got} ({row.detail})" if row.detail and not row.ok else row.got


def shown(row: Row) -> dict[str, Any]:
    """The row as a module returns it."""
    return {
        "what": row.probe.what,
        "method": row.probe.method,
        "target": row.probe.target,
        "expected": row.probe.expected,
        "got": row.got,
        "detail": row.detail,
        "ok": row.ok,
    }
