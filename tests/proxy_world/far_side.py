# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS servers in the place of AWS, and one who asks them through a proxy, down to the bytes."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECONDS = 15.0


@contextlib.contextmanager
def tls_serving(address: str, certificate: Path, handler: type[BaseHTTPRequestHandler]) -> Iterator[None]:
    """A server at port 443 of the address, for the length of the block."""
    server = ThreadingHTTPServer((address, 443), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=SECONDS)


@contextlib.contextmanager
def tls_server(address: str, certificate: Path) -> Iterator[list[dict]]:
    """A server at port 443 of the address; gives the headers of what it was asked."""
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(dict(self.headers))
            body = b"at " + self.headers["Host"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with tls_serving(address, certificate, Handler):
        yield asked


def answer(proxy: tuple[str, int], request: str, source: str) -> bytes:
    """What the proxy answers to a request of these bytes, from this address of ours."""
    with socket.create_connection(proxy, timeout=SECONDS, source_address=(source, 0)) as connection:
        connection.sendall(request.encode())
        return _head(connection)


def connect(proxy: tuple[str, int], target: str, source: str) -> int:
    """The status of CONNECT."""
    return status(answer(proxy, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n", source))


def get_over_tls(proxy: tuple[str, int], host: str, source: str, bundle: Path) -> tuple[int, str]:
    """(status of CONNECT, what the host says over TLS through the tunnel); its certificate is checked for the name."""
    target = f"{host}:443"
    with socket.create_connection(proxy, timeout=SECONDS, source_address=(source, 0)) as connection:
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        head = _head(connection)
        if status(head) != 200:
            return status(head), ""
        trusting = ssl.create_default_context(cafile=str(bundle))
        with trusting.wrap_socket(connection, server_hostname=host) as secure:
            secure.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            said = b"".join(iter(lambda: secure.recv(65536), b""))
    return 200, said.split(b"\r\n\r\n", 1)[1].decode()


def status(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])


def _head(connection: socket.socket) -> bytes:
    """Up to the empty line, and whatever came with it."""
    received = b""
    while b"\r\n\r\n" not in received and (more := connection.recv(65536)):
        received += more
    return received
