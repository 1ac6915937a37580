# SPDX-License-Identifier: MIT
"""Requests to a proxy by bare sockets: what it answers, and whether a name that it lets through proves who it is."""

from __future__ import annotations

import socket
import ssl

from .proxy import DOWN, diagnose, of_answer
from .proxy_check import PASSES, Probe, Row

MOST_HEADER = 65536


class ProxyDown(Exception):
    """There was no proxy to answer; the words say what happened."""


def ask(proxy: tuple[str, int], probe: Probe, trust: ssl.SSLContext, timeout: float) -> Row:
    """Send one request and judge the answer. Raises ProxyDown."""
    try:
        with socket.create_connection(proxy, timeout=timeout) as connection:
            status, reason = _answer(connection, probe)
            if status != 200:
                refusal = of_answer(status, reason)
                return Row(probe, refusal.kind, refusal.detail)
            if probe.method != "CONNECT":
                return Row(probe, PASSES, "200")
            return _behind(connection, probe, trust)
    except OSError as error:
        problem = diagnose(error)
        raise ProxyDown(problem.detail if problem and problem.kind == DOWN else str(error)) from error


def _behind(connection: socket.socket, probe: Probe, trust: ssl.SSLContext) -> Row:
    """Whoever is at the other end must prove the name that was asked for."""
    host = probe.target.rpartition(":")[0]
    try:
        with trust.wrap_socket(connection, server_hostname=host):
            return Row(probe, PASSES, "")
    except ssl.SSLCertVerificationError as error:
        return Row(probe, "certificate", f"{host} is answered by something else: {error.verify_message}")
    except OSError as error:
        return Row(probe, "no TLS", f"CONNECT {probe.target} was let through, but TLS failed: {error}")


def _answer(connection: socket.socket, probe: Probe) -> tuple[int, str]:
    host = probe.target if probe.method == "CONNECT" else "proxy"
    request = f"{probe.method} {probe.target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode("ascii"))
    header = b""
    while b"\r\n\r\n" not in header and len(header) < MOST_HEADER:
        # Byte by byte: what comes after the header belongs to TLS.
        byte = connection.recv(1)
        if not byte:
            break
        header += byte
    words = header.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise ConnectionResetError(
            "it closed the connection without an answer" if not header else "its answer is no HTTP"
        )
    return int(words[1]), words[2] if len(words) > 2 else ""
