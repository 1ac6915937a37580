# SPDX-License-Identifier: GPL-3.0-or-later
"""dr_drill.yml restores, judges, cleans up whatever happened, and remembers; cron can run it."""

import json
import re

import pytest
import yaml

from tests.integration.support import Bridge
from tests.integration.test_backup_schedule import new_schedule
from tests.integration.test_deploy import changed
from tests.local_pair import REPOSITORY, run_playbook

DRILL = "ansible-playbook dr_drill.yml -e table=user -e against_source=false"
HOSTS = {"cn": "cn-north-1", "sg": "ap-southeast-1"}
TARGETS = {"cn": "cn-northwest-1", "sg": "ap-southeast-2"}


def scratch_tables(side):
    """What is left of drills in the region that is restored into."""
    endpoint = side.pair.sides[side.name]["endpoint_url"]
    dynamodb = side.pair.session(side.name).client("dynamodb", region_name=TARGETS[side.name], endpoint_url=endpoint)
    return [name for name in dynamodb.list_tables()["TableNames"] if name.startswith(f"{side.table}-drill-")]


def records(side, table):
    """What the bucket remembers of drills, the oldest first."""
    s3, bucket = side.client("s3"), f"dynabridge-backup-{side.name}-{side.pair.sides[side.name]['account_id']}"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"drills/{table}/").get("Contents", [])
    return [json.loads(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()) for entry in found]


@pytest.fixture(scope="module")
def backed_up(deployed_pair):
    """Both sides with a verified full backup of three rows at least."""
    bridge = Bridge.of(deployed_pair)
    keys = [f"drill-{number}" for number in range(3)]
    for key in keys:
        bridge.cn.write(key, text={"S": "x"})
    bridge.at_rest()
    result = run_playbook(deployed_pair, "backup.yml", "-e", "table=user")
    assert result.returncode == 0, result.stdout + result.stderr
    yield bridge
    for key in keys:
        bridge.cn.remove(key)
    bridge.at_rest()


def said(output):
    """In one line: Ansible wraps what it shows."""
    return " ".join(output.split())


def drill(bridge, tmp_path, *arguments, code=0):
    more = ("-e", f"dynabridge_restore_report_dir={tmp_path}", *arguments)
    result = run_playbook(bridge.cn.pair, *DRILL.split()[1:], *more)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


def reported(folder, side, record):
    """Figures, page and charts lie on this machine, and the figures are those of the record."""
    (path,) = folder.glob(f"drill-*-{side.name}.json")
    figures = json.loads(path.read_text())
    assert figures["ok"] and figures["drills"][0]["rto_seconds"] == record["rto_seconds"]
    assert figures["history"][-1]["began"] == record["began"]
    assert path.with_suffix(".html").is_file() and len(list(folder.glob(f"{path.stem}-*.png"))) == 3


def test_a_drill_of_both_sides_is_good_and_leaves_a_record_and_nothing_else(backed_up, tmp_path):
    """GIVEN verified backups WHEN drilled THEN verified within the limits; the scratch tables are gone, the records stay."""
    output = said(drill(backed_up, tmp_path))
    for side in (backed_up.cn, backed_up.sg):
        record = records(side, side.table)[-1]
        reported(tmp_path, side, record)
        assert record["ok"] and record["rows"] >= 3 and record["report"]["verification"]["equal"]
        assert 0 < record["rto_seconds"] < 600 and 0 <= record["rpo_seconds"] < 900
        assert re.fullmatch(rf"{side.table}-drill-\d{{8}}T\d{{6}}Z", record["target_table"])
        assert f"table {side.table}: {record['rows']:,} rows as they were at" in output
        assert scratch_tables(side) == []


def test_a_drill_that_stops_halfway_fails_loudly_and_cleans_up(backed_up, tmp_path):
    """GIVEN a report that cannot be written WHEN the table was restored THEN it is removed; the exit code and a record tell."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("in the way")
    reports = ("-e", f"dynabridge_restore_report_dir={in_the_way}", "--limit", HOSTS["cn"])
    output = said(drill(backed_up, tmp_path, *reports, "-e", "against_source=true", code=2))
    assert (
        "table user-cn: the drill of " in output
        and "FAILED: it was not restored: the report cannot be written" in output
    )
    record = records(backed_up.cn, "user-cn")[-1]
    assert not record["ok"] and record["report"] is None and "in the way" not in record["problems"][0]
    assert scratch_tables(backed_up.cn) == []


def test_a_drill_beyond_the_limits_fails_and_tells_how_far_the_live_table_is(backed_up, tmp_path):
    """GIVEN limits that nothing holds WHEN drilled against the source THEN both figures are told, after all was verified."""
    limits = ("-e", "dynabridge_drill_rto_seconds=0.5", "-e", "dynabridge_drill_rpo_seconds=0.5")
    output = said(drill(backed_up, tmp_path, *limits, "-e", "against_source=true", "--limit", HOSTS["cn"], code=2))
    record = records(backed_up.cn, "user-cn")[-1]
    assert [problem.rpartition(" ")[2] for problem in record["problems"]] == ["(RTO)", "(RPO)"]
    assert (
        record["report"]["verification"]["equal"]
        and record["source"]["equal"]
        and "the live table being in use" in output
    )
    assert "FAILED" in output and " ok" in output, "the history has this drill and the good one before"
    assert scratch_tables(backed_up.cn) == []


def test_a_table_without_a_backup_fails_with_one_sentence(backed_up, tmp_path):
    output = said(drill(backed_up, tmp_path, "-e", "table=nothing", "--limit", HOSTS["cn"], code=2))
    assert "table nothing: the drill of " in output and "has no backup" in output


def test_check_mode_shows_the_way_and_changes_nothing(backed_up, tmp_path):
    before = records(backed_up.cn, "user-cn")
    output = drill(backed_up, tmp_path, "--check", "--limit", HOSTS["cn"])
    assert "expected:" in output and changed(output) == {HOSTS["cn"]: 0}
    assert records(backed_up.cn, "user-cn") == before


def test_cron_takes_the_jobs_of_the_page(tmp_path):
    """GIVEN the jobs as the page of drills shows them WHEN installed THEN cron has a line for the drill."""
    page = (REPOSITORY / "docs" / "playbooks" / "dr_drill.md").read_text()
    jobs = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    schedule = new_schedule(tmp_path)
    schedule.installs(**jobs)
    assert schedule.lines()[1].startswith("0 4 * * 0 ") and schedule.lines()[1].endswith(" drill dr_drill.yml")
