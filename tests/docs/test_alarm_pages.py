# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever is woken by an alarm finds it: each has its section, and no section is of an alarm that is none."""

import re

import yaml

from plugins.filter.dynabridge_backup import backup_alarms
from plugins.filter.dynabridge_capture import capture_alarms
from tests.local_pair import REPOSITORY

PAGES = REPOSITORY / "docs" / "runbooks" / "alarms"
TABLE = {"name": "user", "names": {"cn": "user-cn"}, "backup": True, "capture": True}
QUESTIONS = ("Means", "First look", "Over when")


def loaded(name: str) -> dict:
    return yaml.safe_load((REPOSITORY / "roles" / name).read_text(encoding="utf-8"))


def alarms() -> dict[str, list[dict]]:
    """Page -> its alarms, as deploy.yml makes them for a table that is backed up and captured."""
    backups = loaded("backup_alarms/vars/main.yml")["backup_alarms__list"] + backup_alarms([TABLE], "cn", 26, 30, "N")
    capture = capture_alarms([TABLE], "cn", 900, "stream_to_s3", "ddbcapturecn", "N")
    replication = loaded("replication_alarms/defaults/main.yml")["replication_alarms_list"]
    return {"replication": replication, "backups": backups, "capture": capture}


def name_of(alarm: dict) -> str:
    return alarm.get("name", alarm["metric"]).removesuffix("-user-cn")


def sections(page: str) -> dict[str, str]:
    """Heading -> text, of the alarms."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return {part.split("\n")[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)[2:]}


def test_each_alarm_has_its_section():
    """GIVEN the alarms that deploy.yml makes THEN each has a section: what it means, where to look, when it is over."""
    for page, made in alarms().items():
        found = sections(page)
        assert sorted(found) == sorted(map(name_of, made))
        for name, text in found.items():
            assert all(f"\n| {question} | " in text for question in QUESTIONS), name
            assert "\n```bash\n" in text, f"{name}: what to do is something to type"


def test_each_alarm_names_its_section():
    """GIVEN the alarms that deploy.yml makes THEN the description of each leads to its own section, not to the page alone."""
    for page, made in alarms().items():
        for alarm in made:
            assert alarm["page"] == f"docs/runbooks/alarms/{page}.md#{name_of(alarm).lower()}"


def test_getting_started_counts_the_alarms():
    text = (REPOSITORY / "docs" / "getting-started.md").read_text(encoding="utf-8")
    assert f"{sum(map(len, alarms().values()))} a side with one table" in text
