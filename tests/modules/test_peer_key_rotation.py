# SPDX-License-Identifier: GPL-3.0-or-later
"""peer_key_rotation replaces a pair, or leaves everything as it was, and tells no secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from ansible.module_utils.dynabridge.aws.rotation import Proof
from ansible.modules import peer_key_rotation

from tests.modules.aws_fakes import aws_error, calls_of, fake_client

PATH = "/DDBReplication/TableSG/"
SIDE = {"profile": "", "region": "cn-north-1", "endpoint_url": ""}
PARAMETERS = {"user": "peer", "stream": "stream", "path": PATH, "side": "cn", "owner": SIDE, "holder": SIDE, "wait": 3}
OLD, NEW, OTHER = "AKIA000000000OLD", "AKIA00000000NEW1", "AKIA0000000OTHER"


class Aws:
    """A user's keys, the parameters, and a stream that accepts an active key with its secret.

    failures: {operation: which call of it fails, from 1 on}.
    """

    def __init__(self, days=100.0, **failures):
        self.failures, self.calls = failures, {}
        self.secrets, self.keys, self.put = {OLD: "secret-of-old"}, {}, []
        self._add(OLD, days)
        self.parameters = {PATH + "AccessKey": OLD, PATH + "SecretKey": "secret-of-old"}
        self.deaf = set()  # keys that the peer accepts never

    def _add(self, key_id, days=0.0):
        self.keys[key_id] = {
            "UserName": "peer",
            "AccessKeyId": key_id,
            "Status": "Active",
            "CreateDate": datetime.now(UTC) - timedelta(days=days),
        }

    def _called(self, operation):
        self.calls[operation] = self.calls.get(operation, 0) + 1
        if self.calls[operation] in self.failures.get(operation, ()):
            raise aws_error("ServiceUnavailable", "try later", operation)

    def state(self):
        return dict(self.parameters), {key_id: key["Status"] for key_id, key in self.keys.items()}

    # -- iam
    def list_access_keys(self, UserName):
        return {"AccessKeyMetadata": list(self.keys.values())}

    def create_access_key(self, UserName):
        self._called("create_access_key")
        key_id = f"AKIA00000000NEW{self.calls['create_access_key']}"
        self._add(key_id)
        self.secrets[key_id] = f"secret-of-{key_id}"
        return {"AccessKey": {"AccessKeyId": key_id, "SecretAccessKey": self.secrets[key_id]}}

    def update_access_key(self, UserName, AccessKeyId, Status):
        self._called("update_access_key")
        self.keys[AccessKeyId]["Status"] = Status

    def delete_access_key(self, UserName, AccessKeyId):
        self._called("delete_access_key")
        del self.keys[AccessKeyId]

    def get_access_key_last_used(self, AccessKeyId):
        return {"AccessKeyLastUsed": {"Region": "N/A", "ServiceName": "N/A"}}

    # -- ssm
    def get_parameters(self, Names, WithDecryption):
        assert WithDecryption
        return {"Parameters": [{"Name": n, "Value": self.parameters[n]} for n in Names if n in self.parameters]}

    def put_parameter(self, Name, Value, Type, Overwrite, KeyId=None):
        self._called("put_parameter")
        assert Overwrite and Type == ("SecureString" if Name.endswith("SecretKey") else "String")
        assert KeyId == ("alias/own" if Name.endswith("SecretKey") else None), "the parameter's KMS key stays"
        self.parameters[Name] = Value

    def describe_parameters(self, ParameterFilters):
        return {"Parameters": [{"Name": PATH + "SecretKey", "Type": "SecureString", "KeyId": "alias/own"}]}

    # -- kinesis
    def put_records(self, pair, Records):
        self._called("put_records")
        key = self.keys.get(pair.access_key)
        if not key or key["Status"] != "Active" or pair.access_key in self.deaf:
            raise aws_error("UnrecognizedClientException", "The security token is invalid")
        if self.secrets[pair.access_key] != pair.secret_key:
            raise aws_error("InvalidSignatureException", "The signature does not match")
        self.put.append(pair.access_key)
        return {"Records": [{"SequenceNumber": "1", "ShardId": "s"} for _record in Records], "FailedRecordCount": 0}


@pytest.fixture
def rotate(run_module, monkeypatch):
    """rotate(aws, check=False, **params): the module's result, with a clock that does not wait."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    def run(aws, check=False, **params):
        clients = {service: fake_client(service, aws) for service in ("iam", "ssm")}

        def connect(_side, service, pair=None):
            if service == "kinesis":
                client = fake_client("kinesis", aws)
                client.put_records.side_effect = lambda StreamName, Records: aws.put_records(pair, Records)
                return client
            return clients[service]

        monkeypatch.setattr(peer_key_rotation, "connect", connect)
        monkeypatch.setattr(peer_key_rotation, "Proof", partial(Proof, clock=Clock()))
        result = run_module(peer_key_rotation, None, check=check, **(PARAMETERS | params))
        assert "secret-of" not in json.dumps(result)
        run.iam = clients["iam"]
        return result

    return run


def test_a_new_pair_takes_the_old_ones_place(rotate):
    # GIVEN a stored key WHEN it is rotated THEN the new pair is stored and proven, the old key is gone
    aws = Aws()
    result = rotate(aws)
    assert result["changed"] is True and result["age_days"] == 100
    assert (result["previous_access_key_id"], result["access_key_id"]) == (OLD, NEW)
    assert aws.state() == ({PATH + "AccessKey": NEW, PATH + "SecretKey": f"secret-of-{NEW}"}, {NEW: "Active"})
    assert calls_of(rotate.iam, "create", "update", "delete") == [
        "create_access_key",
        "update_access_key",
        "delete_access_key",
    ]
    assert aws.put == [NEW] * 5, "three times before it is stored, once after, once with the old key disabled"


@pytest.mark.parametrize(("days", "check", "changed"), [(89.9, False, False), (90, True, True), (0.5, True, False)])
def test_nothing_changes_before_its_time_nor_in_check_mode(rotate, days, check, changed):
    # GIVEN a key WHEN it is younger than asked for, or in check mode THEN nothing is called that changes
    aws = Aws(days)
    before = aws.state()
    result = rotate(aws, check, max_age_days=90)
    assert result["changed"] is changed and result["access_key_id"] == OLD
    assert aws.state() == before and not aws.calls


@pytest.mark.parametrize("revoked", ["inactive", "deleted"])
def test_a_revoked_key_is_replaced_whatever_its_age(rotate, revoked):
    # GIVEN a young key that was revoked WHEN keys of 90 days are rotated THEN it is replaced all the same
    aws = Aws(1)
    if revoked == "inactive":
        aws.keys[OLD]["Status"] = "Inactive"
    else:
        del aws.keys[OLD]
    result = rotate(aws, max_age_days=90)
    assert result["changed"] is True and aws.state()[1] == {NEW: "Active"}


@pytest.mark.parametrize(
    "failures",
    [
        {"put_records": range(1, 99)},
        {"put_parameter": (1,)},
        {"put_parameter": (2,)},
        {"put_records": range(4, 99)},
        {"update_access_key": (1,)},
        {"put_records": range(5, 99)},
    ],
    ids=["proof before storing", "secret", "access key", "proof of the stored", "disabling", "last proof"],
)
def test_what_fails_leaves_everything_as_before(rotate, failures):
    # GIVEN a step that fails WHEN a key is rotated THEN keys and parameters are as before, and the message says so
    aws = Aws(**failures)
    before = aws.state()
    result = rotate(aws)
    assert result["failed"] is True and "Everything is as before" in result["msg"], result["msg"]
    assert aws.state() == before


def test_a_pair_that_cannot_be_restored_keeps_the_new_key(rotate):
    # GIVEN Parameter Store fails after one half WHEN the old pair cannot be stored either THEN no key is deleted
    aws = Aws(put_parameter=range(2, 99))
    result = rotate(aws)
    assert f"do it by hand: the pair of key {OLD} stored; new key {NEW} deleted" in result["msg"]
    assert aws.state()[1] == {OLD: "Active", NEW: "Active"}


def test_an_old_key_that_cannot_be_deleted_is_named(rotate):
    # GIVEN the last step fails WHEN a key is rotated THEN the new pair stays, and the old key is named
    aws = Aws(delete_access_key=(1,))
    result = rotate(aws)
    assert f"the old key {OLD} is inactive, but it could not be deleted" in result["msg"]
    assert aws.parameters[PATH + "AccessKey"] == NEW and aws.state()[1] == {OLD: "Inactive", NEW: "Active"}


def test_a_user_with_two_keys_is_an_error_that_names_the_other(rotate):
    # GIVEN a second key WHEN the first is rotated THEN nothing changes, and the second is named with its use
    aws = Aws()
    aws._add(OTHER, 7)
    before = aws.state()
    result = rotate(aws)
    assert f"{OTHER} (active, made" in result["msg"] and "use not recorded" in result["msg"]
    assert aws.state() == before and not aws.calls


def test_a_pair_that_was_never_stored_is_an_error(rotate):
    # GIVEN no parameters WHEN they are rotated THEN the message names them and deploy.yml
    aws = Aws()
    aws.parameters.clear()
    assert "AccessKey" in (message := rotate(aws)["msg"]) and "deploy.yml" in message


def test_an_age_below_nothing_is_an_error(rotate):
    # GIVEN a negative age WHEN keys of it are rotated THEN it is named, and nothing changes
    aws = Aws()
    before = aws.state()
    assert "max_age_days is -1: it must be 0" in rotate(aws, max_age_days=-1)["msg"]
    assert aws.state() == before and not aws.calls
