# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failure at a proxy means, told from the errors that botocore and sockets really raise."""

import contextlib
import errno
import http.client
import socket
import ssl
import threading

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from dynabridge import proxy

TARGET = "kinesis.cn-north-1.amazonaws.com.cn:443"
CUT = b""
SILENT = None


@contextlib.contextmanager
def answering(answer):
    """A proxy that gives one answer to everything; yields its address."""
    server = socket.create_server(("127.0.0.1", 0))
    held = []

    def run():
        with contextlib.suppress(OSError):
            while True:
                caller, _address = server.accept()
                held.append(caller)
                caller.recv(65536)
                if answer is not SILENT:
                    caller.sendall(answer)
                    caller.close()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
        for caller in held:
            caller.close()


@contextlib.contextmanager
def deaf():
    """A proxy whose queue of callers is full: further ones get no answer."""
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    callers = [socket.socket() for _ in range(4)]
    try:
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        for each in (server, *callers):
            each.close()


def asked(server):
    """The error that botocore raises for a call through the proxy."""
    config = Config(
        proxies={"https": f"http://{server}"},
        connect_timeout=0.5,
        read_timeout=0.5,
        retries={"mode": "standard", "max_attempts": 1},
    )
    kinesis = boto3.client(
        "kinesis",
        region_name="cn-north-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=config,
    )
    with pytest.raises(BotoCoreError) as raised:
        kinesis.list_streams()
    return raised.value


@pytest.mark.parametrize(
    ("answer", "kind", "detail"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", proxy.REFUSED, "403 Forbidden"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", proxy.UNREACHABLE, "503 Service Unavailable"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", proxy.LOGIN, "407 Proxy Authentication Required"),
    ],
)
def test_a_proxy_that_answers_is_told_by_its_answer(answer, kind, detail):
    """GIVEN a proxy that declines CONNECT WHEN botocore calls through it THEN the status says what that means."""
    with answering(answer) as server:
        assert proxy.diagnose(asked(server)) == (kind, detail)


@pytest.mark.parametrize(
    ("server", "detail"), [("127.0.0.1:9", "connection refused"), ("nobody.invalid:80", "its name is unknown")]
)
def test_a_proxy_that_is_not_there_is_down(server, detail):
    assert proxy.diagnose(asked(server)) == (proxy.DOWN, detail)


def test_a_proxy_that_takes_no_connection_is_down():
    with deaf() as server:
        assert proxy.diagnose(asked(server)) == (proxy.DOWN, "timed out")


@pytest.mark.parametrize("answer", [CUT, SILENT, b"HTTP/1.1 200 OK\r\n\r\nno TLS"])
def test_what_may_have_been_the_endpoint_is_not_blamed_on_the_proxy(answer):
    """GIVEN a connection that is cut, silent or no TLS WHEN it may have been the endpoint THEN nothing is said of a proxy."""
    with answering(answer) as server:
        assert proxy.explain(asked(server), server, TARGET) is None


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), (proxy.DOWN, "connection refused")),
        (TimeoutError("timed out"), (proxy.DOWN, "timed out")),
        (socket.gaierror(-2, "Name or service not known"), (proxy.DOWN, "its name is unknown")),
        (OSError(errno.EHOSTUNREACH, "No route to host"), (proxy.DOWN, "no route to it")),
        (OSError("Tunnel connection failed: 403 Forbidden"), (proxy.REFUSED, "403 Forbidden")),
        (http.client.RemoteDisconnected("Remote end closed connection"), (proxy.DOWN, "it closed the connection")),
        (ssl.SSLCertVerificationError("certificate verify failed"), None),
        (ValueError("Connection refused"), None),
    ],
)
def test_bare_errors(error, found):
    assert proxy.diagnose(error) == found


def test_refused_and_down_are_two_different_messages():
    """GIVEN both failures WHEN they are explained THEN each names proxy and target, and what to do about it."""
    refused = proxy.explain(OSError("Tunnel connection failed: 403 Forbidden"), "203.0.113.7:80", TARGET)
    down = proxy.explain(ConnectionRefusedError(errno.ECONNREFUSED, ""), "203.0.113.7:80", TARGET)
    assert all("203.0.113.7:80" in text and TARGET in text for text in (refused, down))
    assert "refused CONNECT" in refused and "dynabridge_proxy_clients" in refused and "proxy_check.yml" in refused
    assert "cannot be reached (connection refused)" in down and "systemctl status squid" in down


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("user:p@ss@203.0.113.7:80", "203.0.113.7:80"),
        ("http://user:secret@proxy.example:80", "http://proxy.example:80"),
        ("http://proxy.example:80", "http://proxy.example:80"),
    ],
)
def test_a_password_is_never_shown(given, shown):
    assert proxy.masked(given) == shown
    assert "secret" not in proxy.explain(TimeoutError("timed out"), given, TARGET)


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("proxy.example:3128", ("proxy.example", 3128)),
        ("203.0.113.7", ("203.0.113.7", 80)),
        ("http://proxy.example:81", ("proxy.example", 81)),
        ("[2001:db8::7]:80", ("2001:db8::7", 80)),
    ],
)
def test_addresses(server, address):
    assert proxy.address(server) == address


@pytest.mark.parametrize("server", ["", ":80", "host:port", "host:70000"])
def test_no_address(server):
    with pytest.raises(ValueError):
        proxy.address(server)
