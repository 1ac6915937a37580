# SPDX-License-Identifier: GPL-3.0-or-later
"""When backups move and expire by the bucket's rules, and whether a table's last one is about to."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.aws.lifecycle import read_rules
from dynabridge.backup_layout import iso
from dynabridge.catalogue import DAMAGED, VERIFIED, Backup
from dynabridge.exports import FULL, INCREMENTAL
from dynabridge.retention import Move, classes_of, expiring, guard, life

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
DAY, HOUR = 86400, 3600
RULE = {
    "ID": "backups",
    "Status": "Enabled",
    "Filter": {"Prefix": "daily/"},
    "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
    "Expiration": {"Days": 730},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


def backup(requested=MIDNIGHT + 2 * HOUR, identifier="1", **fields):
    known = {"table": "user-cn", "state": VERIFIED, "kind": FULL, "requested": requested, "moment": requested} | fields
    folder = f"daily/2026/11/21/{known['table']}/AWSDynamoDB/{identifier}/"
    return Backup(bucket="b", id=identifier, day="2026-11-21", folder=folder, **known)


class TestLife:
    def test_days_are_rounded_up_to_midnight(self):
        """GIVEN a backup asked for at 02:00 THEN it moves and expires at the midnight after its days."""
        found = life(backup(), [RULE])
        assert found.moves == (Move(MIDNIGHT + 31 * DAY, "STANDARD_IA"), Move(MIDNIGHT + 91 * DAY, "GLACIER"))
        assert iso(found.expires) == "2028-11-21T00:00:00Z"
        assert found.erased == found.expires + 30 * DAY

    def test_exactly_midnight_is_not_rounded(self):
        assert life(backup(MIDNIGHT), [RULE]).expires == MIDNIGHT + 730 * DAY

    def test_without_rules_nothing_ever_happens(self):
        found = life(backup(), [])
        assert (found.moves, found.expires, found.erased) == ((), None, None)

    def test_the_earliest_expiration_counts_and_no_move_after_it(self):
        early = {"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 60}}
        found = life(backup(), [RULE, early])
        assert found.expires == MIDNIGHT + 61 * DAY and [move.storage_class for move in found.moves] == ["STANDARD_IA"]

    @pytest.mark.parametrize(
        "rule",
        [
            {"Filter": {"Prefix": ""}},
            {"Filter": {"And": {"Prefix": "daily/2026/", "ObjectSizeGreaterThan": 131072}}},
            {"Filter": {"ObjectSizeGreaterThan": 1}},
            {"Filter": {"Prefix": "daily/2026/11/21/user-cn/AWSDynamoDB/1/data/"}},
            {"Prefix": "daily"},
        ],
    )
    def test_a_rule_that_touches_any_part_counts(self, rule):
        assert life(backup(), [rule | {"Status": "Enabled", "Expiration": {"Days": 1}}]).expires == MIDNIGHT + 2 * DAY

    @pytest.mark.parametrize(
        "rule",
        [
            {"Filter": {"Prefix": "monthly/"}},
            {"Filter": {"Prefix": "daily/2026/11/21/user-cn-2/"}},
            {"Filter": {"Tag": {"Key": "keep", "Value": "no"}}},
            {"Filter": {"And": {"Prefix": "daily/", "Tags": [{"Key": "keep", "Value": "no"}]}}},
            {"Filter": {"Prefix": "daily/"}, "Status": "Disabled"},
        ],
    )
    def test_a_rule_for_other_objects_does_not(self, rule):
        assert life(backup(), [{"Status": "Enabled", "Expiration": {"Days": 1}} | rule]).expires is None

    def test_a_rule_that_only_clears_up_expires_nothing(self):
        rule = {"Status": "Enabled", "Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": True}}
        assert life(backup(), [rule]).expires is None

    @pytest.mark.parametrize("date", [datetime(2027, 1, 1, tzinfo=UTC), "2027-01-01T00:00:00Z"])
    def test_a_date_counts_for_what_is_there_and_what_comes_later(self, date):
        """GIVEN a rule with a date THEN older objects go at the date, later ones at once, as S3 does."""
        rule = {"Status": "Enabled", "Filter": {}, "Expiration": {"Date": date}}
        assert iso(life(backup(), [rule]).expires) == "2027-01-01T00:00:00Z"
        late = backup(MIDNIGHT + 100 * DAY)
        assert life(late, [rule]).expires == late.requested

    @given(st.integers(1, 3000), st.floats(0, 1e5))
    def test_never_earlier_than_the_days_and_less_than_a_day_later(self, days, after):
        rule = {"Status": "Enabled", "Filter": {}, "Expiration": {"Days": days}}
        late = life(backup(MIDNIGHT + after), [rule]).expires - (MIDNIGHT + after + days * DAY)
        assert 0 <= late < DAY


class TestClasses:
    def test_as_listed(self):
        assert classes_of(backup(stored_bytes=7, storage_classes={"GLACIER": 7}), [RULE], MIDNIGHT) == {"GLACIER": 7}
        assert classes_of(backup(), [RULE], MIDNIGHT) == {}

    @pytest.mark.parametrize(
        ("days", "name"), [(0, "STANDARD"), (30, "STANDARD"), (31, "STANDARD_IA"), (91, "GLACIER")]
    )
    def test_of_incrementals_as_the_rules_have_it(self, days, name):
        """GIVEN an incremental, whose files are not listed with it THEN its bytes are where the rules have moved them."""
        found = classes_of(backup(kind=INCREMENTAL, stored_bytes=7), [RULE], MIDNIGHT + days * DAY)
        assert found == {name: 7}


class TestGuard:
    def test_backups_that_expire_within_some_days(self):
        """GIVEN three backups WHEN those that expire within 10 days are asked THEN the next one comes first."""
        now = MIDNIGHT + 725 * DAY
        old, older, young = backup(MIDNIGHT), backup(MIDNIGHT - DAY, "2"), backup(MIDNIGHT + 20 * DAY, "3")
        found = expiring([old, young, older], [RULE], now, 10)
        assert found == [(older.requested + 730 * DAY, older), (old.requested + 730 * DAY, old)]
        assert expiring([old], [], now, 10) == []

    def test_daily_backups_never_warn(self):
        now = MIDNIGHT + 729 * DAY
        found = guard([backup(MIDNIGHT), backup(now, "2")], [RULE], now)
        assert found.backup.id == "2" and found.days == 730 and not found.warns(30)

    def test_the_last_one_warns_before_it_goes(self):
        """GIVEN backups that stopped 701 days ago WHEN the last one is looked at THEN it warns, and did not days before."""
        backups = [backup(MIDNIGHT), backup(MIDNIGHT - DAY, "2")]
        assert guard(backups, [RULE], MIDNIGHT + 701 * DAY).warns(30)
        assert not guard(backups, [RULE], MIDNIGHT + 699 * DAY).warns(30)

    def test_only_verified_full_ones_count(self):
        later = [backup(MIDNIGHT + DAY, "2", state=DAMAGED), backup(MIDNIGHT + DAY, "3", kind=INCREMENTAL)]
        assert guard([backup(MIDNIGHT), *later], [RULE], MIDNIGHT).backup.id == "1"
        assert guard(later, [RULE], MIDNIGHT) == (None, None)
        assert not guard([], [RULE], MIDNIGHT).warns(30)

    def test_what_never_expires_never_warns(self):
        found = guard([backup(MIDNIGHT)], [], MIDNIGHT + 9999 * DAY)
        assert found.days is None and not found.warns(30)


class Bucket:
    """An S3 client with one bucket's rules; a text is the code of an error."""

    def __init__(self, answer):
        self.answer, self.asked = answer, {}

    def get_bucket_lifecycle_configuration(self, **asked):
        self.asked = asked
        if isinstance(self.answer, str):
            raise ClientError({"Error": {"Code": self.answer}}, "GetBucketLifecycleConfiguration")
        return self.answer


class TestReadRules:
    def test_the_rules_of_the_bucket_of_its_owner(self):
        bucket = Bucket({"Rules": [RULE]})
        assert read_rules(bucket, "b", "100000000001") == [RULE]
        assert bucket.asked == {"Bucket": "b", "ExpectedBucketOwner": "100000000001"}

    def test_a_bucket_without_rules(self):
        bucket = Bucket("NoSuchLifecycleConfiguration")
        assert read_rules(bucket, "b") == [] and bucket.asked == {"Bucket": "b"}

    def test_any_other_refusal_is_told(self):
        with pytest.raises(ClientError, match="AccessDenied"):
            read_rules(Bucket("AccessDenied"), "b")
