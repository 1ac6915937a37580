# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups begun, seen through and marked: in memory, with calls held against botocore's models."""

import json
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from dynabridge.aws.backup_run import Run
from dynabridge.aws.catalogue import read_catalogue
from dynabridge.aws.exports import Exports, Target
from dynabridge.aws.objects import Objects
from dynabridge.backup_layout import FAILURE, PROGRESS, RECORD, SCHEMA, SUCCESS, day_of, id_of, table_prefix
from dynabridge.backup_plan import Wanted
from dynabridge.catalogue import DAMAGED, FAILED, RUNNING, UNVERIFIED, VERIFIED, coverage
from dynabridge.errors import BackupError, DamagedExport
from dynabridge.exports import FILES, FULL, INCREMENTAL, SUMMARY
from dynabridge.table_schema import read_schema_text
from tests.backup_fakes import BUCKET, TABLES, FakeS3, cloud
from tests.export_files import DAY, MOMENT, PREFIX, Bucket, lines, table_arn, write_export
from tests.modules.aws_fakes import aws_error, fake_client

HOUR = 3600


@pytest.fixture
def aws():
    return cloud()


def begun(aws, table="user-cn", kind=FULL):
    (backup,) = aws.backups.start(table, kind)
    return backup


def verified_full(aws, table="user-cn"):
    backup = begun(aws, table)
    aws.dynamodb.complete(backup.export_arn)
    return aws.backups.settle(backup)


def known(aws):
    """The catalogue, as anybody reads it from S3."""
    return read_catalogue(aws.backups.objects, PREFIX)


def marks(aws, backup):
    return aws.s3.names(backup.folder) & {SUCCESS, FAILURE}


class TestStart:
    def test_a_full_backup_is_asked_for(self, aws):
        """GIVEN a table WHEN begun THEN the schema lies at the day and beside it, and what was asked for; no verdict yet."""
        backup = begun(aws)
        (request,) = aws.dynamodb.asked
        assert (request["S3Prefix"], request["S3Bucket"]) == (f"daily/2026/11/21/{backup.table}", BUCKET)
        assert (request["ExportType"], request["ExportFormat"]) == ("FULL_EXPORT", "DYNAMODB_JSON")
        assert (request["S3SseAlgorithm"], "S3BucketOwner" in request) == ("AES256", False)
        assert aws.s3.names(backup.folder) == {SCHEMA, RECORD}
        for place in (backup.folder, "daily/2026/11/21/user-cn/"):
            assert read_schema_text(aws.s3.objects[place + SCHEMA], place)["table_name"] == "orders-cn"
        assert (backup.state, backup.region, backup.account_id) == (RUNNING, "cn-north-1", "100000000001")
        assert known(aws) == [backup]

    def test_a_key_and_another_account(self):
        """GIVEN a KMS key and a bucket of another account THEN the export is asked for with both, and S3 is held to it."""
        aws = cloud(owner="100000000009")
        Exports(fake_client("dynamodb", aws.dynamodb)).start(
            aws.backups.exports.table("user-cn"), Wanted(FULL), Target(BUCKET, "100000000009", "key-arn"), "p"
        )
        begun(aws)
        by_hand, request = aws.dynamodb.asked
        assert (by_hand["S3SseAlgorithm"], by_hand["S3SseKmsKeyId"]) == ("KMS", "key-arn")
        assert "ClientToken" not in by_hand
        assert request["S3BucketOwner"] == "100000000009"
        assert aws.s3.owners == {"100000000009"}

    def test_twice_a_day_is_two_backups(self, aws):
        one, other = verified_full(aws), verified_full(aws)
        assert [(backup.id, backup.state) for backup in known(aws)] == [(one.id, VERIFIED), (other.id, VERIFIED)]
        assert one.folder != other.folder

    def test_the_same_seed_is_the_same_backup(self, aws):
        one = aws.backups.start("user-cn", FULL, "request-1")
        assert aws.backups.start("user-cn", FULL, "request-1") == one
        assert aws.backups.start("user-cn", FULL, "request-2") != one
        assert len(aws.dynamodb.exports) == 2

    def test_tried_again_after_midnight(self, aws):
        """GIVEN a run that is tried again on the next day THEN its token is another one: the place is, and DynamoDB minds."""
        aws.dynamodb.now = MOMENT + 22 * HOUR - 2
        (one,) = aws.backups.start("user-cn", FULL, "request-1")
        aws.dynamodb.now += 5
        (other,) = aws.backups.start("user-cn", FULL, "request-1")
        assert (one.day, other.day) == ("2026-11-21", "2026-11-22")

    def test_without_recovery(self, aws):
        """GIVEN recovery off THEN it is told, and nothing was written; by wish it is switched on."""
        aws.dynamodb.recoverable_from["user-cn"] = None
        with pytest.raises(BackupError, match="table user-cn cannot be exported: its point-in-time recovery is off"):
            begun(aws)
        assert not aws.s3.objects and not aws.dynamodb.asked
        willing = cloud(enable_recovery=True)
        willing.dynamodb.recoverable_from["user-cn"] = None
        assert willing.backups.would_start("user-cn", FULL) == [Wanted(FULL)]
        assert willing.dynamodb.recoverable_from["user-cn"] is None, "only looked"
        assert begun(willing).state == RUNNING

    def test_a_table_that_is_not_there(self, aws):
        with pytest.raises(BackupError, match=r"table gone-cn cannot be looked at \(ResourceNotFoundException\)"):
            begun(aws, "gone-cn")

    def test_a_bucket_that_is_not_there(self, aws):
        """GIVEN no bucket THEN that is told before any export is asked for."""
        aws.s3.bucket = "another"
        with pytest.raises(BackupError, match=f"bucket {BUCKET} is not there"):
            begun(aws)
        assert not aws.dynamodb.asked

    def test_no_right_to_write(self, aws):
        aws.s3.errors["put_object", ""] = aws_error("AccessDenied", "no")
        with pytest.raises(BackupError, match=r"table_schema.json cannot be written \(AccessDenied\)"):
            begun(aws)
        assert not aws.dynamodb.asked

    @pytest.mark.parametrize("code", ["LimitExceededException", "AccessDeniedException", "InternalServerError"])
    def test_an_export_that_is_refused(self, aws, code):
        aws.dynamodb.errors["export_table_to_point_in_time", "user-cn"] = aws_error(code, "because")
        with pytest.raises(BackupError, match=rf"table user-cn cannot be exported \({code}\).*\[because\]"):
            begun(aws)
        assert known(aws) == []


class TestIncrementals:
    def test_they_follow_the_full_one(self, aws):
        """GIVEN a verified full backup WHEN an hour went by, twice THEN the windows meet, and reach on from it."""
        full = verified_full(aws)
        for _hour in range(2):
            aws.dynamodb.now += HOUR
            backup = begun(aws, kind=INCREMENTAL)
            assert aws.dynamodb.complete(backup.export_arn) == backup.folder
            assert aws.backups.settle(backup).state == VERIFIED
        first, second = known(aws)[1:]
        assert (first.start, first.moment) == (int(full.moment), second.start)
        (span,) = coverage(known(aws))
        assert (span.start, span.end) == (full.moment, second.moment)
        assert (second.files, second.items) == (2, 5)

    def test_too_early_is_nothing(self, aws):
        verified_full(aws)
        aws.dynamodb.now += 60
        assert aws.backups.start("user-cn", INCREMENTAL) == []

    def test_without_a_full_one(self, aws):
        with pytest.raises(BackupError, match="table user-cn has no full backup that incrementals could follow"):
            aws.backups.start("user-cn", INCREMENTAL)

    def test_of_a_table_made_again_they_need_a_full_one(self, aws):
        """GIVEN a table deleted and made again under its name THEN the old table's full backup is none of its."""
        verified_full(aws)
        aws.dynamodb.ids["user-cn"] = "another"
        aws.dynamodb.now += HOUR
        with pytest.raises(BackupError, match="has no full backup"):
            aws.backups.start("user-cn", INCREMENTAL)

    def test_one_that_failed_is_exported_anew(self, aws):
        """GIVEN a window whose export failed WHEN just that is asked for again, and again THEN never the failed export."""
        verified_full(aws)
        aws.dynamodb.now += HOUR
        at = aws.dynamodb.now
        asked = []
        for _try in range(3):
            aws.dynamodb.now = at  # DynamoDB would answer with an export of the same token for eight hours
            asked.append(begun(aws, kind=INCREMENTAL))
            aws.dynamodb.fail(asked[-1].export_arn)
            assert aws.backups.settle(asked[-1]).state == FAILED
        assert len({(backup.start, backup.moment) for backup in asked}) == 1
        assert len({backup.id for backup in asked}) == 3

    def test_days_of_them_are_asked_for_at_once(self, aws):
        verified_full(aws)
        aws.dynamodb.now += 3 * 24 * HOUR
        asked = aws.backups.start("user-cn", INCREMENTAL)
        assert len({backup.folder for backup in asked}) == len(asked) == 3
        assert all(before.moment == after.start for before, after in pairwise(asked))


class TestSettle:
    def test_one_that_runs_is_left(self, aws):
        backup = begun(aws)
        assert aws.backups.settle(backup) == backup and marks(aws, backup) == set()

    def test_a_good_one_is_verified(self, aws):
        """GIVEN an export that has ended THEN it is marked, and the catalogue says so with sizes and times."""
        backup = verified_full(aws)
        assert (backup.state, backup.items, backup.files, backup.verified) == (VERIFIED, 5, 2, aws.dynamodb.now)
        assert marks(aws, backup) == {SUCCESS}
        (found,) = known(aws)
        assert found.state == VERIFIED and found.stored_bytes == backup.stored_bytes > 0
        assert found.storage_classes == {"STANDARD": backup.stored_bytes}
        document = json.loads(aws.s3.objects[backup.folder + SUCCESS])
        assert document["problems"] == [] and document["version"] == 1

    def test_a_failed_one_says_why(self, aws):
        backup = begun(aws)
        aws.dynamodb.fail(backup.export_arn, "S3AccessDenied", "Access Denied")
        settled = aws.backups.settle(backup)
        assert (settled.state, settled.reason) == (FAILED, "S3AccessDenied: Access Denied")
        assert marks(aws, backup) == {FAILURE} and known(aws)[0].reason == settled.reason

    def test_a_failed_one_without_a_reason(self, aws):
        backup = begun(aws)
        aws.dynamodb.fail(backup.export_arn, "")
        assert aws.backups.settle(backup).reason == "DynamoDB gives no reason"

    def test_one_that_dynamodb_forgot(self, aws):
        """GIVEN an export that DynamoDB does not know any more THEN what lies on S3 decides."""
        lost, kept = begun(aws), begun(aws)
        aws.dynamodb.complete(kept.export_arn)
        aws.dynamodb.exports.clear()
        assert aws.backups.settle(lost).state == FAILED and marks(aws, lost) == {FAILURE}
        assert aws.backups.settle(kept).state == VERIFIED

    def test_the_table_is_deleted_meanwhile(self, aws):
        """GIVEN the table is gone when its export has ended THEN the backup is as good as ever."""
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn)
        del aws.dynamodb.ids["user-cn"]
        aws.dynamodb._table = lambda operation, name: name  # exports outlive their table
        assert aws.backups.settle(backup).state == VERIFIED

    @pytest.mark.parametrize("written", [SCHEMA, ""])
    def test_one_whose_record_was_never_written(self, aws, written):
        """GIVEN whoever asked for it died at once THEN the next one finds it, and takes the schema from its day."""
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn)
        for name in {RECORD, SCHEMA} - {written}:
            del aws.s3.objects[backup.folder + name]
        (found,) = known(aws)
        assert found.state == UNVERIFIED
        assert aws.backups.settle(found).state == VERIFIED
        assert aws.s3.names(backup.folder) >= {SCHEMA, SUCCESS}

    def test_without_any_schema_it_is_no_backup(self, aws):
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn)
        for key in [key for key in aws.s3.objects if key.endswith(SCHEMA)]:
            del aws.s3.objects[key]
        settled = aws.backups.settle(backup)
        assert (settled.state, marks(aws, backup)) == (DAMAGED, {FAILURE})
        assert f"{SCHEMA} is missing: without it the table cannot be made again" in settled.reason

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"version": 99}'])
    def test_with_a_schema_that_is_none_it_is_no_backup(self, aws, body):
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn)
        aws.s3.objects[backup.folder + SCHEMA] = body
        assert aws.backups.settle(backup).state == DAMAGED

    def test_another_number_than_dynamodb_says(self, aws):
        """GIVEN an export that is whole, with fewer items than DescribeExport says THEN it is damaged."""
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn)
        aws.dynamodb.exports[backup.export_arn]["description"]["ItemCount"] = 6
        settled = aws.backups.settle(backup)
        assert (settled.state, marks(aws, backup)) == (DAMAGED, {FAILURE})
        assert settled.reason == f"{SUMMARY} says items 5, expected was 6"

    @pytest.mark.parametrize("recorded", [True, False])
    def test_another_export_in_its_folder(self, aws, recorded):
        """GIVEN manifests of another export, whole in themselves THEN they are not this backup's."""
        backup, other = begun(aws), begun(aws)
        for each in (backup, other):
            aws.dynamodb.complete(each.export_arn)
        for name in aws.s3.names(other.folder):
            if name.startswith("manifest"):
                aws.s3.objects[backup.folder + name] = aws.s3.objects[other.folder + name]
        for key in aws.s3.objects.data(other.folder):
            aws.s3.objects[backup.folder + key.removeprefix(other.folder)] = aws.s3.objects[key]
        if not recorded:
            del aws.s3.objects[backup.folder + RECORD]
        (found,) = [each for each in known(aws) if each.id == backup.id]
        settled = aws.backups.settle(found)
        assert (settled.state, marks(aws, backup)) == (DAMAGED, {FAILURE})
        assert f"expected was {backup.id}" in settled.reason

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (lambda objects, folder: objects.pop(folder + FILES), f"{FILES} is missing"),
            (lambda objects, folder: objects.pop(folder + "manifest-summary.md5"), f"{SUMMARY} is missing"),
            (lambda objects, folder: objects.pop(objects.data(folder)[1]), "json.gz is missing"),
            (lambda objects, folder: objects.update({objects.data(folder)[0]: b"no gzip"}), "is no valid gzip"),
            (lambda objects, folder: objects.edit(folder, itemCount=7), f"{SUMMARY} says 7 items"),
            (lambda objects, folder: objects.edit(folder, outputFormat="ION"), "only DYNAMODB_JSON can be restored"),
        ],
    )
    def test_damage_is_marked(self, aws, damage, words):
        """GIVEN damage of any kind THEN it is named, there is no _SUCCESS, and the catalogue does not count it."""
        backup = begun(aws)
        damage(aws.s3.objects, aws.dynamodb.complete(backup.export_arn))
        settled = aws.backups.settle(backup)
        assert settled.state == DAMAGED and words in settled.reason
        assert marks(aws, backup) == {FAILURE}
        assert coverage(known(aws)) == [] and known(aws)[0].reason == settled.reason

    def test_many_problems_are_all_counted(self, aws):
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn, files=[lines(1)] * 30)
        for key in aws.s3.objects.data(backup.folder):
            aws.s3.objects[key] = b""
        assert aws.backups.settle(backup).reason.count("is cut short") == 3
        problems = json.loads(aws.s3.objects[backup.folder + FAILURE])["problems"]
        assert len(problems) == 21 and problems[-1] == "and 10 more"

    @pytest.mark.parametrize(
        "error", [aws_error("AccessDenied"), aws_error("InvalidObjectState"), aws_error("SlowDown")]
    )
    def test_what_cannot_be_read_for_now_gets_no_verdict(self, aws, error):
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn)
        aws.s3.errors["get_object", ".json.gz"] = error
        with pytest.raises(BackupError) as caught:
            aws.backups.settle(backup)
        assert not isinstance(caught.value, DamagedExport) and marks(aws, backup) == set()


class TestOutOfTime:
    def test_it_goes_on_where_it_stopped(self, aws):
        """GIVEN no time WHEN looked at again and again THEN each run gets further, and the verdict comes in the end."""
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn, files=[lines(1, number) for number in range(3)])
        for files in (1, 2):
            backup = aws.backups.settle(backup, until=0)
            assert backup.state == UNVERIFIED and marks(aws, backup) == set()
            assert json.loads(aws.s3.objects[backup.folder + PROGRESS])["files"] == files
            assert known(aws)[0].state == UNVERIFIED
        assert aws.backups.settle(backup, until=0).state == VERIFIED
        assert json.loads(aws.s3.objects[backup.folder + PROGRESS]) == {}, "the next verification begins anew"

    def test_what_was_found_before_counts(self, aws):
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn)
        first = aws.s3.objects.data(backup.folder)[0]
        good, aws.s3.objects[first] = aws.s3.objects[first], b""
        backup = aws.backups.settle(backup, until=0)
        aws.s3.objects[first] = good
        assert aws.backups.settle(backup).state == DAMAGED

    def test_progress_is_forgotten_when_a_manifest_goes(self, aws):
        """GIVEN progress, and then a manifest that is missing WHEN it is back THEN all is read from the beginning."""
        backup = begun(aws)
        aws.dynamodb.complete(backup.export_arn)
        aws.backups.settle(backup, until=0)
        manifest = aws.s3.objects.pop(backup.folder + FILES)
        assert aws.backups.settle(backup).state == DAMAGED
        aws.s3.objects[backup.folder + FILES] = manifest
        aws.s3.gets.clear()
        assert aws.backups.settle(backup).state == VERIFIED
        assert set(aws.s3.objects.data(backup.folder)) <= set(aws.s3.gets)


class TestVerifyAnew:
    def test_damage_after_the_verdict(self, aws):
        """GIVEN a verified backup that was damaged since WHEN verified anew THEN it counts no more; mended, it does again."""
        backup = verified_full(aws)
        key = aws.s3.objects.data(backup.folder)[0]
        good, aws.s3.objects[key] = aws.s3.objects[key], b"x"
        aws.dynamodb.now += 1
        assert aws.backups.verify(known(aws)[0]).state == DAMAGED
        assert marks(aws, backup) == {SUCCESS, FAILURE} and known(aws)[0].state == DAMAGED
        aws.s3.objects[key] = good
        aws.dynamodb.now += 1
        assert aws.backups.verify(known(aws)[0]).state == VERIFIED
        assert (known(aws)[0].state, known(aws)[0].reason) == (VERIFIED, "")

    def test_nothing_is_asked_of_dynamodb(self, aws):
        backup = verified_full(aws)
        without = replace(aws.backups, exports=Exports(None))
        assert without.verify(backup).state == VERIFIED


class TestObjects:
    def test_2500_objects_under_one_prefix(self):
        """GIVEN a backup of 2,500 data files THEN the listing is read to its end, and the size is of them all."""
        s3 = FakeS3()
        folder = write_export(s3.objects, files=[lines(1, number) for number in range(2500)])
        found = list(Objects(fake_client("s3", s3), BUCKET).list("daily/"))
        assert len(found) == len(s3.objects) > 2500 and s3.pages == 3
        s3.classes[s3.objects.data(folder)[2400]] = "GLACIER"
        (backup,) = read_catalogue(Objects(fake_client("s3", s3), BUCKET), PREFIX)
        assert backup.files == 2500 and backup.state == UNVERIFIED
        assert backup.storage_classes["GLACIER"] == len(s3.objects[s3.objects.data(folder)[2400]])

    def test_a_body_that_breaks_off_is_no_damage(self):
        s3 = FakeS3()
        s3.objects["k"] = b"x"

        class Broken:
            def iter_chunks(self, _size):
                yield b"x"
                raise ReadTimeoutError(endpoint_url="s3")

        s3.get_object = lambda Bucket, Key: {"Body": Broken()}
        with pytest.raises(BackupError, match="cannot be read to its end") as caught:
            list(Objects(fake_client("s3", s3), BUCKET).stream("k"))
        assert not isinstance(caught.value, DamagedExport)

    @pytest.mark.parametrize("body", [None, b"", b"x", b"\xff"])
    def test_json_that_is_none(self, body):
        s3 = FakeS3()
        s3.objects |= {} if body is None else {"k": body}
        assert Objects(fake_client("s3", s3), BUCKET).get_json("k") is None

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("AccessDenied", r"s3://.*/k cannot be read \(AccessDenied\): no"),
            ("InvalidObjectState", "lies in an archive class: it has to be retrieved first"),
            ("NoSuchBucket", "is not there: run deploy.yml --tags backup"),
        ],
    )
    def test_refusals_are_sentences(self, code, words):
        s3 = FakeS3()
        s3.errors["get_object", ""] = aws_error(code, "no")
        objects = Objects(fake_client("s3", s3), BUCKET)
        for read in (objects.get, lambda key: list(objects.stream(key))):
            with pytest.raises(BackupError, match=words):
                read("k")

    def test_a_listing_that_is_refused(self):
        s3 = FakeS3()
        s3.errors["list_objects_v2", ""] = aws_error("AccessDenied", "no")
        with pytest.raises(BackupError, match=r"cannot be listed \(AccessDenied\)"):
            read_catalogue(Objects(fake_client("s3", s3), BUCKET), PREFIX)


class TestCatalogue:
    def test_days_and_tables(self, aws):
        """GIVEN backups of several tables and days WHEN some are asked for THEN just those, oldest first."""
        for _day in range(3):
            for table in TABLES:
                verified_full(aws, table)
            aws.dynamodb.now += 24 * HOUR
        objects = aws.backups.objects
        assert len(known(aws)) == 9 and known(aws) == sorted(known(aws), key=lambda backup: backup.requested)
        found = read_catalogue(objects, PREFIX, ["user-cn", "huge-cn"], since="2026-11-22", until="2026-11-22")
        assert [(backup.table, backup.day) for backup in found] == [
            ("user-cn", "2026-11-22"),
            ("huge-cn", "2026-11-22"),
        ]
        assert read_catalogue(objects, PREFIX, ["none-cn"]) == []
        aws.dynamodb.now = MOMENT + 8 * 24 * HOUR
        assert {backup.day for backup in aws.backups.known()} == {"2026-11-22", "2026-11-23"}

    def test_what_is_no_backup_is_left_out(self, aws):
        """GIVEN other objects about, also where days and tables are THEN they are passed by."""
        verified_full(aws)
        stray = [
            "daily/readme",
            "daily/x/y/z/t/a",
            "daily/2026/11/21/readme",
            "daily/2026/11/21/user-cn/AWSDynamoDB/x/y",
        ]
        aws.s3.objects |= dict.fromkeys([*stray, "other/2026/11/21/user-cn/AWSDynamoDB/x"], b"")
        assert len(known(aws)) == 1

    def test_one_that_cannot_be_read_hides_no_other(self, aws):
        """GIVEN a verdict in an archive class, and one that is no JSON THEN these do not count, and the rest does."""
        archived, broken, good = (verified_full(aws) for _number in range(3))
        aws.s3.errors["get_object", archived.folder + SUCCESS] = aws_error("InvalidObjectState")
        aws.s3.objects[broken.folder + SUCCESS] = b"x"
        states = {backup.id: backup.state for backup in known(aws)}
        assert states == {archived.id: UNVERIFIED, broken.id: DAMAGED, good.id: VERIFIED}
        assert "lies in an archive class" in known(aws)[0].reason

    def test_no_right_to_read_is_told(self, aws):
        verified_full(aws)
        aws.s3.errors["get_object", SUCCESS] = aws_error("AccessDenied", "no")
        with pytest.raises(BackupError, match="AccessDenied"):
            known(aws)

    def test_a_bucket_with_nothing(self, aws):
        assert known(aws) == []


class Pauses:
    """Time that passes by pauses only; ``then``: what happens at each."""

    def __init__(self, *then):
        self.then, self.now, self.count = list(then), time.monotonic(), 0

    def __call__(self, seconds):
        self.now += seconds
        self.count += 1
        if self.then:
            self.then.pop(0)()


@pytest.fixture
def told():
    return []


def run_of(aws, told, *then):
    pauses = Pauses(*then)
    return Run(aws.backups, told.append, pauses, lambda: pauses.now), pauses


class TestRun:
    def test_all_tables_are_seen_through(self, aws, told):
        """GIVEN three tables WHEN their exports end after a while THEN all are verified, and each step was told."""
        run, pauses = run_of(aws, told, lambda: None, aws.dynamodb.complete_all)
        run.start(TABLES, FULL)
        assert [backup.table for backup in run.waiting] == list(TABLES)
        run.finish(timeout=600, poll=15)
        assert (run.problems, run.waiting, pauses.count) == ([], [], 2)
        assert {backup.state for backup in run.done} == {VERIFIED} and len(run.done) == 3
        assert "waiting for DynamoDB since 15 s: huge-cn, orders-cn, user-cn" in told
        assert sum("full backup verified: 5 items, 2 files" in line for line in told) == 3

    def test_one_that_cannot_be_begun_keeps_none_of_the_others(self, aws, told):
        aws.dynamodb.recoverable_from["orders-cn"] = None
        run, _pauses = run_of(aws, told, aws.dynamodb.complete_all)
        run.start(TABLES, FULL)
        run.finish(600, 15)
        assert [backup.table for backup in run.done] == ["user-cn", "huge-cn"]
        (problem,) = run.problems
        assert problem.startswith("table orders-cn cannot be exported: its point-in-time recovery is off")

    def test_one_that_fails_is_named(self, aws, told):
        run, _pauses = run_of(aws, told)
        run.start(TABLES, FULL)
        aws.dynamodb.fail(run.waiting[1].export_arn)
        aws.dynamodb.complete_all()
        run.finish(600, 15)
        (problem,) = run.problems
        assert problem.startswith(
            "table orders-cn: full backup failed: S3NoSuchBucket: The specified bucket does not exist"
        )
        assert sorted(backup.state for backup in run.done) == [FAILED, VERIFIED, VERIFIED]

    def test_the_time_is_up(self, aws, told):
        """GIVEN exports that do not end THEN it is told what was not done in time, and who goes on."""
        run, pauses = run_of(aws, told)
        run.start(["user-cn"], FULL)
        run.finish(timeout=60, poll=15)
        (problem,) = run.problems
        assert pauses.count == 4
        assert "user-cn: full backup is not done after 60 s" in problem and run.waiting[0].folder in problem

    def test_nothing_to_do_yet(self, aws, told):
        verified_full(aws)
        run, _pauses = run_of(aws, told)
        run.start(["user-cn"], INCREMENTAL)
        run.finish(60, 15)
        assert (run.waiting, run.done, run.problems) == ([], [], []) and "nothing to do yet" in told[0]

    @pytest.mark.parametrize("error", [aws_error("ThrottlingException"), ReadTimeoutError(endpoint_url="x")])
    def test_any_error_of_aws_is_a_problem_of_its_table(self, aws, told, error):
        def fail(_table):
            raise error

        object.__setattr__(aws.backups, "read_schema", fail)
        run, _pauses = run_of(aws, told)
        run.start(["user-cn"], FULL)
        (problem,) = run.problems
        assert problem.startswith("table user-cn: ") and told == [problem]

    def test_verified_anew(self, aws, told):
        good, bad = verified_full(aws), verified_full(aws, "orders-cn")
        aws.s3.objects[aws.s3.objects.data(bad.folder)[0]] = b""
        run, _pauses = run_of(aws, told)
        run.check([good, bad])
        assert [backup.state for backup in run.done] == [VERIFIED, DAMAGED]
        assert len(run.problems) == 1 and "orders-cn: full backup damaged" in run.problems[0]


class TestExports:
    def test_all_pages_of_a_list(self, aws):
        arns = [begun(aws).export_arn for _number in range(5)]
        begun(aws, "orders-cn")
        assert list(aws.backups.exports.arns(table_arn("user-cn"))) == arns[::-1]

    def test_one_that_may_not_be_looked_at(self, aws):
        backup = begun(aws)
        aws.dynamodb.errors["describe_export", "user-cn"] = aws_error("AccessDeniedException", "no")
        with pytest.raises(BackupError, match=r"table user-cn has an export that cannot be looked at \(AccessDenied"):
            aws.backups.settle(backup)


def test_the_fakes_keep_to_the_layout():
    """GIVEN the fake DynamoDB THEN it writes where the kit looks, so that the tests above prove something."""
    aws = cloud()
    backup = begun(aws)
    assert aws.dynamodb.complete(backup.export_arn) == backup.folder
    assert backup.folder.startswith(table_prefix(PREFIX, DAY, "user-cn")) and day_of(aws.dynamodb.now) == DAY
    assert id_of(backup.export_arn) == backup.id
    assert isinstance(aws.s3.objects, Bucket)
    with pytest.raises(ClientError):
        fake_client("s3", aws.s3).get_object(Bucket=BUCKET, Key="none")
