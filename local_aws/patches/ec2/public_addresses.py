# SPDX-License-Identifier: GPL-3.0-or-later
"""Public addresses that belong to nobody.

The emulator makes up addresses of AWS's own ranges, which are real hosts of somebody's. Here they come from the blocks that
RFC 5737 keeps for documentation, one for each side: the sides' addresses differ, and a connection by mistake leads nowhere.
"""

import ipaddress
import itertools

from ministack.services import ec2

BLOCKS = {"cn": "203.0.113.0/24", "sg": "198.51.100.0/24"}
PUBLIC = ("52.", "54.")


def actions(side) -> dict:
    emulators = ec2._random_ip
    following = itertools.cycle(str(host) for host in ipaddress.ip_network(BLOCKS[side.name]).hosts())
    ec2._random_ip = lambda prefix: next(following) if prefix in PUBLIC else emulators(prefix)
    return {}
