# SPDX-License-Identifier: GPL-3.0-or-later
"""dr_restore.yml: back to any second, while the region that was backed up does not answer."""

import json
import random
import time

import pytest

from dynabridge.backup_layout import iso
from tests.faults_api import calls_of_lost_region, region_down
from tests.integration.captures import captured_until
from tests.integration.recorded_load import RecordedLoad
from tests.integration.support import Bridge
from tests.integration.test_deploy import changed
from tests.local_pair import run_playbook

SIDE, REGION, TARGET = "cn-north-1", "cn-north-1", "cn-northwest-1"


@pytest.fixture(scope="module")
def recorded(deployed_pair):
    """A load on cn's table with a full backup in its midst; everything captured."""
    side = Bridge.of(deployed_pair).cn
    # What a mapping handed over late in the last five minutes, in another test, keeps the watermark behind.
    captured_until(side, time.time() - 5, 400)
    with RecordedLoad(side) as load:
        time.sleep(3)
        backed_up = run_playbook(side.pair, "backup.yml", "-e", "table=user", "--limit", SIDE)
        assert backed_up.returncode == 0, backed_up.stdout + backed_up.stderr
        began = int(time.time()) + 1
        time.sleep(5)
    captured_until(side, load.seconds[1] + 0.5)  # past that second
    yield load, began
    load.clean()


def restore(pair, tmp_path, *arguments, code=0):
    reports = ("-e", f"dynabridge_restore_report_dir={tmp_path}")
    result = run_playbook(pair, "dr_restore.yml", "-e", "table=user", "--limit", SIDE, *reports, *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


def target_of(pair):
    return pair.session("cn").client("dynamodb", region_name=TARGET, endpoint_url=pair.sides["cn"]["endpoint_url"])


def items_of(dynamodb, table):
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["PK"]["S"]: item for page in pages for item in page["Items"]}


def remove(dynamodb, table):
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)


def goes_back_to(load, pair, tmp_path, moment, *arguments):
    """Restore with the region gone and compare with what was written; gives the output and the report."""
    with region_down(pair, "cn", REGION):
        output = restore(pair, tmp_path, "-e", f"date={iso(moment)}", *arguments)
    assert calls_of_lost_region(pair, "cn", REGION) == {}, "a recovery asks nothing of the region that was lost"
    dynamodb = target_of(pair)
    (path,) = tmp_path.glob("restore_*.json")
    report = json.loads(path.read_text())
    try:
        assert items_of(dynamodb, report["target_table"]) == load.at(moment)
    finally:
        remove(dynamodb, report["target_table"])
    assert report["verification"]["equal"] and report["rows"] == len(load.at(moment))
    assert 0 < report["rpo_seconds"] <= moment - load.seconds[0] and report["rto_seconds"] > 0
    return output, report


@pytest.mark.parametrize("method", ["merge", "apply"])
def test_a_second_of_the_load_comes_back_while_the_region_is_gone(recorded, deployed_pair, tmp_path, method):
    """GIVEN a load with a backup in its midst WHEN its region is gone THEN a random second comes back just as it was."""
    load, began = recorded
    moment = random.Random(method).choice(load.moments(began))
    output, report = goes_back_to(load, deployed_pair, tmp_path, moment, "-e", f"method={method}")
    assert "RTO" in output and report["method"] == method and report["changes"] > 0


@pytest.mark.long
@pytest.mark.parametrize("number", range(20))
def test_twenty_random_seconds(recorded, deployed_pair, tmp_path, number):
    load, began = recorded
    goes_back_to(load, deployed_pair, tmp_path, random.Random(number).choice(load.moments(began)))


def test_check_mode_shows_the_way_and_changes_nothing(recorded, deployed_pair, tmp_path):
    load, _began = recorded
    moment = iso(load.seconds[1])
    output = restore(deployed_pair, tmp_path, "-e", f"date={moment}", "--check")
    assert changed(output) == {SIDE: 0}
    assert "captured changes from" in output and "expected:" in output
    assert target_of(deployed_pair).list_tables()["TableNames"] == [] and not list(tmp_path.iterdir())


def test_the_same_command_again_finds_its_work_done(recorded, deployed_pair, tmp_path):
    """GIVEN a restore that has ended WHEN it is run again THEN nothing changes, and it says how it went."""
    load, began = recorded
    moment = load.moments(began)[-1]
    date = ("-e", f"date={iso(moment)}", "-e", "target_table=twice")
    try:
        restore(deployed_pair, tmp_path, *date)
        before = items_of(target_of(deployed_pair), "twice")
        again = restore(deployed_pair, tmp_path, *date)
        assert items_of(target_of(deployed_pair), "twice") == before == load.at(moment)
        assert "verified:" in again
    finally:
        remove(target_of(deployed_pair), "twice")
