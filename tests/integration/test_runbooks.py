# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbooks are played: each command stands in docs/runbooks, and is run on rows that are lost at a known second."""

import contextlib
import json
import re
import shlex
import shutil
import time
import uuid
from pathlib import Path

import pytest

from dynabridge.digest import encode_item
from dynabridge.watermark import key_of_watermark, watermark_from
from tests.docs.test_commands import commands
from tests.faults_api import calls_of_lost_region, region_down
from tests.integration.support import Bridge, Side, crosses, eventually
from tests.local_pair import REPOSITORY, run_playbook, started_pair

RUNBOOKS = REPOSITORY / "docs" / "runbooks"
BEGAN, ENDED, GOOD = "2026-11-20T10:15:03Z", "2026-11-20T10:40:00Z", "user-cn-good"  # as the runbooks say
DELETED, CORRUPTED, GONE, AGAIN = slice(0, 5), slice(0, 5), slice(0, 3), slice(3, 6)
LAST_SECONDS, LEFT_REGION = slice(6, 7), slice(7, 8)
SIDES = {("cn",): ("--limit", "cn-north-1"), ("cn", "sg"): ()}


def iso(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def spelled(command: str, **said: str) -> list[str]:
    """The arguments of a runbook's command, on this machine, with a story's own times and names."""
    words = shlex.split(command)
    assert words[0] == "ansible-playbook", f"a runbook shows its calls: {command}"
    sides = tuple(re.findall(r"-i inventories/(\w+)", command))
    plain = shlex.split(re.sub(r"-i inventories/\w+", "", command))[1:]
    for word, mine in said.items():
        plain = [argument.replace({"began": BEGAN, "ended": ENDED, "good": GOOD}[word], mine) for argument in plain]
    return [*plain, *SIDES[sides]]


def play(bridge: Bridge, runbook: str, part: slice, *more: str, **said: str) -> str:
    """Run a part of a runbook's commands one after the other; gives what they said."""
    shown = []
    for command in commands(RUNBOOKS / f"{runbook}.md")[part]:
        result = run_playbook(bridge.cn.pair, *more, *spelled(command, **said))
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        shown.append(result.stdout)
    return " ".join(" ".join(shown).split())


def next_second() -> int:
    """The beginning of a second: nothing was written in it yet."""
    second = int(time.time()) + 1
    time.sleep(second - time.time())
    return second


def captured(bridge: Bridge, second: int) -> None:
    """Wait until every change before the second is in the log."""
    account = bridge.cn.pair.sides["cn"]["account_id"]
    bucket, key = f"dynabridge-backup-cn-{account}", key_of_watermark(bridge.cn.table)

    def known() -> bool:
        bridge.cn.client("lambda").invoke(FunctionName="stream_to_s3", Payload=json.dumps({"action": "tend"}))
        body = bridge.cn.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        time.sleep(0.5)
        return watermark_from(json.loads(body)).until >= second

    eventually(known, 90)


class Story:
    """Rows of one story on both sides, under keys of its own."""

    def __init__(self, bridge: Bridge):
        self.bridge, self.name = bridge, f"story-{uuid.uuid4().hex[:8]}"
        self.good = f"user-cn-good-{self.name}"
        self.keys = [f"{self.name}-{number:03}" for number in range(60)]

    def rows(self, side: str) -> dict[str, str]:
        """What the side holds of the story: each key's text."""
        mine = (item for item in getattr(self.bridge, side).items() if item["PK"]["S"].startswith(self.name))
        return {item["PK"]["S"]: item["text"]["S"] for item in mine}

    def write(self, text: str, keys: list[str]) -> None:
        for key in keys:
            self.bridge.cn.write(key, text={"S": text})

    def everywhere(self, expected: dict[str, str]) -> None:
        eventually(lambda: self.rows("cn") == self.rows("sg") == expected)

    def forget_good(self) -> None:
        """Remove the restored table."""
        client = self.bridge.client("cn", "dynamodb")
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=self.good)


@pytest.fixture(scope="module")
def backed_up(deployed_pair):
    """Rows that are in a full backup."""
    told = Story(Bridge.of(deployed_pair))
    told.write("before", told.keys[:50])
    result = run_playbook(deployed_pair, "backup.yml", "-e", "table=user", "--limit", "cn-north-1")
    assert result.returncode == 0, result.stdout + result.stderr
    yield told
    for key in told.rows("cn"):
        told.bridge.cn.remove(key)
    told.everywhere({})


@pytest.fixture
def story(backed_up):
    """Of the rows some are as in the full backup, and some were changed after it."""
    held = backed_up.rows("cn")
    backed_up.write("before", [key for key in backed_up.keys[:40] if held.get(key) != "before"])
    backed_up.write("after", backed_up.keys[40:])
    backed_up.everywhere(expected_of(backed_up))
    yield backed_up
    backed_up.forget_good()


def expected_of(story: Story) -> dict[str, str]:
    return dict.fromkeys(story.keys[:40], "before") | dict.fromkeys(story.keys[40:], "after")


def test_deleted_data(story):
    """GIVEN rows deleted at a known second, on both sides by now WHEN the runbook is followed THEN both have them again."""
    expected = expected_of(story)
    began = next_second()
    for key in story.keys[30:]:
        story.bridge.cn.remove(key)
    story.bridge.sg.write(story.keys[0], text={"S": "written since"})  # is no business of the runbook's
    expected[story.keys[0]] = "written since"
    story.everywhere({key: text for key, text in expected.items() if key not in story.keys[30:]})
    captured(story.bridge, began)
    shown = play(story.bridge, "deleted_data", DELETED, began=iso(began), good=story.good)
    assert "30 only on restored" in shown and "30 repaired" in shown and "verified:" in shown
    story.everywhere(expected)


def test_corrupted_data(story):
    """GIVEN rows overwritten with rubbish for some seconds, on both sides by now WHEN the runbook is followed THEN the good
    ones win on both sides, and what was written after the rubbish stays."""
    expected = expected_of(story)
    began = next_second()
    story.write("rubbish", story.keys[20:])
    ended = next_second()
    story.write("written since", story.keys[55:])
    spoilt = dict.fromkeys(story.keys[20:], "rubbish") | dict.fromkeys(story.keys[55:], "written since")
    story.everywhere(expected | spoilt)
    captured(story.bridge, began)
    shown = play(story.bridge, "corrupted_data", CORRUPTED, began=iso(began), ended=iso(ended), good=story.good)
    assert "35 repaired" in shown
    story.everywhere(expected | dict.fromkeys(story.keys[55:], "written since"))


def test_region_gone(story):
    """GIVEN a region that answers nobody WHEN the runbook is followed THEN the table stands in another one with all that was
    captured, and nothing has asked the lost region."""
    bridge = story.bridge
    captured(bridge, next_second())
    there = bridge.cn.pair.moved("cn", "cn-northwest-1").client("cn", "dynamodb")
    before = {item["PK"]["S"]: encode_item(item) for item in bridge.cn.items()}
    with region_down(bridge.cn.pair, "cn", bridge.cn.region):
        shown = play(bridge, "region_gone", GONE)
        assert calls_of_lost_region(bridge.cn.pair, "cn", bridge.cn.region) == {}
    try:
        pages = there.get_paginator("scan").paginate(TableName="user-cn")
        restored = {item["PK"]["S"]: encode_item(item) for page in pages for item in page["Items"]}
    finally:
        there.update_table(TableName="user-cn", DeletionProtectionEnabled=False)
        there.delete_table(TableName="user-cn")
    assert restored == before
    assert "RTO" in shown and "RPO" in shown


def moved(directory: Path) -> str:
    """The inventory as the runbook says: side cn lives in another region. Gives its path."""
    shutil.copytree(REPOSITORY / "inventories", directory)
    sides, own = directory / "group_vars/all/sides.yml", directory / "group_vars/cn/main.yml"
    sides.write_text(sides.read_text().replace("region: cn-north-1", "region: cn-northwest-1"))
    own.write_text(
        own.read_text() + "dynabridge_quarantine_bucket: dynabridge-quarantine-cn-2\n"
        "dynabridge_backup_tables: []\ndynabridge_capture_tables: []\n"
    )
    return str(directory / "local")


@pytest.mark.long
def test_region_gone_and_replicating_again(tmp_path):
    """GIVEN a lost region, and a peer that went on WHEN the runbook is followed to its end, and home again THEN the side
    replicates from the other region and later from its own, and both tables hold what any of the three knew."""
    with started_pair(tmp_path / "local") as pair:
        for verb in (("deploy.yml",), ("backup.yml", "-e", "table=user", "--limit", "cn-north-1")):
            result = run_playbook(pair, *verb)
            assert result.returncode == 0, result.stdout + result.stderr
        bridge = Bridge.of(pair)
        bridge.replicates("before", text={"S": "before"})
        captured(bridge, next_second())
        with region_down(pair, "cn", "cn-north-1"):
            bridge.sg.write("meanwhile", text={"S": "on the peer"})
            play(bridge, "region_gone", GONE)
            of_the_move = ("-i", moved(tmp_path / "inventories"))
            play(bridge, "region_gone", AGAIN, *of_the_move)
            assert calls_of_lost_region(pair, "cn", "cn-north-1") == {}
            there = Side(pair.moved("cn", "cn-northwest-1"), "cn")
            assert {item["PK"]["S"] for item in there.items()} >= {"before", "meanwhile"}
            crosses(there, bridge.sg, "moved")
            crosses(bridge.sg, there, "moved and back")
        # The region is back, and its sender has no rights there: a row of its last seconds is taken over by hand.
        written = bridge.cn.write("last seconds")
        play(bridge, "region_gone", LAST_SECONDS)
        eventually(lambda: there.item("last seconds") == written)
        # Home again; what is left in the other region goes, without what both regions use.
        play(bridge, "region_gone", AGAIN)
        rows = {side.region: {item["PK"]["S"]: item for item in side.items()} for side in (bridge.cn, there)}
        assert rows["cn-north-1"] == rows["cn-northwest-1"] and len(rows["cn-north-1"]) == 5
        play(bridge, "region_gone", LEFT_REGION, *of_the_move)
        assert there.client("lambda").list_functions()["Functions"] == []
        crosses(bridge.cn, bridge.sg, "home")
        crosses(bridge.sg, bridge.cn, "home and back")


def test_every_command_of_the_runbooks_is_played(deployed_pair):
    """GIVEN the runbooks THEN there is a story for each, which plays all commands; the syntax of the long one's is right."""
    stories = {"deleted_data": DELETED, "corrupted_data": CORRUPTED, "region_gone": slice(0, LEFT_REGION.stop)}
    # The Chinese texts have the same commands: tests/docs/test_languages.py.
    assert {path.stem for path in RUNBOOKS.glob("*.md") if not path.name.endswith(".zh.md")} == set(stories)
    for name, part in stories.items():
        assert commands(RUNBOOKS / f"{name}.md")[part] == commands(RUNBOOKS / f"{name}.md")
    for command in commands(RUNBOOKS / "region_gone.md")[AGAIN.start :]:
        result = run_playbook(deployed_pair, *spelled(command), "--syntax-check")
        assert result.returncode == 0, result.stdout + result.stderr
