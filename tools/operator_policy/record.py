# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays every verb on a pair of local sides, and reads from their records what the operator called."""

import json
import os
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import yaml

from dynabridge.changes import PUT, Change
from dynabridge.wire import encode
from tests.docs.test_commands import NEEDS_AWS, PAGES, commands, playbook_of
from tests.integration.support import Bridge
from tests.local_pair import LocalPair, run_playbook, started_pair

from .groups import CALLS, REPOSITORY
from .places import VARIABLES, place_of
from .resources import pattern_of

# They call nothing of a side as its operator, or are no work of an operator.
NOT_PLAYED = {"backup_schedule", "proxy", "proxy_check", "demo", "local_aws", "teardown"}
PRIVATE = ("-e", "dynabridge_private_path=true")
REMOVE = ("teardown.yml", "-e", "confirm=cn,sg", "-e", "teardown_data=true", "-e", "teardown_backups=true")
# With the network all of it is made and removed once more: its policy has what the others lack.
NETWORK = [["deploy.yml", *PRIVATE, "--check"], ["deploy.yml", *PRIVATE], ["deploy.yml", *PRIVATE], [*REMOVE, *PRIVATE]]
# What the inventory may ask for, and does not as it comes.
_TABLES = yaml.safe_load((VARIABLES / "tables.yml").read_text(encoding="utf-8"))["dynabridge_tables"]
WISHES = {
    "dynabridge_tables": [table | {"ttl_attribute": "expires", "point_in_time_recovery": True} for table in _TABLES],
    "dynabridge_alarm_subscriptions": [{"protocol": "email", "endpoint": "ops@example.com"}],
    "dynabridge_stream_retention_hours": 48,
    "dynabridge_queue_retention_seconds": 1000000,
    "dynabridge_lambda_memory_mb": 640,
    "dynabridge_lambda_timeout_seconds": 50,
    "dynabridge_log_retention_days": 14,
    "dynabridge_sender_batch_size": 400,
    "dynabridge_receiver_batch_size": 400,
    "dynabridge_backup_expiration_days": 700,
    "dynabridge_backup_schedule": "cron(0 3 * * ? *)",
    "dynabridge_backup_incremental_schedule": "rate(1 hour)",
    "dynabridge_capture_retention_days": 80,
}
BESIDE_PAGES = {"deploy": [["deploy.yml", "-e", json.dumps(WISHES)], ["deploy.yml"]]}
# Asked for by the service that was called, in an account where it is not there yet, or in cases that no play comes to.
_ROLE = "arn:${partition}:iam::${account}:role/dynabridge-backup-operator"
_BUCKET = "arn:${partition}:s3:::dynabridge-backup-${side}-${account}"
_HERE = "arn:${{partition}}:{}:${{region}}:${{account}}"
_TABLE = f"{_HERE.format('dynamodb')}:table/${{table}}"
_TOMBSTONES = f"{_HERE.format('dynamodb')}:table/replicator_tombstones"
_RESTORED = f"{_TABLE}-*".replace("${region}", "${backup_region}")
_SCRATCH = "arn:${partition}:dynamodb:${backup_region}:${account}:table/dynabridge-test1-${side}-*"
_STREAM = f"{_HERE.format('dynamodb')}:table/${{table}}/stream/*"
_SENDER = f"{_HERE.format('lambda')}:function:ddb_send_to_kinesis"
BESIDE_RECORDS = {
    # A newer version of dynabridge; what is set otherwise than before, or by somebody else. For the number of shards and a
    # subscription no policy can name a resource.
    "deploy": {
        "lambda:UpdateFunctionCode": [_SENDER],
        "kinesis:UpdateShardCount": ["*"],
        "kinesis:DecreaseStreamRetentionPeriod": [f"{_HERE.format('kinesis')}:stream/ddb_replication_stream_${{side}}"],
        "sns:Unsubscribe": ["*"],
        "iam:UpdateAssumeRolePolicy": [_ROLE],
        "iam:DetachRolePolicy": [_ROLE],
        "s3:PutBucketObjectLockConfiguration": [_BUCKET],
        "s3:PutBucketPublicAccessBlock": [_BUCKET],
        "s3:PutEncryptionConfiguration": [_BUCKET],
    },
    # Batches of the sender that were given up: their records are read from the table's stream, and go to the sender.
    "replay": {
        "dynamodb:GetRecords": [_STREAM],
        "dynamodb:GetShardIterator": [_STREAM],
        "lambda:InvokeFunction": [_SENDER],
        "sqs:ChangeMessageVisibility": [f"{_HERE.format('sqs')}:ddbstream${{side}}"],
    },
    # Deletes that one side has not heard of.
    "resync": {"dynamodb:DeleteItem": [_TABLE], "dynamodb:PutItem": [_TOMBSTONES]},
    "dr_put_back": {
        "dynamodb:BatchGetItem": [_TABLE, _TOMBSTONES],
        "dynamodb:PutItem": [_TABLE, _TOMBSTONES],
        "dynamodb:DeleteItem": [_TABLE],
    },
    # What is restored is looked at where it is, most often in the backups' region.
    "dr_restore": {"dynamodb:DescribeTable": [_RESTORED], "dynamodb:Scan": [_RESTORED]},
    # Of a table that is scaled.
    "export_schema": {
        "application-autoscaling:DescribeScalingPolicies": ["*"],
    },
    # What was lost and restored is compared, where it is. The function is asked to look where a write is not captured yet.
    "dr_test1": {
        "lambda:InvokeFunction": [f"{_HERE.format('lambda')}:function:stream_to_s3"],
        "sts:AssumeRole": ["arn:${partition}:iam::${account}:role/dynabridge-backup-restore"],
        "dynamodb:DescribeTable": [_SCRATCH],
        "dynamodb:Scan": [_SCRATCH],
    },
    # What is made with its tags.
    "network": {"ec2:CreateTags": ["*"]},
    # For one clearer message: whose key it is that was refused.
    "rotate_credentials": {
        "iam:GetAccessKeyLastUsed": ["arn:${partition}:iam::${account}:user/dynabridge-peer-${peer}"]
    },
}


def record() -> None:
    with tempfile.TemporaryDirectory(prefix="dynabridge-calls-") as name:
        directory = Path(name)
        os.environ["LOCAL_AWS_RECORD_DIR"] = str(directory)
        with started_pair(directory / "local") as pair:
            found: dict[str, dict] = {}
            for verb, lines in _plays():
                seen, beside = _calls_of(pair, directory, verb, lines), BESIDE_RECORDS.get(verb, {})
                found[verb] = {
                    action: sorted({*seen.get(action, []), *beside.get(action, [])})
                    for action in sorted({*seen, *beside})
                }
                _save(found)


def _save(found: dict[str, dict]) -> None:
    CALLS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _shown(page: str) -> list[list[str]]:
    """The commands of the verb's page."""
    return [playbook_of(line) for line in commands(REPOSITORY / "docs" / "playbooks" / f"{page}.md")]


def _plays() -> list[tuple[str, list[list[str]]]]:
    shown = [(page, [*_shown(page), *BESIDE_PAGES.get(page, [])]) for page in PAGES if page not in NOT_PLAYED]
    return [*shown, ("teardown", _shown("teardown")), ("network", NETWORK)]


def _calls_of(pair: LocalPair, directory: Path, verb: str, lines: list[list[str]]) -> dict[str, list[str]]:
    """What the operator called in these playbooks, as patterns."""
    PREPARED.get(verb, lambda _bridge: None)(Bridge.of(pair))
    _taken(pair, directory)
    for line in lines:
        if any(inventory in line for inventory in NEEDS_AWS):
            continue
        print(verb, *line, flush=True)
        result = run_playbook(pair, *line)
        assert result.returncode == 0, result.stdout[-5000:] + result.stderr
    return _taken(pair, directory)


def _taken(pair: LocalPair, directory: Path) -> dict[str, list[str]]:
    """The records so far; the next ones begin anew."""
    found: dict[str, set[str]] = {}
    for side, known in pair.sides.items():
        file, place = directory / f"{side}.jsonl", place_of(side, known["account_id"])
        if not file.exists():
            continue
        taken = file.rename(directory / f"{side}-{uuid.uuid4().hex}.jsonl")
        for line in taken.read_text(encoding="utf-8").splitlines():
            call = json.loads(line)
            if call["principal"].endswith(":root") and not call["action"].startswith("sts:Get"):
                found.setdefault(call["action"], set()).add(pattern_of(call["resource"], place))
    return {action: sorted(patterns) for action, patterns in found.items()}


# -- what gives a verb something to do --------------------------------------------------------


def _deploy_settled(bridge: Bridge) -> None:
    bridge.at_rest()


def _rows_that_differ(bridge: Bridge) -> None:
    """An item that claims to come from the peer is not sent to it."""
    for side, other in ((bridge.cn, bridge.sg), (bridge.sg, bridge.cn)):
        item = {
            "PK": {"S": f"only-on-{side.name}"},
            "last_update_timestamp": {"N": str(time.time())},
            "last_updater_region": {"S": other.region},
        }
        side.client("dynamodb").put_item(TableName=side.table, Item=item)


def _what_could_not_be_handled(bridge: Bridge) -> None:
    """A batch that was given up, in the queue; its record is good, so that a replay ends well."""
    for side, other in ((bridge.cn, bridge.sg), (bridge.sg, bridge.cn)):
        keys = {"PK": {"S": f"replayed-on-{side.name}"}}
        stamp = {"last_update_timestamp": {"N": "1"}, "last_updater_region": {"S": other.region}}
        data = encode([Change(PUT, side.table, keys, keys | stamp, at=time.time())], other.name)
        kinesis = side.client("kinesis")
        answer = kinesis.put_record(StreamName=side.stream, Data=data, PartitionKey="one")
        stream = kinesis.describe_stream_summary(StreamName=side.stream)["StreamDescriptionSummary"]["StreamARN"]
        info = {
            "shardId": answer["ShardId"],
            "startSequenceNumber": answer["SequenceNumber"],
            "endSequenceNumber": answer["SequenceNumber"],
            "approximateArrivalOfFirstRecord": "2026-11-20T10:00:00.000Z",
            "approximateArrivalOfLastRecord": "2026-11-20T10:00:01.000Z",
            "batchSize": 1,
            "streamArn": stream,
        }
        message = {
            "requestContext": {"condition": "RetryAttemptsExhausted"},
            "version": "1.0",
            "KinesisBatchInfo": info,
        }
        sqs = side.client("sqs")
        url = sqs.get_queue_url(QueueName=f"ddbreplicator{side.name}")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message))


PREPARED: dict[str, Callable[[Bridge], None]] = {
    "load_test": _deploy_settled,
    "resync": _rows_that_differ,
    "replay": _what_could_not_be_handled,
}
