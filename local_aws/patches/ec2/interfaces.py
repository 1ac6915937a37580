# SPDX-License-Identifier: GPL-3.0-or-later
"""Network interfaces: an address of the subnet, an attachment, an association."""

import ipaddress
import re
import secrets

from ministack.services import ec2

from .queries import Refused, check_filters, element, found, given, named, passes

RESERVED_AT_THE_START = 4  # network, router, DNS, and one AWS keeps for the future

original_fields = ec2._eni_fields_xml


def actions(_side) -> dict:
    ec2._eni_fields_xml = fields
    return {
        "CreateNetworkInterface": create_network_interface,
        "DescribeNetworkInterfaces": describe_network_interfaces,
        "DeleteNetworkInterface": delete_network_interface,
    }


def create_network_interface(params):
    interface = create(
        given(params, "SubnetId"),
        ec2._parse_member_list(params, "SecurityGroupId"),
        private_ip=given(params, "PrivateIpAddress"),
        description=given(params, "Description") or "",
    )
    ec2._parse_tag_specs(params, "network-interface", interface["NetworkInterfaceId"])
    return ec2._xml(200, "CreateNetworkInterfaceResponse", fields(interface, tag="networkInterface"))


def create(subnet_id, group_ids, private_ip=None, description="", kind="interface") -> dict:
    subnet = found(ec2._subnets, subnet_id, "InvalidSubnetID.NotFound", "subnet ID")
    groups = groups_named(group_ids)
    interface = {
        "NetworkInterfaceId": f"eni-{_token()}",
        "SubnetId": subnet_id,
        "VpcId": subnet["VpcId"],
        "AvailabilityZone": subnet["AvailabilityZone"],
        "Description": description,
        "OwnerId": ec2.get_account_id(),
        "Status": "available",
        "PrivateIpAddress": _address_in(subnet, private_ip),
        "InterfaceType": kind,
        "SourceDestCheck": kind == "interface",
        "MacAddress": "02:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(5)),
        "Groups": groups,
        "Attachment": None,
        "Association": None,
    }
    ec2._network_interfaces[interface["NetworkInterfaceId"]] = interface
    return interface


def groups_named(identifiers: list[str]) -> list[dict]:
    """The security groups as interfaces and instances show them."""
    groups = [
        found(ec2._security_groups, identifier, "InvalidGroup.NotFound", "security group") for identifier in identifiers
    ]
    return [{"GroupId": group["GroupId"], "GroupName": group["GroupName"]} for group in groups]


def attach(interface: dict, instance_id: str | None, device_index: int, delete_on_termination: bool) -> None:
    interface["Status"] = "in-use"
    interface["Attachment"] = {
        "AttachmentId": f"eni-attach-{_token()}",
        "InstanceId": instance_id,
        "DeviceIndex": device_index,
        "Status": "attached",
        "AttachTime": ec2._now_ts(),
        "DeleteOnTermination": delete_on_termination,
    }


def of_instance(instance_id: str) -> list[dict]:
    """The instance's interfaces, the primary one first."""
    attached = [
        one
        for one in ec2._network_interfaces.values()
        if (one.get("Attachment") or {}).get("InstanceId") == instance_id
    ]
    return sorted(attached, key=lambda one: one["Attachment"]["DeviceIndex"])


def delete_network_interface(params):
    interface = found(
        ec2._network_interfaces,
        given(params, "NetworkInterfaceId"),
        "InvalidNetworkInterfaceID.NotFound",
        "network interface",
    )
    if interface["Status"] == "in-use":
        raise Refused(
            "InvalidParameterValue",
            f"Network interface '{interface['NetworkInterfaceId']}' is currently in use.",
        )
    del ec2._network_interfaces[interface["NetworkInterfaceId"]]
    return ec2._xml(200, "DeleteNetworkInterfaceResponse", "<return>true</return>")


def describe_network_interfaces(params):
    identifiers = named(
        params,
        "NetworkInterfaceId",
        ec2._network_interfaces,
        "InvalidNetworkInterfaceID.NotFound",
        "network interface",
    )
    check_filters(params, _values({"Groups": []}))
    items = "".join(
        fields(interface)
        for interface in ec2._network_interfaces.values()
        if (not identifiers or interface["NetworkInterfaceId"] in identifiers)
        and passes(params, interface["NetworkInterfaceId"], _values(interface))
    )
    return ec2._xml(200, "DescribeNetworkInterfacesResponse", f"<networkInterfaceSet>{items}</networkInterfaceSet>")


def _values(interface: dict) -> dict:
    attachment = interface.get("Attachment") or {}
    association = interface.get("Association") or {}
    return {
        "network-interface-id": interface.get("NetworkInterfaceId"),
        "subnet-id": interface.get("SubnetId"),
        "vpc-id": interface.get("VpcId"),
        "availability-zone": interface.get("AvailabilityZone"),
        "description": interface.get("Description"),
        "status": interface.get("Status"),
        "interface-type": interface.get("InterfaceType"),
        "private-ip-address": interface.get("PrivateIpAddress"),
        "addresses.private-ip-address": interface.get("PrivateIpAddress"),
        "group-id": [group["GroupId"] for group in interface["Groups"]],
        "group-name": [group["GroupName"] for group in interface["Groups"]],
        "attachment.instance-id": attachment.get("InstanceId"),
        "attachment.attachment-id": attachment.get("AttachmentId"),
        "attachment.device-index": attachment.get("DeviceIndex"),
        "association.public-ip": association.get("PublicIp"),
        "association.allocation-id": association.get("AllocationId"),
        "association.association-id": association.get("AssociationId"),
    }


def fields(interface: dict, tag: str = "item") -> str:
    xml = original_fields(interface, tag)
    attachment, association = interface.get("Attachment"), association_xml(interface)
    if attachment:
        kept = element("deleteOnTermination", bool(attachment.get("DeleteOnTermination")))
        xml = xml.replace("</attachment>", f"{kept}<networkCardIndex>0</networkCardIndex></attachment>")
        xml = re.sub("<instanceId>(None)?</instanceId>", "", xml)
    xml = xml.replace("<primary>true</primary>", f"<primary>true</primary>{association}")
    return xml.replace("<privateIpAddressesSet>", f"{association}<privateIpAddressesSet>")


def association_xml(interface: dict) -> str:
    association = interface.get("Association")
    if not association:
        return ""
    parts = (
        ("publicIp", "PublicIp"),
        ("ipOwnerId", "IpOwnerId"),
        ("allocationId", "AllocationId"),
        ("associationId", "AssociationId"),
        ("publicDnsName", "PublicDnsName"),
    )
    inner = "".join(element(name, association.get(key)) for name, key in parts)
    return f"<association>{inner}</association>"


def _address_in(subnet: dict, wanted: str | None) -> str:
    network = ipaddress.ip_network(subnet["CidrBlock"])
    taken = {
        one["PrivateIpAddress"] for one in ec2._network_interfaces.values() if one["SubnetId"] == subnet["SubnetId"]
    }
    if wanted is not None:
        if ipaddress.ip_address(wanted) not in network:
            raise Refused("InvalidParameterValue", f"Address {wanted} does not fall within the subnet's address range")
        if wanted in taken:
            raise Refused("InvalidIPAddress.InUse", f"Address {wanted} is in use.")
        return wanted
    for offset in range(RESERVED_AT_THE_START, network.num_addresses - 1):
        address = str(network[offset])
        if address not in taken:
            return address
    raise Refused(
        "InsufficientFreeAddressesInSubnet",
        f"There are not enough free addresses in subnet '{subnet['SubnetId']}'",
    )


def _token() -> str:
    return secrets.token_hex(9)[:17]
