# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that cannot be begun, exports that fail, run on or are forgotten: by name, and other tables are backed up."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from dynabridge.aws.table_schema import SCHEMA_ACTIONS
from tests.integration.backups import Ground, User, blames, dynamodb_backup
from tests.local_aws import exports
from tests.local_aws.exports import started_cloud

MANY = 2500  # two and a half pages of a listing


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """One side, with quick exports."""
    with started_cloud(tmp_path_factory.mktemp("failures")) as cloud:
        yield cloud


@pytest.fixture
def ground(cloud):
    """Two tables and a bucket of this test's own."""
    yield Ground(cloud)
    cloud.reset()


@pytest.fixture
def meanwhile(monkeypatch):
    """meanwhile(act): do it, once, when all exports have been asked for, and none was looked at."""

    def arrange(act):
        finish = dynamodb_backup.Run.finish

        def after_that(run, *arguments):
            monkeypatch.setattr(dynamodb_backup.Run, "finish", finish)
            act()
            return finish(run, *arguments)

        monkeypatch.setattr(dynamodb_backup.Run, "finish", after_that)

    return arrange


def states(result):
    return {backup["table"]: backup["state"] for backup in result["backups"]}


def nothing_of(ground, table):
    return not any(f"/{table}/AWSDynamoDB/" in key for key in ground.stored())


def empty_and_delete(ground):
    for key in ground.stored():
        ground.s3.delete_object(Bucket=ground.bucket, Key=key)
    ground.s3.delete_bucket(Bucket=ground.bucket)


# -- cannot be begun -------------------------------------------------------------------------


def test_recovery_that_is_off(ground):
    """GIVEN a table without point-in-time recovery WHEN both are backed up THEN it is named, with what to do."""
    ground.recover(ground.victim, False)

    result = ground.backup()

    blames(result, ground.victim, "point-in-time recovery is off", "deploy.yml --tags tables")
    assert states(result) == {ground.neighbour: "verified"}
    assert not any(ground.victim in key for key in ground.stored())


def test_recovery_is_switched_on_where_that_is_asked_for(ground):
    """GIVEN a table without recovery WHEN enable_recovery is given THEN it has it afterwards, and a backup."""
    ground.recover(ground.victim, False)

    planned = ground.backup(enable_recovery=True, check=True)
    result = ground.backup(enable_recovery=True)

    assert not planned.get("failed") and len(planned["wanted"]) == 2
    assert not result.get("failed"), result
    assert states(result) == {ground.victim: "verified", ground.neighbour: "verified"}
    recovery = ground.dynamodb.describe_continuous_backups(TableName=ground.victim)["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_table_that_is_gone(ground):
    """GIVEN a table deleted before the backup WHEN both are backed up THEN it is named."""
    ground.dynamodb.delete_table(TableName=ground.victim)

    result = ground.backup()

    blames(result, ground.victim, "there is no such table here")
    assert states(result) == {ground.neighbour: "verified"}
    assert not any(ground.victim in key for key in ground.stored())


def test_table_deleted_between_the_schema_and_the_export(ground, monkeypatch):
    """GIVEN a table that goes when its schema has just been read THEN it is named, and there is no backup of it."""
    read = dynamodb_backup.read_schema

    def read_and_delete(clients, table):
        schema = read(clients, table)
        if table == ground.victim:
            ground.dynamodb.delete_table(TableName=table)
        return schema

    monkeypatch.setattr(dynamodb_backup, "read_schema", read_and_delete)

    result = ground.backup()

    blames(result, ground.victim, "cannot be exported", "there is no such table here")
    assert states(result) == {ground.neighbour: "verified"}
    assert nothing_of(ground, ground.victim) and ground.victim not in ground.catalogue()["tables"]


def test_bucket_that_is_not_there(ground):
    """GIVEN no bucket WHEN a backup is begun, seen through or looked for THEN bucket and table are named."""
    empty_and_delete(ground)

    blames(ground.backup(tables=[ground.victim]), ground.victim, f"bucket {ground.bucket} is not there")
    for action in ("finish", "verify"):
        assert f"bucket {ground.bucket} is not there" in ground.backup(action=action)["msg"]
    assert ground.dynamodb.list_exports()["ExportSummaries"] == []


# -- rights ----------------------------------------------------------------------------------

ACTIONS = (
    *SCHEMA_ACTIONS,
    "dynamodb:ExportTableToPointInTime",
    "dynamodb:DescribeExport",
    "s3:ListBucket",
    "s3:GetObject",
    "s3:PutObject",
    "s3:AbortMultipartUpload",
)
# The right that is lacking on one table's account; what is said; whether there is a backup, to be seen through by others.
DENIED = {
    "dynamodb:DescribeTable": ("cannot be looked at (AccessDeniedException)", False),
    "dynamodb:ListTagsOfResource": ("dynamodb:ListTagsOfResource answers AccessDeniedException", False),
    "dynamodb:ExportTableToPointInTime": ("cannot be exported (AccessDeniedException)", False),
    "s3:PutObject": ("cannot be written (AccessDenied)", False),
    "dynamodb:DescribeExport": ("has an export that cannot be looked at (AccessDeniedException)", True),
    "s3:GetObject": ("cannot be read (AccessDenied)", True),
}


def resource(ground, action, table="*"):
    """Where the right is needed, for one table or for all."""
    if action in ("s3:ListBucket", *(name for name in ACTIONS if name.startswith("application-"))):
        return "*"
    if action.startswith("s3:"):
        return f"arn:aws-cn:s3:::{ground.bucket}/daily/*/{table}/*"
    arn = ground.arns[ground.neighbour].replace(ground.neighbour, table)
    return f"{arn}/export/*" if action == "dynamodb:DescribeExport" else arn


@pytest.mark.parametrize("action", DENIED)
def test_a_right_that_is_lacking_on_one_table(ground, action):
    """GIVEN a user who lacks one right, on one table, WHEN both are backed up THEN that table is named, and no verdict."""
    words, begun = DENIED[action]
    rights = {name: resource(ground, name) for name in ACTIONS}
    user = User(ground, rights | {action: resource(ground, action, ground.neighbour)})

    result = ground.backup(user=user)

    blames(result, ground.victim, words)
    assert states(result) == {ground.neighbour: "verified"}
    assert nothing_of(ground, ground.victim) is not begun
    if begun:  # AND it is not lost: who may see it through can do so
        (backup,) = (found for found in ground.catalogue()["backups"].values() if found["table"] == ground.victim)
        assert backup["state"] in ("running", "unverified") and ground.verdicts(backup["folder"]) == set()
        user.allow(rights)
        assert states(ground.backup(action="finish", user=user)) == {ground.victim: "verified"}


def test_listing_that_is_not_allowed(ground):
    """GIVEN a user who may not list the bucket WHEN open backups are looked for THEN the bucket is named."""
    ground.begun()
    user = User(ground, {name: resource(ground, name) for name in ACTIONS if name != "s3:ListBucket"})

    result = ground.backup(action="finish", user=user)

    assert result["failed"] and f"s3://{ground.bucket}/daily/ cannot be listed (AccessDenied)" in result["msg"]


# -- exports that fail -----------------------------------------------------------------------


def test_export_that_may_not_write_to_the_bucket(ground):
    """GIVEN a user whose exports of one table may not use the bucket THEN that one has failed, in AWS's words."""
    rights = {name: resource(ground, name) for name in ACTIONS}
    action = "s3:AbortMultipartUpload"
    user = User(ground, rights | {action: resource(ground, action, ground.neighbour)})

    result = ground.backup(user=user)

    blames(result, ground.victim, "full backup failed: S3AccessDenied", action)
    _has_failed(ground, "S3AccessDenied")
    assert states(result) == {ground.victim: "failed", ground.neighbour: "verified"}


def test_key_that_is_not_there(ground):
    """GIVEN a KMS key that is not there WHEN a backup is taken with it THEN it has failed, and the key is named."""
    key = f"arn:aws-cn:kms:{ground.cloud.side.region}:{ground.cloud.side.account_id}:key/11111111-2222-3333-4444-555555555555"

    result = ground.backup(tables=[ground.victim], kms_key_arn=key)

    blames(result, ground.victim, "full backup failed: KmsNotFoundException", key)
    _has_failed(ground, "KmsNotFoundException")


def _has_failed(ground, code):
    (backup,) = (found for found in ground.catalogue()["backups"].values() if found["table"] == ground.victim)
    assert backup["state"] == "failed" and code in backup["reason"]
    assert ground.verdicts(backup["folder"]) == {"_FAILED"}
    assert ground.catalogue()["tables"][ground.victim]["coverage"] == []


def test_bucket_deleted_meanwhile(ground, meanwhile):
    """GIVEN a bucket that goes while the export runs THEN table and bucket are named: there is no place for a verdict."""
    meanwhile(lambda: empty_and_delete(ground))

    result = ground.backup(tables=[ground.victim])

    blames(result, ground.victim, f"bucket {ground.bucket} is not there")
    (listed,) = ground.dynamodb.list_exports(TableArn=ground.arns[ground.victim])["ExportSummaries"]
    assert ground.ended(listed["ExportArn"])["FailureCode"] == "S3NoSuchBucket"


def test_table_deleted_while_it_is_exported(ground, meanwhile):
    """GIVEN a table that goes while its export runs THEN the export goes on, and is what is left of the table."""
    meanwhile(lambda: ground.dynamodb.delete_table(TableName=ground.victim))

    result = ground.backup()

    assert not result.get("failed"), result
    assert states(result) == {ground.victim: "verified", ground.neighbour: "verified"}
    assert {backup["items"] for backup in result["backups"]} == {4}
    # AND the next backup says that the table is gone
    blames(ground.backup(), ground.victim, "there is no such table here")


# -- exports that run on, or are forgotten ---------------------------------------------------


def test_export_that_still_runs(tmp_path, monkeypatch):
    """GIVEN exports that take long WHEN the time to wait is over THEN they are named, and they do not count."""
    monkeypatch.setitem(exports.SETTINGS, "LOCAL_AWS_EXPORT_SECONDS", "600")
    with started_cloud(tmp_path) as cloud:
        ground = Ground(cloud)

        result = ground.backup(tables=[ground.victim], wait_timeout=1, poll=0.4)

        (backup,) = result["backups"]
        blames(result, ground.victim, "is not done after 1 s", backup["folder"], "backup.yml -e action=finish")
        found = ground.catalogue()
        assert backup["state"] == found["backups"][backup["id"]]["state"] == "running"
        assert found["tables"][ground.victim]["coverage"] == []
        assert ground.verdicts(backup["folder"]) == set()
        # AND seeing it through says so again
        blames(ground.backup(action="finish", wait_timeout=1), ground.victim, "is not done after 1 s")


@pytest.mark.parametrize("lost", [("backup.json",), ("backup.json", "table_schema.json")], ids=["record", "all"])
@pytest.mark.parametrize("ended", [False, True], ids=["running", "ended"])
def test_record_that_was_never_written(ground, lost, ended):
    """GIVEN a caller who died right after the request WHEN open backups are seen through THEN this one is too."""
    begun = ground.backup(wait=False)["backups"] if not ended else list(ground.begun().values())
    (victim,) = (backup for backup in begun if backup["table"] == ground.victim)
    ground.drop(*(f"{victim['folder']}{name}" for name in lost))

    result = ground.backup(action="finish")

    assert not result.get("failed"), result
    assert states(result) == {ground.victim: "verified", ground.neighbour: "verified"}
    found = ground.catalogue()["backups"][victim["id"]]
    told = ("kind", "table_id", "export_arn", "moment", "requested")
    assert {name: found[name] for name in told} == {name: victim[name] for name in told}
    assert (found["state"], found["items"]) == ("verified", 4)
    assert f"{victim['folder']}table_schema.json" in ground.stored()


def test_export_that_nobody_knows(ground):
    """GIVEN a folder that an export has begun and DynamoDB knows nothing of THEN it has failed, by name."""
    begun = ground.begun()[ground.neighbour]
    folder = begun["folder"].replace(ground.neighbour, ground.victim).replace(begun["id"][-8:], "00000000")
    ground.put(f"{folder}_started", b"")

    result = ground.backup(action="finish")

    blames(result, ground.victim, folder, "DynamoDB does not know the export any more", "left no manifest")
    assert ground.verdicts(folder) == {"_FAILED"}


# -- several backups -------------------------------------------------------------------------


def test_two_backups_of_one_day_are_never_mixed(ground):
    """GIVEN a backup WHEN the table changes and is backed up again on that day THEN each shows its own moment."""
    first = ground.backup(tables=[ground.victim])["backups"][0]
    ground.write(ground.victim, "five")
    ground.dynamodb.update_time_to_live(
        TableName=ground.victim, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone_at"}
    )
    second = ground.backup(tables=[ground.victim])["backups"][0]

    assert first["folder"] != second["folder"]
    assert (first["items"], second["items"]) == (4, 5)
    for backup, ttl in ((first, ""), (second, "gone_at")):
        assert ground.verdicts(backup["folder"]) == {"_SUCCESS"}
        assert all(file["dataFileS3Key"].startswith(backup["folder"]) for file in ground.files(backup["folder"]))
        assert ground.schema(backup["folder"])["ttl"] == ttl
    found = ground.catalogue()
    assert {backup["id"]: backup["state"] for backup in found["backups"].values()} == {
        first["id"]: "verified",
        second["id"]: "verified",
    }
    # AND damage to the first is none of the second's
    ground.drop(ground.files(first["folder"])[0]["dataFileS3Key"])
    blames(ground.backup(action="verify", ids=[first["id"], second["id"]]), ground.victim, first["folder"], "missing")
    assert ground.catalogue()["backups"][second["id"]]["state"] == "verified"


def test_more_objects_than_a_listing_holds(ground):
    """GIVEN 2,500 objects in a backup's folder WHEN the next one is damaged THEN it is found behind them, and named."""
    first = ground.backup(tables=[ground.victim])["backups"][0]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: ground.put(f"{first['folder']}data/{number:026d}", b"-"), range(MANY)))
    second = ground.begun()
    folder = second[ground.victim]["folder"]
    file = ground.files(folder)[0]["dataFileS3Key"]
    ground.put(file, ground.read(file)[:-5])

    result = ground.backup(action="finish")

    blames(result, ground.victim, folder, file, "is cut short")
    found = ground.catalogue()["backups"]
    assert {backup["state"] for backup in found.values()} == {"verified", "damaged"} and len(found) == 3
    assert (found[first["id"]]["files"], found[first["id"]]["state"]) == (MANY + 1, "verified")
    assert found[first["id"]]["stored_bytes"] == first["stored_bytes"] + MANY
    assert found[second[ground.neighbour]["id"]]["state"] == "verified"
