# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong: each scenario breaks something under load and does what an operator does; nothing else mends it."""

import time
from dataclasses import dataclass

from dynabridge.changes import PUT, Change
from dynabridge.wire import encode
from tests import faults_api
from tests.integration.support import RECEIVER, SENDER, Bridge, eventually
from tests.local_pair import LocalPair, run_playbook


@dataclass
class Scene:
    """A deployed pair, and for how many seconds a fault lasts."""

    pair: LocalPair
    bridge: Bridge
    seconds: float

    @property
    def sides(self):
        return self.bridge.cn, self.bridge.sg

    def playbook(self, *arguments, expect=0):
        result = run_playbook(self.pair, *arguments)
        assert result.returncode == expect, result.stdout[-3000:] + result.stderr[-2000:]
        return result.stdout


def side_stopped(scene: Scene) -> str:
    """The sg side does not answer, and goes on."""
    with faults_api.stopped(scene.pair, "sg"):
        time.sleep(scene.seconds)
    return f"no answer for {scene.seconds:.0f} s"


def key_revoked(scene: Scene) -> str:
    """The key by which sg writes to cn is switched off; the operator rotates."""
    since, iam = time.time(), scene.bridge.client("cn", "iam")
    user = "dynabridge-peer-sg"
    for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    eventually(lambda: scene.bridge.sg.logged(SENDER, since, "refused the key pair"))
    scene.playbook("rotate_credentials.yml")
    return "key switched off until it was refused, then rotate_credentials.yml"


def calls_fail(scene: Scene) -> str:
    """5 % of all calls on both sides are throttled, fail, or are carried out and never answered."""
    with faults_api.throttled(scene.pair, 0.05):
        time.sleep(scene.seconds)
        failed = sum(sum(faults_api.failed(scene.pair, side.name).values()) for side in scene.sides)
    assert failed > 0
    return f"{failed} calls failed in {scene.seconds:.0f} s"


def poison(scene: Scene) -> str:
    """Records that cannot be read, and a change for a table that is not replicated, among good ones; the operator discards."""
    stray = Change(PUT, "no-such-table", {"PK": {"S": "x"}}, {"PK": {"S": "x"}})
    payloads = [b"not ours", b"DBR\x01damaged", b"DBR\x63", encode([stray], "sg")]
    for side in scene.sides:
        records = [{"Data": payload, "PartitionKey": "lane-000"} for payload in payloads]
        side.client("kinesis").put_records(StreamName=side.stream, Records=records)
        eventually(lambda side=side: len(kept(side)) == len(payloads))
    time.sleep(min(scene.seconds, 5))
    scene.playbook("replay.yml", "-e", "action=replay", expect=2)  # they are as bad as before, and stay
    assert [len(kept(side)) for side in scene.sides] == [len(payloads)] * 2
    scene.playbook("replay.yml", "-e", "action=discard", "-e", "confirm=all")
    return f"{len(payloads)} records a side: kept, replayed in vain, discarded"


def worker_killed(scene: Scene) -> str:
    """Both functions of cn die in the middle of a batch, several times."""
    functions = (SENDER, RECEIVER)
    calls = {SENDER: ("ssm:*", "s3:*", "dynamodb:*"), RECEIVER: ("dynamodb:*",)}
    for function in functions:
        faults_api.kill_mid_batch(scene.pair, "cn", function, after=2, calls=calls[function], times=3)
    eventually(lambda: all(faults_api.killed(scene.pair, "cn", function) >= 3 for function in functions), 120)
    deaths = sum(faults_api.killed(scene.pair, "cn", function) for function in functions)
    faults_api.all_well(scene.pair, "cn")
    return f"killed {deaths} times between a call and its answer"


def stream_trimmed(scene: Scene) -> str:
    """cn's sender is off for longer than the stream keeps its records; the operator resyncs. cn is the truth of its deletes."""
    with scene.bridge.cn.mapping_off(SENDER):
        time.sleep(scene.seconds / 2)
        trimmed = faults_api.trim(scene.pair, "cn", scene.bridge.cn.table)
    assert trimmed > 0
    resync = ("resync.yml", "-e", "table=user", "-e", "direction=cn_to_sg", "-e", "dry_run=false")
    scene.playbook(*resync, "-e", "missing=delete", "-e", "resync_confirm_delete=user")
    return f"{trimmed} records trimmed, then resync.yml"


SCENARIOS = {
    "a side stops": side_stopped,
    "the peer's key is revoked": key_revoked,
    "calls are throttled or fail": calls_fail,
    "poison records": poison,
    "functions are killed mid-batch": worker_killed,
    "the stream is trimmed": stream_trimmed,
}


def kept(side) -> list[str]:
    """Keys of what lies in the side's quarantine, gaps included."""
    s3 = side.client("s3")
    return [
        entry["Key"]
        for prefix in ("quarantine/", "gaps/")
        for entry in s3.list_objects_v2(Bucket=side.bucket, Prefix=prefix).get("Contents", [])
    ]


def waiting(side) -> int:
    """Messages in the side's on-failure queues."""
    sqs = side.client("sqs")
    names = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
    total = 0
    for queue in (f"ddbstream{side.name}", f"ddbreplicator{side.name}"):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        total += sum(int(attributes[name]) for name in names)
    return total
