# SPDX-License-Identifier: MIT
"""The functions' environment: the source documents' names, and one clear sentence for what is wrong."""

import pytest

from dynabridge.errors import SettingsError
from dynabridge.settings import receiver_settings, sender_settings

SENDER = {
    "SIDE": "cn",
    "PARAMETER_STORE_PATH_PREFIX": "/DDBReplication/TableSG/",
    "TARGET_REGION": "ap-southeast-1",
    "TARGET_STREAM": "ddb_replication_stream_sg",
    "USE_PROXY": "FALSE",
    "PROXY_SERVER": "",
    "TARGET_TABLE": "user-sg",
    "QUARANTINE_BUCKET": "q",
    "AWS_REGION": "cn-north-1",
    "TOMBSTONES_TABLE": "replicator_tombstones",
}
RECEIVER = {
    "SIDE": "cn",
    "TARGET_TABLE": "user-cn",
    "STATS_TABLE": "replicator_stats",
    "QUARANTINE_BUCKET": "q",
    "TOMBSTONES_TABLE": "replicator_tombstones",
}


def test_one_table_needs_no_mapping():
    assert sender_settings(SENDER).target_table("user-cn") == "user-sg"


def test_many_tables_map_to_their_twins():
    settings = sender_settings(SENDER | {"TARGET_TABLE": "user-cn=user-sg,orders-cn=orders-sg"})
    assert settings.target_table("orders-cn") == "orders-sg"
    with pytest.raises(SettingsError, match="no twin for table other"):
        settings.target_table("other")


@pytest.mark.parametrize(
    ("server", "url"), [("10.0.0.1:80", "http://10.0.0.1:80"), ("https://p:8443", "https://p:8443")]
)
def test_proxy_serves_http_and_https_endpoints(server, url):
    settings = sender_settings(SENDER | {"USE_PROXY": "TRUE", "PROXY_SERVER": server})
    assert settings.proxies == {"http": url, "https": url}


def test_proxy_is_off_by_default():
    assert sender_settings(SENDER | {"PROXY_SERVER": "10.0.0.1:80"}).proxies == {}


@pytest.mark.parametrize("name", sorted(set(SENDER) - {"USE_PROXY", "PROXY_SERVER"}))
def test_missing_variable_of_the_sender_is_named(name):
    with pytest.raises(SettingsError, match=f"{name} is missing"):
        sender_settings({key: value for key, value in SENDER.items() if key != name})


@pytest.mark.parametrize("name", sorted(RECEIVER))
def test_missing_variable_of_the_receiver_is_named(name):
    with pytest.raises(SettingsError, match=f"{name} is missing"):
        receiver_settings({key: value for key, value in RECEIVER.items() if key != name})


@pytest.mark.parametrize(
    "change",
    [{"USE_PROXY": "yes"}, {"USE_PROXY": "TRUE"}, {"WIRE_LANES": "0"}, {"WIRE_LANES": "x"}, {"TOMBSTONE_DAYS": "0"}],
)
def test_nonsense_is_refused(change):
    with pytest.raises(SettingsError):
        sender_settings(SENDER | change)


def test_receiver_writes_to_its_tables_only():
    assert receiver_settings(RECEIVER | {"TARGET_TABLE": "user-cn,orders-cn"}).tables == {"user-cn", "orders-cn"}
    with pytest.raises(SettingsError, match="WRITE_BATCH"):
        receiver_settings(RECEIVER | {"WRITE_BATCH": "101"})
