# SPDX-License-Identifier: GPL-3.0-or-later
"""dr_test1.yml: a table that is lost comes back as it was written, and nothing is left of the test."""

import json

import pytest

from tests.integration.support import Side
from tests.integration.test_deploy import changed
from tests.local_pair import run_playbook

TEST = "ansible-playbook dr_test1.yml -e confirm=test1 -e items=2000 -e rate=250 --limit cn-north-1"
TABLE, TARGET = "dynabridge-test1-cn", "cn-northwest-1"
DEPLOY = ("deploy.yml", "--limit", "cn-north-1", "--tags", "tables,change_capture,backup_access")


def nothing_is_left(side):
    assert TABLE not in side.client("dynamodb").list_tables()["TableNames"]
    endpoint = side.pair.sides["cn"]["endpoint_url"]
    away = side.pair.session("cn").client("dynamodb", region_name=TARGET, endpoint_url=endpoint)
    assert not [name for name in away.list_tables()["TableNames"] if name.startswith(TABLE)]
    mappings = side.client("lambda").list_event_source_mappings(FunctionName="stream_to_s3")["EventSourceMappings"]
    assert not [mapping for mapping in mappings if f"table/{TABLE}/" in mapping["EventSourceArn"]]
    deployed = run_playbook(side.pair, *DEPLOY)
    assert deployed.returncode == 0 and changed(deployed.stdout) == {"cn-north-1": 0}, deployed.stdout


def plays(pair, tmp_path, command, timeout):
    """Run it; gives the report."""
    arguments = command.split()[1:]
    result = run_playbook(pair, *arguments, "-e", f"dynabridge_restore_report_dir={tmp_path}", timeout=timeout)
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = tmp_path.glob("test1-*.json")
    report = json.loads(path.read_text())
    assert path.with_suffix(".html").is_file() and len(list(tmp_path.glob("test1-*.png"))) == 3
    assert report["ways"][0]["rto_met"] and report["written"][-1][1] == sum(report["counts"].values())
    assert report["ok"] and report["backup_in_load"]
    shown = " ".join(result.stdout.split())
    for line in report["text"]:
        assert " ".join(line.split()) in shown
    return report


def test_a_lost_table_comes_back_as_it_was_written(deployed_pair, tmp_path):
    """GIVEN 2,000 items, backed up amid their load, changed and lost WHEN restored THEN as written."""
    report = plays(deployed_pair, tmp_path, TEST, 300)
    assert report["counts"] == {"puts": 2000, "updates": 200, "deletes": 100}
    assert 1000 <= report["backup_items"] < 2000
    (way,) = report["ways"]
    assert way["method"] == "apply" and way["rows"] == 1900 and way["changes"] > 0
    assert way["rpo_seconds"] == 0 and 0 < way["rto_seconds"] < 120
    nothing_is_left(Side(deployed_pair, "cn"))


@pytest.mark.long
def test_a_hundred_thousand_items(deployed_pair, tmp_path):
    """As it is run on AWS, but for the rate, as 100 items a second take 17 minutes; by both methods."""
    command = "ansible-playbook dr_test1.yml -e confirm=test1 -e items=100000 -e rate=600 -e method=apply,merge"
    report = plays(deployed_pair, tmp_path, f"{command} --limit cn-north-1", 1800)
    assert report["counts"]["puts"] == 100_000
    assert [way["method"] for way in report["ways"]] == ["apply", "merge"]
    nothing_is_left(Side(deployed_pair, "cn"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give -e confirm=test1"),
        (("-e", "confirm=test1", "-e", "items=5"), "items must be a multiple of 4"),
        (("-e", "confirm=test1", "-e", "rate=0"), "the rate above 0"),
        (("-e", "confirm=test1", "-e", "method=full_only"), "it must be apply, merge, or both"),
        (
            ("-e", "confirm=test1", "-e", "dr_test1_capture_function=gone"),
            "Function gone of side cn is not to be found",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_changed(deployed_pair, arguments, words):
    result = run_playbook(deployed_pair, "dr_test1.yml", "--limit", "cn-north-1", *arguments)
    assert result.returncode != 0
    text = " ".join(result.stdout.split())
    assert words in text and "Nothing was changed." in text and changed(result.stdout) == {"cn-north-1": 0}


def test_check_mode_says_what_it_would_do(deployed_pair):
    result = run_playbook(deployed_pair, "dr_test1.yml", "--limit", "cn-north-1", "--check")
    assert result.returncode == 0 and "Would make dynabridge-test1-cn" in result.stdout
    assert changed(result.stdout) == {"cn-north-1": 0}
