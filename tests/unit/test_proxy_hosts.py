# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proxy lets through, and what it cannot be told."""

import boto3
import pytest
from ansible.errors import AnsibleFilterError

from plugins.filter.dynabridge_proxy import FilterModule

FILTERS = FilterModule().filters()
SUBJECT = {
    "region": "cn-north-1",
    "clients": ["203.0.113.7"],
    "wide_clients": False,
    "services": ["dynamodb", "kinesis"],
    "buckets": ["dynabridge-backup-cn-1"],
    "extra_hosts": ["proxy-test.example.com"],
    "port": 80,
}
SIDES = {"cn": {"peer": "sg"}, "sg": {"peer": "cn"}}
CALLS = {
    "dynamodb": ("dynamodb", "list_tables", {}),
    "dynamodbstreams": ("dynamodbstreams", "list_streams", {}),
    "kinesis": ("kinesis", "list_streams", {}),
    "sts": ("sts", "get_caller_identity", {}),
}


def asked_host(region, service, operation, parameters):
    """The host that botocore would call."""
    client = boto3.client(service, region_name=region, aws_access_key_id="key", aws_secret_access_key="secret")
    seen = []

    def stop(request, **_more):
        seen.append(request.url.split("/")[2])
        raise InterruptedError

    client.meta.events.register("before-send.*", stop)
    with pytest.raises(InterruptedError):
        getattr(client, operation)(**parameters)
    return seen[0]


@pytest.mark.parametrize("region", ["cn-north-1", "ap-southeast-1", "us-east-1"])
def test_the_names_are_those_that_clients_call(region):
    """GIVEN a region of any partition WHEN each service is called THEN its name passes, and S3's own does not."""
    found = FILTERS["dynabridge_proxy_hosts"](region, list(CALLS), ["one-bucket"])
    called = {asked_host(region, *call) for call in CALLS.values()}
    called.add(asked_host(region, "s3", "list_objects_v2", {"Bucket": "one-bucket"}))
    assert set(found) >= called and not any(host.startswith("s3.") for host in found)


def test_china_has_its_own_suffix():
    found = FILTERS["dynabridge_proxy_hosts"]("cn-north-1", ["kinesis"], [], ["Extra.Example.com"])
    assert found == ["extra.example.com", "kinesis.cn-north-1.amazonaws.com.cn"]


def test_a_sound_subject_has_no_problems():
    assert FILTERS["dynabridge_proxy_problems"](SUBJECT) == []


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("clients", [], "squid_proxy_clients is empty"),
        ("clients", ["0.0.0.0/0"], "which is everybody"),
        ("clients", ["::/0"], "which is everybody"),
        ("clients", ["203.0.112.0/20"], "4,096 addresses"),
        ("clients", ["203.0.113.7/24"], "has host bits set"),
        ("clients", ["nat.example.com"], "must be an address or a network"),
        ("services", ["lambda"], "squid_proxy_services names 'lambda': it must be one of dynamodb, dynamodbstreams"),
        ("buckets", ["*"], "a wildcard would let other people's buckets through"),
        ("buckets", ["my.bucket"], "asked for by path"),
        ("buckets", ["Bucket"], "small letters"),
        ("extra_hosts", [".example.com"], "without wildcard, leading dot"),
        ("extra_hosts", ["example.com:443"], "without wildcard, leading dot"),
        ("extra_hosts", ["203.0.113.9"], "no address"),
        ("extra_hosts", ["S3.cn-north-1.amazonaws.com.cn"], "by which every bucket of everybody can be reached"),
        ("port", "http", "squid_proxy_port is 'http'"),
        ("port", 0, "squid_proxy_port is '0'"),
        ("region", "mars-north-1", "botocore knows no region 'mars-north-1'"),
    ],
)
def test_what_a_proxy_cannot_be_told(variable, value, said):
    """GIVEN one wrong value WHEN it is looked at THEN one sentence says which, where and why."""
    found = FILTERS["dynabridge_proxy_problems"]({**SUBJECT, variable: value})
    assert len(found) == 1 and said in found[0]


def test_nothing_to_let_through():
    found = FILTERS["dynabridge_proxy_problems"]({**SUBJECT, "services": [], "buckets": [], "extra_hosts": []})
    assert len(found) == 1 and "nothing would pass" in found[0]


def test_a_wide_network_that_is_meant():
    assert FILTERS["dynabridge_proxy_problems"]({**SUBJECT, "clients": ["10.0.0.0/8"], "wide_clients": True}) == []


def test_clients_within_clients_are_told_once():
    """GIVEN an address of a network that is given too THEN only the network stays: squid would drop it for the address."""
    given = ["203.0.113.7", "203.0.113.0/24", "203.0.113.7", "2001:db8::1", "198.51.100.1/32"]
    assert FILTERS["dynabridge_proxy_clients"](given) == ["198.51.100.1", "203.0.113.0/24", "2001:db8::1"]


def test_an_unknown_service_is_named():
    with pytest.raises(AnsibleFilterError, match="knows no service lambda"):
        FILTERS["dynabridge_proxy_hosts"]("cn-north-1", ["lambda"])


class TestProxies:
    """Which proxies are there, and whom they admit."""

    def test_the_hosts_of_the_group(self):
        hostvars = {
            "one": {"ansible_host": "203.0.113.7", "dynabridge_proxy_port": 80, "dynabridge_side": "cn"},
            "two.example.com": {"dynabridge_proxy_port": 80, "squid_proxy_port": 3128, "dynabridge_side": "sg"},
            "three": {
                "ansible_host": "10.0.0.1",
                "dynabridge_proxy_address": "2001:db8::7",
                "dynabridge_proxy_port": 80,
            },
        }
        assert FILTERS["dynabridge_proxies"](list(hostvars), hostvars) == [
            {"server": "203.0.113.7:80", "side": "cn"},
            {"server": "two.example.com:3128", "side": "sg"},
            {"server": "[2001:db8::7]:80", "side": ""},
        ]

    @pytest.mark.parametrize(
        ("server", "side", "said"),
        [
            ("203.0.113.7:80", "us", "stands at side 'us', which is not cn or sg"),
            ("203.0.113.7:http", "cn", "must be host:port"),
            ("user:secret@203.0.113.7:80", "cn", "The proxy 203.0.113.7:80 is given with a name and a password"),
        ],
    )
    def test_one_that_cannot_be_asked(self, server, side, said):
        found = FILTERS["dynabridge_proxy_check_problems"]([{"server": server, "side": side}], SIDES)
        assert len(found) == 1 and said in found[0] and "secret" not in found[0]

    def test_none_to_ask(self):
        assert "no host in the group proxy" in FILTERS["dynabridge_proxy_check_problems"]([], SIDES)[0]

    def test_one_that_can_be_asked(self):
        assert FILTERS["dynabridge_proxy_check_problems"]([{"server": "p:80", "side": "cn"}], SIDES) == []

    def test_what_must_not_pass_is_named_unless_it_may(self):
        """GIVEN a proxy of a region that also serves sqs THEN sqs is not asked for as foreign."""
        allowed = FILTERS["dynabridge_proxy_hosts"]("cn-north-1", ["kinesis"], [], ["sqs.cn-north-1.amazonaws.com.cn"])
        found = FILTERS["dynabridge_proxy_foreign"]("cn-north-1", "ap-southeast-1", allowed)
        assert sorted(found) == ["another bucket", "another region", "any bucket by path"]
        assert found["another region"] == "kinesis.ap-southeast-1.amazonaws.com"

    @pytest.mark.parametrize(
        ("hostvars", "found"),
        [
            ({"a": {"dynabridge_nat_addresses": ["203.0.113.1"]}}, ["203.0.113.1"]),
            ({"a": {}, "b": {"dynabridge_peer_nat_addresses": ["203.0.113.2"]}}, ["203.0.113.2"]),
            ({"a": {}, "b": {}}, []),
        ],
    )
    def test_clients_are_the_peers_ways_out(self, hostvars, found):
        """GIVEN the peer's own host in the play, or what this side was told of it THEN its addresses are the clients."""
        groups = {"sg": [name for name in hostvars if name == "a"], "cn": [name for name in hostvars if name == "b"]}
        assert FILTERS["dynabridge_proxy_peers"](hostvars, groups, SIDES, "cn") == found
        assert FILTERS["dynabridge_proxy_peers"](hostvars, groups, SIDES, "") == []
