# SPDX-License-Identifier: GPL-3.0-or-later
"""What the proxy lets through and what not: real requests, through a real squid, with the role's configuration."""

import re

import pytest

from tests.integration.support import eventually
from tests.proxy_world.far_side import answer, connect, get_over_tls, status, tls_server
from tests.proxy_world.requirements import what_is_missing
from tests.proxy_world.world import endpoint, proxy_world

pytestmark = pytest.mark.integration
PEER, ELSEWHERE = "ap-southeast-1", "ap-southeast-2"
S3, KINESIS = endpoint("s3", PEER), endpoint("kinesis", PEER)
REACHED = [
    KINESIS,
    *(endpoint(service, PEER) for service in ("dynamodb", "streams.dynamodb", "sts")),
    f"dynabridge-files.{S3}",
]
METADATA = "169.254.169.254"
# Names that somebody was persuaded to allow, and that lead inwards.
INWARD = {
    "metadata.dynabridge.test": METADATA,
    "loopback.dynabridge.test": "127.0.0.1",
    "private.dynabridge.test": "10.1.2.3",
}
ALLOWED = {
    "squid_proxy_region": PEER,
    "squid_proxy_services": ["dynamodb", "dynamodbstreams", "kinesis", "sts"],
    "squid_proxy_buckets": ["dynabridge-files"],
    "squid_proxy_extra_hosts": list(INWARD),
}
REFUSED_NAMES = {
    "another region": endpoint("kinesis", ELSEWHERE),
    "the other partition": endpoint("kinesis", "cn-north-1"),
    "another service": endpoint("sqs", PEER),
    "another bucket": f"somebody-elses.{S3}",
    "S3 by path": S3,
    "a name below an allowed one": f"evil.{KINESIS}",
    "a name that ends like an allowed one": f"evil-{KINESIS}",
}


@pytest.fixture(scope="module")
def world():
    if what_is_missing():
        pytest.skip(what_is_missing())
    with proxy_world(dict.fromkeys([*REACHED, *REFUSED_NAMES.values()], 0) | INWARD, ALLOWED) as made:
        yield made


@pytest.fixture
def far_side(world):
    """All names lead to this one server: what does not get there was kept back by the proxy."""
    with tls_server(world.network.servers[0], world.certificate) as asked:
        yield asked


def refused(world, target, source=None):
    """The proxy answers CONNECT with 403, and writes down that it did."""
    source = source or world.network.client
    words = (f"client={source} ", "method=CONNECT ", "TCP_DENIED/403")
    before = len(world.squid.log(*words))
    assert connect(world.squid.address, target, source) == 403
    return eventually(lambda: len(world.squid.log(*words)) > before, 10)


@pytest.mark.parametrize("name", REACHED)
def test_the_peers_endpoints_pass(world, far_side, name):
    """GIVEN the allowed address WHEN it asks a named host over TLS THEN the host's own certificate answers."""
    assert get_over_tls(world.squid.address, name, world.network.client, world.bundle) == (200, f"at {name}")
    eventually(lambda: world.squid.log(f"client={world.network.client} ", f"to={name}:443", "TCP_TUNNEL/200"), 10)


def test_what_passes_is_told_nothing_of_who_asks(world, far_side):
    """GIVEN a tunnel THEN the host sees what the client sent, byte for byte, and no header of a proxy. Plain requests, which
    squid could add headers to, are refused; the configuration has them off all the same."""
    get_over_tls(world.squid.address, KINESIS, world.network.client, world.bundle)
    assert far_side == [{"Host": KINESIS, "Connection": "close"}]
    configuration = world.squid.configuration.read_text().splitlines()
    assert {"via off", "forwarded_for delete", "cache deny all"} <= set(configuration)


def test_another_address_is_refused(world, far_side):
    """GIVEN an address that is not the peer's WHEN it asks for what the peer may have THEN it gets nothing."""
    assert refused(world, f"{KINESIS}:443", source=world.network.stranger)
    assert far_side == []


@pytest.mark.parametrize("what", REFUSED_NAMES)
def test_other_names_are_refused(world, far_side, what):
    """GIVEN a host that exists and answers, and is not named THEN it is refused."""
    assert refused(world, f"{REFUSED_NAMES[what]}:443")
    assert far_side == []


@pytest.mark.parametrize("port", [22, 80, 8443])
def test_other_ports_are_refused(world, port):
    assert refused(world, f"{KINESIS}:{port}")


def test_the_address_of_an_allowed_host_is_refused(world, far_side):
    """GIVEN an address that the resolver knows as an allowed name WHEN asked for by number THEN it is refused: whoever owns an
    address decides what name it has."""
    assert refused(world, f"{world.network.servers[0]}:443")
    assert far_side == []


@pytest.mark.parametrize(
    "address", [METADATA, "127.0.0.1", "10.1.2.3", "2852039166", "[fd00:ec2::254]", "[::1]", "localhost"]
)
def test_inward_addresses_are_refused(world, address):
    """GIVEN the metadata service, the machine itself or its neighbours, in any spelling THEN they are refused."""
    assert refused(world, f"{address}:443")


@pytest.mark.parametrize("name", INWARD)
def test_an_allowed_name_that_leads_inwards_is_refused(world, name):
    """GIVEN an allowed name whose owner points it at the metadata service THEN it is refused."""
    assert refused(world, f"{name}:443")


@pytest.mark.parametrize(
    "request_line",
    [
        f"GET http://{KINESIS}/",
        f"POST http://{KINESIS}:443/",
        f"GET https://{KINESIS}/",
        f"GET http://{METADATA}/latest/meta-data/",
        "GET cache_object://localhost/info",
        "GET http://proxy.test/squid-internal-mgr/info",
        "GET /squid-internal-mgr/menu",
        "PURGE http://localhost/",
    ],
)
def test_anything_but_connect_is_refused(world, far_side, request_line):
    """GIVEN plain HTTP, or squid's own manager THEN it is refused, and the page does not name squid's version."""
    host = f"Host: {KINESIS}\r\nContent-Length: 0\r\n\r\n"
    said = answer(world.squid.address, f"{request_line} HTTP/1.1\r\n{host}", world.network.client)
    assert status(said) in (400, 403), said
    assert not re.search(rb"squid/\d", said) and far_side == []


def test_without_dash_n_a_number_would_pass(world):
    """The one option that is easily left out: every dstdomain of the configuration has it."""
    lines = [
        line for line in world.squid.configuration.read_text().splitlines() if "dstdomain" in line and line[0] != "#"
    ]
    assert len(lines) == len(REACHED) + len(INWARD) and all("dstdomain -n " in line for line in lines)
