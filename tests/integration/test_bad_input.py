# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is met by one sentence that names what is wrong, and by nothing else: playbooks, launcher and functions."""

import base64
import contextlib
import json
import re
import socket
import subprocess
import sys
import time

import pytest

from dynabridge.changes import PUT, Change
from dynabridge.wire import encode
from tests.integration.support import RECEIVER, SENDER, Bridge, Side, eventually
from tests.integration.test_teardown import left
from tests.local_pair import REPOSITORY, LocalPair, run_playbook


@pytest.fixture(scope="module")
def empty(empty_pair):
    """Both sides without a bridge, clients kept."""
    return Bridge.of(empty_pair)


def flat(text: str) -> str:
    """Output as running text: Ansible wraps messages, and doubles quotes in YAML."""
    return " ".join(text.split()).replace("''", "'")


def deploys(pair: LocalPair, *arguments, **options) -> str:
    result = run_playbook(pair, "deploy.yml", *arguments, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def refusal(bridge: Bridge, *arguments) -> str:
    """The output of a deploy that must fail, and must not change anything on either side."""
    before = left(bridge, "cn"), left(bridge, "sg")
    result = run_playbook(bridge.cn.pair, "deploy.yml", *arguments)
    assert result.returncode != 0, result.stdout
    assert not re.search(r"changed=[1-9]", result.stdout), result.stdout
    assert (left(bridge, "cn"), left(bridge, "sg")) == before
    return flat(result.stdout + result.stderr)


# -- the inventory ---------------------------------------------------------------------------


def sides_of(pair: LocalPair, cn: dict, sg: dict) -> tuple[str, str]:
    """dynabridge_sides of the pair as an option of ansible-playbook, with changes to each side."""
    fixed = {"cn": {"partition": "aws-cn", "peer": "sg"} | cn, "sg": {"partition": "aws", "peer": "cn"} | sg}
    config_file = str(pair.directory / "aws" / "config")
    sides = {
        name: {key: side[key] for key in ("region", "account_id", "endpoint_url")}
        | {"profile": name, "config_file": config_file}
        | fixed[name]
        for name, side in pair.sides.items()
    }
    return "-e", json.dumps({"dynabridge_sides": sides})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("-e", "dynabridge_side=eu"),
            "unknown side 'eu': dynabridge_sides knows cn, sg. Set the host's dynabridge_side",
        ),
        (("--limit", "eu"), "Could not match supplied host pattern, ignoring: eu"),
    ],
    ids=["by variable", "by limit"],
)
def test_unknown_side(empty, arguments, sentence):
    """GIVEN a side that nobody knows WHEN it is deployed THEN it is named, and nothing changes."""
    assert sentence in refusal(empty, *arguments)


def test_wrong_account_and_partition(empty):
    """GIVEN a profile of cn that leads to the account of sg WHEN deployed THEN account and partition are told apart."""
    output = refusal(empty, *sides_of(empty.cn.pair, cn={"profile": "sg"}, sg={"account_id": ""}))
    for sentence in (
        "Side cn is the account 100000000001, but the profile 'sg' leads to 200000000002. Correct the AWS profile 'sg'",
        "Side cn (cn-north-1) is in the partition aws-cn, but the profile 'sg' leads to arn:aws:iam::200000000002:",
    ):
        assert sentence in output


def test_region_that_is_not_in_the_partition(empty):
    """GIVEN a region of another partition, and one that is none WHEN deployed THEN both are named."""
    output = refusal(empty, *sides_of(empty.cn.pair, cn={"region": "eu-west-1"}, sg={"region": "ap-nowhere-9"}))
    for sentence in (
        "Side cn has the region eu-west-1 of the partition aws, but must be in aws-cn: correct region or partition",
        "Side sg has the region 'ap-nowhere-9', which botocore does not know: correct it in dynabridge_sides",
    ):
        assert sentence in output


def test_nonsense_variables(empty, tmp_path):
    """GIVEN several variables that make no sense WHEN deployed THEN all are named at once, with what they must be."""
    names = {"cn": "user-cn", "sg": "user-sg"}
    nonsense = {
        "dynabridge_sender_batch_size": 0,
        "dynabridge_max_clock_skew_seconds": 86401,
        "dynabridge_tombstones_table": "a table",
        "dynabridge_alarm_topic_arn": "operators",
        "dynabridge_private_path": "perhaps",
        "dynabridge_tables": [
            {"name": "orders", "names": {"cn": "orders", "sg": "orders"}, "stamping": "bridge"},
            {"name": "user", "names": names, "replicate": True},
            {"name": "user", "names": names, "key_schema": {"hash": {"name": "PK", "type": "S"}}},
        ],
    }
    variables = tmp_path / "nonsense.json"
    variables.write_text(json.dumps(nonsense))
    output = refusal(empty, "-e", f"@{variables}")
    for sentence in (
        "dynabridge_sender_batch_size is 0, but must be a number from 1 to 10000. Correct it in the inventory.",
        "dynabridge_max_clock_skew_seconds is 86401, but must be a number from 0 to 86400. Correct it in the inventory.",
        "dynabridge_tombstones_table is 'a table', but a table takes 3 to 255 letters, digits",
        "Side cn: dynabridge_alarm_topic_arn is 'operators', but its alarms can call only a topic of its own region",
        "dynabridge_private_path is 'perhaps', but must be true or false. Correct it in the inventory.",
        "table 'orders': stamping is 'bridge', but must be application (its writers stamp what they write) or managed",
        "table 'user': key_schema has no hash key. Give hash: {name: ..., type: S, N or B}.",
        "dynabridge_tables has 'user' twice: give each table its own name.",
        "Side sg would have two tables called 'user-sg': correct names in dynabridge_tables.",
    ):
        assert sentence in output


def test_deletes_forgotten_too_early(empty):
    """GIVEN a memory of deletes shorter than a change can be under way WHEN deployed THEN it is told how long it must be."""
    output = refusal(empty, "-e", "dynabridge_tombstone_days=1")
    assert "dynabridge_tombstone_days is 1, but a change can be under way for 86400 seconds in the table's" in output
    assert "Set dynabridge_tombstone_days to 2 or more." in output


def test_tombstones_table_with_other_keys(empty):
    """GIVEN a table of that name which is somebody else's WHEN deployed THEN found and wanted are named, and none is made."""
    dynamodb = empty.sg.client("dynamodb")
    dynamodb.create_table(
        TableName="replicator_tombstones",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
    )
    try:
        output = refusal(empty)
    finally:
        dynamodb.delete_table(TableName="replicator_tombstones")
    assert "table replicator_tombstones has the keys hash id (N), wanted are hash PK (S): nothing was changed" in output


def test_local_aws_that_is_not_up(tmp_path):
    """GIVEN an empty state directory WHEN deployed THEN the command that starts the local AWS is named."""
    result = run_playbook(LocalPair(tmp_path / "empty", {}), "deploy.yml")
    assert result.returncode != 0
    assert "The local AWS is not up (side cn has no endpoint): run make local-up." in flat(
        result.stderr + result.stdout
    )


def test_one_side_alone_without_the_peers_key(empty):
    """GIVEN no key pair, stored or given WHEN one side alone is deployed THEN it stops before anything changes."""
    output = refusal(empty, "--limit", "cn")
    assert (
        "The peer's key pair is missing: there is no /DDBReplication/TableSG/AccessKey and no "
        "/DDBReplication/TableSG/SecretKey in Parameter Store, and none was given. Either deploy both sides" in output
    )


def test_table_with_another_key_schema(empty):
    """GIVEN a table with other keys than the inventory's THEN found and wanted are named, and no other table is made."""
    dynamodb = empty.cn.client("dynamodb")
    dynamodb.create_table(
        TableName="user-cn",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "N"},
            {"AttributeName": "at", "AttributeType": "S"},
        ],
    )
    try:
        output = refusal(empty)
    finally:
        dynamodb.delete_table(TableName="user-cn")
    assert "table user-cn has the keys hash id (N), range at (S), wanted are hash PK (S): nothing was changed" in output


# -- the launcher ----------------------------------------------------------------------------


@pytest.fixture
def busy_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def test_port_in_use(busy_port, tmp_path):
    """GIVEN a port that somebody listens on WHEN the local AWS is to use it THEN one sentence says so; nothing runs."""
    directory = tmp_path / "local"
    command = [sys.executable, "-m", "local_aws", "up", "--cn-port", str(busy_port), "--dir", str(directory)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == (
        f"local_aws: Port {busy_port} for side cn is in use on 127.0.0.1: stop the program that listens there, "
        "or give another port with --cn-port, or none to have one chosen.\n"
    )
    assert not directory.exists()


def test_port_in_use_by_playbook(busy_port, tmp_path):
    """GIVEN the same WHEN started by make local-up's playbook THEN its last word is the same sentence."""
    pair = LocalPair(tmp_path / "local", {})
    result = run_playbook(pair, "local_aws.yml", "-e", f"local_aws_cn_port={busy_port}")
    assert result.returncode != 0
    assert f"local_aws: Port {busy_port} for side cn is in use on 127.0.0.1" in flat(result.stdout)
    assert not pair.directory.exists()


# -- the deployed bridge ---------------------------------------------------------------------


def test_peer_key_refused(bridge, key):
    """GIVEN a peer that has disabled the key WHEN an item is written THEN the log says so, and it arrives later."""
    iam, user, since = bridge.sg.client("iam"), "dynabridge-peer-cn", time.time()
    (access_key,) = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    which = {"UserName": user, "AccessKeyId": access_key["AccessKeyId"]}
    iam.update_access_key(**which, Status="Inactive")
    try:
        written = bridge.cn.write(key)
        sentence = (
            "PeerRefused: the peer refused the key pair (UnrecognizedClientException): run rotate_credentials.yml"
        )
        eventually(lambda: bridge.cn.logged(SENDER, since, sentence))
        eventually(lambda: bridge.cn.problem(SENDER))
        assert bridge.sg.item(key) is None
    finally:
        iam.update_access_key(**which, Status="Active")
    eventually(lambda: bridge.sg.item(key) == written)


def test_missing_secret(bridge, key):
    """GIVEN the peer's secret key deleted WHEN an item is written THEN the log names it, and a deploy with it mends it."""
    path, since = "/DDBReplication/TableSG/", time.time()
    ssm = bridge.cn.client("ssm")
    stored = ssm.get_parameters(Names=[path + "AccessKey", path + "SecretKey"], WithDecryption=True)["Parameters"]
    values = {parameter["Name"]: parameter["Value"] for parameter in stored}
    given = {
        "DYNABRIDGE_PEER_ACCESS_KEY": values[path + "AccessKey"],
        "DYNABRIDGE_PEER_SECRET_KEY": values[path + "SecretKey"],
    }
    ssm.delete_parameter(Name=path + "SecretKey")
    try:
        bridge.cn.forget(SENDER)
        written = bridge.cn.write(key)
        sentence = (
            f"PeerKeyMissing: parameter {path}SecretKey not found in Parameter Store of this side: run deploy.yml"
        )
        eventually(lambda: bridge.cn.logged(SENDER, since, sentence))
        assert bridge.sg.item(key) is None
        deploys(bridge.cn.pair, "--limit", "cn", "--tags", "peer_secret", environment=given)
        eventually(lambda: bridge.sg.item(key) == written)
    finally:
        ssm.put_parameter(
            Name=path + "SecretKey", Value=values[path + "SecretKey"], Type="SecureString", Overwrite=True
        )


def test_malformed_record_on_the_stream(bridge, key):
    """GIVEN a batch with a record that nobody can read THEN it is kept whole and counted, and the others are applied."""
    side, since, before = bridge.sg, time.time(), bridge.sg.metric("Quarantined_count")
    garbage = b"\x00 not a record of the bridge"
    image = {"PK": {"S": key}, "last_update_timestamp": {"N": "1"}, "last_updater_region": {"S": "cn-north-1"}}
    versions = [image | {"v": {"N": number}, "last_update_timestamp": {"N": number}} for number in ("1", "2")]
    first, last = (encode([Change(PUT, side.table, {"PK": {"S": key}}, version)], "cn") for version in versions)
    with side.mapping_changed(RECEIVER, MaximumBatchingWindowInSeconds=1):  # so that all come in one batch
        answer = side.client("kinesis").put_records(
            StreamName=side.stream,
            Records=[{"Data": data, "PartitionKey": "one lane"} for data in (first, garbage, last)],
        )
        sequence_number = answer["Records"][1]["SequenceNumber"]
        eventually(lambda: side.item(key) == versions[1])
        kept = eventually(lambda: side.taken_from_quarantine(sequence_number))
        eventually(lambda: side.logged(RECEIVER, since, '"kinesis_records": 3', '"quarantined": 1'))
    assert kept["reason"] == "not a dynabridge record: it does not begin with DBR"
    assert kept["record"]["kinesis"]["sequenceNumber"] == kept["sequence_number"] == sequence_number
    assert base64.b64decode(kept["record"]["kinesis"]["data"]) == garbage
    eventually(lambda: side.metric("Quarantined_count") == before + 1)
    eventually(lambda: side.mapping(RECEIVER)["LastProcessingResult"] == "OK")
    side.remove(key)  # cn never had it


def test_table_missing(bridge, key):
    """GIVEN the peer's table deleted WHEN an item is written THEN the log names the table; deployed again, it arrives."""
    side, since = bridge.sg, time.time()
    with rows_kept(side):
        side.client("dynamodb").delete_table(TableName=side.table)
        written = bridge.cn.write(key)
        sentence = f"TableUnavailable: table {side.table} cannot be read or written (ResourceNotFoundException)"
        eventually(lambda: side.logged(RECEIVER, since, sentence, "run deploy.yml for this side"))
        eventually(lambda: side.problem(RECEIVER))
        deploys(side.pair, "--limit", "sg", "--tags", "tables,sender,change_capture")
        eventually(lambda: side.item(key) == written)


def test_stream_disabled(bridge, key):
    """GIVEN the stream of a table switched off THEN check mode says so and changes nothing, and deploy mends it."""
    side = bridge.cn
    dynamodb = side.client("dynamodb")

    def stream():
        return dynamodb.describe_table(TableName=side.table)["Table"].get("StreamSpecification", {})

    dynamodb.update_table(TableName=side.table, StreamSpecification={"StreamEnabled": False})
    seen = deploys(side.pair, "--limit", "cn", "--tags", "tables", "--check", "--diff")
    assert re.search(r"\+\s+stream_view_type: NEW_AND_OLD_IMAGES", seen), seen
    assert not stream().get("StreamEnabled"), "check mode changes nothing"
    deploys(side.pair, "--limit", "cn", "--tags", "tables,sender,change_capture")
    assert stream() == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    bridge.replicates(key)


@contextlib.contextmanager
def rows_kept(side: Side):
    """Put the table's rows back after the block: they are the same on the other side, so nothing replicates."""
    rows = side.items()
    yield
    for row in rows:
        side.client("dynamodb").put_item(TableName=side.table, Item=row)
