# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_restore and dynamodb_retrieve on the local AWS: what was backed up in one region stands in another, as it was."""

import gzip
import json
import uuid
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest

from dynabridge.aws.table_schema import read_schema
from dynabridge.catalogue import backup_from
from dynabridge.restore_plan import Plan, named
from dynabridge.table_schema import MOMENTARY
from plugins.filter.dynabridge_backup import restore_statements
from tests import faults_api
from tests.integration.backups import QUICK, Ground, says
from tests.integration.test_export_schema import create_with_everything
from tests.local_aws.exports import md5, started_cloud

from ansible.modules import dynamodb_restore, dynamodb_retrieve  # isort: skip - found by tests.integration.backups

AWAY = "cn-northwest-1"
SOON = {"wait_timeout": 20, "poll": 0.1}
REAL_EXPORT = Path(__file__).resolve().parents[3] / "shared" / "data" / "real_full_export" / "AWSDynamoDB"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """One side, with quick exports, imports and retrievals."""
    with started_cloud(tmp_path_factory.mktemp("restore")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def place(cloud):
    """A bucket of backups, and the region that things are restored to."""
    return Place(cloud)


@pytest.fixture
def target():
    return f"restored-{uuid.uuid4().hex[:8]}"


class Place(Ground):
    """Backs tables up in one region and restores them in another."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.away, self.home = cache(self._away), cache(cloud.client)
        self.role_arn = self._role()

    def _role(self):
        """The restore role, with its rights and no others."""
        side, iam = self.cloud.side, self.cloud.client("iam")
        place = {
            "partition": "aws-cn",
            "region": side.region,
            "account_id": side.account_id,
            "tables": [],
            "bucket_owner": "",
        }
        place |= {"bucket": self.bucket, "prefix": "daily", "changes_prefix": "changes", "kms_key_arn": ""}
        us = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws-cn:iam::{side.account_id}:root"},
            "Action": "sts:AssumeRole",
        }
        trust, rights = ({"Version": "2012-10-17", "Statement": found} for found in ([us], restore_statements(place)))
        role = iam.create_role(RoleName=f"{self.name}-restore", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        iam.put_role_policy(RoleName=role["RoleName"], PolicyName="rights", PolicyDocument=json.dumps(rights))
        return role["Arn"]

    def _away(self, service):
        key = {"aws_access_key_id": self.cloud.side.account_id, "aws_secret_access_key": "test"}
        session = boto3.Session(region_name=AWAY, **key)
        return session.client(service, endpoint_url=self.cloud.side.endpoint_url)

    def planned(self, table, **changes):
        """A backup of the table now, and the plan to restore just that."""
        result = self.backup(tables=[table], **QUICK)
        assert not result.get("failed"), result
        return self.plan_of(result["backups"][0], **changes)

    def plan_of(self, backup, **changes):
        base = backup_from(backup)
        plan = Plan(base.table, base.moment, "full_only", self.bucket, "daily", "changes", base)
        return named(plan).as_dict() | changes

    def restore(self, plan, target, **more):
        options = {"region": AWAY, "bucket_region": self.cloud.side.region, "source": "base", **SOON}
        return self.run(dynamodb_restore, plan=plan, target_table=target, **options | more)

    def schema(self, table):
        return read_schema(self.away, table)

    def rows(self, table, client=None):
        pages = (client or self.away("dynamodb")).get_paginator("scan").paginate(TableName=table)
        return sorted((item for page in pages for item in page["Items"]), key=str)

    def tables(self):
        return self.away("dynamodb").list_tables()["TableNames"]

    def state(self, result):
        return json.loads(self.read(f"restore/{result['run']}/{AWAY}.state.json"))

    def keys_of(self, plan):
        return [entry["dataFileS3Key"] for entry in self.files(plan["base"]["folder"])]


@pytest.fixture(scope="module")
def users(place):
    """A plan of a plain table of four items."""
    return place.planned(place.victim)


@pytest.fixture(scope="module", params=["with local indexes", "without local indexes"])
def orders(place, request):
    """A table with everything, 60 items in it, and the plan of its backup."""
    name = f"{place.name}-orders-{len(request.param)}"
    if "without" in request.param:
        _create_without_local_indexes(place, name)
    else:
        create_with_everything(SimpleNamespace(client=place.home), name)
    for number in range(60):
        item = {"order": {"S": f"o{number % 7}"}, "at": {"N": str(number)}, "buyer": {"B": bytes([number])}}
        place.dynamodb.put_item(TableName=name, Item=item | {"price": {"N": f"{number}.50"}, "photo": {"B": b""}})
    return SimpleNamespace(name=name, plan=place.planned(name), local="without" not in request.param)


def _create_without_local_indexes(place, name):
    """The same table, as an import can make it."""
    create_with_everything(SimpleNamespace(client=lambda service: _WithoutLocal(place.home(service))), name)


class _WithoutLocal:
    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        return getattr(self.client, name)

    def create_table(self, **arguments):
        arguments.pop("LocalSecondaryIndexes")
        used = [entry for entry in arguments["AttributeDefinitions"] if entry["AttributeName"] != "price"]
        return self.client.create_table(**arguments | {"AttributeDefinitions": used})


def without_names(schema, table, region, key):
    """What two schemas have in common when only name, place and key differ."""
    text = json.dumps({name: value for name, value in schema.items() if name not in (*MOMENTARY, "table_id")})
    arn = schema["table_arn"]
    text = text.replace(arn, "<arn>").replace(f'"{table}"', '"<table>"').replace(f"table/{table}", "table/<table>")
    return json.loads(text.replace(f'"{region}"', '"<region>"').replace(key, "<key>"))


# -- what a restored table has ---------------------------------------------------------------


def test_hazard_22_and_23_the_table_is_as_it_was_with_everything(place, orders, target):
    """GIVEN a table with indexes, units, stream, TTL, recovery, tags, protection, autoscaling, policy, class and key WHEN it is
    restored elsewhere under the restore role THEN it has its rows, and its schema differs in names, region and key only."""
    key = place.away("kms").create_key()["KeyMetadata"]["Arn"]
    result = place.restore(orders.plan, target, kms_key_arn=key, role_arn=place.role_arn)
    assert not result.get("failed"), result
    assert (result["changed"], result["resumable"], result["left_out"]) == (True, False, [])
    assert result["imported_items"] == 60 and set(result["phases"]) >= {"fill", "settle"}

    before, after = read_schema(place.home, orders.name), place.schema(target)
    old_key = before["table_creation_parameters"]["SSESpecification"]["KMSMasterKeyId"]
    assert without_names(after, target, AWAY, key) == without_names(
        before, orders.name, place.cloud.side.region, old_key
    )
    assert bool(after["local_secondary_indexes"]) == orders.local and after["deletion_protection"]
    assert place.rows(target) == place.rows(orders.name, place.dynamodb)

    again = place.restore(orders.plan, target, kms_key_arn=key)
    assert (again["changed"], again["imported_items"]) == (False, 60), again


def test_key_of_the_lost_region_is_replaced_and_that_is_said(place, orders, target):
    """GIVEN a table under a key of its region WHEN restored elsewhere without naming one THEN AWS's own, and a warning; what
    is not asked for is not set."""
    result = place.restore(orders.plan, target, reapply=["tags"], on_demand=True)
    assert not result.get("failed"), result
    (sentence,) = result["left_out"]
    says(sentence, "a key of another region", AWAY, "kms_key_arn")
    made = place.schema(target)
    assert made["tags"] == {"team": "orders", "用途": "测试"}
    assert (made["stream"], made["ttl"], made["deletion_protection"]) == ("none", "", False)
    assert made["table_creation_parameters"]["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.skipif(not REAL_EXPORT.is_dir(), reason="the real export, no part of the project, is absent")
def test_real_export_becomes_a_table(place, users, target):
    """GIVEN an export that the real DynamoDB wrote, verified WHEN it is restored THEN its three items are there."""
    (source,) = REAL_EXPORT.iterdir()
    folder = f"daily/2024/05/14/S3ExportTest/AWSDynamoDB/{source.name}/"
    for path in (found for found in source.rglob("*") if found.is_file()):
        place.put(folder + path.relative_to(source).as_posix(), path.read_bytes())
    for path in source.glob("manifest-*.json"):
        place.put(f"{folder}{path.stem}.md5", md5(path.read_bytes()).encode())
    line = json.loads(gzip.decompress(next((source / "data").iterdir()).read_bytes()).splitlines()[0])["Item"]
    schema = json.loads(place.read(f"{users['base']['folder']}table_schema.json"))
    name = next(name for name, value in line.items() if "S" in value)
    schema = json.loads(json.dumps(schema).replace('"PK"', json.dumps(name)))
    place.put(f"{folder}table_schema.json", json.dumps(schema).encode())
    verified = place.backup(action="verify", ids=[source.name], tables=[])
    assert not verified.get("failed"), verified
    result = place.restore(place.plan_of(verified["backups"][0]), target)
    assert not result.get("failed"), result
    assert result["imported_items"] == len(place.rows(target)) == 3


# -- what is refused before anything changes ---------------------------------------------------


def test_target_that_exists_is_left_alone(place, users, target):
    """GIVEN a table of that name which is somebody else's WHEN restored THEN one sentence, and the table is untouched."""
    client = place.away("dynamodb")
    client.create_table(
        TableName=target,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
    )
    before = place.schema(target)
    for check in (True, False):
        result = place.restore(users, target, check=check)
        says(result["msg"], f"table {target} exists in {AWAY}", "left alone", "Nothing was changed")
    after = place.schema(target)
    assert (after["table_id"], place.rows(target)) == (before["table_id"], [])


def test_hazard_20_only_a_verified_backup_counts(place, target):
    """GIVEN a backup that was found damaged after the plan was made WHEN restored THEN it is refused."""
    plan = place.planned(place.neighbour)
    folder = plan["base"]["folder"]
    verdict = json.loads(place.read(f"{folder}_SUCCESS")) | {"checked_at": "2999-01-01T00:00:00Z"}
    place.put(f"{folder}_FAILED", json.dumps(verdict).encode())
    says(place.restore(plan, target)["msg"], "has been found damaged since", folder)
    unverified = plan | {"base": plan["base"] | {"state": "unverified"}}
    says(place.restore(unverified, target)["msg"], "is unverified: only a verified backup is restored")
    assert target not in place.tables()


def test_empty_prefix_is_refused_before_an_import_makes_an_empty_table(place, target):
    """GIVEN a backup whose data files are gone WHEN restored THEN no import is asked for, and no table is made."""
    plan = place.planned(place.neighbour)
    place.drop(*place.keys_of(plan))
    result = place.restore(plan, target)
    says(result["msg"], "holds nothing", "empty table", "data/")
    assert target not in place.tables()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "merged"}, ("merged.json is not there", "merge")),
        (
            {"kms_key_arn": "arn:aws-cn:kms:cn-north-1:100000000001:key/k"},
            ("kms_key_arn is arn:aws-cn:kms:cn-north-1", AWAY),
        ),
        ({"poll": 0}, ("poll is 0",)),
        ({"plan": {"id": "x"}}, ("plan is none that dynamodb_restore_info gives",)),
        ({"bucket": "another-bucket"}, ("plan is of bucket", "another-bucket")),
    ],
)
def test_bad_input_is_one_sentence(place, users, target, changes, words):
    """GIVEN what makes no sense WHEN asked for THEN one sentence, and nothing is made."""
    plan = changes.pop("plan", users)
    says(place.restore(plan, target, **changes)["msg"], *words)
    assert target not in place.tables()


def test_kms_denied_is_said_with_what_to_do(place, users, target):
    """GIVEN a key that is not there, then one that is disabled WHEN restored under it THEN a sentence names key and remedy;
    with the key enabled running again goes on."""
    kms = place.away("kms")
    key = kms.create_key()["KeyMetadata"]
    gone = key["Arn"].replace(key["KeyId"], str(uuid.uuid4()))
    kms.disable_key(KeyId=key["KeyId"])
    for arn in (gone, key["Arn"]):
        result = place.restore(users, target, kms_key_arn=arn)
        says(result["msg"], f"table {target} cannot be imported", arn, "give kms_key_arn")
        assert target not in place.tables()
    kms.enable_key(KeyId=key["KeyId"])
    result = place.restore(users, target, kms_key_arn=key["Arn"])
    assert result["imported_items"] == 4, result


# -- what goes wrong on the way ----------------------------------------------------------------


def test_interrupted_import_goes_on(place, users, target):
    """GIVEN an import that nobody waited for WHEN run again THEN it is the same import; afterwards nothing changes."""
    begun = place.restore(users, target, wait=False)
    assert not begun.get("failed") and begun["resumable"] and begun["changed"], begun
    first = place.state(begun)
    done = place.restore(users, target)
    assert not done.get("failed") and done["imported_items"] == 4, done
    assert place.state(done)["import_arn"] == first["import_arn"] and place.state(done)["attempt"] == 1
    assert place.restore(users, target)["changed"] is False


def test_lost_answer_of_an_import_is_found_again(place, users, target):
    """GIVEN a run that died between the import's call and its answer WHEN run again THEN its table is known as its own."""
    begun = place.restore(users, target, wait=False)
    state = place.state(begun) | {"import_arn": "", "table_arn": "", "table_id": ""}
    place.put(f"restore/{begun['run']}/{AWAY}.state.json", json.dumps(state).encode())
    done = place.restore(users, target)
    assert not done.get("failed") and done["imported_items"] == 4, done
    assert place.state(done)["attempt"] == 1


def test_table_that_is_gone_is_imported_anew_under_another_token(place, users, target):
    """GIVEN a restored table that was deleted WHEN restored again THEN a new import: the old token would give the old job."""
    first = place.state(place.restore(users, target))
    place.away("dynamodb").delete_table(TableName=target)
    again = place.restore(users, target)
    assert not again.get("failed") and again["changed"] and len(place.rows(target)) == 4, again
    state = place.state(again)
    assert state["attempt"] == 2 and state["token"] != first["token"]


def test_failed_import_names_reason_log_and_half_made_table(place, target):
    """GIVEN a data file that broke after it was verified WHEN restored THEN an error with reason, log and table; with
    remove_failed the table is removed; once the file is mended it is restored."""
    plan = place.planned(place.neighbour)
    (key, *_rest) = place.keys_of(plan)
    good = place.read(key)
    place.put(key, gzip.compress(b'{"Item":{"PK":{"S":"a"}}}\n{broken\n'))
    result = place.restore(plan, target)
    says(
        result["msg"],
        "FAILED (ItemValidationError",
        "/aws-dynamodb/imports",
        f"half-made table {target}",
        "left as it is",
    )
    assert target in place.tables()
    says(place.restore(plan, target)["msg"], "left as it is")
    removed = place.restore(plan, target, remove_failed=True)
    says(removed["msg"], "No table is left")
    assert target not in place.tables()
    place.put(key, good)
    done = place.restore(plan, target)
    assert not done.get("failed") and len(place.rows(target)) == 4, done


def test_import_with_too_few_items_is_no_restore(place, target):
    """GIVEN a data file that lost an item WHEN its import ends COMPLETED THEN the count is compared, and it fails."""
    plan = place.planned(place.neighbour)
    (key, *_rest) = place.keys_of(plan)
    lines = gzip.decompress(place.read(key)).splitlines(keepends=True)
    place.put(key, gzip.compress(b"".join(lines[1:])))
    says(place.restore(plan, target)["msg"], "wrote 3 items, the manifest says 4", target)


def test_hazard_27_unprocessed_items_are_written_until_none_is_left(place, users, target):
    """GIVEN a table that leaves half of each batch unprocessed, and fails calls WHEN written THEN every item is there."""
    pair = SimpleNamespace(sides={"cn": {"endpoint_url": place.cloud.side.endpoint_url}})
    faults_api.throttle(pair, "cn", 0.5, ["dynamodb:BatchWriteItem"], ("partial", "throttling"))
    try:
        result = place.restore(users, target, fill="write")
    finally:
        faults_api.throttle(pair, "cn", 0)
    assert not result.get("failed") and result["imported_items"] == 4, result
    assert place.rows(target) == place.rows(place.victim, place.dynamodb)


def test_interrupted_writing_goes_on(place, target):
    """GIVEN a data file that could not be read to its end WHEN it can be THEN running again writes the rest."""
    plan = place.planned(place.neighbour)
    (key, *_rest) = place.keys_of(plan)
    good = place.read(key)
    place.put(key, good[:-9])
    result = place.restore(plan, target, fill="write")
    says(result["msg"], key, "cut short")
    place.put(key, good)
    done = place.restore(plan, target, fill="write")
    assert not done.get("failed") and done["imported_items"] == 4, done
    assert place.schema(target)["tags"] == {}, "the mark of the unfinished table is gone"


# -- archive classes ---------------------------------------------------------------------------


def archive(place, plan, storage_class="GLACIER"):
    """As the bucket's lifecycle does it."""
    for key in place.keys_of(plan):
        place.s3.put_object(Bucket=place.bucket, Key=key, Body=place.read(key), StorageClass=storage_class)


def test_hazard_24_archived_files_are_retrieved_first(place, target):
    """GIVEN data files in GLACIER WHEN restored without waiting THEN they are asked for, and how long it takes is said; run
    again they are awaited, and the table is restored."""
    plan = place.planned(place.neighbour)
    archive(place, plan)
    count = len(place.keys_of(plan))
    text = " ".join(place.restore(plan, target, check=True)["text"])
    says(text, f"{count} objects that may be archived", "would import")
    begun = place.restore(plan, target, wait=False, tier="Expedited")
    assert begun["changed"] and begun["resumable"] and target not in place.tables(), begun
    says(begun["text"][-1], f"{count} from GLACIER by Expedited, which takes 1 to 5 minutes")
    done = place.restore(plan, target)
    assert not done.get("failed") and len(place.rows(target)) == 4, done


def test_hazard_24_what_a_plan_reads_is_retrieved_by_itself(place):
    """GIVEN a full backup in DEEP_ARCHIVE WHEN its plan is retrieved THEN a tier that the class lacks is refused, another one
    awaited, and then there is nothing to do."""
    plan = place.planned(place.neighbour)
    archive(place, plan, "DEEP_ARCHIVE")

    def retrieve(**more):
        return place.run(dynamodb_retrieve, plan=plan, **SOON | more)

    says(retrieve(tier="Expedited")["msg"], "DEEP_ARCHIVE, which has no tier Expedited", "Standard or Bulk")
    assert retrieve(check=True)["changed"]
    begun = retrieve(tier="Bulk", wait=False)
    assert begun["resumable"] and begun["asked"] == begun["pending"] == len(place.keys_of(plan)), begun
    says(begun["text"][0], "up to 48 hours")
    done = retrieve(tier="Bulk")
    assert (done["pending"], done["asked"], done["resumable"]) == (0, 0, False), done
