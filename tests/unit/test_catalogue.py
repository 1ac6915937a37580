# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup says of itself, and what moments backups reach: held against a model that looks at every second."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.backup_layout import FAILURE, RECORD, SUCCESS, Place, iso
from dynabridge.catalogue import (
    DAMAGED,
    FAILED,
    RUNNING,
    STATES,
    UNVERIFIED,
    VERIFIED,
    Backup,
    Found,
    Span,
    backup_from,
    chains,
    coverage,
    gaps,
    judge,
    verdict,
    verified,
)
from dynabridge.exports import FULL, INCREMENTAL, SUMMARY
from tests.export_files import BUCKET, DAY, MOMENT, PREFIX, TABLE, TABLE_ID, identifier, summary_of, table_arn

ID = identifier()
FOLDER = f"{PREFIX}/2026/11/21/{TABLE}/AWSDynamoDB/{ID}/"
PLACE = Place(DAY, TABLE, ID, "")
ASKED = Backup(
    BUCKET, TABLE, ID, DAY, FOLDER, kind=INCREMENTAL, region="cn-north-1", account_id="100000000001",
    export_arn=f"{table_arn()}/export/{ID}", table_arn=table_arn(), table_id=TABLE_ID,
    start=MOMENT - 3600, moment=MOMENT, requested=MOMENT,
)  # fmt: skip
GOOD = replace(ASKED, kind=FULL, start=None, state=VERIFIED, verified=MOMENT + 600, items=5, files=2, stored_bytes=30)


def listed(*names, files=2):
    found = Found()
    for name in ["_started", *names]:
        found.take(name, 100, "STANDARD")
    for number in range(files):
        found.take(f"data/{number}.json.gz", 10 + number, "GLACIER" if number else "STANDARD")
    return found


def judged(documents, **more):
    """What comes of these documents, given as they are on S3."""
    found = more.pop("found", None) or listed(*documents, **more)
    texts = {
        name: document if name == SUMMARY else json.loads(json.dumps(document)) for name, document in documents.items()
    }
    return judge(BUCKET, PREFIX, PLACE, found, {name: texts[name] for name in found.telling() if name in texts})


def record(backup=ASKED):
    return {"version": 1, "backup": backup.as_dict()}


def unread(name):
    """The state of a backup whose document of this name cannot be read: without a verdict it waits for one."""
    return UNVERIFIED if name == RECORD else DAMAGED


class TestJudge:
    def test_an_export_without_a_record_is_running(self):
        """GIVEN nothing but DynamoDB's _started THEN an export is under way since its id says."""
        backup = judged({}, files=0)
        assert (backup.state, backup.requested, backup.table_id) == (RUNNING, MOMENT, "")

    def test_what_was_asked_for_is_running(self):
        assert judged({RECORD: record()}) == ASKED

    def test_an_ended_export_is_unverified(self):
        """GIVEN a summary THEN the export has ended, and what it says counts, with a record and without."""
        summary = json.dumps(summary_of(FOLDER) | {"itemCount": 5}).encode()
        for documents in ({SUMMARY: summary}, {RECORD: record(), SUMMARY: summary}):
            backup = judged(documents)
            assert (backup.state, backup.kind, backup.start, backup.items) == (UNVERIFIED, FULL, None, 5)
            assert (backup.region, backup.account_id, backup.table_id) == ("cn-north-1", "100000000001", TABLE_ID)
            assert (backup.files, backup.stored_bytes) == (2, 21)
            assert backup.storage_classes == {"GLACIER": 11, "STANDARD": 10}

    def test_a_verdict_says_it_all(self):
        """GIVEN a verdict THEN neither record nor summary are read for it."""
        found = listed(RECORD, SUMMARY, SUCCESS)
        assert found.telling() == [SUCCESS]
        backup = judged({SUCCESS: verdict(GOOD, MOMENT + 600)}, found=found)
        assert backup == replace(GOOD, stored_bytes=21, storage_classes={"GLACIER": 11, "STANDARD": 10})

    @pytest.mark.parametrize("state", [FAILED, DAMAGED])
    def test_a_failed_one_says_why(self, state):
        bad = replace(ASKED, state=state, reason="S3NoSuchBucket: no such bucket")
        backup = judged({RECORD: record(), FAILURE: verdict(bad, MOMENT + 5, ["S3NoSuchBucket: no such bucket"])})
        assert (backup.state, backup.reason) == (state, "S3NoSuchBucket: no such bucket")

    @pytest.mark.parametrize(("later", "state"), [(SUCCESS, VERIFIED), (FAILURE, DAMAGED)])
    def test_the_later_of_two_verdicts_stands(self, later, state):
        """GIVEN a backup verified and found damaged, or the other way round THEN the last look counts."""
        bad = replace(GOOD, state=DAMAGED, reason="x")
        documents = {SUCCESS: verdict(GOOD, MOMENT + 600), FAILURE: verdict(bad, MOMENT + 600)}
        documents[later]["checked_at"] = iso(MOMENT + 600.001)
        assert judged(documents).state == state

    def test_a_copy_is_where_it_lies(self):
        """GIVEN a backup copied from another bucket, prefix and table name THEN it is told as it lies here."""
        there = replace(GOOD, bucket="old", folder="old/", table="old-name", day="2020-01-01", id="x")
        backup = judged({SUCCESS: verdict(there, MOMENT)})
        assert (backup.bucket, backup.folder, backup.table, backup.day, backup.id) == (BUCKET, FOLDER, TABLE, DAY, ID)

    def test_a_verified_one_that_lost_files_is_damaged(self):
        """GIVEN data files that expired, or were removed, while the verdict stays THEN it counts no more."""
        backup = judged({SUCCESS: verdict(GOOD, MOMENT)}, files=1)
        assert (backup.state, backup.reason) == (DAMAGED, "1 of its 2 data files are not there any more")
        assert coverage([backup]) == []

    def test_files_of_incrementals_lie_elsewhere(self):
        good = replace(ASKED, state=VERIFIED, verified=MOMENT, files=3, stored_bytes=99)
        backup = judged({SUCCESS: verdict(good, MOMENT)}, files=0)
        assert (backup.state, backup.files, backup.stored_bytes) == (VERIFIED, 3, 99)

    @pytest.mark.parametrize("name", [SUCCESS, FAILURE, RECORD])
    @pytest.mark.parametrize(
        "document",
        [None, [], "x", 3, {}, {"backup": None, "checked_at": iso(MOMENT)}, {"backup": {}, "checked_at": iso(MOMENT)}],
    )
    def test_a_document_that_is_none_is_damage(self, name, document):
        """GIVEN a verdict or record that cannot be read THEN that backup does not count, and the others are still listed."""
        backup = judged({name: document})
        assert backup.state == unread(name) and FOLDER in backup.reason

    @pytest.mark.parametrize("name", [SUCCESS, RECORD])
    @pytest.mark.parametrize(
        "change",
        [
            {"moment": None}, {"moment": 5}, {"moment": "soon"}, {"requested": None}, {"items": None}, {"items": "x"},
            {"state": "fine"}, {"kind": None}, {"storage_classes": 7}, {"verified": "x"}, {"start": []},
            {"kind": INCREMENTAL, "start": None},
        ],
    )  # fmt: skip
    def test_a_field_that_makes_no_sense_is_damage(self, name, change):
        """GIVEN a document with a field that cannot be THEN damage, and nothing that reckons with it fails."""
        document = verdict(GOOD, MOMENT)
        document["backup"] |= change
        backup = judged({name: document})
        assert backup.state == unread(name)
        assert coverage([backup, GOOD]) == [Span(MOMENT, MOMENT)] and gaps([backup]) == []

    @pytest.mark.parametrize(
        "body", [None, b"", b"{}", b"x", json.dumps(summary_of(FOLDER) | {"tableArn": "x"}).encode()]
    )
    def test_a_summary_that_is_none_waits_for_a_verdict(self, body):
        """GIVEN a summary that cannot be read THEN the export is still to be seen through, under its own name."""
        backup = judged({RECORD: record(), SUMMARY: body})
        assert (backup.state, backup.export_arn) == (UNVERIFIED, ASKED.export_arn) and backup.reason

    def test_a_broken_verdict_beside_a_good_one_is_damage(self):
        assert judged({SUCCESS: verdict(GOOD, MOMENT), FAILURE: {"backup": {}}}).state == DAMAGED

    def test_one_without_a_time_of_its_own_reads_back(self):
        backup = Backup(BUCKET, TABLE, ID, DAY, FOLDER)
        assert backup_from(json.loads(json.dumps(backup.as_dict()))) == backup


names = st.sampled_from(["user-cn", "orders-cn"])
times = st.integers(0, 10**12).map(lambda milliseconds: milliseconds / 1000)


@given(
    st.builds(
        Backup, names, names, names, names, names, state=st.sampled_from(STATES), kind=st.just(INCREMENTAL), start=times,
        moment=times, requested=times, verified=st.none() | times, items=st.integers(0), reason=st.text(),
        storage_classes=st.dictionaries(names, st.integers(0)),
    )
)  # fmt: skip
def test_a_backup_survives_its_document(backup):
    """GIVEN any backup WHEN written as JSON and read THEN it is the same."""
    assert backup_from(json.loads(json.dumps(backup.as_dict()))) == backup


END = 12
fulls = st.builds(
    lambda moment, state, life: replace(GOOD, moment=moment, state=state, table_id=life),
    st.integers(0, END), st.sampled_from([VERIFIED, VERIFIED, DAMAGED, RUNNING]), st.sampled_from("ab"),
)  # fmt: skip
windows = st.builds(
    lambda edges, state, life: replace(ASKED, start=min(edges), moment=max(edges), state=state, table_id=life),
    st.sets(st.integers(0, END), min_size=2, max_size=2),
    st.sampled_from([VERIFIED, VERIFIED, VERIFIED, FAILED, UNVERIFIED]), st.sampled_from("ab"),
)  # fmt: skip
histories = st.lists(fulls | windows, max_size=10)


def seconds_of(backups, life):
    """The seconds that verified windows of this table id hold; n stands for n to n+1."""
    return {
        second
        for backup in backups
        if (backup.kind, backup.state, backup.table_id) == (INCREMENTAL, VERIFIED, life)
        for second in range(int(backup.start), int(backup.moment))
    }


def reached(backups, half):
    """Whether a moment (in half seconds) lies between a full backup and a moment that a chain of windows brings it to."""
    good = [backup for backup in backups if backup.state == VERIFIED]

    def goes_on(from_, life):  # each window begins where the one before ended
        following = [
            w
            for w in good
            if w.kind == INCREMENTAL and w.table_id == life and int(from_) == w.start and from_ < w.moment
        ]
        return from_ * 2 >= half or any(goes_on(window.moment, life) for window in following)

    return any(b.kind == FULL and b.moment * 2 <= half and goes_on(b.moment, b.table_id) for b in good)


def inside(spans, moment):
    return any(span.start <= moment <= span.end for span in spans)


class TestReach:
    @given(histories)
    def test_coverage_is_what_the_model_reaches(self, backups):
        """GIVEN any backups of two lives of a table THEN a moment is covered if and only if a chain of one life reaches it."""
        spans = coverage(backups)
        for half in range(2 * END + 3):
            assert inside(spans, half / 2) == reached(backups, half), half / 2
        assert spans == sorted(spans)
        assert all(before.end < after.start for before, after in pairwise(spans))

    @given(histories)
    def test_gaps_are_what_no_window_holds(self, backups):
        """GIVEN any windows THEN the gaps of a life are the seconds between its first and its last that none holds."""
        for life in "ab":
            held = seconds_of(backups, life)
            missing = {second for second in range(min(held, default=0), max(held, default=0)) if second not in held}
            found = gaps([backup for backup in backups if backup.table_id == life])
            assert {second for gap in found for second in range(int(gap.start), int(gap.end))} == missing

    def test_gaps_of_two_lives_are_told_together(self):
        def window(start, end, life):
            return replace(ASKED, state=VERIFIED, start=start, moment=end, table_id=life)

        backups = [window(0, 1, "a"), window(2, 3, "a"), window(0, 2, "b"), window(5, 6, "b")]
        assert gaps(backups) == [Span(1, 2), Span(2, 5)]
        assert gaps([]) == coverage([]) == chains([]) == []

    def test_a_table_made_again_is_another_story(self):
        """GIVEN a full backup of one table id and incrementals of another THEN they do not go together."""
        full = replace(GOOD, moment=5, table_id="a")
        window = replace(ASKED, state=VERIFIED, start=5, moment=9, table_id="b")
        assert coverage([full, window]) == [Span(5, 5)]

    def test_an_empty_window_holds_nothing_and_breaks_nothing(self):
        """GIVEN windows that overlap, touch, or lie within others THEN they are one chain."""
        edges = [(0, 5), (1, 2), (5, 6), (6, 6), (4, 8)]
        assert chains([replace(ASKED, start=start, moment=end) for start, end in edges]) == [Span(0, 8)]

    def test_those_that_count_are_in_order(self):
        late, early = replace(GOOD, moment=9), replace(GOOD, moment=1)
        assert verified([late, early, replace(GOOD, state=DAMAGED), ASKED], FULL) == [early, late]
