# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances with network interfaces, NAT gateways with addresses, filters that filter, true fingerprints.

AWS behaviour this patch stands for (Amazon EC2 API Reference):
- every instance has a primary network interface in its subnet, with an address of that subnet, the groups
  that RunInstances names at the top or in NetworkInterface.1, and a public address only when it or its subnet
  asks for one;
- a public NAT gateway holds its Elastic IP address by an interface of its own;
- an Elastic IP address can be found by what it is associated with, and cannot be released while it is;
- DescribeInstances, DescribeAddresses, DescribeNetworkInterfaces and DescribeKeyPairs honour their filters;
- an imported key pair has the fingerprint of its key;
- instance attributes and metadata options can be read back and modified;
- the root disk is as the launch asks for it;
- functions in a VPC have interfaces there, which stay for a while after them;
- a subnet, group, route table or internet gateway that is in use cannot be removed;
- DescribeVpcEndpoints honours its filters and shows the groups.

No behaviour of AWS's: public addresses come from the blocks for documentation.

All state lies in the emulator's own stores, so its reset clears it; there is no `reset` here.
"""

from . import (
    addresses,
    attributes,
    dependencies,
    endpoints,
    function_interfaces,
    instances,
    interfaces,
    key_pairs,
    nat_gateways,
    public_addresses,
    queries,
)

PARTS = (
    addresses,
    attributes,
    instances,
    interfaces,
    key_pairs,
    nat_gateways,
    function_interfaces,
    dependencies,
    endpoints,
    public_addresses,
)


def install(side) -> None:
    actions = {}
    for part in PARTS:
        actions.update(part.actions(side))
    queries.serve(actions)
