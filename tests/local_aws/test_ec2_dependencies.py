# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local AWS does not let go while it is in use, and endpoints. Each test names the AWS behaviour it stands for."""

import io
import json
import time
import zipfile

import pytest

from .networks import Network, refusal


@pytest.fixture
def network(pair):
    network = Network(pair)
    yield network
    network.remove()


def package() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context):\n    return 1\n")
    return packed.getvalue()


@pytest.fixture
def function(pair, unique):
    """The name of a function and a call that makes it, in the subnet and group that are given."""
    client = pair.client("cn", "lambda")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam = pair.client("cn", "iam")
    role = iam.create_role(RoleName=unique, AssumeRolePolicyDocument=document)["Role"]["Arn"]

    def make(subnet, group):
        client.create_function(
            FunctionName=unique, Role=role, Runtime="python3.13", Handler="handler.handler", Code={"ZipFile": package()},
            VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]},
        )  # fmt: skip
        return unique

    yield make
    iam.delete_role(RoleName=unique)


def interfaces_of(network):
    filters = [{"Name": "subnet-id", "Values": [network.subnet]}]
    return network.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]


def test_interfaces_of_a_function_outlive_it(pair, network, function):
    """AWS: Lambda has an interface in each subnet of a function, and takes it away some time after the function is gone."""
    name = function(network.subnet, network.group)
    (interface,) = interfaces_of(network)
    assert interface["InterfaceType"] == "lambda" and interface["Description"] == f"AWS Lambda VPC ENI-{name}"
    assert [group["GroupId"] for group in interface["Groups"]] == [network.group]

    pair.client("cn", "lambda").delete_function(FunctionName=name)

    assert refusal(network.ec2.delete_subnet, SubnetId=network.subnet) == "DependencyViolation"
    assert refusal(network.ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"
    deadline = time.monotonic() + 60
    while interfaces_of(network):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    network.ec2.delete_subnet(SubnetId=network.subnet)
    network.ec2.delete_security_group(GroupId=network.group)


def test_what_is_in_use_stays(network):
    """AWS: a route table with a subnet, and an internet gateway whose VPC has public addresses, are not removed."""
    table = network.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    association = network.ec2.associate_route_table(RouteTableId=table, SubnetId=network.subnet)["AssociationId"]
    gateway = network.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    network.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    _address, nat = network.nat_gateway()

    assert refusal(network.ec2.delete_route_table, RouteTableId=table) == "DependencyViolation"
    detach = {"InternetGatewayId": gateway, "VpcId": network.vpc}
    assert refusal(network.ec2.detach_internet_gateway, **detach) == "DependencyViolation"

    network.ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    network.ec2.detach_internet_gateway(**detach)
    network.ec2.disassociate_route_table(AssociationId=association)
    network.ec2.delete_route_table(RouteTableId=table)
    network.ec2.delete_internet_gateway(InternetGatewayId=gateway)


def test_endpoints_are_filtered(network):
    """AWS: DescribeVpcEndpoints honours its filters, and shows the groups of an interface endpoint."""
    made = [
        network.ec2.create_vpc_endpoint(VpcId=network.vpc, ServiceName=f"com.example.cn-north-1.{service}", **more)
        for service, more in (
            ("s3", {}),
            (
                "sqs",
                {"VpcEndpointType": "Interface", "SubnetIds": [network.subnet], "SecurityGroupIds": [network.group]},
            ),
        )
    ]
    ids = [one["VpcEndpoint"]["VpcEndpointId"] for one in made]

    def found(name, value):
        filters = [{"Name": "vpc-id", "Values": [network.vpc]}, {"Name": name, "Values": [value]}]
        return [one["VpcEndpointId"] for one in network.ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]]

    assert found("service-name", "*.s3") == [ids[0]] and found("vpc-endpoint-type", "Interface") == [ids[1]]
    assert found("vpc-endpoint-state", "deleted") == []
    (shown,) = network.ec2.describe_vpc_endpoints(VpcEndpointIds=ids[1:])["VpcEndpoints"]
    assert [group["GroupId"] for group in shown["Groups"]] == [network.group]
    network.ec2.delete_vpc_endpoints(VpcEndpointIds=ids)
    assert refusal(network.ec2.describe_vpc_endpoints, VpcEndpointIds=ids) == "InvalidVpcEndpointId.NotFound"


def test_the_root_disk_is_as_asked_for(network):
    """AWS: BlockDeviceMapping of RunInstances sets size, type and encryption of the root disk, which goes with the instance."""
    disk = {"VolumeSize": 20, "VolumeType": "gp2", "Encrypted": True}
    instance = network.run(SubnetId=network.subnet, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": disk}])

    volume = instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    (shown,) = network.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    assert (shown["Size"], shown["VolumeType"], shown["Encrypted"]) == (20, "gp2", True)
    assert shown["AvailabilityZone"] == instance["Placement"]["AvailabilityZone"]
    network.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    assert refusal(network.ec2.describe_volumes, VolumeIds=[volume]) == "InvalidVolume.NotFound"
