# SPDX-License-Identifier: GPL-3.0-or-later
"""proxy.yml and proxy_check.yml as commands: what they refuse before anything changes, and what they tell of a proxy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from plugins.filter.dynabridge_proxy import hosts
from tests.local_pair import REPOSITORY
from tests.proxy_world.authority import make_authority
from tests.proxy_world.fake_proxy import FakeProxy

pytestmark = pytest.mark.integration
SERVICES = ["dynamodb", "dynamodbstreams", "kinesis", "sts"]
ALLOWED = hosts("cn-north-1", SERVICES)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("authority"), ALLOWED)


@pytest.fixture
def play(tmp_path):
    """play(playbook, variables of the one host of group proxy or None, *arguments) on the sides of this machine."""

    def run(playbook, proxy, *arguments):
        inventory = tmp_path / "proxies.yml"
        on_this_machine = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
        }
        found = {} if proxy is None else {"proxy-cn": on_this_machine | proxy}
        inventory.write_text(yaml.safe_dump({"proxy": {"hosts": found}}), encoding="utf-8")
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "DYNABRIDGE_"))}
        env |= {
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "DYNABRIDGE_LOCAL_DIR": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        command = ["ansible-playbook", playbook, "-i", "inventories/local", "-i", str(inventory), *arguments]
        return subprocess.run(
            command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=300, check=False
        )

    return run


def words(run) -> str:
    """What was said, without line breaks."""
    return " ".join((run.stdout + run.stderr).split())


def test_a_host_that_stands_nowhere_is_refused(play):
    """GIVEN a proxy without a side WHEN proxy.yml runs THEN it says whose variable is missing, and changes nothing."""
    run = play("proxy.yml", {}, "--limit", "proxy")
    assert run.returncode != 0 and "changed=0" in run.stdout
    assert "proxy-cn of group proxy has no dynabridge_side" in words(run) and "cn or sg" in words(run)


def test_all_that_is_wrong_is_said_at_once(play):
    """GIVEN clients, services and buckets that cannot be WHEN proxy.yml runs THEN one error names each, and nothing changes."""
    wrong = {
        "dynabridge_side": "cn",
        "dynabridge_proxy_clients": ["0.0.0.0/0", "198.51.0.0/16"],
        "dynabridge_proxy_services": ["kinesis", "lambda"],
        "dynabridge_proxy_buckets": ["*"],
    }
    run = play("proxy.yml", wrong, "--limit", "proxy")
    assert run.returncode != 0 and "changed=0" in run.stdout
    for said in ("which is everybody", "65,536 addresses", "squid_proxy_services names 'lambda'", "has '*'"):
        assert said in words(run)
    assert words(run).count("fatal:") == 1


def test_a_proxy_for_nobody_is_refused(play):
    run = play("proxy.yml", {"dynabridge_side": "cn"}, "--limit", "proxy")
    assert run.returncode != 0 and "squid_proxy_clients is empty" in words(run)


def proxy_of(server, **more):
    host, port = server.split(":")
    return {"dynabridge_side": "cn", "ansible_host": host, "dynabridge_proxy_port": int(port), **more}


def locked(request: str) -> str:
    return "200 OK" if request in [f"CONNECT {host}:443" for host in ALLOWED] else "403 Forbidden"


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (locked, 0, "lets through what it should and refuses the rest"),
        (lambda _request: "200 OK", 2, "It is open where it must not be"),
        (lambda _request: "403 Forbidden", 2, "is not in dynabridge_proxy_clients"),
    ],
    ids=["locked", "open", "a client that is not admitted"],
)
def test_a_proxy_of_the_inventory_is_judged(play, authority, answer, code, said):
    """GIVEN a proxy of the group WHEN it is checked THEN the table is shown, and the exit code is the verdict."""
    bundle, certificate = authority
    with FakeProxy(certificate, answer) as proxy:
        run = play("proxy_check.yml", proxy_of(proxy.address), "-e", f"proxy_check_ca_file={bundle}")
    assert run.returncode == code, run.stdout + run.stderr
    assert said in words(run)
    assert f"CONNECT {ALLOWED[0]}:443" in words(run) and "metadata service" in words(run)


def test_a_proxy_that_is_down_and_none_at_all(play):
    """GIVEN nobody at the port, or no proxy in the inventory THEN each has its own sentence."""
    run = play("proxy_check.yml", proxy_of("127.0.0.1:9"))
    assert run.returncode != 0 and "127.0.0.1:9 cannot be reached (connection refused)" in words(run)
    run = play("proxy_check.yml", None)
    assert run.returncode != 0 and "There is no proxy to ask" in words(run)
