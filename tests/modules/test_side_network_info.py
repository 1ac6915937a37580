# SPDX-License-Identifier: GPL-3.0-or-later
"""side_network_info tells what bears the side's tag and is there, and what a given VPC has."""

from __future__ import annotations

from ansible.modules import side_network_info

from tests.modules.aws_fakes import aws_error, fake_client

TAGS = [
    {"Key": "dynabridge", "Value": "cn"},
    {"Key": "dynabridge_part", "Value": "nat-a"},
    {"Key": "Name", "Value": "n"},
]
NAT = {
    "NatGatewayId": "nat-1",
    "State": "available",
    "SubnetId": "subnet-1",
    "NatGatewayAddresses": [{"PublicIp": "198.51.100.7", "AllocationId": "eipalloc-1"}],
    "Tags": TAGS,
}


class FakeEc2:
    """EC2 with one NAT gateway, one that is gone, one instance that is terminated, an address."""

    def __init__(self):
        self.filters = []

    def _answer(self, name, entries, filters):
        self.filters.append([one for one in filters if one["Name"] != "vpc-id" or one["Values"] == ["vpc-9"]])
        return {name: entries}

    def describe_vpcs(self, Filters, **_pages):
        return self._answer("Vpcs", [{"VpcId": "vpc-1", "CidrBlock": "10.10.0.0/16", "State": "available"}], Filters)

    def describe_subnets(self, Filters, **_pages):
        subnet = {
            "SubnetId": "subnet-1",
            "CidrBlock": "10.10.0.0/24",
            "AvailabilityZone": "cn-north-1a",
            "VpcId": "vpc-1",
        }
        return self._answer("Subnets", [subnet], Filters)

    def describe_internet_gateways(self, Filters, **_pages):
        return self._answer("InternetGateways", [{"InternetGatewayId": "igw-1"}], Filters)

    def describe_nat_gateways(self, Filter, **_pages):
        gone = NAT | {"NatGatewayId": "nat-0", "State": "deleted"}
        leaving = NAT | {
            "NatGatewayId": "nat-2",
            "State": "deleting",
            "NatGatewayAddresses": [{"PublicIp": "198.51.100.8"}],
        }
        return self._answer("NatGateways", [gone, leaving, NAT], Filter)

    def describe_addresses(self, Filters):
        return self._answer("Addresses", [{"AllocationId": "eipalloc-1", "PublicIp": "198.51.100.7"}], Filters)

    def describe_route_tables(self, Filters, **_pages):
        return self._answer("RouteTables", [], Filters)

    def describe_vpc_endpoints(self, Filters, **_pages):
        endpoint = {
            "VpcEndpointId": "vpce-1",
            "ServiceName": "com.example.cn-north-1.s3",
            "State": "Available",
            "RouteTableIds": ["rtb-1"],
        }
        return self._answer("VpcEndpoints", [endpoint], Filters)

    def describe_security_groups(self, Filters, **_pages):
        return self._answer("SecurityGroups", [{"GroupId": "sg-1", "GroupName": "f", "VpcId": "vpc-1"}], Filters)

    def describe_instances(self, Filters, **_pages):
        instances = [
            {"InstanceId": "i-0", "State": {"Name": "terminated"}},
            {"InstanceId": "i-1", "State": {"Name": "running"}, "PrivateIpAddress": "10.10.0.4"},
        ]
        return self._answer("Reservations", [{"Instances": instances}], Filters)


def test_tells_what_bears_the_tag_and_is_there(run_module):
    # GIVEN a network of cn WHEN it is looked at THEN by kind, with its parts; what is gone is left out
    fake = FakeEc2()
    result = run_module(side_network_info, fake_client("ec2", fake), side="cn")
    assert result["changed"] is False
    network = result["network"]
    assert {kind: [one["id"] for one in entries] for kind, entries in network.items()} == {
        "vpcs": ["vpc-1"],
        "subnets": ["subnet-1"],
        "internet_gateways": ["igw-1"],
        "nat_gateways": ["nat-1", "nat-2"],
        "addresses": ["eipalloc-1"],
        "route_tables": [],
        "endpoints": ["vpce-1"],
        "security_groups": ["sg-1"],
        "instances": ["i-1"],
    }
    assert network["nat_gateways"][0] == {
        "id": "nat-1", "name": "n", "part": "nat-a", "state": "available", "subnet_id": "subnet-1",
        "public_ips": ["198.51.100.7"],
    }  # fmt: skip
    assert network["endpoints"][0]["places"] == ["rtb-1"] and network["endpoints"][0]["state"] == "available"
    assert result["nat_addresses"] == ["198.51.100.7"], "one that is being deleted lets nothing out any more"
    assert result["given"]["exists"] is False
    assert all(filters == [{"Name": "tag:dynabridge", "Values": ["cn"]}] for filters in fake.filters)


def test_tells_what_a_given_vpc_has(run_module):
    fake = FakeEc2()
    result = run_module(side_network_info, fake_client("ec2", fake), check=True, side="cn", vpc_id="vpc-9")
    assert result["given"]["exists"] is True
    assert result["given"]["services"] == ["com.example.cn-north-1.s3"]
    assert [one["id"] for one in result["given"]["subnets"]] == ["subnet-1"]
    assert result["nat_addresses"] == result["given"]["nat_addresses"] == ["198.51.100.7"]
    assert fake.filters[-1] == [{"Name": "vpc-id", "Values": ["vpc-9"]}]


def test_says_what_it_may_not(run_module):
    class Refusing(FakeEc2):
        def describe_vpcs(self, Filters, **_pages):
            raise aws_error("UnauthorizedOperation")

    result = run_module(side_network_info, fake_client("ec2", Refusing()), side="cn")
    assert result["failed"] and "cannot look at the network of side cn in cn-north-1" in result["msg"]
