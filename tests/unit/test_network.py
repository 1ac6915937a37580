# SPDX-License-Identifier: GPL-3.0-or-later
"""A side's network: its plan, the rules of its groups, and what is wrong with what the inventory says."""

import pytest

from dynabridge import network, network_problems
from tests.variations import changed

SUBJECT = {
    "private_path": True,
    "cidrs": {"cn": "10.10.0.0/16", "sg": "10.20.0.0/16"},
    "zones": ["a", "b"],
    "public_cidrs": ["10.10.0.0/24", "10.10.1.0/24"],
    "private_cidrs": ["10.10.16.0/20", "10.10.32.0/20"],
    "endpoints": ["sqs"],
    "vpc_id": "",
    "private_subnet_ids": [],
    "public_subnet_ids": [],
    "nat_addresses": [],
    "peer_nat_addresses": ["198.51.100.7"],
    "proxy_instance": True,
    "proxy_ssh_cidr": "203.0.113.0/28",
}
GIVEN_SUBJECT = SUBJECT | {"vpc_id": "vpc-0123456789abcdef0", "private_subnet_ids": ["subnet-0123456789abcdef0"]}
WANTED = {
    "region": "cn-north-1",
    "zones": ["a", "b"],
    "public_cidrs": SUBJECT["public_cidrs"],
    "private_cidrs": SUBJECT["private_cidrs"],
    "nat_per_zone": False,
    "endpoints": ["sqs"],
}
NOTHING = {kind: [] for kind in ("vpcs", "subnets", "nat_gateways", "addresses", "route_tables", "endpoints")}


class TestPlan:
    def test_one_gateway_serves_all_zones(self):
        """GIVEN two zones WHEN planned with one NAT gateway THEN both private subnets leave by it."""
        plan = network.plan(WANTED)
        assert [(one["part"], one["cidr"], one["zone"]) for one in plan["subnets"]] == [
            ("public-a", "10.10.0.0/24", "cn-north-1a"),
            ("public-b", "10.10.1.0/24", "cn-north-1b"),
            ("private-a", "10.10.16.0/20", "cn-north-1a"),
            ("private-b", "10.10.32.0/20", "cn-north-1b"),
        ]
        assert plan["nat_gateways"] == [{"part": "nat-a", "subnet": "public-a"}]
        assert [(one["subnet"], one["nat"]) for one in plan["private_tables"]] == [
            ("private-a", "nat-a"),
            ("private-b", "nat-a"),
        ]
        assert [(one["service"], one["type"]) for one in plan["endpoints"]] == [
            ("dynamodb", "Gateway"),
            ("s3", "Gateway"),
            ("sqs", "Interface"),
        ]

    def test_one_gateway_for_each_zone(self):
        plan = network.plan(WANTED | {"nat_per_zone": True})
        assert [one["part"] for one in plan["nat_gateways"]] == ["nat-a", "nat-b"]
        assert [one["nat"] for one in plan["private_tables"]] == ["nat-a", "nat-b"]

    def test_what_is_missing_is_named(self):
        """GIVEN an empty account, and one where only the endpoint of sqs lacks THEN the words say so."""
        plan = network.plan(WANTED)
        words = network.missing_parts(plan, NOTHING | {"internet_gateways": []})
        assert words[0] == "the VPC" and words[-1] == "endpoint of sqs (Interface)"
        assert len(words) == 2 + 4 + 2 + 3 + 3
        there = NOTHING | {
            "vpcs": [{"part": "vpc"}, {"part": "gateway"}],
            "subnets": [{"part": one["part"]} for one in plan["subnets"]],
            "addresses": [{"part": "nat-a"}],
            "nat_gateways": [{"part": "nat-a"}],
            "route_tables": [{"part": part} for part in ("table-public", "table-private-a", "table-private-b")],
            "endpoints": [{"part": "endpoint-dynamodb"}, {"part": "endpoint-s3"}],
        }
        assert network.missing_parts(plan, there) == ["endpoint of sqs (Interface)"]

    def test_what_is_wanted_no_more(self):
        """GIVEN a gateway for each zone, and ssm WHEN one gateway is wanted THEN these go, the proxy's address stays."""
        there = NOTHING | {
            "nat_gateways": [{"part": "nat-a"}, {"part": "nat-b"}],
            "addresses": [{"part": "nat-a"}, {"part": "nat-b"}, {"part": "proxy"}],
            "endpoints": [{"part": "endpoint-sqs"}, {"part": "endpoint-ssm"}],
        }
        assert network.surplus(network.plan(WANTED), there) == {
            "nat_gateways": [{"part": "nat-b"}],
            "addresses": [{"part": "nat-b"}],
            "endpoints": [{"part": "endpoint-ssm"}],
        }

    def test_endpoints_in_other_places(self):
        """GIVEN a zone more than the endpoint of s3 was made for WHEN planned THEN it is named, and no other."""
        there = [
            {"part": "endpoint-s3", "places": ["rtb-1"]},
            {"part": "endpoint-dynamodb", "places": ["rtb-1", "rtb-2"]},
            {"part": "endpoint-sqs", "places": ["subnet-1"]},
            {"part": "endpoint-ssm", "places": []},
        ]
        places = {"Gateway": ["rtb-2", "rtb-1"], "Interface": ["subnet-1"]}
        assert network.misplaced(network.plan(WANTED), there, places) == there[:1]

    def test_ids_of_what_was_made(self):
        results = [
            {"item": {"part": "public-a"}, "subnet": {"id": "subnet-1"}},
            {"item": {"part": "public-b"}, "subnet": {}},
            {"item": {"part": "private-a"}, "skipped": True},
        ]
        assert network.made(results, "subnet.id") == {"public-a": "subnet-1"}
        assert network.by_part([{"part": "nat-a", "id": "eipalloc-1"}, {"part": "", "id": "eipalloc-2"}]) == {
            "nat-a": "eipalloc-1"
        }

    def test_a_service_bears_the_name_that_its_region_gives_it(self):
        """GIVEN names as China has them WHEN a service is looked for THEN by its end and its type."""
        services = [
            {"service_name": f"{start}.cn-north-1.{end}", "service_type": [{"service_type": kind}]}
            for start, end, kind in (
                ("com.example", "s3", "Gateway"),
                ("cn.com.example", "s3", "Interface"),
                ("cn.com.example", "sqs", "Interface"),
            )
        ]
        assert network.service_name(services, "cn-north-1", "s3", "Interface") == "cn.com.example.cn-north-1.s3"
        assert network.service_name(services, "cn-north-1", "sqs", "Gateway") == ""


class TestRules:
    @pytest.mark.parametrize(
        ("use_proxy", "server", "more"),
        [
            ("FALSE", "198.51.100.9:80", []),
            ("TRUE", "198.51.100.9:80", [(80, ["198.51.100.9/32"])]),
            ("TRUE", "proxy.example.com:3128", [(3128, ["0.0.0.0/0"])]),
            ("TRUE", "198.51.100.9:443", []),
        ],
    )
    def test_functions_speak_https_and_to_the_proxy(self, use_proxy, server, more):
        rules = network.function_egress(use_proxy, server)
        assert [(rule["ports"][0], rule["cidr_ip"]) for rule in rules] == [(443, ["0.0.0.0/0"]), *more]

    def test_the_proxy_serves_the_peer_alone(self):
        """GIVEN the peer's addresses THEN they may use the proxy's port; SSH only from a CIDR that was given."""
        (rule,) = network.proxy_ingress(80, ["198.51.100.8", "198.51.100.7"], "")
        assert (rule["ports"], rule["cidr_ip"]) == ([80], ["198.51.100.7/32", "198.51.100.8/32"])
        (ssh,) = network.proxy_ingress(80, [], "203.0.113.0/28")
        assert (ssh["ports"], ssh["cidr_ip"]) == ([22], ["203.0.113.0/28"])


class TestProblems:
    def test_what_is_right_has_none(self):
        assert network_problems.network_problems(SUBJECT, "cn") == []
        assert network_problems.network_problems(GIVEN_SUBJECT, "cn") == []
        off = changed(SUBJECT, ("private_path",), False) | {"proxy_instance": False, "zones": []}
        assert network_problems.network_problems(off, "cn") == []

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("private_path", "maybe", "dynabridge_private_path is 'maybe', but must be true or false"),
            ("private_path", False, "dynabridge_proxy_instance is true, but dynabridge_private_path is not"),
            ("zones", ["a"], "must be two or more letters of zones"),
            ("zones", ["a", "a"], "each once"),
            ("zones", ["a", "cn-north-1b"], "letters of zones"),
            ("zones", ["a", "b", "c"], "dynabridge_network_public_cidrs.cn has 2 subnets, but there are 3 zones"),
            ("cidrs", {"cn": "10.10.0.0/33", "sg": "10.20.0.0/16"}, "dynabridge_network_cidrs.cn is '10.10.0.0/33'"),
            ("cidrs", {"cn": "10.10.0.1/16", "sg": "10.20.0.0/16"}, "has host bits set"),
            ("cidrs", {"cn": "10.0.0.0/8", "sg": "11.0.0.0/16"}, "AWS takes /16 to /28 only"),
            ("cidrs", {"cn": "fd00::/16", "sg": "10.20.0.0/16"}, "must be of IPv4"),
            (
                "cidrs",
                {"cn": "10.10.0.0/16", "sg": "10.10.128.0/17"},
                "for cn and 10.10.128.0/17 for sg, which overlap",
            ),
            ("private_cidrs", ["10.10.16.0/20", "10.11.0.0/20"], "10.11.0.0/20, which does not lie in 10.10.0.0/16"),
            ("private_cidrs", ["10.10.16.0/20", "10.10.1.0/25"], "10.10.1.0/25, which overlaps with 10.10.1.0/24"),
            ("endpoints", ["s3"], "has 's3', which has its gateway endpoint already"),
            ("endpoints", ["com/sqs"], "takes services as AWS names them"),
            ("private_subnet_ids", ["subnet-0123456789abcdef0"], "but dynabridge_network_vpc_id is empty"),
            ("peer_nat_addresses", ["198.51.100.0/24"], "dynabridge_peer_nat_addresses has '198.51.100.0/24'"),
            ("proxy_ssh_cidr", "0.0.0.0/0", "which lets more than a network of your own knock"),
            ("proxy_ssh_cidr", "somewhere", "dynabridge_proxy_ssh_cidr is 'somewhere', which is no network"),
        ],
    )
    def test_what_is_wrong_is_said(self, field, value, words):
        found = network_problems.network_problems(SUBJECT | {field: value}, "cn")
        assert words in "\n".join(found)

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("vpc_id", "my-vpc", "'my-vpc', which is no id of a VPC"),
            ("private_subnet_ids", [], "dynabridge_network_private_subnet_ids is empty"),
            ("private_subnet_ids", ["10.1.0.0/24"], "'10.1.0.0/24', which is no id of a subnet"),
        ],
    )
    def test_what_is_wrong_with_a_vpc_that_is_given(self, field, value, words):
        (found,) = network_problems.network_problems(GIVEN_SUBJECT | {field: value}, "cn")
        assert words in found


GIVEN = {
    "exists": True,
    "subnets": [{"id": "subnet-1", "zone": "cn-north-1a"}, {"id": "subnet-2", "zone": "cn-north-1b"}],
    "services": ["com.example.cn-north-1.dynamodb", "com.example.cn-north-1.s3"],
}


class TestGivenVpc:
    def test_a_vpc_that_fits(self):
        assert network_problems.given_problems(GIVEN, "vpc-1", ["subnet-1", "subnet-2"], []) == []
        assert network_problems.given_warnings(GIVEN, "cn-north-1", ["subnet-1", "subnet-2"], ["198.51.100.7"]) == []

    def test_a_vpc_that_does_not(self):
        """GIVEN no such VPC, or a subnet of another THEN one sentence each."""
        (none,) = network_problems.given_problems({"exists": False, "subnets": []}, "vpc-1", ["subnet-1"], [])
        assert "no such VPC" in none
        (other,) = network_problems.given_problems(GIVEN, "vpc-1", ["subnet-1"], ["subnet-9"])
        assert "dynabridge_network_public_subnet_ids names subnet-9, which is no subnet of vpc-1" in other

    def test_what_to_know_of_it(self):
        """GIVEN one zone, no endpoints and no way out THEN each is said, and nothing is refused."""
        warnings = network_problems.given_warnings(GIVEN | {"services": []}, "cn-north-1", ["subnet-1"], [])
        assert [text.split(":")[0] for text in warnings] == [
            "The functions' subnets are all in cn-north-1a",
            "The VPC has no endpoint of dynamodb",
            "The VPC has no endpoint of s3",
            "The VPC has no NAT gateway, and dynabridge_network_nat_addresses is empty",
        ]
