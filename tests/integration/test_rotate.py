# SPDX-License-Identifier: GPL-3.0-or-later
"""rotate_credentials.yml under running writes, in check mode, by age, and when it fails."""

import contextlib
import json
import re
import threading
import uuid

import pytest

from tests.integration.support import Side, eventually
from tests.local_pair import LocalPair, run_playbook

USER = "dynabridge-peer-{}"


def rotates(pair: LocalPair, *arguments) -> str:
    result = run_playbook(pair, "rotate_credentials.yml", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def refusal(pair: LocalPair, *arguments) -> str:
    result = run_playbook(pair, "rotate_credentials.yml", *arguments)
    assert result.returncode != 0, result.stdout
    return " ".join((result.stdout + result.stderr).split())


def stored(side: Side, peer: Side) -> tuple[str, str]:
    """The pair that the side's sender has."""
    path = f"/DDBReplication/Table{peer.name.upper()}/"
    names = [path + "AccessKey", path + "SecretKey"]
    answer = side.client("ssm").get_parameters(Names=names, WithDecryption=True)
    values = {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
    return tuple(values[name] for name in names)


def keys(side: Side, peer: Side) -> dict[str, str]:
    """The keys of the user by which the side writes to the peer: {id: status}."""
    answer = peer.client("iam").list_access_keys(UserName=USER.format(side.name))
    return {key["AccessKeyId"]: key["Status"] for key in answer["AccessKeyMetadata"]}


def everything(bridge) -> list:
    return [(stored(*sides), keys(*sides)) for sides in ((bridge.cn, bridge.sg), (bridge.sg, bridge.cn))]


@contextlib.contextmanager
def writing(side: Side, written: dict):
    """An application that writes on the side for the length of the block; every item, until then, is in `written`."""
    ended, prefix = threading.Event(), f"rotate-{side.name}-{uuid.uuid4().hex[:8]}"

    def write():
        while not ended.wait(0.02):
            key = f"{prefix}-{len(written)}"
            written[key] = side.write(key)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_both_pairs_are_replaced_under_running_writes(bridge, deployed_pair):
    """GIVEN writes on both sides WHEN both pairs are rotated THEN no write is lost, and the old keys are gone."""
    before, of_cn, of_sg = everything(bridge), {}, {}
    with writing(bridge.cn, of_cn), writing(bridge.sg, of_sg):
        output = rotates(deployed_pair, "-vvv", "--diff")
        after = everything(bridge)
        seen = len(of_cn), len(of_sg)
        eventually(lambda: len(of_cn) > seen[0] + 20 and len(of_sg) > seen[1] + 20)
    assert len(of_cn) > 20 and len(of_sg) > 20
    for (old, _old_keys), (new, new_keys) in zip(before, after, strict=True):
        assert new != old and new_keys == {new[0]: "Active"}
        assert old[1] not in output and new[1] not in output, "no secret is shown"
    for there, written in ((bridge.sg, of_cn), (bridge.cn, of_sg)):
        eventually(lambda there=there, written=written: written.items() <= by_key(there).items())
    for here, there, written in ((bridge.cn, bridge.sg, of_cn), (bridge.sg, bridge.cn, of_sg)):
        for key in written:
            here.remove(key)
        eventually(lambda there=there, written=written: not written.keys() & by_key(there).keys())


def by_key(side: Side) -> dict[str, dict]:
    return {item["PK"]["S"]: item for item in side.items()}


def test_check_mode_and_age_change_nothing(bridge, deployed_pair):
    """GIVEN keys of today WHEN rotated in check mode, or those of a day THEN both say so and nothing changes."""
    before = everything(bridge)
    output = " ".join(rotates(deployed_pair, "--check").split())
    assert "It would be replaced" in output and before[0][0][0] in output
    again = rotates(deployed_pair, "-e", "max_age_days=1")
    assert not re.search(r"changed=[1-9]", again), again
    assert "stays until it is 1" in " ".join(again.split())
    assert everything(bridge) == before


def test_one_pair_alone(bridge, deployed_pair):
    """GIVEN a holder WHEN its pair is rotated THEN the other stays."""
    before = everything(bridge)
    rotates(deployed_pair, "-e", "holder=sg")
    after = everything(bridge)
    assert after[0] == before[0] and after[1] != before[1]


def test_a_revoked_key_is_replaced(bridge, deployed_pair, key):
    """GIVEN cn's key is disabled and a write waits WHEN keys of a day are rotated THEN it is replaced, and the write arrives."""
    (access_key, _secret) = stored(bridge.cn, bridge.sg)
    bridge.sg.client("iam").update_access_key(UserName=USER.format("cn"), AccessKeyId=access_key, Status="Inactive")
    written = bridge.cn.write(key)
    rotates(deployed_pair, "-e", "max_age_days=1")
    assert access_key not in keys(bridge.cn, bridge.sg)
    eventually(lambda: bridge.sg.item(key) == written)


def test_a_proof_that_fails_leaves_everything_as_before(bridge, deployed_pair):
    """GIVEN the user lost its right WHEN its pair is rotated THEN the message says so, and pair and keys are as before."""
    before, iam = everything(bridge), bridge.sg.client("iam")
    denial = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
    where = {"UserName": USER.format("cn"), "PolicyName": "denied-for-a-test"}
    iam.put_user_policy(**where, PolicyDocument=json.dumps(denial))
    try:
        message = refusal(deployed_pair, "-e", "holder=cn", "-e", "rotate_credentials_wait=2")
    finally:
        iam.delete_user_policy(**where)
    assert "did not accept key" in message and "AccessDenied" in message and "Everything is as before" in message
    assert everything(bridge) == before


def test_two_keys_are_an_error_that_names_the_other(bridge, deployed_pair):
    """GIVEN a second key WHEN rotated THEN it is named, with what to do, and stays."""
    iam, user = bridge.sg.client("iam"), USER.format("cn")
    other = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    before = everything(bridge)
    try:
        message = refusal(deployed_pair, "-e", "holder=cn")
        assert other in message and "the most that AWS allows" in message
        assert everything(bridge) == before
    finally:
        iam.delete_access_key(UserName=user, AccessKeyId=other)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--limit", "cn-north-1"), "both must be in the play, and sg is not"),
        (("-e", "holder=eu"), "holder is 'eu': it must be the side"),
    ],
    ids=["one side", "unknown side"],
)
def test_bad_input_changes_nothing(bridge, deployed_pair, arguments, sentence):
    """GIVEN input that makes no sense WHEN rotated THEN one sentence, and nothing changes."""
    before = everything(bridge)
    assert sentence in refusal(deployed_pair, *arguments).replace("''", "'")
    assert everything(bridge) == before
