# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication over TLS through a real squid: nothing of either sender's gets to the other side but by CONNECT."""

import contextlib
import re
import time

import pytest

from tests.faults.load import Load
from tests.integration.support import SENDER, Bridge, eventually
from tests.integration.test_deploy import deploy
from tests.local_pair import run_playbook, started_pair
from tests.proxy_world.requirements import what_is_missing
from tests.proxy_world.world import endpoint, proxy_world

# Side -> what its peer's sender asks for. The names mean these servers to squid alone: without it there is no way.
KINESIS = {"cn": endpoint("kinesis", "cn-north-1"), "sg": endpoint("kinesis", "ap-southeast-1")}
ALLOWED = {
    "squid_proxy_region": "ap-southeast-1",
    "squid_proxy_services": ["kinesis"],
    "squid_proxy_extra_hosts": [KINESIS["cn"]],
}
OUTAGE = 30.0


@pytest.fixture(scope="module")
def world():
    if what_is_missing():
        pytest.skip(what_is_missing())
    with proxy_world({KINESIS["cn"]: 0, KINESIS["sg"]: 1}, ALLOWED) as made:
        yield made


@pytest.fixture(scope="module")
def pair(world, tmp_path_factory):
    """Both sides, each with a door by TLS at the address that squid knows; their senders go through the proxy."""
    doors = [f"--{side}-tls={address}" for side, address in zip(("cn", "sg"), world.network.servers, strict=False)]
    directory = tmp_path_factory.mktemp("proxied") / "local"
    with started_pair(directory, *doors, f"--tls-certificate={world.certificate}") as made:
        proxy = {
            "dynabridge_use_proxy": "TRUE",
            "dynabridge_proxy_server": world.network.proxy,
            "dynabridge_local_ca_bundle": world.bundle,
        }
        options = [word for name, value in proxy.items() for word in ("-e", f"{name}={value}")]
        deploy(made, *options, "--skip-tags", "backup,alarms")
        yield made


def passed(squid, name):
    """Bytes that went to the host through tunnels that have ended."""
    lines = squid.log(f"to={name}:443", "TCP_TUNNEL/200")
    return sum(int(re.search(r"received=(\d+)", line)[1]) for line in lines)


def test_2000_items_a_side_go_through_the_proxy(world, pair):
    """GIVEN senders that know the peer by its real name WHEN 2,000 items are written on each side THEN the tables are equal, and
    the proxy's log says by which way it came."""
    result = run_playbook(pair, "load_test.yml", "-e", "load_test_items=1000", "-e", "load_test_processes=2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "user-cn (4,000 items) and user-sg (4,000 items) are equal" in result.stdout, result.stdout
    bridge = Bridge.of(pair)
    for side in (bridge.cn, bridge.sg):
        side.forget(SENDER)  # a tunnel is in the log when it ends
    for name in KINESIS.values():
        eventually(lambda name=name: passed(world.squid, name) > 50_000)
    assert world.squid.log("TCP_DENIED") == []


@contextlib.contextmanager
def without(squid, name):
    """The proxy up, and this host not among those that it lets through."""
    whole = squid.configuration.read_text()
    squid.configuration.write_text(
        "".join(line for line in whole.splitlines(True) if f"dstdomain -n {name}" not in line)
    )
    squid.start()
    try:
        yield
    finally:
        squid.stop()
        squid.configuration.write_text(whole)


def test_a_proxy_that_is_away_under_load_loses_nothing(world, pair):
    """GIVEN a load on both sides WHEN squid is stopped for half a minute, and then refuses one of the hosts THEN each sender
    says which of both it is, and afterwards both tables hold all that was acknowledged."""
    bridge = Bridge.of(pair)
    with Load(bridge, seed=1) as load:
        time.sleep(3)
        world.squid.stop()
        since = time.time()
        time.sleep(OUTAGE)
        for side, host in ((bridge.cn, KINESIS["sg"]), (bridge.sg, KINESIS["cn"])):
            words = ("PeerUnreachable", f"http://{world.network.proxy}", "cannot be reached (connection refused)", host)
            eventually(lambda side=side, words=words: side.logged(SENDER, since, *words))
        assert not bridge.cn.logged(SENDER, since, "refused CONNECT")
        with without(world.squid, KINESIS["cn"]):
            words = ("PeerUnreachable", f"refused CONNECT {KINESIS['cn']}:443 (403 Forbidden)")
            eventually(lambda: bridge.sg.logged(SENDER, since, *words))
            assert bridge.sg.problem(SENDER)
        world.squid.start()
        time.sleep(3)
    items = list(bridge.at_rest().values())
    assert load.acknowledged > 500
    assert load.lost(items) == []
    result = run_playbook(pair, "compare.yml")
    assert result.returncode == 0 and "are equal" in result.stdout, result.stdout + result.stderr
