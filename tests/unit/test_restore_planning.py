# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans from a bucket: what dynamodb_restore_info finds."""

import json

import pytest

from dynabridge.aws.change_sources import Sources
from dynabridge.aws.restore_planning import Planner
from dynabridge.backup_layout import iso
from dynabridge.catalogue import DAMAGED
from dynabridge.change_lines import MICROS
from dynabridge.errors import BackupError, SettingsError
from dynabridge.moments import Asked, read_date
from dynabridge.restore_estimate import estimate
from dynabridge.restore_plan import APPLY, FULL_ONLY, MERGE, plan_from
from tests.export_files import DAY, MOMENT, TABLE
from tests.restore_world import World, record

MARGIN = 5


def planner(world):
    return Planner(world.objects, "daily", "changes", MARGIN)


def plan(world, asked, method=MERGE, allow_gaps=False, table=TABLE):
    planned = planner(world)
    return planned.plan(table, planned.catalogue([table], asked)[table], asked, method, allow_gaps)


def at(seconds):
    return Asked(moment=MOMENT + seconds)


@pytest.fixture
def world():
    """A full backup, and each second for a minute a change of another key, all captured."""
    made = World()
    made.backup(0)
    made.capture([record(second, second, f"k{second}", {"PK": {"S": f"k{second}"}}) for second in range(-20, 60)])
    made.watermark(-30, 60)
    return made


@pytest.mark.parametrize("second", [1, 10, 59, 60])
def test_every_second_that_was_captured(world, second):
    """GIVEN hazard 26, a log that goes on WHEN planned to a second THEN nothing from that second on is read, and from before
    the backup's moment everything (hazard 19)."""
    found = plan(world, at(second))
    seconds = [change.micros // MICROS - int(MOMENT) for change, _phase in Sources(world.objects, found).changes()]
    assert seconds == list(range(-MARGIN, second)) and not found.holes
    assert found.log.objects == 2  # the hour of the backup, and the one before


def test_a_plan_survives_its_document(world):
    found = plan(world, at(10))
    assert plan_from(json.loads(json.dumps(found.as_dict()))) == found
    assert plan_from(plan(world, at(10)).as_dict()).id == found.id != plan(world, at(11)).id


def test_latest_goes_to_the_newest_record_and_says_what_is_not_known(world):
    """GIVEN records after the watermark, when the source was lost WHEN latest is asked for THEN they count, and it is said."""
    world.watermark(-30, 40)
    found = plan(world, Asked())
    assert found.moment == MOMENT + 60 and not found.holes
    assert f"from {iso(MOMENT + 40)} on are there up to {iso(MOMENT + 60)}, but may not be all" in found.notes[0]


def test_latest_without_a_log_is_the_last_good_backup(world):
    """GIVEN hazard 21 THEN latest is no backup that is damaged, nor the first of the day."""
    other = World()
    other.backup(0)
    other.backup(600)
    other.backup(1200, state=DAMAGED)
    assert plan(other, Asked()).base.moment == MOMENT + 600


def test_a_day_is_its_last_full_backup_and_nothing_after_it(world):
    world.backup(30)
    found = plan(world, Asked(day=DAY))
    assert (found.moment, found.log, found.windows) == (MOMENT + 30, None, ())


def test_full_only_leaves_the_changes_out_and_says_so(world):
    found = plan(world, at(30), FULL_ONLY)
    assert (found.moment, found.log) == (MOMENT, None)
    assert "changes after it are left out" in found.notes[0]


def test_incrementals_alone_reach_their_ends(world):
    other = World()
    other.backup(0)
    other.backup(900, files=[], window=(0, 900))
    assert [window.moment for window in plan(other, at(900)).windows] == [MOMENT + 900]
    with pytest.raises(BackupError, match="reach the ends of their windows only"):
        plan(other, at(899))


def test_a_gap_is_refused_and_with_leave_named(world):
    """GIVEN hazard 19, a hole in the log THEN a moment beyond it is refused, unless allow_gaps: then the plan names it."""
    world.watermark(-30, 60, (20, 22, "a batch was given up"))
    with pytest.raises(BackupError, match=f"table {TABLE} cannot be brought back to .* with every change: .*given up"):
        plan(world, at(50))
    (hole,) = plan(world, at(50), APPLY, allow_gaps=True).holes
    assert (hole.start, hole.end, hole.why) == (MOMENT + 20, MOMENT + 22, "a batch was given up")
    assert not plan(world, at(20)).holes


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (at(-1), "its oldest verified full backup is of"),
        (at(61), "it is not known whether all changes since then were captured"),
        (Asked(day="2026-11-22"), "no verified full backup of 2026-11-22"),
    ],
)
def test_outside_of_what_is_recoverable(world, asked, said):
    with pytest.raises(BackupError, match=said):
        plan(world, asked)


def test_a_table_that_nobody_knows(world):
    with pytest.raises(SettingsError, match=r"no backup of usre-cn; it has backups of user-cn: correct -e table="):
        plan(world, at(10), table="usre-cn")


def test_a_bucket_without_backups():
    with pytest.raises(SettingsError, match="holds no backups under daily/"):
        planner(World()).catalogue([], Asked())


def test_every_table_with_backups_is_meant_where_none_is_named(world):
    world.backup(0, table="orders-cn")
    assert sorted(planner(world).catalogue([], Asked())) == ["orders-cn", "user-cn"]


def test_a_watermark_that_cannot_be_read_is_named(world):
    world.s3.objects["changes/user-cn/watermark.json"] = b"{}"
    with pytest.raises(BackupError, match=r"changes/user-cn/watermark.json cannot be read"):
        plan(world, at(10))


def test_what_it_takes(world):
    """GIVEN prices and rates THEN time by phase and cost follow from them."""
    found = plan(world, at(10))
    prices = {"currency": "USD", "import": 2**30, "retrieval": 0}
    expected = estimate(found, {"merge": 1, "import": 1, "verify": 1}, prices)
    assert expected["items"] == 5 and expected["change_bytes"] == found.log.bytes
    assert expected["cost"] == {
        "import": found.base.billed_bytes,
        "retrieval": 0,
        "total": found.base.billed_bytes,
        "currency": "USD",
    }
    assert set(expected["seconds"]) == {"merge", "import", "verify"}


@pytest.mark.parametrize("damage", [{}, {"log": {}}, {"method": "guess"}, {"base": {"state": "verified"}}])
def test_what_is_no_plan_is_refused(world, damage):
    document = plan(world, at(10)).as_dict() | damage if damage else {}
    with pytest.raises(SettingsError, match="plan"):
        plan_from(document)


def test_the_date_reaches_the_plan(world):
    asked = read_date(iso(MOMENT + 10), MOMENT + 100)
    assert plan(world, asked).moment == MOMENT + 10
