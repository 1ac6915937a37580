# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of a table that exports and its stream have saved, applied to another table: it holds what there was at a moment."""

import importlib
import json
import subprocess
import sys
import time
from types import SimpleNamespace

import boto3
import pytest

from dynabridge.attributes import to_json
from dynabridge.aws.catalogue import read_catalogue
from dynabridge.aws.objects import Objects
from dynabridge.catalogue import FULL, INCREMENTAL, verified
from dynabridge.change_log import objects_of
from dynabridge.restore_plan import APPLY, LogPart, Plan
from tests import faults_api
from tests.integration.backups import PREFIX, Ground
from tests.local_aws.exports import next_second, started_cloud
from tests.local_pair import REPOSITORY

dynamodb_apply = importlib.import_module("ansible.modules.dynamodb_apply")  # tests.integration.backups leads there

SCHEMAS = {
    "plain": ((("PK", "S"),), lambda number: {"PK": {"S": f"k{number:04}"}}),
    "composite": (
        (("PK", "B"), ("SK", "N")),
        lambda number: {"PK": {"B": bytes([number % 4, 0, 255])}, "SK": {"N": f"{number}.5"}},
    ),
}
ITEMS = 60
# A process of its own: run as Ansible runs a module, and killed.
PROCESS = """
import json, sys
import tests.integration.backups
import ansible.module_utils.dynabridge.apply_parts as parts
parts.PART_ITEMS = 5
from ansible.module_utils.testing import patch_module_args
from ansible.modules import dynamodb_apply
with patch_module_args(json.load(open(sys.argv[1]))):
    dynamodb_apply.main()
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """One side, with quick exports."""
    with started_cloud(tmp_path_factory.mktemp("apply")) as cloud:
        yield cloud


class History:
    """A table's life: a full backup, an incremental after it, captured changes up to ``moment``, and a disaster after that."""

    def __init__(self, cloud, kind):
        self.ground, self.kind = Ground(cloud), kind
        self.dynamodb, self.table = self.ground.dynamodb, self.ground.named(kind)
        self.make(self.table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.ground.recover(self.table, True)
        self.write(range(ITEMS), 1)
        self.back_up(kind="full")
        self.at_base = self.items(self.table)
        self.write(range(0, ITEMS, 2), 2)
        self.remove(range(0, ITEMS, 6))
        self.write(range(ITEMS, ITEMS + 10), 2)
        self.back_up(kind="incremental")
        for version in (3, 4):
            self.write(range(0, ITEMS, 3), version)
        self.remove(range(1, ITEMS, 12))
        self.write(range(ITEMS + 10, ITEMS + 20), 3)
        self.moment = next_second()
        self.expected = self.items(self.table)
        self.remove(range(ITEMS + 20))
        self.write(range(5), 9)
        self.capture()

    # -- what happens ------------------------------------------------------------------------

    def make(self, table, client=None, **more):
        schema, _key = SCHEMAS[self.kind]
        (client or self.dynamodb).create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for (name, _type), kind in zip(schema, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in schema],
            **more,
        )

    def item(self, number, version):
        stamp = {"last_update_timestamp": {"N": str(version)}, "last_updater_region": {"S": "cn-north-1"}}
        return SCHEMAS[self.kind][1](number) | stamp | {"raw": {"B": b"\x00\xff"}, "n": {"N": "1E+2"}}

    def write(self, numbers, version, table=None):
        requests = [{"PutRequest": {"Item": self.item(number, version)}} for number in numbers]
        self._batches(requests, table or self.table)

    def remove(self, numbers):
        keys = [SCHEMAS[self.kind][1](number) for number in numbers]
        self._batches([{"DeleteRequest": {"Key": key}} for key in keys], self.table)

    def _batches(self, requests, table):
        for start in range(0, len(requests), 25):
            self.dynamodb.batch_write_item(RequestItems={table: requests[start : start + 25]})

    def back_up(self, kind):
        next_second()
        result = self.ground.backup(tables=[self.table], kind=kind)
        assert not result.get("failed"), result

    def capture(self):
        """The stream to the log, as the function that reads it does."""
        streams = self.ground.cloud.client("dynamodbstreams")
        arn = self.dynamodb.describe_table(TableName=self.table)["Table"]["LatestStreamArn"]
        (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while records := (page := streams.get_records(ShardIterator=iterator, Limit=100))["Records"]:
            for key, body in objects_of(self.table, map(as_lambda_gets_it, records)):
                self.ground.put(key, body)
            iterator = page["NextShardIterator"]

    # -- what is done about it ---------------------------------------------------------------

    def plan(self):
        known = read_catalogue(Objects(self.ground.s3, self.ground.bucket), PREFIX, [self.table])
        (base,), windows = verified(known, FULL), verified(known, INCREMENTAL)
        assert sum(window.items for window in windows) > 0
        log = LogPart(windows[-1].moment - 60, self.moment, 1, 1)
        return Plan(
            self.table, self.moment, APPLY, self.ground.bucket, PREFIX, "changes", base, tuple(windows), log
        ).as_dict()

    def restored(self, name):
        """A table as it is after the full backup alone was restored."""
        table = self.ground.named(name)
        self.make(table)
        self._batches([{"PutRequest": {"Item": item}} for item in self.at_base.values()], table)
        return table

    def items(self, table, client=None):
        pages = (client or self.dynamodb).get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        names = [name for name, _type in SCHEMAS[self.kind][0]]
        return {
            json.dumps(to_json({name: item[name] for name in names})): item for page in pages for item in page["Items"]
        }

    def apply(self, table, directory, plan=None, **params):
        arguments = {
            "plan": plan or self.plan(),
            "target_table": table,
            "log_dir": str(directory / "logs"),
            "directory": str(directory / "room"),
            "tombstones_table": "",
            **params,
        }
        return self.ground.run(dynamodb_apply, **arguments)


def as_lambda_gets_it(record):
    """boto3 gives bytes and datetimes where Lambda gets base64 text and seconds."""
    data = dict(record["dynamodb"])
    for name in ("Keys", "OldImage", "NewImage"):
        if name in data:
            data[name] = to_json(data[name])
    data["ApproximateCreationDateTime"] = float(int(data["ApproximateCreationDateTime"].timestamp()))
    return {"eventID": record["eventID"], "eventName": record["eventName"], "dynamodb": data}


@pytest.fixture(scope="module")
def plain(cloud):
    return History(cloud, "plain")


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_table_becomes_what_it_was(request, cloud, kind, tmp_path):
    """GIVEN a table restored from the full backup WHEN the changes are applied, twice THEN it is as it was at the moment, to the
    item: nothing of the disaster after it is there."""
    history = request.getfixturevalue("plain") if kind == "plain" else History(cloud, kind)
    table = history.restored(f"exclusive-{kind}")
    for _time in range(2):
        result = history.apply(table, tmp_path)
        assert not result.get("failed"), result
        assert history.items(table) == history.expected
    assert result["puts"] and result["deletes"] and result["newest"] < "2100"


def test_a_bad_day_loses_nothing(plain, tmp_path):
    """GIVEN calls that are throttled, fail, are carried out in part or never answered WHEN applied THEN it is all there."""
    table = plain.restored("bad-day")
    side = plain.ground.cloud.side
    pair = SimpleNamespace(sides={"cn": {"endpoint_url": side.endpoint_url}})
    with faults_api.throttled(pair, 0.6, ["dynamodb:BatchWriteItem"]):
        result = plain.apply(table, tmp_path)
        assert faults_api.failed(pair, "cn")
    assert not result.get("failed"), result
    assert result["retries"] and plain.items(table) == plain.expected


def test_hazard_20_the_region_that_was_backed_up_is_not_called(plain, tmp_path):
    """GIVEN the table's region is gone WHEN its changes are applied in another one THEN it works, and nobody calls there."""
    other, table = "cn-northwest-1", plain.ground.named("other-region")
    side = plain.ground.cloud.side
    session = boto3.Session(region_name=other, aws_access_key_id=side.account_id, aws_secret_access_key="test")
    there, s3 = (session.client(service, endpoint_url=side.endpoint_url) for service in ("dynamodb", "s3"))
    plan, bucket = plain.plan(), plain.ground.named("bucket-there")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": other})
    for key in plain.ground.stored(""):
        s3.put_object(Bucket=bucket, Key=key, Body=plain.ground.read(key))
    plain.make(table, there)
    pair = SimpleNamespace(sides={"cn": {"endpoint_url": side.endpoint_url}})
    with faults_api.region_down(pair, "cn", side.region):
        result = plain.apply(table, tmp_path, plan=plan, region=other, bucket=bucket, bucket_region=other)
        assert not result.get("failed"), result
        assert faults_api.calls_of_lost_region(pair, "cn", side.region) == {}
    changed = {key: item for key, item in plain.expected.items() if plain.at_base.get(key) != item}
    assert changed.items() <= plain.items(table, there).items() <= plain.expected.items()


def test_killed_and_started_again(plain, tmp_path):
    """GIVEN a run that is killed in its middle WHEN the same is started again THEN it goes on, and ends as if it never was."""
    table = plain.restored("killed")
    arguments = {
        "plan": plain.plan(),
        "target_table": table,
        "log_dir": str(tmp_path / "logs"),
        "directory": str(tmp_path / "room"),
        "budget_mb": 1,
        "max_wcu": 20,
        "workers": 1,
        "region": plain.ground.cloud.side.region,
        "endpoint_url": plain.ground.cloud.side.endpoint_url,
        "access_key": plain.ground.cloud.side.account_id,
        "secret_key": "test",
    }
    (tmp_path / "arguments.json").write_text(json.dumps(arguments))
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "arguments.json")]
    environment = {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'module_utils'}", "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)
    state = tmp_path / "logs" / f"apply_changes_{table}.state.json"
    deadline = time.monotonic() + 30
    while not (state.exists() and json.loads(state.read_text())["next"] > 1):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert plain.items(table) not in (plain.at_base, plain.expected), "it was killed on the way"

    ended = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    result = json.loads(ended.stdout.strip().splitlines()[-1])
    assert result["resumed"] and plain.items(table) == plain.expected
    assert not state.exists() and not list((tmp_path / "room").iterdir())
    (log,) = (tmp_path / "logs").iterdir()
    assert "goes on" in log.read_text()


def test_a_table_in_use_keeps_what_is_newer(plain, tmp_path):
    """GIVEN a table in use whose items are older, newer or gone WHEN applied live THEN only what is older or gone is written."""
    table = plain.ground.named("live")
    plain.make(table)
    plain.write(range(0, 20), 1, table)
    plain.write(range(20, 40), 99, table)
    newer = {key: item for key, item in plain.items(table).items() if item["last_update_timestamp"]["N"] == "99"}
    result = plain.apply(table, tmp_path, mode="live")
    assert not result.get("failed"), result
    found = plain.items(table)
    assert newer.items() <= found.items()
    changed = {key: item for key, item in plain.expected.items() if plain.at_base.get(key) != item}
    assert {key: item for key, item in found.items() if key in changed and key not in newer} == {
        key: item for key, item in changed.items() if key not in newer
    }
    assert not plain.apply(table, tmp_path, mode="live")["changed"]


def test_looking_changes_nothing(plain, tmp_path):
    """GIVEN a table WHEN applied in check mode THEN the numbers are those of the run, and the table is as it was."""
    table = plain.restored("check")
    said = plain.apply(table, tmp_path, check=True)
    assert plain.items(table) == plain.at_base and not (tmp_path / "logs").exists()
    done = plain.apply(table, tmp_path)
    assert (said["puts"], said["deletes"]) == (done["puts"], done["deletes"])
