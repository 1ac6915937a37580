# SPDX-License-Identifier: GPL-3.0-or-later
"""status.yml: no fault where all is well, and all that is wrong is named at once."""

import contextlib
import json
import re
import time
import uuid
from dataclasses import replace

import pytest

from dynabridge.compare_record import key_of
from dynabridge.replays import GAPS, QUARANTINE
from dynabridge.watermark import key_of_watermark
from tests.integration import captures
from tests.integration.support import RECEIVER, SENDER, Bridge, Side, eventually
from tests.integration.test_backup_status import Shelf
from tests.integration.test_replay import objects
from tests.integration.test_rotate import USER, stored
from tests.local_pair import run_playbook

# As docs/playbooks/status.md has them; tests/docs/test_commands.py knows that they are run here.
PLAIN = "ansible-playbook status.yml"
JSON = "ansible-playbook status.yml -e output=json"
QUEUES = ("ddbstream{}", "ddbreplicator{}", "dynamodbbackup{}", "ddbcapture{}")
OURS = f"status-test-{uuid.uuid4().hex[:8]}"  # folder of backups and of drills that no other test writes to
SETTINGS = (
    *("-e", f"dynabridge_backup_prefix={OURS}", "-e", f"status_drill_folder={OURS}-drills"),
    # The operator's role reads the usual folder only.
    *("-e", "backup_status_role=''"),
)
FUNCTIONS = (SENDER, RECEIVER, captures.FUNCTION)
WAIT = 180.0


def status(pair, command: str, *arguments: str, **more) -> tuple[int, str]:
    """Exit code and output."""
    result = run_playbook(pair, *command.split()[1:], *SETTINGS, *arguments, **more)
    return result.returncode, result.stdout + result.stderr


def flat(text: str) -> str:
    return " ".join(text.split())


def cut_out(output: str) -> dict:
    """The document, as docs/playbooks/status.md tells a monitor to find it."""
    (line,) = re.findall(r'^ *(\{"version".*\})$', output, re.MULTILINE)
    return json.loads(line)


def both(bridge: Bridge) -> tuple[Side, Side]:
    return bridge.cn, bridge.sg


def nothing_waits(side: Side) -> None:
    for queue in QUEUES:
        url = side.client("sqs").get_queue_url(QueueName=queue.format(side.name))["QueueUrl"]
        side.client("sqs").purge_queue(QueueUrl=url)
    for prefix in (QUARANTINE, GAPS):
        for key in objects(side, prefix):
            side.client("s3").delete_object(Bucket=side.bucket, Key=key)


def comparison_forgotten(side: Side) -> None:
    side.client("dynamodb").delete_item(TableName="replicator_stats", Key=key_of("user"))


@pytest.fixture
def shelves(bridge):
    """The backup buckets, with a full backup of this moment each: later than any hole that a test of captures left."""
    made = {side.name: Shelf(side.pair, side.name, prefix=OURS) for side in both(bridge)}
    for shelf in made.values():
        shelf.put(0)
    yield made
    for shelf in made.values():
        shelf.clear()


@pytest.fixture
def calm(bridge, key, shelves):
    """Both sides well, whatever was before: each has handed over a batch, both are equal, and nothing waits."""
    for side in both(bridge):
        nothing_waits(side)
    bridge.replicates(key)
    written = bridge.sg.write(key, back={"S": "x"})
    eventually(lambda: bridge.cn.item(key) == written, WAIT)
    eventually(lambda: all(not side.problem(name) for side in both(bridge) for name in FUNCTIONS), WAIT)
    for side in both(bridge):
        captures.captured_until(side, time.time() - 300, WAIT)
    bridge.at_rest()
    yield bridge
    for side in both(bridge):
        nothing_waits(side)
        comparison_forgotten(side)


def test_all_is_well(calm, deployed_pair):
    """GIVEN both sides well WHEN asked THEN no fault, exit code 0, and nothing changed; check mode says the same."""
    compared = run_playbook(deployed_pair, "compare.yml", "-e", "compare_wait=60")
    assert compared.returncode == 0 and "changed=0" in compared.stdout, compared.stdout
    code, output = status(deployed_pair, JSON, "--check")
    document = cut_out(output)
    assert (code, document["faults"]) == (0, []), output
    assert document["ok"] and "Nothing needs a person." in output and not re.search(r"changed=[1-9]", output)
    (table,) = document["tables"]
    assert table["table"] == "user" and table["equal"] and table["left_items"] == table["right_items"] > 0
    for side in document["sides"]:
        assert side["counters"]["replicated"] > 0 and side["key"]["state"] == "active" and side["unknown"] == {}
        assert {queue["messages"] for queue in side["queues"]} == {0}
        assert [one["state"] for function in side["functions"] for one in function["mappings"]] == ["Enabled"] * 3
        assert all(function["age_seconds"] is not None for function in side["functions"]), side["functions"]
        assert side["captured"][0]["behind_seconds"] < 900 and side["backups"][0]["problems"] == []


@contextlib.contextmanager
def key_revoked(holder: Side, owner: Side):
    (access_key, _secret) = stored(holder, owner)
    change = {"UserName": USER.format(holder.name), "AccessKeyId": access_key}
    owner.client("iam").update_access_key(**change, Status="Inactive")
    try:
        yield
    finally:
        owner.client("iam").update_access_key(**change, Status="Active")


@contextlib.contextmanager
def capture_behind(side: Side):
    """The capture stands still: its rule and mapping are off. Gives what makes its watermark an hour old: a look that had begun
    before may write it anew some seconds later."""
    events, rule = side.client("events"), {"Name": "dynabridge-capture"}
    place = {"Bucket": captures.bucket_of(side), "Key": key_of_watermark(side.table)}
    events.disable_rule(**rule)
    try:
        with side.mapping_off(captures.FUNCTION):
            mark = captures.mark_of(side)
            then = int(time.time()) - 3600
            old = replace(mark, since=min(mark.since, then), until=min(mark.until, then))
            yield lambda: side.client("s3").put_object(**place, Body=json.dumps(old.as_dict()).encode())
            side.client("s3").put_object(**place, Body=json.dumps(mark.as_dict()).encode())
    finally:
        events.enable_rule(**rule)


def test_everything_that_is_wrong_is_named_at_once(calm, deployed_pair, shelves, tmp_path):
    """GIVEN eight faults on two sides WHEN asked once THEN each is named with side, thing and what to do, and the code is 2."""
    cn, sg = both(calm)
    with calm.own_key() as lost, calm.own_key() as waiting:
        with contextlib.ExitStack() as wrong:
            wrong.enter_context(cn.mapping_off(SENDER))
            cn.write(lost)
            wrong.enter_context(cn.function_changed(RECEIVER, Handler="handler.missing"))
            sg.write(waiting)
            eventually(lambda: cn.problem(RECEIVER), WAIT)
            wrong.enter_context(key_revoked(sg, cn))
            sg.client("sqs").send_message(
                QueueUrl=sg.client("sqs").get_queue_url(QueueName="ddbstreamsg")["QueueUrl"], MessageBody="given up"
            )
            sg.client("s3").put_object(Bucket=sg.bucket, Key=f"{QUARANTINE}{RECEIVER}/2026/11/20/s/1.json", Body=b"{}")
            shelves["sg"].clear()
            shelves["sg"].put(30)
            set_back = wrong.enter_context(capture_behind(cn))
            assert run_playbook(deployed_pair, "compare.yml").returncode == 2
            set_back()
            code, output = status(deployed_pair, PLAIN, "-e", f"json={tmp_path}/status.json")
        calm.at_rest()
    assert code == 2, output
    document, said = json.loads((tmp_path / "status.json").read_text()), flat(output)
    named = {(fault["side"], fault["thing"]): fault["what"] for fault in document["faults"]}
    expected = {
        ("cn", f"sender {SENDER}"): "its mapping of user-cn is Disabled, so nothing of it is handed over",
        (
            "cn",
            f"receiver {RECEIVER}",
        ): "it fails: its mapping of ddb_replication_stream_cn says 'PROBLEM: Function call",
        ("cn", f"capture {captures.FUNCTION}"): "its mapping of user-cn is Disabled",
        ("cn", "captured changes of user-cn"): "they lag: all are known up to ",
        ("sg", "key pair for cn"): f"of {USER.format('sg')} is inactive",
        ("sg", "queue ddbstreamsg"): "it is not empty: 1 message tell",
        ("sg", f"quarantine {sg.bucket}"): f"it is not empty: 1 of {RECEIVER} could not be sent or applied",
        ("sg", "backups of user-sg"): "ago; it may be 26 h old",
        ("both", "table user"): "both sides differed in ",
    }
    # With an old backup a hole that a test of captures left counts again.
    assert named.keys() - {("sg", "captured changes of user-sg")} == expected.keys()
    for place, words in expected.items():
        assert words in named[place], named[place]
    for fault in document["faults"]:
        assert f"FAULT {fault['side']}: {fault['thing']}: {flat(fault['what'])} -> {fault['do']}" in said, fault
    assert not document["ok"] and not re.search(r"changed=[1-9]", output)
