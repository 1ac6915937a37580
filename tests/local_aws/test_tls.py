# SPDX-License-Identifier: GPL-3.0-or-later
"""A side's door by TLS, for tests of what lies between the sides."""

import socket

import boto3
import pytest

from local_aws.errors import LauncherError
from local_aws.tls import Doors
from tests.local_pair import launcher, started_pair
from tests.proxy_world.authority import make_authority


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """(what a client trusts, what the server shows)."""
    return make_authority(tmp_path_factory.mktemp("papers"), ["localhost"])


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_side_answers_by_tls_too(tmp_path, papers):
    """GIVEN a door for one side WHEN it is asked by https THEN it is the same account as by http; the other side has none."""
    bundle, certificate = papers
    door = f"127.0.0.1:{free_port()}"
    with started_pair(tmp_path / "local", "--sg-tls", door, "--tls-certificate", str(certificate)) as pair:
        assert [side.get("tls_address") for side in pair.sides.values()] == [None, door]
        pair.client("sg", "kinesis").create_stream(StreamName="a", ShardCount=1)
        url = f"https://localhost:{door.rpartition(':')[2]}"
        client = pair.session("sg").client("kinesis", endpoint_url=url, verify=str(bundle))
        assert client.list_streams()["StreamNames"] == ["a"]
        assert boto3.client("sts", **_root(pair, url, bundle)).get_caller_identity()["Account"] == "200000000002"
        assert '"state": "up"' in launcher(pair.directory, "status")


def _root(pair, url, bundle):
    keys = {"aws_access_key_id": pair.sides["sg"]["account_id"], "aws_secret_access_key": "test"}
    return {"endpoint_url": url, "verify": str(bundle), "region_name": "ap-southeast-1", **keys}


@pytest.mark.parametrize(
    ("address", "certificate", "sentence"),
    [
        ("127.0.0.1", None, "--tls-certificate is '', which is no file"),
        ("127.0.0.1", "/nowhere.pem", "--tls-certificate is '/nowhere.pem', which is no file"),
        ("127.0.0.1:https", True, "--cn-tls is '127.0.0.1:https'"),
        (":443", True, "--cn-tls is ':443'"),
    ],
)
def test_a_door_that_cannot_be(papers, address, certificate, sentence):
    with pytest.raises(LauncherError, match=sentence):
        Doors.of({"cn": address, "sg": None}, str(papers[1]) if certificate is True else certificate)


def test_no_door_unless_asked_for():
    assert Doors.of({"cn": None, "sg": None}, None).get("cn") is None
