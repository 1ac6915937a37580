# SPDX-License-Identifier: GPL-3.0-or-later
"""NAT gateways and Elastic IP addresses of the local AWS. Each test names the AWS behaviour it stands for."""

import ipaddress

import pytest

from .networks import CIDR, Network, refusal


@pytest.fixture
def network(pair):
    network = Network(pair)
    yield network
    network.remove()


def test_nat_gateway_has_its_address(network):
    """AWS: a NAT gateway shows allocation, association, interface, private and public address."""
    address, created = network.nat_gateway()

    (gateway,) = network.ec2.describe_nat_gateways(NatGatewayIds=[created["NatGatewayId"]])["NatGateways"]

    (shown,) = gateway["NatGatewayAddresses"]
    assert (shown["AllocationId"], shown["PublicIp"]) == (address["AllocationId"], address["PublicIp"])
    assert ipaddress.ip_address(shown["PrivateIp"]) in ipaddress.ip_network(CIDR)
    assert created["NatGatewayAddresses"] == gateway["NatGatewayAddresses"]
    (interface,) = network.ec2.describe_network_interfaces(NetworkInterfaceIds=[shown["NetworkInterfaceId"]])[
        "NetworkInterfaces"
    ]
    assert interface["InterfaceType"] == "nat_gateway" and interface["SubnetId"] == network.subnet
    assert interface["Association"]["PublicIp"] == address["PublicIp"]
    (bound,) = network.ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"]
    assert bound["AssociationId"] == shown["AssociationId"]


def test_public_addresses_are_nobodys(pair):
    """An address of the local AWS is of a block for documentation (RFC 5737), each side's of its own."""
    for side, block in (("cn", "203.0.113.0/24"), ("sg", "198.51.100.0/24")):
        ec2 = pair.client(side, "ec2")
        address = ec2.allocate_address(Domain="vpc")
        ec2.release_address(AllocationId=address["AllocationId"])
        assert ipaddress.ip_address(address["PublicIp"]) in ipaddress.ip_network(block)


def test_nat_gateway_holds_its_address_until_it_is_deleted(network):
    """AWS: an address in use is neither given to another NAT gateway nor released."""
    address, gateway = network.nat_gateway()
    allocation = address["AllocationId"]

    assert (
        refusal(network.ec2.create_nat_gateway, SubnetId=network.subnet, AllocationId=allocation)
        == "Resource.AlreadyAssociated"
    )
    assert refusal(network.ec2.release_address, AllocationId=allocation) == "InvalidIPAddress.InUse"
    network.ec2.delete_nat_gateway(NatGatewayId=gateway["NatGatewayId"])
    network.ec2.release_address(AllocationId=allocation)
    assert refusal(network.ec2.describe_addresses, AllocationIds=[allocation]) == "InvalidAllocationID.NotFound"


def test_nat_gateway_client_token(network):
    """AWS: the same ClientToken answers the same NAT gateway."""
    address, first = network.nat_gateway(ClientToken="once")

    again = network.ec2.create_nat_gateway(
        SubnetId=network.subnet, AllocationId=address["AllocationId"], ClientToken="once"
    )["NatGateway"]

    assert again["NatGatewayId"] == first["NatGatewayId"]


def test_addresses_are_filtered(network):
    """AWS: DescribeAddresses honours its filters and PublicIps."""
    instance = network.launch()
    mine, other = (network.ec2.allocate_address(Domain="vpc") for _ in range(2))
    network.ec2.create_tags(Resources=[mine["AllocationId"]], Tags=[{"Key": "Name", "Value": "squid"}])
    association = network.ec2.associate_address(AllocationId=mine["AllocationId"], InstanceId=instance["InstanceId"])[
        "AssociationId"
    ]

    def found(**parameters):
        addresses = network.ec2.describe_addresses(**parameters)["Addresses"]
        return [address["AllocationId"] for address in addresses]

    for name, value in (
        ("instance-id", instance["InstanceId"]),
        ("association-id", association),
        ("public-ip", mine["PublicIp"]),
        ("tag:Name", "sq*"),
        ("private-ip-address", instance["PrivateIpAddress"]),
    ):
        assert found(Filters=[{"Name": name, "Values": [value]}]) == [mine["AllocationId"]], name
    assert found(Filters=[{"Name": "instance-id", "Values": ["i-0"]}]) == []
    assert found(PublicIps=[other["PublicIp"]]) == [other["AllocationId"]]


def test_address_moves_with_its_association(network):
    """AWS: an associated address is the instance's public address; associating it again moves it."""
    first, second = network.launch(public=True), network.launch()
    address = network.ec2.allocate_address(Domain="vpc")

    for instance in (first, second):
        network.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance["InstanceId"])

    assert "PublicIpAddress" not in network.instance(first["InstanceId"])
    assert network.instance(second["InstanceId"])["PublicIpAddress"] == address["PublicIp"]
