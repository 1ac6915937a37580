# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that work on both sides reach each by its own proxy, and say when that one is down."""

import pytest
from ansible.modules import dynamodb_compare_info, dynamodb_resync, peer_key_rotation

from dynabridge.aws.proxies import proxy_of

NOBODY = "127.0.0.1:9"  # discard: no proxy listens there


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Credentials that nobody gets to see, and a proxy of the shell's that a side's own wins over."""
    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("HTTPS_PROXY", "http://shell:1")):
        monkeypatch.setenv(name, value)
    for name in ("https_proxy", "no_proxy", "NO_PROXY", "AWS_PROFILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)


def side(**more):
    return {"table": "t", "lines": None, "profile": "", "region": "cn-north-1", "endpoint_url": "", "proxy": ""} | more


CLIENTS = {
    "compare": lambda side: dynamodb_compare_info.connect(side, 4).client,
    "resync": lambda side: dynamodb_resync.connect(side, {}),
    "rotate": lambda side: peer_key_rotation.connect(side, "iam"),
}


@pytest.mark.parametrize("module", CLIENTS)
def test_a_sides_own_proxy_wins_over_the_environments(module):
    assert proxy_of(CLIENTS[module](side(proxy=NOBODY))) == f"http://{NOBODY}"
    assert proxy_of(CLIENTS[module](side())) == "http://shell:1"


def test_a_module_says_which_sides_proxy_is_down(run_module):
    """GIVEN nobody at the address of a side's proxy WHEN a resync begins THEN it says so, and that nothing was changed."""
    sides = {
        name: {"name": name, "table": f"user-{name}", "region": region, "proxy": NOBODY}
        for name, region in (("cn", "cn-north-1"), ("sg", "ap-southeast-1"))
    }
    result = run_module(dynamodb_resync, name="user", left=sides["cn"], right=sides["sg"], state_dir="unused")
    assert result["failed"]
    said = f"the proxy http://{NOBODY} cannot be reached (connection refused)"
    assert said in result["msg"] and "dynamodb.cn-north-1.amazonaws.com.cn:443" in result["msg"]
