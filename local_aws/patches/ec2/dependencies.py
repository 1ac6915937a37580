# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in use is not removed: subnets and groups with interfaces, route tables with subnets, gateways with addresses."""

from ministack.services import ec2

from .function_interfaces import bring_up_to_date
from .queries import Refused, given

original = {
    name: ec2._ACTION_MAP[name]
    for name in ("DeleteSubnet", "DeleteSecurityGroup", "DeleteRouteTable", "DetachInternetGateway")
}


def actions(_side) -> dict:
    return {
        "DeleteSubnet": delete_subnet,
        "DeleteSecurityGroup": delete_security_group,
        "DeleteRouteTable": delete_route_table,
        "DetachInternetGateway": detach_internet_gateway,
    }


def delete_subnet(params):
    subnet = given(params, "SubnetId")
    bring_up_to_date()
    if any(one["SubnetId"] == subnet for one in ec2._network_interfaces.values()):
        raise _violation(f"The subnet '{subnet}' has dependencies and cannot be deleted.")
    for table in ec2._route_tables.values():  # its association goes with it
        table["Associations"] = [one for one in table.get("Associations", []) if one.get("SubnetId") != subnet]
    return original["DeleteSubnet"](params)


def delete_security_group(params):
    group = given(params, "GroupId")
    bring_up_to_date()
    for interface in ec2._network_interfaces.values():
        if any(one["GroupId"] == group for one in interface["Groups"]):
            raise _violation(f"resource {group} has a dependent object")
    return original["DeleteSecurityGroup"](params)


def delete_route_table(params):
    table = ec2._route_tables.get(given(params, "RouteTableId"), {})
    if any(one.get("SubnetId") for one in table.get("Associations", [])):
        raise _violation(f"The routeTable '{table['RouteTableId']}' has dependencies and cannot be deleted.")
    return original["DeleteRouteTable"](params)


def detach_internet_gateway(params):
    vpc = given(params, "VpcId")
    for interface in ec2._network_interfaces.values():
        if interface["VpcId"] == vpc and interface.get("Association"):
            raise _violation(
                f"Network {vpc} has some mapped public address(es). Please unmap those public address(es)."
            )
    return original["DetachInternetGateway"](params)


def _violation(message: str) -> Refused:
    return Refused("DependencyViolation", message)
