# SPDX-License-Identifier: GPL-3.0-or-later
"""The private path: the network of both sides, functions in it, twice without a change, and gone without a trace."""

import json
import re
from dataclasses import dataclass

import pytest

from tests.integration.support import FIRST_DEPLOY, RECEIVER, Side
from tests.local_pair import LocalPair, run_playbook, started_pair

# What it takes to see a function in the subnets, and the network: the rest of a deploy is seen elsewhere.
PARTS = ("--tags", "network,kinesis_stream,queues,receiver")
LEAVING = "198.51.100.20"
SIDES = ("cn-north-1", "ap-southeast-1")
# What describes each kind of thing that a network, an instance or a function can leave behind, and what bears its id.
KINDS = {
    "describe_vpcs": ("Vpcs", "VpcId"),
    "describe_subnets": ("Subnets", "SubnetId"),
    "describe_internet_gateways": ("InternetGateways", "InternetGatewayId"),
    "describe_nat_gateways": ("NatGateways", "NatGatewayId"),
    "describe_addresses": ("Addresses", "AllocationId"),
    "describe_route_tables": ("RouteTables", "RouteTableId"),
    "describe_vpc_endpoints": ("VpcEndpoints", "VpcEndpointId"),
    "describe_security_groups": ("SecurityGroups", "GroupId"),
    "describe_network_interfaces": ("NetworkInterfaces", "NetworkInterfaceId"),
    "describe_network_acls": ("NetworkAcls", "NetworkAclId"),
    "describe_volumes": ("Volumes", "VolumeId"),
    "describe_key_pairs": ("KeyPairs", "KeyName"),
}
PLAY = """
- hosts: sides
  gather_facts: false
  environment: "{{ dynabridge_environment }}"
  tasks:
    - ansible.builtin.import_role:
"""
PROXY_PLAY = f"{PLAY}        name: proxy_instance\n"
TEARDOWN_PLAY = f"{PLAY}        name: network\n        tasks_from: teardown\n"


def deploy(pair, *arguments):
    result = run_playbook(pair, "deploy.yml", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def changed(output):
    """The recap's count of changes, by host."""
    counts = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)
    return {host: int(count) for host, count in counts}


def flat(text):
    """Output as running text: Ansible wraps messages."""
    return " ".join(text.split())


def everything(side):
    """The ids of all that is there of each kind. What AWS shows for an hour after it is gone does not count."""
    ec2 = side.client("ec2")
    found = {}
    for call, (answer, identifier) in KINDS.items():
        entries = getattr(ec2, call)()[answer]
        found[answer] = {entry[identifier] for entry in entries if entry.get("State") not in ("deleted", "deleting")}
    reservations = ec2.describe_instances()["Reservations"]
    instances = [instance for reservation in reservations for instance in reservation["Instances"]]
    found["Instances"] = {one["InstanceId"] for one in instances if one["State"]["Name"] != "terminated"}
    iam = side.client("iam")
    found["Roles"] = {role["RoleName"] for role in iam.list_roles()["Roles"]}
    profiles = iam.list_instance_profiles()["InstanceProfiles"]
    found["InstanceProfiles"] = {profile["InstanceProfileName"] for profile in profiles}
    found["Functions"] = {one["FunctionName"] for one in side.client("lambda").list_functions()["Functions"]}
    return found


@dataclass(frozen=True)
class Private:
    """Both sides with their receivers in private subnets: cn in a network that was made, sg in a VPC that was given."""

    pair: LocalPair
    cn: Side
    sg: Side
    subnets: list  # of the given VPC
    there: dict  # what there was before, by side

    @property
    def variables(self) -> tuple[str, str]:
        """Extra variables, which are the same for both hosts, and mean something on one only."""
        given = {
            "vpc_id": self.sg.client("ec2").describe_subnets(SubnetIds=self.subnets)["Subnets"][0]["VpcId"],
            "private_subnet_ids": self.subnets,
            "nat_addresses": [LEAVING],
        }
        values = {
            f"dynabridge_network_{name}": f"{{{{ {value!r} if dynabridge_side == 'sg' else {type(value)()!r} }}}}"
            for name, value in given.items()
        }
        switched_on = {"dynabridge_private_path": True, "dynabridge_network_endpoints": ["sqs"]}
        return ("-e", json.dumps(values | switched_on))

    def place(self, name: str) -> dict:
        functions = getattr(self, name).client("lambda")
        return functions.get_function_configuration(FunctionName=RECEIVER)["VpcConfig"]


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    with started_pair(tmp_path_factory.mktemp("private") / "local") as pair:
        cn, sg = Side(pair, "cn"), Side(pair, "sg")
        ec2 = sg.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
        made = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.99.{number}.0/24", AvailabilityZone=f"{sg.region}a")
            for number in (1, 2)
        ]
        subnets = [one["Subnet"]["SubnetId"] for one in made]
        before = {"cn": everything(cn), "sg": everything(sg)}
        private = Private(pair, cn, sg, subnets, before)
        (pair.directory / FIRST_DEPLOY).write_text(deploy(pair, *private.variables, *PARTS))
        yield private


def tagged(side, call, answer):
    """{part: what is described} of what bears the side's tag."""
    parameter = "Filter" if call == "describe_nat_gateways" else "Filters"
    filters = {parameter: [{"Name": "tag:dynabridge", "Values": [side.name]}]}
    found = {}
    for entry in getattr(side.client("ec2"), call)(**filters)[answer]:
        tags = {tag["Key"]: tag["Value"] for tag in entry["Tags"]}
        found[tags["dynabridge_part"]] = entry
    return found


def test_the_functions_are_in_the_private_subnets(private):
    """GIVEN both sides deployed THEN cn's receiver is in two zones, and may speak https and nothing else."""
    subnets = tagged(private.cn, "describe_subnets", "Subnets")
    place = private.place("cn")
    assert sorted(place["SubnetIds"]) == sorted(subnets[part]["SubnetId"] for part in ("private-a", "private-b"))
    assert subnets["private-a"]["AvailabilityZone"] != subnets["private-b"]["AvailabilityZone"]
    group = tagged(private.cn, "describe_security_groups", "SecurityGroups")["functions"]
    assert place["SecurityGroupIds"] == [group["GroupId"]]
    assert group["IpPermissions"] == []
    assert [(rule["FromPort"], rule["ToPort"]) for rule in group["IpPermissionsEgress"]] == [(443, 443)]


def test_ways_out(private):
    """GIVEN both sides deployed THEN private subnets leave by the NAT gateway, AWS's own services are reached by endpoints."""
    side = private.cn
    tables = tagged(side, "describe_route_tables", "RouteTables")
    nat = tagged(side, "describe_nat_gateways", "NatGateways")["nat-a"]
    for part in ("table-private-a", "table-private-b"):
        (out,) = [route for route in tables[part]["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
        assert out["NatGatewayId"] == nat["NatGatewayId"]
    endpoints = tagged(side, "describe_vpc_endpoints", "VpcEndpoints")
    assert set(endpoints) == {"endpoint-dynamodb", "endpoint-s3", "endpoint-sqs"}
    for part in ("endpoint-dynamodb", "endpoint-s3"):
        wanted = {tables[table]["RouteTableId"] for table in ("table-private-a", "table-private-b")}
        assert set(endpoints[part]["RouteTableIds"]) == wanted
    group = tagged(side, "describe_security_groups", "SecurityGroups")["endpoints"]
    assert [one["GroupId"] for one in endpoints["endpoint-sqs"]["Groups"]] == [group["GroupId"]]
    assert {rule["FromPort"] for rule in group["IpPermissions"]} == {443}


def test_each_sides_proxy_admits_the_others_address(private):
    """GIVEN both sides deployed THEN they handed the addresses over by which their traffic leaves."""
    gateway = tagged(private.cn, "describe_nat_gateways", "NatGateways")["nat-a"]
    leaving = {"cn": gateway["NatGatewayAddresses"][0]["PublicIp"], "sg": LEAVING}
    for side, peer in ((private.cn, "sg"), (private.sg, "cn")):
        (rule,) = tagged(side, "describe_security_groups", "SecurityGroups")["proxy"]["IpPermissions"]
        assert (rule["FromPort"], rule["ToPort"]) == (80, 80)
        assert [entry["CidrIp"] for entry in rule["IpRanges"]] == [f"{leaving[peer]}/32"]


def test_a_vpc_that_was_given(private):
    """GIVEN a VPC of the user's THEN groups were made in it and nothing else, and what it lacks was said."""
    assert sorted(private.place("sg")["SubnetIds"]) == sorted(private.subnets)
    made = {kind: ids - private.there["sg"][kind] for kind, ids in everything(private.sg).items()}
    network = {kind: len(ids) for kind, ids in made.items() if ids and kind not in ("Roles", "Functions")}
    assert network == {"SecurityGroups": 2, "NetworkInterfaces": 2}, "the interfaces are the receiver's"
    said = flat((private.pair.directory / FIRST_DEPLOY).read_text())
    assert "The functions' subnets are all in ap-southeast-1a" in said and "The VPC has no endpoint of s3" in said


def test_a_subnet_of_another_vpc_is_refused(private):
    there = everything(private.sg)
    wrong = {"dynabridge_network_private_subnet_ids": [sorted(there["Subnets"] - set(private.subnets))[0]]}
    arguments = (*private.variables, "-e", json.dumps(wrong), "--tags", "network", "--limit", "sg")
    refused = run_playbook(private.pair, "deploy.yml", *arguments)
    assert refused.returncode != 0 and "which is no subnet of vpc-" in flat(refused.stdout)
    assert everything(private.sg) == there


def test_second_run_changes_nothing(private):
    """GIVEN both sides deployed WHEN deployed again, and checked with --diff THEN changed=0."""
    again = deploy(private.pair, *private.variables, "--tags", "network,receiver")
    assert changed(again) == dict.fromkeys(SIDES, 0), again
    checked = deploy(private.pair, *private.variables, "--tags", "network", "--limit", "cn", "--check", "--diff")
    assert changed(checked) == {"cn-north-1": 0}, checked


@pytest.mark.long
def test_switched_off_and_on_again(private):
    """GIVEN the switch off WHEN the receiver is deployed by its tag alone THEN it leaves the VPC; with the switch on it finds its
    subnets again."""
    before = private.place("cn")
    only = ("--tags", "receiver", "--limit", "cn")
    deploy(private.pair, *only)
    assert private.place("cn")["SubnetIds"] == []
    deploy(private.pair, *private.variables, *only)
    assert private.place("cn") == before


@pytest.mark.long
def test_check_mode_on_an_empty_account_says_what_it_would_make(empty_pair):
    """GIVEN nothing deployed WHEN checked THEN every part of the network is named, and none is made."""
    side = Side(empty_pair, "cn")
    before = everything(side)
    private = ("-e", "dynabridge_private_path=true")
    output = flat(deploy(empty_pair, *private, "--tags", "network", "--limit", "cn", "--check"))
    for words in ("Would make the VPC, its internet gateway, subnet 10.10.0.0/24 in cn-north-1a", "NAT gateway nat-a",
                  "endpoint of s3 (Gateway)", "security groups dynabridge-cn-functions"):  # fmt: skip
        assert words in output
    assert everything(side) == before


def test_an_instance_for_the_proxy(private, tmp_path):
    """GIVEN a network WHEN the instance is made, twice THEN once, locked down as it should be, and reached by its own address."""
    play = tmp_path / "proxy_instance.yml"
    play.write_text(PROXY_PLAY)
    runs = [run_playbook(private.pair, str(play), *private.variables, "--limit", "cn") for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0], runs[-1].stdout + runs[-1].stderr
    assert changed(runs[1].stdout) == {"cn-north-1": 0}
    instance = proxy(private.cn)
    assert instance["InstanceType"] == "c5.large" and not instance.get("KeyName")
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert [group["GroupName"] for group in instance["SecurityGroups"]] == ["dynabridge-cn-proxy"]
    subnets = tagged(private.cn, "describe_subnets", "Subnets")
    assert instance["SubnetId"] == subnets["public-a"]["SubnetId"]
    address = tagged(private.cn, "describe_addresses", "Addresses")["proxy"]
    assert address["PublicIp"] == instance["PublicIpAddress"] and address["InstanceId"] == instance["InstanceId"]
    volume = instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    (disk,) = private.cn.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"]
    assert (disk["Encrypted"], disk["VolumeType"], disk["Size"]) == (True, "gp3", 20)
    (policy,) = private.cn.client("iam").list_attached_role_policies(RoleName="dynabridge-cn-proxy")["AttachedPolicies"]
    assert policy["PolicyArn"] == "arn:aws-cn:iam::aws:policy/AmazonSSMManagedInstanceCore"


def proxy(side):
    filters = [
        {"Name": "tag:dynabridge_part", "Values": ["proxy"]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    (reservation,) = side.client("ec2").describe_instances(Filters=filters)["Reservations"]
    return reservation["Instances"][0]


def test_teardown_leaves_nothing(private, tmp_path):
    """GIVEN networks with functions in them WHEN torn down THEN check mode takes nothing, and the run takes all, in an order that
    AWS allows, but not the VPC that was given. Nobody needs the pair after this."""
    play = tmp_path / "teardown.yml"
    play.write_text(TEARDOWN_PLAY)
    there = everything(private.cn)
    checked = run_playbook(private.pair, str(play), *private.variables, "--check", "--limit", "cn")
    assert checked.returncode == 0 and changed(checked.stdout)["cn-north-1"] >= 7, checked.stdout + checked.stderr
    assert everything(private.cn) == there

    given = ("-e", "confirm=cn,sg", "-e", "network_wait_delay_seconds=1")
    removed = run_playbook(private.pair, "teardown.yml", *private.variables, *given)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert "Wait until Lambda has taken the interfaces of the functions away" in removed.stdout
    for side in (private.cn, private.sg):
        left = {kind: ids ^ private.there[side.name][kind] for kind, ids in everything(side).items()}
        assert {kind: ids for kind, ids in left.items() if ids} == {}
