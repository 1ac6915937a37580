# SPDX-License-Identifier: GPL-3.0-or-later
"""Least privilege: every statement of a function's policy is needed, and AWS says so when one is missing.

The sender is watched on cn and the receiver on sg, so each partition's ARNs are tried. A scenario is a generator: what
needs the right is provoked before its ``yield``, which names the action that AWS has to refuse and where that is seen;
what comes after it runs with the right restored.
"""

import contextlib
import json
import time

import pytest
import yaml

from tests.integration.support import RECEIVER, SENDER, Bridge, Side, eventually
from tests.local_pair import REPOSITORY

LOG, MAPPING = "the function's log", "the mapping's last result"


def statements_of(role: str, variable: str) -> list[dict]:
    """The statements as the Ansible role has them, before templating: pytest needs their names when it collects."""
    return yaml.safe_load((REPOSITORY / "roles" / role / "vars" / "main.yml").read_text())[variable]


SIDS = {
    SENDER: [statement["Sid"] for statement in statements_of("sender", "sender_statements")],
    RECEIVER: [statement["Sid"] for statement in statements_of("receiver", "receiver_statements")],
}


def policy_of(side: Side, function: str) -> dict:
    answer = side.client("iam").get_role_policy(RoleName=f"{function}_role", PolicyName=function)
    document = answer["PolicyDocument"]
    return json.loads(document) if isinstance(document, str) else document


@contextlib.contextmanager
def without_right(side: Side, function: str, sid: str, action: str = ""):
    """The role's policy without one statement, or without one of its actions, for the length of the block."""
    whole = policy_of(side, function)
    (statement,) = (statement for statement in whole["Statement"] if statement["Sid"] == sid)
    rest = [other for other in whole["Statement"] if other["Sid"] != sid]
    if action:
        assert action in statement["Action"]
        rest.append(statement | {"Action": [other for other in statement["Action"] if other != action]})

    def put(document):
        side.client("iam").put_role_policy(
            RoleName=f"{function}_role", PolicyName=function, PolicyDocument=json.dumps(document)
        )

    put(whole | {"Statement": rest})
    try:
        yield
    finally:
        put(whole)


def a_write_waits_for(action: str, seen: str):
    """The right is needed to bring a change across: it waits, and arrives once the right is back."""

    def scenario(bridge: Bridge, key: str):
        bridge.cn.forget(SENDER)  # a warm environment remembers the peer's key
        written = bridge.cn.write(key)
        yield seen, action
        assert bridge.sg.item(key) is None
        yield "restored"
        eventually(lambda: bridge.sg.item(key) == written)

    return scenario


def a_delete_needs(action: str):
    """The right makes sure that what is deleted stays deleted: the peer hears of it once that is so."""

    def scenario(bridge: Bridge, key: str):
        bridge.replicates(key)
        bridge.cn.remove(key)
        yield LOG, action
        eventually(lambda: bridge.cn.item(key) is None)
        assert bridge.sg.item(key) is not None
        yield "restored"
        eventually(lambda: bridge.sg.item(key) is None)

    return scenario


def a_write_by_a_slow_clock_is_stamped(bridge: Bridge, key: str):
    """A write whose stamp is older than what it replaces: the sender gives it a later one."""
    bridge.replicates(key)
    old = {"last_update_timestamp": {"N": str(int(time.time()) - 60)}, "last_updater_region": {"S": bridge.cn.region}}
    bridge.cn.client("dynamodb").put_item(TableName=bridge.cn.table, Item={"PK": {"S": key}, "slow": {"N": "1"}} | old)
    yield LOG, "dynamodb:UpdateItem"
    assert "slow" not in bridge.sg.item(key)
    yield "restored"
    eventually(lambda: "slow" in bridge.sg.item(key) and bridge.sg.item(key) == bridge.cn.item(key))


def a_row_that_slipped_in_is_taken_back(bridge: Bridge, key: str):
    """An older write of the peer's that came in between a delete and its being remembered, put there by hand."""
    side = bridge.cn
    older = {"last_update_timestamp": {"N": "1"}, "last_updater_region": {"S": bridge.sg.region}}
    with side.mapping_changed(SENDER, BatchSize=1):
        bridge.replicates(key)
        with side.function_changed(SENDER, Handler="handler.missing"):
            side.remove(key)
            side.client("dynamodb").put_item(TableName=side.table, Item={"PK": {"S": key}} | older)
        yield LOG, "dynamodb:DeleteItem"
        assert side.item(key) is not None
        yield "restored"
        eventually(lambda: not side.problem(SENDER) and side.item(key) is None and bridge.sg.item(key) is None)


def a_lost_batch_is_reported_by(function: str, queue: str):
    """The mapping gives a batch up and tells the queue, with the function's role."""

    def scenario(bridge: Bridge, key: str):
        side = bridge.cn if function == SENDER else bridge.sg
        url = side.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
        side.client("sqs").purge_queue(QueueUrl=url)

        def message():
            return side.client("sqs").receive_message(QueueUrl=url).get("Messages")

        with (
            side.function_changed(function, Handler="handler.missing"),
            side.mapping_changed(function, MaximumRetryAttempts=0),
        ):
            bridge.cn.write(key)
            yield MAPPING, "not sent", "may not send to", queue
            assert not message()
            yield "restored"

            def lost_again():  # the mapping may remember for a second that it must not send
                bridge.cn.write(key)
                return message()

            assert "RetryAttemptsExhausted" in eventually(lost_again)[0]["Body"]
        bridge.replicates(key)  # so whatever was to be lost is lost by now
        side.client("sqs").purge_queue(QueueUrl=url)

    return scenario


def the_sender_keeps_what_it_cannot_send(bridge: Bridge, key: str):
    """A table's stream holds no such record as long as its view type is right, hence the direct call."""
    side = bridge.cn
    record = {
        "eventID": key,
        "eventName": "INSERT",
        "eventSourceARN": side.mapping(SENDER)["EventSourceArn"],
        "dynamodb": {"Keys": {"PK": {"S": key}}, "SequenceNumber": key},
    }

    def send():
        payload = json.dumps({"Records": [record]})
        return side.client("lambda").invoke(FunctionName=SENDER, Payload=payload)

    assert "FunctionError" in send()
    yield LOG, "s3:PutObject"
    yield "restored"
    assert "FunctionError" not in send()
    assert side.taken_from_quarantine(key)["record"] == record


def the_receiver_keeps_what_it_cannot_read(bridge: Bridge, key: str):
    side = bridge.sg
    sent = side.client("kinesis").put_record(StreamName=side.stream, PartitionKey=key, Data=key.encode())
    yield LOG, "s3:PutObject"
    yield "restored"
    eventually(lambda: side.taken_from_quarantine(sent["SequenceNumber"]))


def an_unstamped_write_raises_a_metric(bridge: Bridge, key: str):
    """The change itself does not depend on the metric, so nothing waits."""
    bridge.replicates(key)
    bridge.cn.touch(key)
    yield LOG, "cloudwatch:PutMetricData"
    before = bridge.cn.metric("Unstamped_count")
    yield "restored"
    bridge.cn.touch(key)
    eventually(lambda: bridge.cn.metric("Unstamped_count") == before + 1)


def applied_changes_are_published(bridge: Bridge, key: str):
    bridge.replicates(key)
    yield LOG, "cloudwatch:PutMetricData"
    before = bridge.sg.metric("Updated_count")
    yield "restored"
    bridge.replicates(key)
    eventually(lambda: bridge.sg.metric("Updated_count") == before + 1)


def applied_changes_are_counted(bridge: Bridge, key: str):
    def count():
        answer = bridge.sg.client("dynamodb").get_item(
            TableName="replicator_stats", Key={"PK": {"S": "replicated_count"}}, ConsistentRead=True
        )
        return int(answer.get("Item", {}).get("cnt", {"N": "0"})["N"])

    before = count()
    bridge.replicates(key)
    yield LOG, "dynamodb:UpdateItem"
    assert count() == before
    yield "restored"
    bridge.replicates(key)
    eventually(lambda: count() == before + 1)


SCENARIOS = {
    (SENDER, "ReadStream"): a_write_waits_for("GetRecords", MAPPING),
    (SENDER, "StampTables"): a_write_by_a_slow_clock_is_stamped,
    (SENDER, "RememberDeletes"): a_write_waits_for("dynamodb:BatchGetItem", LOG),
    (SENDER, "ReadPeerKey"): a_write_waits_for("ssm:GetParameters", LOG),
    (SENDER, "SendToFailureQueue"): a_lost_batch_is_reported_by(SENDER, "ddbstreamcn"),
    (SENDER, "KeepInQuarantine"): the_sender_keeps_what_it_cannot_send,
    (SENDER, "PublishMetrics"): an_unstamped_write_raises_a_metric,
    (RECEIVER, "ReadStream"): a_write_waits_for("GetRecords", MAPPING),
    (RECEIVER, "SendToFailureQueue"): a_lost_batch_is_reported_by(RECEIVER, "ddbreplicatorsg"),
    (RECEIVER, "WriteTables"): a_write_waits_for("dynamodb:PutItem", LOG),
    (RECEIVER, "RememberDeletes"): a_write_waits_for("dynamodb:BatchGetItem", LOG),
    (RECEIVER, "CountReplicated"): applied_changes_are_counted,
    (RECEIVER, "KeepInQuarantine"): the_receiver_keeps_what_it_cannot_read,
    (RECEIVER, "PublishMetrics"): applied_changes_are_published,
}
# The rights by which a delete stays a delete are needed at different times, so they are taken away one by one too.
ACTIONS = {
    (SENDER, "StampTables", "dynamodb:BatchGetItem"): a_delete_needs("dynamodb:BatchGetItem"),
    (SENDER, "StampTables", "dynamodb:DeleteItem"): a_row_that_slipped_in_is_taken_back,
    (SENDER, "RememberDeletes", "dynamodb:PutItem"): a_delete_needs("dynamodb:PutItem"),
    (RECEIVER, "RememberDeletes", "dynamodb:PutItem"): a_delete_needs("dynamodb:PutItem"),
}


def refused(side: Side, function: str, since: float, place: str, *words: str) -> None:
    """AWS's refusal is seen where the one who needed the right writes it down."""
    if place == MAPPING:
        eventually(lambda: all(word in side.problem(function) for word in words))
    else:
        eventually(lambda: side.logged(function, since, "AccessDenied", *words))


@pytest.mark.parametrize(("function", "sid"), [(function, sid) for function in SIDS for sid in SIDS[function]])
def test_no_statement_is_dispensable(bridge, key, function, sid):
    """GIVEN a policy without one statement WHEN its right is needed THEN AWS refuses; restored, replication goes on."""
    play(SCENARIOS[function, sid], bridge, key, function, sid)


@pytest.mark.parametrize(("function", "sid", "action"), ACTIONS)
def test_no_action_on_deletes_is_dispensable(bridge, key, function, sid, action):
    """GIVEN a policy without one action WHEN it is needed THEN AWS refuses; restored, replication goes on."""
    play(ACTIONS[function, sid, action], bridge, key, function, sid, action)


def play(scenario, bridge: Bridge, key: str, function: str, sid: str, action: str = "") -> None:
    side, since = bridge.cn if function == SENDER else bridge.sg, time.time()
    with contextlib.closing(scenario(bridge, key)) as acts:
        with without_right(side, function, sid, action):
            refused(side, function, since, *next(acts))
            next(acts)
        assert next(acts, "done") == "done"
    bridge.replicates(key)


@pytest.mark.parametrize("function", [SENDER, RECEIVER])
def test_every_deployed_statement_has_a_scenario(bridge, function):
    """GIVEN both sides deployed THEN their policies hold just the statements that are tried above."""
    tried = [sid for name, sid in SCENARIOS if name == function]
    for side in (bridge.cn, bridge.sg):
        assert [statement["Sid"] for statement in policy_of(side, function)["Statement"]] == SIDS[function]
        assert len(side.client("iam").list_role_policies(RoleName=f"{function}_role")["PolicyNames"]) == 1
    assert sorted(tried) == sorted(SIDS[function])


def test_the_peers_user_may_do_nothing_but_send(bridge, key):
    """GIVEN the user whose key cn holds without its one statement THEN sg refuses, and cn's log names stream and action."""
    iam, name, since = bridge.sg.client("iam"), "dynabridge-peer-cn", time.time()
    policy = iam.get_user_policy(UserName=name, PolicyName=name)["PolicyDocument"]
    (statement,) = policy["Statement"]
    assert statement["Action"] == "kinesis:PutRecords" and statement["Resource"].endswith(f"stream/{bridge.sg.stream}")
    iam.delete_user_policy(UserName=name, PolicyName=name)
    try:
        written = bridge.cn.write(key)
        eventually(lambda: bridge.cn.logged(SENDER, since, "AccessDenied", "kinesis:PutRecords", bridge.sg.stream))
    finally:
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
    eventually(lambda: bridge.sg.item(key) == written)
