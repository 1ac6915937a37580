# SPDX-License-Identifier: GPL-3.0-or-later
"""NAT gateways with the addresses they translate to."""

import re

from ministack.services import ec2

from . import addresses, interfaces
from .queries import Refused, check_filters, element, found, given

NO_ADDRESSES = re.compile(r"(<natGatewayId>([^<]+)</natGatewayId>.*?)<natGatewayAddressSet/>", re.DOTALL)
FILTERS = ("nat-gateway-id", "state", "subnet-id", "vpc-id")

original_create = ec2._create_nat_gateway
original_describe = ec2._describe_nat_gateways
original_delete = ec2._delete_nat_gateway


def actions(_side) -> dict:
    return {
        "CreateNatGateway": create_nat_gateway,
        "DescribeNatGateways": describe_nat_gateways,
        "DeleteNatGateway": delete_nat_gateway,
    }


def create_nat_gateway(params):
    token = given(params, "ClientToken")
    for gateway in ec2._nat_gateways.values():
        if token and gateway.get("ClientToken") == token:
            return _created_before(gateway)
    address = _free_address(params)
    subnet_id = given(params, "SubnetId")
    found(ec2._subnets, subnet_id, "InvalidSubnetID.NotFound", "subnet ID")
    status, headers, body = original_create(params)
    if status != 200:
        return status, headers, body
    gateway = ec2._nat_gateways[re.search(rb"<natGatewayId>([^<]+)<", body)[1].decode()]
    interface = interfaces.create(
        subnet_id,
        [],
        private_ip=given(params, "PrivateIpAddress"),
        kind="nat_gateway",
        description=f"Interface for NAT Gateway {gateway['NatGatewayId']}",
    )
    interfaces.attach(interface, None, 0, delete_on_termination=True)
    if address:
        addresses.bind(address, interface)
    gateway.update(
        {
            "ClientToken": token,
            "Address": {
                "AllocationId": address and address["AllocationId"],
                "AssociationId": address and address["AssociationId"],
                "PublicIp": address and address["PublicIp"],
                "PrivateIp": interface["PrivateIpAddress"],
                "NetworkInterfaceId": interface["NetworkInterfaceId"],
            },
        }
    )
    return status, headers, _with_addresses(body)


def _created_before(gateway: dict):
    _status, _headers, body = original_describe({"NatGatewayId.1": gateway["NatGatewayId"]})
    text = _with_addresses(body).decode()
    inner = re.search(r"<item>(.*)</item>", text, re.DOTALL)[1]
    return ec2._xml(200, "CreateNatGatewayResponse", f"<natGateway>{inner}</natGateway>")


def _free_address(params) -> dict | None:
    allocation = given(params, "AllocationId")
    if (given(params, "ConnectivityType") or "public") == "private":
        return None
    if allocation is None:
        raise Refused("MissingParameter", "The request must include the AllocationId parameter.")
    address = addresses.by_allocation(allocation)
    if address["AssociationId"]:
        raise addresses.already_associated(address)
    return address


def describe_nat_gateways(params):
    check_filters(params, FILTERS)
    wanted = ec2._parse_filters(params).get("nat-gateway-id")
    if wanted is not None:
        params = {**params, **{f"NatGatewayId.{n}": one for n, one in enumerate(wanted, start=1)}}
    status, headers, body = original_describe(params)
    return status, headers, _with_addresses(body)


def _with_addresses(body: bytes) -> bytes:
    def filled(match) -> str:
        return match[1] + _address_set(ec2._nat_gateways[match[2]])

    return NO_ADDRESSES.sub(filled, body.decode()).encode()


def _address_set(gateway: dict) -> str:
    address = gateway.get("Address")
    if not address:
        return "<natGatewayAddressSet/>"
    parts = (
        ("allocationId", "AllocationId"),
        ("networkInterfaceId", "NetworkInterfaceId"),
        ("privateIp", "PrivateIp"),
        ("publicIp", "PublicIp"),
        ("associationId", "AssociationId"),
    )
    inner = "".join(element(name, address[key]) for name, key in parts)
    return (
        f"<natGatewayAddressSet><item>{inner}<isPrimary>true</isPrimary><status>succeeded</status></item>"
        "</natGatewayAddressSet>"
    )


def delete_nat_gateway(params):
    response = original_delete(params)
    address = ec2._nat_gateways.get(given(params, "NatGatewayId"), {}).get("Address")
    if response[0] == 200 and address:
        if address["AllocationId"] in ec2._addresses:
            addresses.unbind(ec2._addresses[address["AllocationId"]])
        ec2._network_interfaces.pop(address["NetworkInterfaceId"], None)
    return response
