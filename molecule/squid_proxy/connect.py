# SPDX-License-Identifier: GPL-3.0-or-later
"""connect.py ADDRESS "METHOD TARGET": what the proxy of this host answers to a request from that address."""

import socket
import sys

caller, request = sys.argv[1], sys.argv[2]
with socket.create_connection(("127.0.0.1", 80), timeout=15, source_address=(caller, 0)) as proxy:
    target = request.split()[1]
    proxy.sendall(f"{request} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    print(proxy.recv(4096).split()[1].decode())
