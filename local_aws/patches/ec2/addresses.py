# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic IP addresses: found by any filter, bound to an interface, refused release while bound."""

import secrets

from ministack.services import ec2

from . import interfaces
from .queries import Refused, check_filters, element, found, given, passes, truth

FIELDS = (
    ("publicIp", "PublicIp"),
    ("allocationId", "AllocationId"),
    ("domain", "Domain"),
    ("associationId", "AssociationId"),
    ("instanceId", "InstanceId"),
    ("networkInterfaceId", "NetworkInterfaceId"),
    ("privateIpAddress", "PrivateIpAddress"),
)
_domain = "amazonaws.com"


def actions(side) -> dict:
    global _domain
    _domain = "amazonaws.com.cn" if side.partition == "aws-cn" else "amazonaws.com"
    return {
        "DescribeAddresses": describe_addresses,
        "AssociateAddress": associate_address,
        "DisassociateAddress": disassociate_address,
        "ReleaseAddress": release_address,
    }


def public_dns_name(address: str) -> str:
    return f"ec2-{address.replace('.', '-')}.{ec2.get_region()}.compute.{_domain}"


def describe_addresses(params):
    allocations = ec2._parse_member_list(params, "AllocationId")
    for allocation in allocations:
        by_allocation(allocation)
    publics = ec2._parse_member_list(params, "PublicIp")
    for public in publics:
        _by_public_ip(public)
    check_filters(params, _values({}))
    items = "".join(
        _item(address)
        for address in ec2._addresses.values()
        if (not allocations or address["AllocationId"] in allocations)
        and (not publics or address["PublicIp"] in publics)
        and passes(params, address["AllocationId"], _values(address))
    )
    return ec2._xml(200, "DescribeAddressesResponse", f"<addressesSet>{items}</addressesSet>")


def _values(address: dict) -> dict:
    return {
        "allocation-id": address.get("AllocationId"),
        "association-id": address.get("AssociationId"),
        "domain": address.get("Domain"),
        "instance-id": address.get("InstanceId"),
        "network-interface-id": address.get("NetworkInterfaceId"),
        "private-ip-address": address.get("PrivateIpAddress"),
        "public-ip": address.get("PublicIp"),
        "network-interface-owner-id": ec2.get_account_id() if address.get("NetworkInterfaceId") else None,
        "network-border-group": ec2.get_region(),
    }


def _item(address: dict) -> str:
    fields = "".join(element(name, address.get(key)) for name, key in FIELDS)
    if address["NetworkInterfaceId"]:
        fields += element("networkInterfaceOwnerId", ec2.get_account_id())
    fields += element("networkBorderGroup", ec2.get_region()) + element("publicIpv4Pool", "amazon")
    return f"<item>{fields}{ec2._tag_set_xml(address['AllocationId'])}</item>"


def associate_address(params):
    address = _wanted(params)
    interface = _target(params)
    if (
        address["AssociationId"]
        and address["NetworkInterfaceId"] != interface["NetworkInterfaceId"]
        and not truth(params, "AllowReassociation", True)
    ):
        raise already_associated(address)
    if not (address["AssociationId"] and address["NetworkInterfaceId"] == interface["NetworkInterfaceId"]):
        bind(address, interface)
    return ec2._xml(
        200,
        "AssociateAddressResponse",
        f"<return>true</return><associationId>{address['AssociationId']}</associationId>",
    )


def already_associated(address: dict) -> Refused:
    return Refused(
        "Resource.AlreadyAssociated",
        f"resource {address['AllocationId']} is already associated with associate-id {address['AssociationId']}",
    )


def _target(params) -> dict:
    instance_id, interface_id = given(params, "InstanceId"), given(params, "NetworkInterfaceId")
    if interface_id:
        return found(ec2._network_interfaces, interface_id, "InvalidNetworkInterfaceID.NotFound", "network interface")
    found(ec2._instances, instance_id, "InvalidInstanceID.NotFound", "instance ID")
    attached = interfaces.of_instance(instance_id)
    if not attached:
        raise Refused("InvalidInstanceID", f"The instance '{instance_id}' has no network interface")
    return attached[0]


def bind(address: dict, interface: dict) -> None:
    unbind(address)
    for other in ec2._addresses.values():  # an interface's address gives way to the new one
        if other["NetworkInterfaceId"] == interface["NetworkInterfaceId"]:
            unbind(other)
    instance_id = (interface.get("Attachment") or {}).get("InstanceId")
    address.update(
        {
            "AssociationId": f"eipassoc-{secrets.token_hex(9)[:17]}",
            "InstanceId": instance_id,
            "NetworkInterfaceId": interface["NetworkInterfaceId"],
            "PrivateIpAddress": interface["PrivateIpAddress"],
        }
    )
    show_on(interface, address["PublicIp"], ec2.get_account_id(), address)


def show_on(interface: dict, public_ip: str | None, owner="amazon", address: dict | None = None) -> None:
    """The public address as the interface, and the instance that it is the primary one of, show it."""
    name = public_dns_name(public_ip) if public_ip else ""
    interface["Association"] = public_ip and {
        "PublicIp": public_ip,
        "IpOwnerId": owner,
        "PublicDnsName": name,
        "AllocationId": address and address["AllocationId"],
        "AssociationId": address and address["AssociationId"],
    }
    attachment = interface.get("Attachment") or {}
    instance = ec2._instances.get(attachment.get("InstanceId"))
    if instance and attachment["DeviceIndex"] == 0:
        instance.update({"PublicIpAddress": public_ip or "", "PublicDnsName": name})


def unbind(address: dict) -> None:
    interface = ec2._network_interfaces.get(address["NetworkInterfaceId"])
    if interface:
        show_on(interface, None)
    address.update({"AssociationId": None, "InstanceId": None, "NetworkInterfaceId": None, "PrivateIpAddress": None})


def disassociate_address(params):
    association = given(params, "AssociationId")
    for address in ec2._addresses.values():
        if association and address["AssociationId"] == association:
            unbind(address)
            break
        if not association and address["PublicIp"] == given(params, "PublicIp"):
            unbind(address)
            break
    else:
        raise Refused("InvalidAssociationID.NotFound", f"The association ID '{association}' does not exist")
    return ec2._xml(200, "DisassociateAddressResponse", "<return>true</return>")


def release_address(params):
    address = _wanted(params)
    if address["AssociationId"]:
        raise Refused(
            "InvalidIPAddress.InUse",
            f"Address {address['PublicIp']} is in use by {address['NetworkInterfaceId']}",
        )
    del ec2._addresses[address["AllocationId"]]
    ec2._tags.pop(address["AllocationId"], None)
    return ec2._xml(200, "ReleaseAddressResponse", "<return>true</return>")


def _wanted(params) -> dict:
    allocation = given(params, "AllocationId")
    return by_allocation(allocation) if allocation else _by_public_ip(given(params, "PublicIp"))


def by_allocation(allocation: str) -> dict:
    return found(ec2._addresses, allocation, "InvalidAllocationID.NotFound", "allocation ID")


def _by_public_ip(public: str | None) -> dict:
    for address in ec2._addresses.values():
        if address["PublicIp"] == public:
            return address
    raise Refused("InvalidAddress.NotFound", f"Address '{public}' not found.")
