# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sides that the local AWS plays, and what a side is."""

from dataclasses import dataclass

from .tls import Door

BIND_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Side:
    """One AWS account in one partition, played by one process."""

    name: str
    partition: str
    region: str
    account_id: str
    port: int = 0
    door: Door | None = None  # by TLS, where it is asked for

    @property
    def endpoint_url(self) -> str:
        return f"http://{BIND_HOST}:{self.port}"


SIDES = {
    "cn": Side("cn", "aws-cn", "cn-north-1", "100000000001"),
    "sg": Side("sg", "aws", "ap-southeast-1", "200000000002"),
}
