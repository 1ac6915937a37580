# SPDX-License-Identifier: GPL-3.0-or-later
"""proxy_check_info against a proxy that answers by its rules, and plays the endpoints behind it too."""

from __future__ import annotations

import pytest
from ansible.modules import proxy_check_info

from tests.proxy_world.authority import make_authority
from tests.proxy_world.fake_proxy import FakeProxy

HOSTS = ["dynamodb.cn-north-1.example.com", "kinesis.cn-north-1.example.com"]
FOREIGN = {"another region": "kinesis.sg.example.com", "another service": "sqs.cn-north-1.example.com"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """(who signed, certificate of the hosts)."""
    return make_authority(tmp_path_factory.mktemp("authority"), HOSTS)


@pytest.fixture
def check(run_module, authority):
    """check(answer, ...) runs the module against a proxy that answers so; gives the result and what was asked."""
    bundle, certificate = authority

    def run(answer, **params):
        with FakeProxy(certificate, answer) as proxy:
            given = {"allowed": HOSTS, "foreign": FOREIGN, "ca_file": str(bundle), "timeout": 10, **params}
            return run_module(proxy_check_info, proxy=proxy.address, **given), proxy.asked

    return run


def locked(request: str) -> str:
    return "200 OK" if request in [f"CONNECT {host}:443" for host in HOSTS] else "403 Forbidden"


def test_a_locked_proxy_has_no_surprises(check):
    """GIVEN a proxy that lets two hosts through WHEN it is checked THEN each was reached, and all else refused."""
    result, asked = check(locked)
    assert result["surprises"] == 0 and result["changed"] is False
    assert "lets through what it should" in result["summary"]
    assert {f"CONNECT {host}:443" for host in (*HOSTS, *FOREIGN.values())} <= set(asked)
    refused = {request["what"] for request in result["requests"] if request["expected"] == "refused"}
    assert refused == {
        *FOREIGN,
        *("port 22", "port 80", "plain HTTP", "address in place of a name", "metadata service"),
        *("the proxy itself", "cache manager"),
    }
    assert len(result["table"]) == len(result["requests"]) + 1 and result["table"][1].endswith("ok")


def test_an_open_proxy_is_told(check):
    """GIVEN a proxy that lets everything through THEN what must not pass is named, with what to do."""
    result, _asked = check(lambda _request: "200 OK")
    assert result["surprises"] == len(result["requests"]) - len(HOSTS)
    assert "It is open where it must not be" in result["summary"] and "Run proxy.yml" in result["summary"]
    assert any("WRONG" in line for line in result["table"])


def test_a_proxy_that_was_willing_but_got_nowhere_is_open_too(check):
    """GIVEN a foreign host that the proxy tried to reach THEN that is a surprise, though nothing came through."""
    result, _asked = check(
        lambda request: "503 Service Unavailable" if FOREIGN["another region"] in request else locked(request)
    )
    wrong = [request for request in result["requests"] if not request["ok"]]
    assert [(request["what"], request["got"]) for request in wrong] == [("another region", "unreachable")]


def test_a_client_that_is_not_admitted_learns_it(check):
    result, _asked = check(lambda _request: "403 Forbidden")
    assert result["surprises"] == len(HOSTS)
    assert "this client's address" in result["summary"] and "dynabridge_proxy_clients" in result["summary"]


def test_a_client_that_must_get_nothing(check):
    """GIVEN admitted: false WHEN everything is refused THEN that is as it should be; a host that passes is not."""
    assert check(lambda _request: "403 Forbidden", admitted=False)[0]["surprises"] == 0
    assert check(locked, admitted=False)[0]["surprises"] == len(HOSTS)


def test_somebody_else_behind_the_proxy_is_told(check, tmp_path):
    """GIVEN an endpoint that cannot prove its name THEN the host does not count as passed."""
    stranger, _certificate = make_authority(tmp_path, HOSTS)
    result, _asked = check(locked, ca_file=str(stranger))
    assert {request["got"] for request in result["requests"] if not request["ok"]} == {"certificate"}
    assert "is answered by something else" in result["summary"]


def test_a_proxy_that_is_down_is_said_once(run_module):
    """GIVEN nobody at that port THEN the module fails with the sentence for a proxy that is down, not for one that refuses."""
    result = run_module(proxy_check_info, proxy="127.0.0.1:9", allowed=HOSTS)
    assert result["failed"] and "127.0.0.1:9 cannot be reached (connection refused)" in result["msg"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"proxy": "a:b", "allowed": HOSTS}, "'a:b'"),
        ({"proxy": "127.0.0.1:9", "allowed": []}, "allowed must name a host"),
        ({"proxy": "127.0.0.1:9", "allowed": HOSTS, "ca_file": "/nowhere.pem"}, "ca_file /nowhere.pem cannot be read"),
    ],
)
def test_bad_input(run_module, params, said):
    result = run_module(proxy_check_info, **params)
    assert result["failed"] and said in result["msg"]
