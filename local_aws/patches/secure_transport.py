# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests count as sent by TLS, as all requests to the real endpoints are.

IAM User Guide, "AWS global condition context keys", aws:SecureTransport. botocore's endpoints are https, so the usual
bucket policy that denies everything else lets a function in. The sides speak plain http on the loopback interface, and
the emulator would deny every request to such a bucket except root's.
"""

import importlib

from ..sides import Side


def install(_side: Side) -> None:
    app = importlib.import_module("ministack.app")
    emulator_pin = app.pin_request_origin

    def pin(source_ip: str, _secure_transport: bool) -> None:
        emulator_pin(source_ip, True)

    app.pin_request_origin = pin
