# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy that somebody names, and clients that say what went wrong at it."""

import socket
import threading

import boto3
import pytest
from botocore.config import Config

from dynabridge.aws.proxies import ProxyFailure, proxy_of, tell, through
from dynabridge.errors import SettingsError
from dynabridge.proxy_server import proxy_url
from dynabridge.settings import sender_settings
from tests.unit.test_settings import SENDER

HOST = "dynamodb.ap-southeast-1.amazonaws.com"


@pytest.fixture(autouse=True)
def no_proxy_of_the_shell(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("10.0.0.1:80", "http://10.0.0.1:80"),
        ("proxy.example", "http://proxy.example"),
        ("http://proxy:3128/", "http://proxy:3128"),
        ("https://proxy:8443", "https://proxy:8443"),
        ("[2001:db8::1]:80", "http://[2001:db8::1]:80"),
    ],
)
def test_a_proxy_has_one_spelling(server, url):
    assert proxy_url(server, "PROXY_SERVER") == url


@pytest.mark.parametrize("server", ["bob:hunter2@proxy:80", "http://bob:hunter2@proxy:80", "https://bob@proxy"])
def test_a_proxy_with_a_password_is_refused_without_showing_it(server):
    """GIVEN user:password@ THEN the sentence says where and what to do; name and password are not in it."""
    with pytest.raises(
        SettingsError, match=r"PROXY_SERVER.*before the @ of.*proxy.*admit its clients by their addr"
    ) as caught:
        sender_settings(SENDER | {"USE_PROXY": "TRUE", "PROXY_SERVER": server})
    assert "bob" not in str(caught.value) and "hunter2" not in str(caught.value)


@pytest.mark.parametrize("server", ["proxy:http", ":80", "http://", "socks5://proxy:1080", "proxy:99999"])
def test_what_is_no_proxy_is_refused(server):
    with pytest.raises(SettingsError, match="here is '"):
        proxy_url(server, "here")


def client(**config):
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2, **config)
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return tell(boto3.client("dynamodb", region_name="ap-southeast-1", config=config, **keys))


@pytest.fixture
def refusing():
    """A proxy that answers 403 to one caller."""
    server = socket.create_server(("127.0.0.1", 0))

    def run():
        caller, _address = server.accept()
        with caller:
            caller.recv(65536)
            caller.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.getsockname()[1]}"
    server.close()
    thread.join(timeout=10)


def test_a_module_says_that_the_proxy_refused(refusing):
    with pytest.raises(
        ProxyFailure, match=rf"{refusing} refused CONNECT {HOST}:443 \(403 Forbidden\).*dynabridge_aws_sides"
    ):
        client(**through({"proxy": refusing})).list_tables()


def test_a_module_says_that_the_proxy_is_down():
    with pytest.raises(ProxyFailure, match=rf"127.0.0.1:9 cannot be reached \(connection refused\).*{HOST}:443"):
        client(**through({"proxy": "127.0.0.1:9"})).list_tables()


def test_the_environments_proxy_counts_too(monkeypatch):
    """GIVEN HTTPS_PROXY THEN it is used and named, unless NO_PROXY excepts the region."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ProxyFailure, match=r"127\.0\.0\.1:9 cannot be reached"):
        client().list_tables()
    monkeypatch.setenv("no_proxy", ".ap-southeast-1.amazonaws.com")
    assert proxy_of(client()) == ""
    assert proxy_of(client(**through({"proxy": "127.0.0.1:9"}))) == "http://127.0.0.1:9", "what is given wins"


def test_a_side_without_a_proxy_leaves_it_to_the_environment():
    assert through({}) == through({"proxy": ""}) == through({"proxy": None}) == {}
    assert proxy_of(client()) == ""
