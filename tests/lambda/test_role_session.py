# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients under a role: its credentials alone, and anew before they end."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from botocore.config import Config

from dynabridge.aws.session import client_maker, under_role
from dynabridge.errors import BackupError
from tests.modules.aws_fakes import aws_error, fake_client

ROLE = "arn:aws-cn:iam::100000000001:role/dynabridge-backup-operator"


class FakeSts:
    """Hands out numbered credentials that last ``minutes``."""

    def __init__(self, minutes=60, error=None):
        self.minutes, self.error, self.given = minutes, error, 0

    def assume_role(self, RoleArn, RoleSessionName):
        if self.error:
            raise self.error
        self.given += 1
        assert RoleArn == ROLE
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{self.given:016}",
                "SecretAccessKey": "secret",
                "SessionToken": f"token{self.given}",
                "Expiration": datetime.now(UTC) + timedelta(minutes=self.minutes),
            }
        }


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """The caller's own credentials, which must not be used."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "CALLER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "caller")


def signs_with(client):
    credentials = client._request_signer._credentials.get_frozen_credentials()
    return credentials.access_key, credentials.token


def test_clients_sign_as_the_role():
    """GIVEN a role THEN every client signs with its credentials, at the region and endpoint given; it is assumed once."""
    sts = FakeSts()
    make = under_role(fake_client("sts", sts), ROLE, region="cn-north-1", endpoint_url="http://127.0.0.1:1")
    s3 = make("s3", region="cn-northwest-1", config=Config(max_pool_connections=3))
    dynamodb = make("dynamodb")
    assert signs_with(s3) == signs_with(dynamodb) == ("ASIA0000000000000001", "token1")
    assert (s3.meta.region_name, dynamodb.meta.region_name) == ("cn-northwest-1", "cn-north-1")
    assert s3.meta.endpoint_url == "http://127.0.0.1:1" and s3.meta.config.max_pool_connections == 3
    assert sts.given == 1


def test_it_is_assumed_anew_before_it_ends():
    """GIVEN a role that ends while an export goes on THEN the same client signs with new credentials."""
    sts = FakeSts(minutes=1)
    dynamodb = under_role(fake_client("sts", sts), ROLE, region="cn-north-1")("dynamodb")
    sts.minutes = 60
    assert signs_with(dynamodb) == ("ASIA0000000000000002", "token2")
    assert signs_with(dynamodb) == ("ASIA0000000000000002", "token2") and sts.given == 2


def test_a_role_that_cannot_be_assumed_is_named():
    """GIVEN a refusal THEN the role and what to do are told, and no secret."""
    sts = fake_client("sts", FakeSts(error=aws_error("AccessDenied", "not authorized")))
    with pytest.raises(BackupError, match=rf"role {ROLE} cannot be assumed \(AccessDenied\).*sts:AssumeRole"):
        under_role(sts, ROLE)


def test_a_module_without_a_role_has_its_own_clients():
    module = SimpleNamespace(params={"role_arn": ""}, client=lambda service, **more: (service, more))
    assert client_maker(module)("s3", region="x") == ("s3", {"region": "x"})


def test_a_module_with_a_role_works_under_it():
    sts = fake_client("sts", FakeSts())
    params = {"role_arn": ROLE, "profile": None, "region": "cn-north-1", "endpoint_url": None}
    make = client_maker(SimpleNamespace(params=params, client=lambda service: {"sts": sts}[service]))
    assert signs_with(make("dynamodb"))[0] == "ASIA0000000000000001"
