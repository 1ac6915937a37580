# SPDX-License-Identifier: GPL-3.0-or-later
"""A VPC to try EC2 in, for the tests of EC2."""

import pytest
from botocore.exceptions import ClientError

CIDR = "10.77.5.0/24"


class Network:
    """A VPC with one subnet and one group."""

    def __init__(self, pair):
        self.ec2 = pair.client("cn", "ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=CIDR, AvailabilityZone="cn-north-1b")
        self.subnet = subnet["Subnet"]["SubnetId"]
        self.group = self.ec2.create_security_group(GroupName="proxy", Description="proxy", VpcId=self.vpc)["GroupId"]
        self.instances = []

    def run(self, **parameters):
        parameters = {
            "ImageId": "ami-12345678",
            "InstanceType": "c5.large",
            "MinCount": 1,
            "MaxCount": 1,
            **parameters,
        }
        (instance,) = self.ec2.run_instances(**parameters)["Instances"]
        self.instances.append(instance["InstanceId"])
        return instance

    def launch(self, public=None):
        interface = {"DeviceIndex": 0, "SubnetId": self.subnet, "Groups": [self.group]}
        return self.run(
            NetworkInterfaces=[interface | ({} if public is None else {"AssociatePublicIpAddress": public})]
        )

    def instance(self, identifier):
        return self.ec2.describe_instances(InstanceIds=[identifier])["Reservations"][0]["Instances"][0]

    def nat_gateway(self, **parameters):
        address = self.ec2.allocate_address(Domain="vpc")
        gateway = self.ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=address["AllocationId"], **parameters)[
            "NatGateway"
        ]
        return address, gateway

    def remove(self):
        if self.instances:
            self.ec2.terminate_instances(InstanceIds=self.instances)
        for gateway in self.ec2.describe_nat_gateways(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])[
            "NatGateways"
        ]:
            self.ec2.delete_nat_gateway(NatGatewayId=gateway["NatGatewayId"])
        for address in self.ec2.describe_addresses()["Addresses"]:
            if "AssociationId" not in address:
                self.ec2.release_address(AllocationId=address["AllocationId"])


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"]
