# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances: interfaces, public addresses, attributes and metadata options as launched or modified."""

import base64
import contextvars
import re

from ministack.services import ec2

from . import addresses, interfaces, key_pairs
from .queries import Refused, check_filters, element, found, given, passes, truth

METADATA_OPTIONS = {
    "HttpTokens": "optional", "HttpPutResponseHopLimit": "1", "HttpEndpoint": "enabled",
    "HttpProtocolIpv6": "disabled", "InstanceMetadataTags": "disabled",
}
ATTRIBUTES = {  # parameter -> default
    "DisableApiTermination": "false", "EbsOptimized": "false", "InstanceInitiatedShutdownBehavior": "stop",
}
EMPTY_NAMES = re.compile(r"<(dnsName|ipAddress|keyName)></\1>")

original_launch = ec2._launch_instances_internal
original_run = ec2._run_instances
original_xml = ec2._instance_xml
original_terminate = ec2._terminate_instances
original_describe = ec2._describe_instances
original_attribute = ec2._describe_instance_attribute

_launching: contextvars.ContextVar[dict] = contextvars.ContextVar("launching")


def actions(_side) -> dict:
    ec2._launch_instances_internal = launch
    ec2._instance_xml = xml
    ec2._matches_filters = lambda instance, _filters: True  # describe_instances filters itself
    return {
        "RunInstances": run_instances,
        "DescribeInstances": describe_instances,
        "TerminateInstances": terminate_instances,
        "DescribeInstanceAttribute": describe_instance_attribute,
        "ModifyInstanceAttribute": modify_instance_attribute,
        "ModifyInstanceMetadataOptions": modify_instance_metadata_options,
    }
