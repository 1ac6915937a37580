# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy that answers by a rule, and plays the endpoints behind it too: for what is to be said of it."""

import contextlib
import socket
import ssl
import threading


class FakeProxy:
    """answer: gives the status for a request such as ``CONNECT host:443``. certificate: PEM file of the endpoints."""

    def __init__(self, certificate, answer):
        self.answer, self.asked = answer, []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._trust.load_cert_chain(certificate)
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> "FakeProxy":
        return self

    def __exit__(self, *_error) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _address = self._server.accept()
                threading.Thread(target=self._handle, args=(caller,), daemon=True).start()

    def _handle(self, caller) -> None:
        with caller, contextlib.suppress(OSError):
            request = caller.recv(65536).decode().split(" HTTP/1.1")[0]
            self.asked.append(request)
            status = self.answer(request)
            caller.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
            if status.startswith("200") and request.startswith("CONNECT"):
                self._trust.wrap_socket(caller, server_side=True).close()
