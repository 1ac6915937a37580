# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes and metadata options of an instance: as launched, read back, modified."""

from ministack.services import ec2

from . import interfaces
from .queries import Refused, element, found, given

METADATA_OPTIONS = {
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": "1",
    "HttpEndpoint": "enabled",
    "HttpProtocolIpv6": "disabled",
    "InstanceMetadataTags": "disabled",
}
ATTRIBUTES = {
    "DisableApiTermination": "false",
    "EbsOptimized": "false",
    "InstanceInitiatedShutdownBehavior": "stop",
}

original_describe = ec2._describe_instance_attribute


def actions(_side) -> dict:
    return {
        "DescribeInstanceAttribute": describe_instance_attribute,
        "ModifyInstanceAttribute": modify_instance_attribute,
        "ModifyInstanceMetadataOptions": modify_instance_metadata_options,
    }


def as_launched(params: dict) -> dict:
    """What RunInstances says of them, or the defaults."""
    return {
        "MetadataOptions": {
            name: given(params, f"MetadataOptions.{name}") or default for name, default in METADATA_OPTIONS.items()
        },
        "Attributes": {name: given(params, name) or default for name, default in ATTRIBUTES.items()},
    }


def value(instance: dict, name: str) -> str:
    return instance.get("Attributes", ATTRIBUTES)[name]


def xml(instance: dict) -> str:
    """What DescribeInstances shows of them."""
    options = instance.get("MetadataOptions", METADATA_OPTIONS)
    shown = "".join(element(_wire(name), option) for name, option in options.items())
    return (
        f"<metadataOptions><state>applied</state>{shown}</metadataOptions>"
        f"{element('ebsOptimized', value(instance, 'EbsOptimized'))}"
    )


def describe_instance_attribute(params):
    instance = _instance(params)
    attribute = given(params, "Attribute") or ""
    name = attribute[:1].upper() + attribute[1:]
    if name in ATTRIBUTES:
        shown = value(instance, name)
    elif name == "UserData":
        shown = instance.get("UserData")
    elif name == "SourceDestCheck":
        shown = instance["SourceDestCheck"]
    else:
        return original_describe(params)
    return ec2._xml(
        200,
        "DescribeInstanceAttributeResponse",
        f"{element('instanceId', instance['InstanceId'])}<{attribute}>{element('value', shown)}</{attribute}>",
    )


def modify_instance_attribute(params):
    instance = _instance(params)
    names = (*ATTRIBUTES, "InstanceType", "SourceDestCheck", "UserData")
    values = {name: given(params, f"{name}.Value") for name in names}
    attribute = given(params, "Attribute") or ""
    if attribute:
        values[attribute[0].upper() + attribute[1:]] = given(params, "Value")
    for name, wanted in values.items():
        if wanted is not None:
            _set_attribute(instance, name, wanted)
    groups = ec2._parse_member_list(params, "GroupId")
    if groups:
        _set_groups(instance, groups)
    return ec2._xml(200, "ModifyInstanceAttributeResponse", "<return>true</return>")


def _set_attribute(instance: dict, name: str, wanted: str) -> None:
    if name in ("InstanceType", "UserData") and instance["State"]["Name"] != "stopped":
        raise Refused(
            "IncorrectInstanceState",
            f"The instance '{instance['InstanceId']}' is not in the 'stopped' state.",
        )
    if name in ATTRIBUTES:
        instance.setdefault("Attributes", dict(ATTRIBUTES))[name] = wanted
    elif name == "SourceDestCheck":
        instance[name] = wanted.lower() == "true"
        for interface in interfaces.of_instance(instance["InstanceId"])[:1]:
            interface[name] = instance[name]
    else:
        instance[name] = wanted


def _set_groups(instance: dict, groups: list[str]) -> None:
    shown = interfaces.groups_named(groups)
    instance["SecurityGroups"] = shown
    for interface in interfaces.of_instance(instance["InstanceId"])[:1]:
        interface["Groups"] = shown


def modify_instance_metadata_options(params):
    instance = _instance(params)
    options = {**METADATA_OPTIONS, **instance.get("MetadataOptions", {})}
    options.update({name: given(params, name) for name in METADATA_OPTIONS if given(params, name)})
    instance["MetadataOptions"] = options
    inner = "".join(element(_wire(name), option) for name, option in options.items())
    return ec2._xml(
        200,
        "ModifyInstanceMetadataOptionsResponse",
        f"{element('instanceId', instance['InstanceId'])}"
        f"<instanceMetadataOptions><state>applied</state>{inner}</instanceMetadataOptions>",
    )


def _instance(params: dict) -> dict:
    return found(ec2._instances, given(params, "InstanceId"), "InvalidInstanceID.NotFound", "instance ID")


def _wire(name: str) -> str:
    return name[0].lower() + name[1:]
