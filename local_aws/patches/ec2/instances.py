# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances: launched with interfaces and public addresses, found by any filter, terminated with both."""

import contextvars
import re

from ministack.services import ec2

from . import addresses, attributes, disks, interfaces, key_pairs
from .queries import Refused, check_filters, found, given, meets, truth

EMPTY_NAMES = re.compile(r"<(dnsName|ipAddress|keyName)></\1>")

original_launch = ec2._launch_instances_internal
original_run = ec2._run_instances
original_xml = ec2._instance_xml
original_terminate = ec2._terminate_instances
original_describe = ec2._describe_instances

_launching: contextvars.ContextVar[dict] = contextvars.ContextVar("launching")


def actions(_side) -> dict:
    ec2._launch_instances_internal = launch
    ec2._instance_xml = xml
    ec2._matches_filters = matches
    return {
        "RunInstances": run_instances,
        "DescribeInstances": describe_instances,
        "TerminateInstances": terminate_instances,
    }


def run_instances(params):
    specifications = _interface_specifications(params)
    flat = {**params, **_top_level(params, specifications[0])}
    found(ec2._subnets, given(flat, "SubnetId"), "InvalidSubnetID.NotFound", "subnet ID")
    key_pairs.check(given(flat, "KeyName"))
    launching = _launching.set({"params": flat, "specifications": specifications})
    try:
        return original_run(flat)
    finally:
        _launching.reset(launching)


def _interface_specifications(params: dict) -> list[dict]:
    """What NetworkInterface.N says, the primary one first; one empty entry when it says nothing."""
    specifications, number = [], 1
    while any(name.startswith(f"NetworkInterface.{number}.") for name in params):
        prefix = f"NetworkInterface.{number}."
        existing = given(params, f"{prefix}NetworkInterfaceId")
        specifications.append(
            {
                "index": int(given(params, f"{prefix}DeviceIndex") or 0),
                "id": existing,
                "subnet": given(params, f"{prefix}SubnetId"),
                "groups": ec2._parse_member_list(params, f"{prefix}SecurityGroupId"),
                "private_ip": given(params, f"{prefix}PrivateIpAddress"),
                "description": given(params, f"{prefix}Description"),
                "public": given(params, f"{prefix}AssociatePublicIpAddress"),
                "deleted": truth(params, f"{prefix}DeleteOnTermination", existing is None),
            }
        )
        number += 1
    return sorted(specifications, key=lambda one: one["index"]) or [{"index": 0, "deleted": True}]


def _top_level(params: dict, primary: dict) -> dict:
    """The primary interface's subnet, groups and address, where the emulator looks for them."""
    if primary.get("id"):
        interface = found(
            ec2._network_interfaces, primary["id"], "InvalidNetworkInterfaceID.NotFound", "network interface"
        )
        subnet_id, groups = interface["SubnetId"], [group["GroupId"] for group in interface["Groups"]]
    else:
        subnet_id = primary.get("subnet") or given(params, "SubnetId") or ec2._DEFAULT_SUBNET_ID
        groups = primary.get("groups") or ec2._parse_member_list(params, "SecurityGroupId")
    interfaces.groups_named(groups)
    groups = groups or _default_groups(subnet_id)
    top = {f"SecurityGroupId.{number}": group for number, group in enumerate(groups, start=1)}
    top["SubnetId"] = subnet_id
    if primary.get("private_ip"):
        top["PrivateIpAddress"] = primary["private_ip"]
    return top


def _default_groups(subnet_id: str) -> list[str]:
    vpc = ec2._subnets.get(subnet_id, {}).get("VpcId")
    return [
        group["GroupId"]
        for group in ec2._security_groups.values()
        if group["VpcId"] == vpc and group["GroupName"] == "default"
    ]


def launch(*args, **named):
    created = original_launch(*args, **named)
    request = _launching.get({"params": {}, "specifications": [{"index": 0, "deleted": True}]})
    for instance in created:
        if instance["SubnetId"] in ec2._subnets:
            _complete(instance, request["params"], request["specifications"])
    return created


def _complete(instance: dict, params: dict, specifications: list[dict]) -> None:
    """What the emulator leaves out of a new instance."""
    groups = [group["GroupId"] for group in instance["SecurityGroups"]]
    for one in specifications:
        interface = ec2._network_interfaces.get(one.get("id")) or interfaces.create(
            one.get("subnet") or instance["SubnetId"],
            one.get("groups") or groups,
            one.get("private_ip") or (given(params, "PrivateIpAddress") if one["index"] == 0 else None),
            one.get("description") or "",
        )
        interfaces.attach(interface, instance["InstanceId"], one["index"], one["deleted"])
    primary = interfaces.of_instance(instance["InstanceId"])[0]
    private_ip = primary["PrivateIpAddress"]
    instance.update(
        {
            "PrivateIpAddress": private_ip,
            "PrivateDnsName": f"ip-{private_ip.replace('.', '-')}.{ec2.get_region()}.compute.internal",
            **attributes.as_launched(params),
        }
    )
    instance["Placement"]["AvailabilityZone"] = primary["AvailabilityZone"]
    disks.as_launched(instance, params)
    asked, subnet = specifications[0].get("public"), ec2._subnets[primary["SubnetId"]]
    public = subnet["MapPublicIpOnLaunch"] if asked is None else asked.lower() == "true"
    addresses.show_on(primary, ec2._random_ip("54.") if public else None)


def xml(instance: dict) -> str:
    text = EMPTY_NAMES.sub("", original_xml(instance))
    attached = "".join(map(interfaces.fields, interfaces.of_instance(instance["InstanceId"])))
    end = text.rindex("</item>")
    return f"{text[:end]}<networkInterfaceSet>{attached}</networkInterfaceSet>{attributes.xml(instance)}{text[end:]}"


def describe_instances(params):
    check_filters(params, _values({}))
    return original_describe(params)


def matches(instance: dict, filters: dict) -> bool:
    return meets(filters, instance["InstanceId"], _values(instance))


def _values(instance: dict) -> dict:
    attached = interfaces.of_instance(instance["InstanceId"]) if instance else []
    state, groups = instance.get("State", {}), instance.get("SecurityGroups", [])
    return {
        "instance-id": instance.get("InstanceId"),
        "instance-state-name": state.get("Name"),
        "instance-state-code": state.get("Code"),
        "instance-type": instance.get("InstanceType"),
        "image-id": instance.get("ImageId"),
        "key-name": instance.get("KeyName"),
        "subnet-id": instance.get("SubnetId"),
        "vpc-id": instance.get("VpcId"),
        "availability-zone": instance.get("Placement", {}).get("AvailabilityZone"),
        "private-ip-address": instance.get("PrivateIpAddress"),
        "ip-address": instance.get("PublicIpAddress"),
        "private-dns-name": instance.get("PrivateDnsName"),
        "dns-name": instance.get("PublicDnsName"),
        "architecture": instance.get("Architecture"),
        "root-device-type": instance.get("RootDeviceType"),
        "iam-instance-profile.arn": (instance.get("IamInstanceProfile") or {}).get("Arn"),
        "instance.group-id": [group["GroupId"] for group in groups],
        "instance.group-name": [group["GroupName"] for group in groups],
        "network-interface.network-interface-id": [one["NetworkInterfaceId"] for one in attached],
        "network-interface.subnet-id": [one["SubnetId"] for one in attached],
        "network-interface.vpc-id": [one["VpcId"] for one in attached],
        "network-interface.addresses.private-ip-address": [one["PrivateIpAddress"] for one in attached],
    }


def terminate_instances(params):
    identifiers = ec2._parse_member_list(params, "InstanceId")
    for identifier in identifiers:
        if attributes.value(ec2._instances.get(identifier, {}), "DisableApiTermination") == "true":
            raise Refused(
                "OperationNotPermitted",
                f"The instance '{identifier}' may not be terminated. Modify its "
                "'disableApiTermination' instance attribute and try again.",
            )
    response = original_terminate(params)
    if response[0] == 200:
        for identifier in identifiers:
            _release_interfaces(identifier)
            disks.release(ec2._instances[identifier])
    return response


def _release_interfaces(instance_id: str) -> None:
    for interface in interfaces.of_instance(instance_id):
        for address in ec2._addresses.values():
            if address["NetworkInterfaceId"] == interface["NetworkInterfaceId"]:
                addresses.unbind(address)
        addresses.show_on(interface, None)
        kept = not interface["Attachment"].get("DeleteOnTermination")
        interface.update({"Attachment": None, "Status": "available"})
        if not kept:
            del ec2._network_interfaces[interface["NetworkInterfaceId"]]
