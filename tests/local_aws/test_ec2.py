# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of the local AWS. Each test names the AWS behaviour it stands for."""

import base64
import ipaddress

import pytest

from .networks import CIDR, Network, refusal


@pytest.fixture
def network(pair):
    network = Network(pair)
    yield network
    network.remove()


def test_instance_has_the_interface_that_the_request_describes(network):
    """AWS: RunInstances puts subnet, groups and public address of NetworkInterface.1 on the primary one."""
    launched = network.launch(public=True)

    instance = network.instance(launched["InstanceId"])
    (interface,) = instance["NetworkInterfaces"]
    assert interface["SubnetId"] == instance["SubnetId"] == network.subnet
    assert instance["VpcId"] == network.vpc
    assert (
        [group["GroupId"] for group in instance["SecurityGroups"]]
        == [group["GroupId"] for group in interface["Groups"]]
        == [network.group]
    )
    assert ipaddress.ip_address(instance["PrivateIpAddress"]) in ipaddress.ip_network(CIDR)
    assert interface["PrivateIpAddress"] == instance["PrivateIpAddress"]
    assert interface["Association"]["PublicIp"] == instance["PublicIpAddress"]
    assert interface["Attachment"]["DeviceIndex"] == 0 and interface["Attachment"]["DeleteOnTermination"]
    assert instance["Placement"]["AvailabilityZone"] == "cn-north-1b"
    assert instance["PublicDnsName"].endswith(".cn-north-1.compute.amazonaws.com.cn")
    assert launched["NetworkInterfaces"] == instance["NetworkInterfaces"]


def test_public_address_only_when_asked(network):
    """AWS: the request decides, or else the subnet's MapPublicIpOnLaunch; no address, no field."""
    private = network.launch()
    network.ec2.modify_subnet_attribute(SubnetId=network.subnet, MapPublicIpOnLaunch={"Value": True})
    mapped, refused = network.launch(), network.launch(public=False)

    assert "PublicIpAddress" not in private and "PublicIpAddress" not in refused
    assert "PublicIpAddress" in mapped


def test_instance_without_interfaces_in_the_request_has_one(network):
    """AWS: SubnetId and SecurityGroupIds at the top of the request make the primary interface too."""
    instance = network.run(SubnetId=network.subnet, SecurityGroupIds=[network.group])

    assert [interface["SubnetId"] for interface in instance["NetworkInterfaces"]] == [network.subnet]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"KeyName": "no-such-key"}, "InvalidKeyPair.NotFound"),
    ],
)
def test_run_instances_names_what_is_missing(network, parameters, code):
    """AWS: a subnet, group or key pair that does not exist stops the launch."""
    assert refusal(network.run, **{"SubnetId": network.subnet, **parameters}) == code


def test_instances_are_filtered(network):
    """AWS: DescribeInstances honours its filters, with wildcards, and refuses one that does not exist."""
    instance = network.launch()

    def found(name, value):
        wanted = [{"Name": "vpc-id", "Values": [network.vpc]}, {"Name": name, "Values": [value]}]
        reservations = network.ec2.describe_instances(Filters=wanted)["Reservations"]
        return [one["InstanceId"] for reservation in reservations for one in reservation["Instances"]]

    assert found("subnet-id", network.subnet) == [instance["InstanceId"]]
    assert found("private-ip-address", "10.77.5.*") == [instance["InstanceId"]]
    assert found("instance.group-id", "sg-0") == found("instance-type", "t3.*") == []
    assert (
        refusal(network.ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}])
        == "InvalidParameterValue"
    )


def test_termination_removes_the_interface(network):
    """AWS: the primary interface goes with its instance, an Elastic IP address becomes free."""
    instance = network.launch()
    address = network.ec2.allocate_address(Domain="vpc")
    network.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance["InstanceId"])

    network.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])

    identifier = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert (
        refusal(network.ec2.describe_network_interfaces, NetworkInterfaceIds=[identifier])
        == "InvalidNetworkInterfaceID.NotFound"
    )
    (free,) = network.ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"]
    assert "AssociationId" not in free


def test_instance_attributes_are_kept(network):
    """AWS: attributes and metadata options read back as launched and as modified; protection protects."""
    instance = network.run(
        SubnetId=network.subnet,
        DisableApiTermination=True,
        MetadataOptions={"HttpTokens": "required"},
        UserData="#!/bin/sh",
    )["InstanceId"]
    assert network.instance(instance)["MetadataOptions"]["HttpTokens"] == "required"
    user_data = network.ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")["UserData"]
    assert base64.b64decode(user_data["Value"]) == b"#!/bin/sh"
    assert refusal(network.ec2.terminate_instances, InstanceIds=[instance]) == "OperationNotPermitted"

    network.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    network.ec2.modify_instance_attribute(InstanceId=instance, Groups=[network.group])
    network.ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="optional")

    modified = network.instance(instance)
    assert [group["GroupId"] for group in modified["SecurityGroups"]] == [network.group]
    assert modified["MetadataOptions"]["HttpTokens"] == "optional"
    assert (
        refusal(network.ec2.modify_instance_attribute, InstanceId=instance, InstanceType={"Value": "c5.xlarge"})
        == "IncorrectInstanceState"
    )
