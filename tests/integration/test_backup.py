# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups end to end, by the playbooks and by the schedule: three tables, one of 100,000 items."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynabridge.aws.catalogue import read_catalogue
from dynabridge.aws.objects import Objects
from dynabridge.catalogue import FULL, INCREMENTAL, VERIFIED, coverage, verified
from dynabridge.exports import lines_of
from dynabridge.verification import read_manifests
from tests.integration.support import Side, eventually
from tests.local_pair import run_playbook, started_pair

LARGE, COMPOSITE, INDEXED = "large-sg", "composite-sg", "indexed-sg"
ITEMS = 100_000
FAST = ("-e", "backup_poll=0.5", "-e", "backup_shortest_window=1")


def table(name, **more):
    return {
        "name": name,
        "names": {"cn": f"{name}-cn", "sg": f"{name}-sg"},
        "key_schema": {"hash": {"name": "PK", "type": "S"}},
        "replicate": True,
        "backup": True,
        "stamping": "application",
        "indexes": [],
        "billing_mode": "PAY_PER_REQUEST",
        "point_in_time_recovery": False,
        "deletion_protection": False,
        "ttl_attribute": "",
    } | more


TABLES = [
    table("large"),
    table("composite", key_schema={"hash": {"name": "PK", "type": "S"}, "range": {"name": "SK", "type": "N"}}),
    table(
        "indexed",
        key_schema={"hash": {"name": "PK", "type": "S"}, "range": {"name": "SK", "type": "N"}},
        indexes=[
            {
                "name": "by_day",
                "type": "all",
                "hash_key_name": "PK",
                "range_key_name": "day",
                "range_key_type": "STRING",
            },
            {"name": "by_city", "type": "global_all", "hash_key_name": "city", "hash_key_type": "STRING"},
        ],
    ),
]


@pytest.fixture(scope="module")
def tables_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "tables.json"
    path.write_text(json.dumps({"dynabridge_tables": TABLES}))
    return f"@{path}"


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory, tables_file):
    """A pair whose global side has three tables with items, and all that backups need. Exports take half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_AWS_EXPORT_SECONDS", "0.5")
        patch.setenv("LOCAL_AWS_EXPORT_MIN_WINDOW", "1")
        with started_pair(tmp_path_factory.mktemp("backup") / "local") as pair:
            deploy(pair, tables_file)
            side = Side(pair, "sg")
            fill(side)
            yield side


def deploy(pair, tables_file, *more):
    result = run_playbook(pair, "deploy.yml", "-e", tables_file, "--limit", "sg", "--tags", "tables,backup", *more)
    assert result.returncode == 0, result.stdout + result.stderr


def play(side, tables_file, verb, *arguments, code=0):
    result = run_playbook(side.pair, f"{verb}.yml", "-e", tables_file, "--limit", "sg", *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


def fill(side):
    put(side, LARGE, ({"PK": {"S": f"user-{number}"}, "n": {"N": str(number)}} for number in range(ITEMS)))
    rows = [{"PK": {"S": f"p{number % 50}"}, "SK": {"N": str(number)}} for number in range(500)]
    put(side, COMPOSITE, rows)
    put(side, INDEXED, [row | {"day": {"S": "2026-11-21"}, "city": {"S": "Singapore"}} for row in rows])


def put(side, name, items):
    def write(batch):
        answer = side.client("dynamodb").batch_write_item(
            RequestItems={name: [{"PutRequest": {"Item": item}} for item in batch]}
        )
        assert not answer["UnprocessedItems"]

    items = list(items)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, (items[start : start + 25] for start in range(0, len(items), 25))))


def objects_of(side):
    account = side.pair.sides[side.name]["account_id"]
    s3 = side.pair.session(side.name).client(
        "s3", region_name="ap-southeast-2", endpoint_url=side.pair.sides[side.name]["endpoint_url"]
    )
    return Objects(s3, f"dynabridge-backup-{side.name}-{account}")


def backups(side, name, kind=FULL):
    return verified(read_catalogue(objects_of(side), "daily", [name]), kind)


def items_in(side, backup):
    objects = objects_of(side)
    return [
        json.loads(line)["Item"]
        for file in read_manifests(objects, backup.folder).files
        for line in lines_of(objects.stream(file.key))
    ]


def test_backups_of_three_tables_are_taken_and_verified_and_a_second_run_makes_second_ones(backed_up, tables_file):
    """GIVEN three tables WHEN backup.yml runs, items are written, and it runs again on the same day THEN each table has two
    verified backups, and neither knows anything of the other's time; backup_status.yml is content."""
    # An empty bucket is no backup, and the monitor says so.
    assert "large-sg" in play(backed_up, tables_file, "backup_status", code=2)

    output = play(backed_up, tables_file, "backup", *FAST)
    assert "100,000 items" in output
    first = {name: backups(backed_up, name) for name in (LARGE, COMPOSITE, INDEXED)}
    assert [len(found) for found in first.values()] == [1, 1, 1]
    assert [found[0].items for found in first.values()] == [ITEMS, 500, 500]

    put(backed_up, COMPOSITE, [{"PK": {"S": "later"}, "SK": {"N": "1"}}])
    play(backed_up, tables_file, "backup", *FAST)
    second = {name: backups(backed_up, name) for name in (LARGE, COMPOSITE, INDEXED)}
    assert [len(found) for found in second.values()] == [2, 2, 2]
    early, late = second[COMPOSITE]
    assert early == first[COMPOSITE][0]
    assert {"S": "later"} not in [item["PK"] for item in items_in(backed_up, early)]
    assert [item["PK"] for item in items_in(backed_up, late)].count({"S": "later"}) == 1
    schema = objects_of(backed_up).get_json(second[INDEXED][0].folder + "table_schema.json")
    assert [index["IndexName"] for index in schema["local_secondary_indexes"]] == ["by_day"]

    output = play(backed_up, tables_file, "backup_status")
    assert all(name in output for name in (LARGE, COMPOSITE, INDEXED))


def test_incrementals_carry_a_backup_on(backed_up, tables_file):
    """GIVEN a full backup WHEN incrementals are taken after writes THEN they hold those, and reach every second since."""
    play(backed_up, tables_file, "backup", "-e", "table=indexed", *FAST)
    base = backups(backed_up, INDEXED)[-1]
    for number in (1, 2):
        put(backed_up, INDEXED, [{"PK": {"S": f"change-{number}"}, "SK": {"N": "1"}}])
        play(backed_up, tables_file, "backup", "-e", "table=indexed", "-e", "type=incremental", *FAST)
    found = backups(backed_up, INDEXED, INCREMENTAL)
    assert [backup.items for backup in found[-2:]] == [1, 1]
    known = read_catalogue(objects_of(backed_up), "daily", [INDEXED])
    assert coverage(known)[-1].end == found[-1].moment
    assert coverage(known)[-1].start <= base.moment


def test_check_mode_asks_for_nothing(backed_up, tables_file):
    """GIVEN what there is WHEN backup.yml --check runs THEN it says what it would take, and the bucket stays as it is."""
    before = list(objects_of(backed_up).list("daily/"))
    output = play(backed_up, tables_file, "backup", "--check", *FAST)
    assert "composite-sg: would take a full backup" in output
    assert list(objects_of(backed_up).list("daily/")) == before


def test_a_damaged_backup_counts_no_more(backed_up, tables_file):
    """GIVEN a verified backup WHEN a byte of it changes and it is verified again THEN the run names table and file, and the
    catalogue does not count it."""
    play(backed_up, tables_file, "backup", "-e", "table=composite", *FAST)
    last, objects = backups(backed_up, COMPOSITE)[-1], objects_of(backed_up)
    key = read_manifests(objects, last.folder).files[0].key
    body = objects.get(key)
    objects.put(key, body[:-9] + bytes([body[-9] ^ 1]) + body[-8:])
    output = play(
        backed_up, tables_file, "backup", "-e", "action=verify", "-e", f"id={last.id}", "-e", "table=composite", code=2
    )
    said = " ".join(output.split())
    assert f"table {COMPOSITE}" in said and f"damaged: {key}" in said, said[-3000:]
    assert last.id not in [backup.id for backup in backups(backed_up, COMPOSITE)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-e", "table=nope"), "Table nope is not among those that side sg backs up (large, composite, indexed)"),
        (("-e", "type=daily"), "value of backup_type must be one of: full, incremental, got: daily"),
        (("-e", "action=verify", "-e", "id=01715685260608-c488b4e1"), "has no backup 01715685260608-c488b4e1"),
        (("-e", "backup_bucket=dynabridge-not-there"), "bucket dynabridge-not-there is not there"),
    ],
    ids=["table", "type", "id", "bucket"],
)
def test_what_makes_no_sense_is_one_clear_error(backed_up, tables_file, arguments, said):
    before = list(objects_of(backed_up).list("daily/20"))
    assert said in " ".join(play(backed_up, tables_file, "backup", *arguments, code=2).split())
    after = [listed for listed in objects_of(backed_up).list("daily/20") if "AWSDynamoDB" in listed.key]
    assert after == [listed for listed in before if "AWSDynamoDB" in listed.key]


@pytest.mark.long
def test_the_function_does_the_same_by_its_schedule(backed_up, tables_file):
    """GIVEN schedules of a minute WHEN nobody does anything THEN a backup of each table is begun, verified and marked, and the
    age of the last one is published."""
    before = {name: {backup.id for backup in backups(backed_up, name)} for name in (LARGE, COMPOSITE, INDEXED)}
    every_minute = (
        "-e",
        "dynabridge_backup_schedule='rate(1 minute)'",
        "-e",
        "dynabridge_backup_check_schedule='rate(1 minute)'",
    )
    deploy(backed_up.pair, tables_file, "--tags", "backup_function", *every_minute)
    try:
        for name, known in before.items():
            eventually(lambda name=name, known=known: {b.id for b in backups(backed_up, name)} - known, 240)
    finally:
        deploy(backed_up.pair, tables_file, "--tags", "backup_function")
    metrics = backed_up.client("cloudwatch").list_metrics(Namespace="DDB-Backup")["Metrics"]
    ages = [metric["Dimensions"][0]["Value"] for metric in metrics if metric["MetricName"] == "Backup_age_hours"]
    assert sorted(ages) == sorted([LARGE, COMPOSITE, INDEXED])
    assert all(backup.state == VERIFIED for backup in backups(backed_up, LARGE))
