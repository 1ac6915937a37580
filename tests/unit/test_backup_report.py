# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of each table's backups: what is a problem, what is not, and how the screen shows it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.backup_report import Settings, age, report
from dynabridge.backup_screen import HEADER, WIDTH, screen
from dynabridge.catalogue import DAMAGED, FAILED, RUNNING, UNVERIFIED, VERIFIED, Backup
from dynabridge.exports import FULL, INCREMENTAL

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC).timestamp()
HOUR, DAY, GB = 3600, 86400, 2**30
TABLE = "user-cn"
PRICES = {
    "currency": "CNY",
    "export": 0.70,
    "transfer": 0.60,
    "function_month": 1.0,
    "storage": {"STANDARD": 0.2, "GLACIER": 0.03},
}
RULES = [{"Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 730}}]
SETTINGS = Settings("cn", "dynabridge-backup-cn-1", {TABLE: 26}, NOW, PRICES, RULES)


def full(hours_ago, state=VERIFIED, **fields):
    moment = NOW - hours_ago * HOUR
    identifier = f"{int(moment * 1000):014d}-0000000a"
    known = {
        "id": identifier,
        "folder": f"daily/2026/11/21/{TABLE}/AWSDynamoDB/{identifier}/",
        "state": state,
        "kind": FULL,
        "moment": moment,
        "requested": moment,
        "items": 100_000,
        "billed_bytes": 2 * GB,
        "stored_bytes": GB,
        "storage_classes": {"STANDARD": GB},
    }
    return Backup(bucket="b", table=fields.pop("table", TABLE), day="2026-11-21", **(known | fields))


def incremental(from_hours_ago, to_hours_ago, state=VERIFIED, **fields):
    backup = full(to_hours_ago, state, kind=INCREMENTAL, start=NOW - from_hours_ago * HOUR, **fields)
    requested = backup.moment + 60
    return replace(backup, id=backup.id.replace("0000000a", "0000000b"), requested=requested, storage_classes={})


def state_of(backups, settings=SETTINGS):
    (table,) = report(backups, settings)["tables"]
    return table


def kinds(backups, settings=SETTINGS):
    return [problem["kind"] for problem in state_of(backups, settings)["problems"]]


class TestWhatIsFine:
    def test_a_verified_full_backup_of_last_night(self):
        """GIVEN a backup of 12 hours ago WHEN looked at THEN the table is ok, and its numbers are there."""
        found = report([full(12), full(36)], SETTINGS)
        (table,) = found["tables"]
        assert found["ok"] and table["ok"] and found["problems"] == []
        assert table["last"]["moment"] == "2026-11-21T02:00:00Z" and table["last"]["age_hours"] == 12
        assert (table["full"], table["stored_bytes"], table["storage_classes"]) == (2, 2 * GB, {"STANDARD": 2 * GB})
        assert table["recoverable"][-1] == {"from": "2026-11-21T02:00:00Z", "to": "2026-11-21T02:00:00Z"}
        assert table["expires_in_days"] == 730.4
        assert table["cost"]["total"] == pytest.approx(4 * 0.7 + 2 * 0.6 + 2 * 0.2)
        assert found["cost"]["total"] == pytest.approx(table["cost"]["total"] + 1)

    def test_one_that_runs_is_told_and_no_problem(self):
        table = state_of([full(12), full(0.5, RUNNING)])
        assert table["ok"] and [(entry["state"], entry["stuck"]) for entry in table["running"]] == [(RUNNING, False)]

    def test_a_failure_before_the_last_good_one_is_over(self):
        backups = [full(36, FAILED), full(12), incremental(12, 11, DAMAGED), incremental(12, 10)]
        assert kinds(backups) == [] and state_of(backups)["failed"] == []

    def test_incrementals_carry_on_from_the_full_one(self):
        table = state_of([full(12), incremental(12, 11.5), incremental(11.5, 1)])
        assert table["recoverable"] == [{"from": "2026-11-21T02:00:00Z", "to": "2026-11-21T13:00:00Z"}]

    def test_a_hole_before_the_last_full_backup_is_named_and_no_problem(self):
        table = state_of([full(36), incremental(36, 34), incremental(30, 28), full(12)])
        assert table["ok"] and table["gaps"] == [{"from": "2026-11-20T04:00:00Z", "to": "2026-11-20T08:00:00Z"}]

    def test_a_table_that_is_gone_from_the_inventory_may_be_old(self):
        table = state_of([full(900)], replace(SETTINGS, limits={}))
        assert table["ok"] and not table["in_inventory"] and table["max_age_hours"] is None

    def test_what_will_expire_is_named_while_later_ones_stay(self):
        """GIVEN daily backups of 20 months and more WHEN looked at THEN those of the oldest month are named; no problem."""
        found = report([full(12), *(full(day * 24) for day in (690, 705, 725))], SETTINGS)
        (table,) = found["tables"]
        assert table["ok"] and [entry["id"] for entry in table["expiring"]] == [full(725 * 24).id, full(705 * 24).id]
        assert table["expiring"][0]["at"] == "2026-11-27T00:00:00Z"
        assert any(line.endswith("2 will expire soon, the next on 2026-11-27") for line in screen([found]))


class TestProblems:
    def test_no_backup_at_all(self):
        assert kinds([]) == ["none"]

    @pytest.mark.parametrize("state", [RUNNING, UNVERIFIED])
    def test_one_that_is_not_verified_is_none(self, state):
        assert kinds([full(1, state)]) == ["none"]

    def test_incrementals_alone_are_none(self):
        assert kinds([incremental(2, 1)]) == ["none"]

    def test_stale(self):
        assert kinds([full(27)]) == ["stale"] and kinds([full(26)]) == []
        (problem,) = report([full(27)], SETTINGS)["problems"]
        assert problem == (
            "cn user-cn: the last verified full backup shows 2026-11-20T11:00:00Z, 27 h ago; it may be 26 h old"
        )

    def test_the_age_is_of_the_moment_that_it_shows(self):
        """GIVEN a backup verified a minute ago that shows the day before yesterday THEN it is stale."""
        assert kinds([replace(full(48), verified=NOW - 60)]) == ["stale"]

    @pytest.mark.parametrize("state", [FAILED, DAMAGED])
    def test_a_failure_since_the_last_good_one_comes_with_its_reason(self, state):
        table = state_of([full(12), full(2, state, reason="S3AccessDenied: no right to put")])
        (problem,) = table["problems"]
        assert problem["kind"] == state and problem["text"].endswith("S3AccessDenied: no right to put")
        assert table["failed"][0]["reason"] == "S3AccessDenied: no right to put"

    def test_a_failed_incremental_is_made_up_for_by_a_full_one(self):
        assert kinds([full(12), incremental(12, 11, FAILED)]) == [FAILED]
        assert kinds([full(12), incremental(12, 11, FAILED), full(1)]) == []

    def test_many_failures_are_summed_up(self):
        found = state_of([full(20), *(full(hour, FAILED) for hour in range(1, 11))])
        assert len(found["problems"]) == 4 and "7 earlier ones" in found["problems"][-1]["text"]
        assert len(found["failed"]) == 10

    @pytest.mark.parametrize("state", [RUNNING, UNVERIFIED])
    def test_stuck_for_more_than_a_day(self, state):
        settings = replace(SETTINGS, limits={TABLE: 48})
        assert kinds([full(40), full(25, state)], settings) == ["stuck"]
        assert kinds([full(40), full(23, state)], settings) == []
        over = state_of([full(25, state), full(12)], settings)
        assert over["ok"] and over["running"][0]["stuck"], "flagged, but a later one is there"

    def test_a_hole_after_the_last_full_backup(self):
        table = state_of([full(12), incremental(12, 10), incremental(8, 1)])
        assert [problem["kind"] for problem in table["problems"]] == ["gap"]
        assert "2026-11-21T04:00:00Z to 2026-11-21T06:00:00Z" in table["problems"][0]["text"]

    def test_incrementals_that_stopped(self):
        settings = replace(SETTINGS, incremental_hours=3)
        assert kinds([full(12), incremental(12, 2)], settings) == []
        assert kinds([full(12), incremental(12, 4)], settings) == ["behind"]

    def test_the_last_one_is_about_to_expire(self):
        rules = [RULES[0] | {"Expiration": {"Days": 20}}]
        settings = replace(SETTINGS, rules=rules, limits={TABLE: 26})
        assert kinds([full(12)], settings) == ["expiring"]
        assert kinds([full(12)], replace(settings, limits={})) == ["expiring"], "also where no new ones are made"
        assert kinds([full(12)], replace(settings, expiry_warning_days=10)) == []

    def test_a_missing_price_silences_nothing(self):
        found = report([full(12, storage_classes={"GLACIER_IR": 1}), full(40)], SETTINGS)
        assert found["ok"] and found["cost"] is None and "storage.GLACIER_IR" in found["cost_note"]
        assert any("cost unknown" in line for line in screen([found]))


@st.composite
def stocks(draw):
    hours = st.floats(0, 2000)
    states = st.sampled_from([RUNNING, UNVERIFIED, VERIFIED, FAILED, DAMAGED])
    names = st.sampled_from([TABLE, "orders", "t" * 255])
    reasons = st.sampled_from(["", "AWS said: " + "no right " * 40])
    fulls = draw(st.lists(st.tuples(hours, states, names, reasons), max_size=12))
    windows = draw(st.lists(st.tuples(hours, hours, states, names), max_size=12))
    backups = [full(ago, state, table=name, reason=reason) for ago, state, name, reason in fulls]
    return backups + [incremental(max(a, b) + 1, min(a, b), state, table=name) for a, b, state, name in windows]


@given(stocks())
def test_whatever_there_is_fits_the_screen_and_is_json(backups):
    """GIVEN any backups WHEN reported THEN the lines fit 120 columns, all tables are there, ok means no problem."""
    found = report(backups, SETTINGS)
    assert json.loads(json.dumps(found)) == found
    assert found["ok"] == (not found["problems"]) and {TABLE} <= {table["table"] for table in found["tables"]}
    assert all(len(line) <= WIDTH and line == line.rstrip() for line in screen([found]))


def test_the_screen():
    """GIVEN a side with a good and a bad table WHEN shown THEN it is this."""
    settings = replace(SETTINGS, limits={TABLE: 26, "orders": 26})
    backups = [
        full(12),
        incremental(12, 1),
        full(0.75, RUNNING),
        full(30, table="orders"),
        full(2, FAILED, table="orders"),
    ]
    shown = screen([report(backups, settings)])
    assert shown == [
        HEADER.rstrip(),
        "cn   orders                      2026-11-20T08:00:00Z   30 h   26 h      100,000   2.0 GB   2.0 GB"
        "     CNY 4.40 NOT OK",
        "     NOT OK: the last verified full backup shows 2026-11-20T08:00:00Z, 30 h ago; it may be 26 h old",
        f"     NOT OK: the full backup {full(2).id} of 2026-11-21T12:00:00Z failed: no reason is known",
        f"     last full: {full(30).id}, expires in 729 days",
        "     recoverable: 2026-11-20T08:00:00Z",
        "     verified: 1 full, 0 incremental, 1 failed; 2.0 GB in STANDARD",
        "cn   user-cn                     2026-11-21T02:00:00Z   12 h   26 h      100,000   2.0 GB   3.0 GB"
        "     CNY 6.60 ok",
        f"     running: full {full(0.75).id} since 2026-11-21T13:15:00Z (45 m)",
        f"     last full: {full(12).id}, expires in 730 days",
        "     recoverable: 2026-11-21T02:00:00Z to 2026-11-21T13:00:00Z (at the ends of incrementals)",
        "     verified: 1 full, 1 incremental, 1 running; 3.0 GB in STANDARD",
        "cn: 1 of 2 tables ok; 5.0 GB in dynabridge-backup-cn-1; CNY 12.00 a month (exports 7.00, transfer 3.00,"
        " storage 1.00,",
        "  function 1.00)",
    ]


@pytest.mark.parametrize(
    ("hours", "words"), [(-1, "0 m"), (0.75, "45 m"), (1, "1 h"), (13.54, "13.5 h"), (99.9, "99.9 h"), (240, "10 d")]
)
def test_an_age_is_short(hours, words):
    assert age(hours) == words
