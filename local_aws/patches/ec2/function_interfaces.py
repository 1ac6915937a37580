# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces of functions in a VPC: one for each subnet and set of groups, which stay for a while after the last function.

AWS takes many minutes for it; here it is a moment, but not none: who does not wait for it fails.
"""

import time

from ministack.services import ec2, lambda_svc

from . import interfaces

LINGER_SECONDS = 3.0
KIND = "lambda"


def actions(_side) -> dict:
    return {"DescribeNetworkInterfaces": describe_network_interfaces}


def describe_network_interfaces(params):
    bring_up_to_date()
    return interfaces.describe_network_interfaces(params)


def bring_up_to_date() -> None:
    """There is an interface for each place where a function is, and for a while for places where one was."""
    wanted = _places()
    there = {
        (one["SubnetId"], _groups(one)): one for one in ec2._network_interfaces.values() if one["InterfaceType"] == KIND
    }
    for place, function in wanted.items():
        if place in there:
            there[place].pop("LeftAt", None)
        elif place[0] in ec2._subnets and all(group in ec2._security_groups for group in place[1]):
            made = interfaces.create(place[0], list(place[1]), kind=KIND, description=f"AWS Lambda VPC ENI-{function}")
            interfaces.attach(made, None, 1, delete_on_termination=False)
    for place, interface in there.items():
        if place not in wanted:
            left_at = interface.setdefault("LeftAt", time.monotonic())
            if time.monotonic() - left_at > LINGER_SECONDS:
                del ec2._network_interfaces[interface["NetworkInterfaceId"]]


def _places() -> dict[tuple, str]:
    """{(subnet, groups): the first function there}."""
    found = {}
    for name, function in lambda_svc._functions.items():
        place = function["config"].get("VpcConfig") or {}
        groups = tuple(sorted(place.get("SecurityGroupIds") or []))
        for subnet in place.get("SubnetIds") or []:
            found.setdefault((subnet, groups), name)
    return found


def _groups(interface: dict) -> tuple:
    return tuple(sorted(group["GroupId"] for group in interface["Groups"]))
