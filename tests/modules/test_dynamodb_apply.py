# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_apply on a bucket and a table in memory: what it writes, that nothing is lost on the way, and what it refuses."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.modules import dynamodb_apply

from tests.apply_ground import TARGET, Saved, Table, record
from tests.export_files import TABLE, table_arn
from tests.fakes import client_error
from tests.modules.aws_fakes import fake_client

SECRET = "s3cr3t-content"
STAMPS = "last_update_timestamp", "last_updater_region"


def row(key, content=SECRET, time=None, **more):
    stamp = {STAMPS[0]: {"N": str(time)}, STAMPS[1]: {"S": "cn-north-1"}} if time is not None else {}
    return {"PK": {"S": key}, "content": {"S": content}} | stamp | more


def put(number, at, key, **fields):
    new = row(key, **fields)
    return record(number, at, {"PK": new["PK"]}, new)


def delete(number, at, key, **old):
    return record(number, at, {"PK": {"S": key}}, None, row(key, **old))


def many(count, at=1):
    return [put(number, at, f"k{number:04}") for number in range(1, count + 1)]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Backoff takes no time, and parts are small."""
    monkeypatch.setattr("ansible.module_utils.dynabridge.aws.apply_changes.backoff", lambda tries, chance: 0.001)
    monkeypatch.setattr("ansible.module_utils.dynabridge.apply_parts.PART_ITEMS", 50)


@pytest.fixture
def ground(run_module, tmp_path):
    """A bucket and a table; ground.run(moment, ...) applies what the bucket holds."""
    found = SimpleNamespace(saved=Saved(), table=Table(), logs=tmp_path / "logs")

    def run(moment=100, **params):
        clients = {"s3": fake_client("s3", found.saved.s3), "dynamodb": found.table}
        arguments = {
            "plan": found.saved.plan(moment),
            "target_table": TARGET,
            "log_dir": str(found.logs),
            "directory": str(tmp_path / "room"),
            **params,
        }
        return run_module(dynamodb_apply, clients, **arguments)

    found.run = run
    return found


def log_of(result):
    return Path(result["log_file"]).read_text()


class TestExclusive:
    def test_each_item_gets_its_last_state(self, ground):
        """GIVEN several changes an item, in two objects WHEN applied THEN each is written once, as it was last."""
        ground.table.put(TARGET, row("gone"))
        ground.saved.captured(put(1, 1, "a", content="old"), put(2, 1, "b"), delete(3, 2, "gone"))
        ground.saved.captured(put(4, 3, "a", content="new"), put(5, 3, "c"), delete(6, 4, "c"))
        result = ground.run()
        assert ground.table.items(TARGET) == [row("a", "new"), row("b")]
        assert (result["puts"], result["deletes"], result["changes"], result["items"]) == (2, 2, 6, 4)
        assert result["changed"] and result["newest"] == "2026-11-21T02:00:04Z"
        assert sum(ground.table.batches) == 4

    def test_windows_and_log_together(self, ground):
        """GIVEN an incremental export and captured changes after it WHEN applied THEN the later ones stand."""
        line = {"Metadata": {"WriteTimestampMicros": {"N": "1"}}, "Keys": {"PK": {"S": "a"}}, "NewImage": row("a", "1")}
        other = line | {"Keys": {"PK": {"S": "b"}}, "NewImage": row("b", "1")}
        ground.saved.window(0, 10, [json.dumps(one).encode() for one in (line, other)])
        ground.saved.captured(put(1, 5, "b", content="2"))
        ground.run()
        assert ground.table.items(TARGET) == [row("a", "1"), row("b", "2")]

    def test_twice_is_once(self, ground):
        """GIVEN changes that were applied WHEN applied again THEN the table holds the same."""
        ground.saved.captured(*many(60), delete(99, 2, "k0003"))
        ground.run()
        before = ground.table.content()
        assert len(before) == 59 and ground.run()["puts"] == 59 and ground.table.content() == before

    def test_the_log_names_what_was_done_and_no_values(self, ground):
        """GIVEN a run THEN its log has start, sources, parts and totals, keys at most, and it is the only file left."""
        ground.saved.captured(*many(60))
        text = log_of(ground.run())
        for words in (
            "start: table user-restored, plan ",
            "source: s3://",
            "read: 60 changes",
            "part 1 of 2: ",
            "end: 60 put",
        ):
            assert words in text, text
        assert SECRET not in text
        (log,) = ground.logs.iterdir()
        assert log.name.startswith("apply_changes_user-restored_2") and log.suffix == ".log"
        assert log.stat().st_mode & 0o777 == 0o600

    def test_spilled_parts_give_the_same(self, ground, monkeypatch):
        """GIVEN changes beyond the budget WHEN applied THEN they go through files, and nothing of these is left."""
        monkeypatch.setattr("ansible.module_utils.dynabridge.last_states.OVERHEAD", 10**5)
        ground.saved.captured(*many(60), delete(99, 2, "k0003"))
        result = ground.run(budget_mb=1)
        assert "64 parts" in log_of(result) and len(ground.table.items(TARGET)) == 59
        assert not list((ground.logs.parent / "room").iterdir())

    def test_binary_and_composite_keys(self, ground):
        """GIVEN a table of binary and numeric keys WHEN applied THEN bytes are bytes."""
        schema = (("PK", "B"), ("SK", "N"))
        ground.saved, ground.table = Saved(schema), Table(schema)
        keys = [{"PK": {"B": "AAE="}, "SK": {"N": number}} for number in ("1", "1.5")]
        ground.saved.captured(
            record(1, 1, keys[0], keys[0]), record(2, 1, keys[1], keys[1]), record(3, 1, keys[0], None, keys[0])
        )
        assert ground.run()["deletes"] == 1
        assert ground.table.items(TARGET) == [{"PK": {"B": b"\x00\x01"}, "SK": {"N": "1.5"}}]

    def test_a_rate_is_kept(self, ground, monkeypatch):
        """GIVEN max_wcu WHEN applied THEN the writes ask for their units."""
        asked = []
        monkeypatch.setattr("ansible.module_utils.dynabridge.pace.Pace.take", lambda _pace, units: asked.append(units))
        ground.saved.captured(*many(30), put(40, 2, "large", content="x" * 3000))
        ground.run(max_wcu=100)
        assert sum(asked) == 30 + 3
        asked.clear()
        ground.saved.captured(delete(50, 3, "k0001", time=1))
        ground.run(max_wcu=100, mode="live")
        assert sum(asked) == 2 * (29 + 3) + 4, "transactions cost twice, and a delete is remembered"


class TestHazards:
    def test_hazard_25_changes_of_other_tables_are_not_applied(self, ground):
        """GIVEN changes of tables whose names begin alike, in the same bucket WHEN applied THEN they are not there."""
        ground.saved.captured(put(1, 1, "mine"))
        for other in (f"{TABLE}-other", "user", f"{TABLE}.2"):
            ground.saved.captured(put(2, 1, "other"), table=other)
        ground.run()
        assert ground.table.items(TARGET) == [row("mine")]

    def test_hazard_26_nothing_of_after_the_moment_is_applied(self, ground):
        """GIVEN deletes by the disaster itself WHEN applied up to the second before THEN the items are there."""
        ground.saved.captured(put(1, 8, "a"), put(2, 9, "b"), delete(3, 10, "a"), delete(4, 10, "b"), put(5, 10, "c"))
        ground.run(10)
        assert ground.table.items(TARGET) == [row("a"), row("b")]
        ground.run(11)
        assert ground.table.items(TARGET) == [row("c")]

    def test_hazard_27_unprocessed_items_are_never_dropped(self, ground):
        """GIVEN a table that takes a few of each batch, and refuses calls WHEN applied THEN every item gets there."""
        dice = random.Random(27)

        def left(requests):
            if dice.random() < 0.3:
                raise client_error(dice.choice(["ProvisionedThroughputExceededException", "InternalServerError"]))
            return dice.sample(requests, int(len(requests) * 0.9))

        ground.table.left = left
        ground.saved.captured(*many(120))
        result = ground.run()
        assert len(ground.table.items(TARGET)) == result["puts"] == 120 and result["retries"] > 120
        text = log_of(result)
        assert "retry: came back unprocessed" in text and "retry: ProvisionedThroughputExceededException" in text


class TestStopped:
    def test_a_table_that_takes_nothing_fails_loudly_and_is_gone_on_with(self, ground):
        """GIVEN a table that takes nothing any more WHEN applied THEN it fails, and the same task goes on into the same log."""
        ground.saved.captured(*many(200))
        ground.table.left = lambda requests: requests if len(ground.table.batches) > 3 else []
        failed = ground.run(patience=1, workers=1)
        assert failed["failed"]
        for words in ("took none of", "raise its capacity", "the same task goes on from there", "state.json"):
            assert words in failed["msg"], failed["msg"]
        before = len(ground.table.batches)
        ground.table.left = lambda requests: []
        result = ground.run()
        assert result["resumed"] and result["puts"] == 200 and len(ground.table.items(TARGET)) == 200
        assert sum(ground.table.batches[before:]) < 200, "what was settled is not written again"
        (log,) = ground.logs.iterdir()
        text = log.read_text()
        assert "failed: " in text and "goes on: " in text and "end: 200 put" in text and str(log) == result["log_file"]

    def test_a_part_is_begun_anew_where_others_are_asked_for(self, ground):
        """GIVEN a run that stopped WHEN another plan is applied THEN it begins at the beginning, and says so."""
        ground.saved.captured(*many(200))
        ground.table.errors["batch_write_item"] = client_error("AccessDeniedException")
        assert "cannot be written (AccessDeniedException)" in ground.run()["msg"]
        ground.table.errors.clear()
        other = ground.run(50)
        assert not other["resumed"] and other["puts"] == 200
        assert "did not come to its end" in log_of(other)

    def test_resume_false_begins_anew(self, ground):
        ground.saved.captured(*many(200))
        ground.table.left = lambda requests: requests if len(ground.table.batches) > 3 else []
        assert ground.run(patience=1, workers=1)["failed"]
        ground.table.left = lambda requests: []
        (ground.logs / "apply_changes_user-restored.state.json").write_text("{")
        assert "cannot be read" in ground.run()["msg"]
        before = len(ground.table.batches)
        assert not ground.run(resume=False)["resumed"] and sum(ground.table.batches[before:]) == 200

    def test_an_item_that_no_write_is_valid_for_is_named(self, ground):
        """GIVEN one invalid item WHEN applied THEN all others are written, it is named, and a later run finds it again."""
        ground.saved.captured(*many(200))
        ground.table.invalid = {"k0007"}
        failed = ground.run()
        assert failed["failed"] and "k0007" in failed["msg"] and "the item is too large" in failed["msg"]
        assert len(ground.table.items(TARGET)) == 199 and SECRET not in failed["msg"] + log_of(failed)
        ground.table.invalid = set()
        result = ground.run()
        assert not result.get("failed") and len(ground.table.items(TARGET)) == 200
        assert not (ground.logs / "apply_changes_user-restored.state.json").exists()


class TestLive:
    def test_newer_items_stay(self, ground):
        """GIVEN a table in use WHEN applied live THEN newer items stay, older ones and lacking ones are written."""
        for item in (
            row("newer", "theirs", 50),
            row("older", "theirs", 5),
            row("deleted", time=5),
            row("again", time=50),
        ):
            ground.table.put(TARGET, item)
        ground.saved.captured(
            put(1, 1, "newer", time=10),
            put(2, 1, "older", time=10),
            put(3, 1, "lacking", time=10),
            delete(4, 1, "deleted", time=5),
            delete(5, 1, "again", time=5),
        )
        result = ground.run(mode="live")
        kept = {item["PK"]["S"]: item["content"]["S"] for item in ground.table.items(TARGET)}
        assert kept == {"newer": "theirs", "older": SECRET, "lacking": SECRET, "again": SECRET}
        assert (result["puts"], result["deletes"], result["kept"]) == (2, 1, 2)
        again = ground.run(mode="live")
        assert not again["changed"] and again["kept"] == 5

    def test_items_without_stamps_are_written_only_where_none_is(self, ground):
        ground.table.put(TARGET, row("there", "theirs"))
        ground.saved.captured(put(1, 1, "there"), put(2, 1, "lacking"))
        assert ground.run(mode="live")["kept"] == 1
        assert ground.table.items(TARGET) == [row("there", "theirs"), row("lacking")]

    def test_what_is_remembered_as_deleted_does_not_come_back(self, ground):
        """GIVEN a delete that the side remembers WHEN an older put is applied THEN it stays deleted; without memory not."""
        ground.saved.captured(put(1, 1, "a", time=5), delete(2, 1, "a", time=5))
        ground.run(mode="live")
        ground.saved.s3.objects.clear()
        ground.saved = Saved()
        ground.saved.captured(put(1, 1, "a", time=5))
        assert ground.run(mode="live")["kept"] == 1 and not ground.table.items(TARGET)
        assert ground.run(mode="live", tombstones_table="")["puts"] == 1

    def test_busy_items_are_tried_until_they_are_settled(self, ground, monkeypatch):
        """GIVEN items that other transactions hold WHEN applied live THEN they are written in the end."""
        monkeypatch.setattr("ansible.module_utils.dynabridge.aws.writes.SINGLE_ATTEMPTS", 2)
        ground.saved.captured(*[put(number, 1, f"k{number}", time=5) for number in range(1, 9)])
        ground.table.fate = {f"k{number}": ["TransactionConflict"] * 8 for number in range(1, 5)}
        result = ground.run(mode="live")
        assert result["puts"] == 8 and result["retries"]

    def test_a_memory_that_is_not_there_is_named(self, ground):
        ground.saved.captured(put(1, 1, "a", time=5))
        message = ground.run(mode="live", tombstones_table="forgotten")["msg"]
        assert "no table forgotten" in message and "tombstones_table=''" in message


class TestLooking:
    def test_check_mode_counts_and_touches_nothing(self, ground):
        """GIVEN changes WHEN checked THEN they are counted, and neither table nor log is written."""
        ground.saved.captured(*many(30), delete(99, 2, "k0003"))
        for mode in ("exclusive", "live"):
            result = ground.run(check=True, mode=mode, show=0)
            assert (result["puts"], result["deletes"], result["changed"]) == (29, 1, True)
            assert result["text"] == "user-restored: would put 29 and delete 1 items"
        assert not ground.table.items(TARGET) and not ground.logs.exists()

    def test_diff_shows_some_items_as_they_are_and_would_be(self, ground):
        """GIVEN diff mode WHEN checked THEN items before and after; live shows what the rule would leave."""
        ground.table.put(TARGET, row("a", "theirs", 50))
        ground.saved.captured(put(1, 1, "a", content="mine", time=10), put(2, 1, "b", time=10))
        before, after = (ground.run(check=True)["diff"][name] for name in ("before", "after"))
        key = '{"PK": {"S": "a"}}'
        assert before[key]["content"] == {"S": "theirs"} and after[key]["content"] == {"S": "mine"}
        assert before['{"PK": {"S": "b"}}'] is None
        assert ground.run(check=True, mode="live")["diff"]["after"][key]["content"] == {"S": "theirs"}


class TestBadInput:
    def test_another_key_is_refused_before_anything_is_written(self, ground):
        for schema in ((("PK", "N"),), (("PK", "S"), ("SK", "S")), (("id", "S"),)):
            ground.table = Table(schema)
            message = ground.run()["msg"]
            assert "have the key PK (S), table user-restored has " in message and "Nothing was changed" in message
        assert not ground.logs.exists()

    def test_the_table_itself_needs_a_confirmation(self, ground):
        """GIVEN the very table that the changes are of WHEN applied without conditions THEN only with its name again."""
        ground.saved.captured(put(1, 1, "a"))
        ground.table.arns = {TARGET: {"TableArn": table_arn()}}
        message = ground.run()["msg"]
        assert "confirm_overwrite=user-restored" in message and not ground.table.items(TARGET)
        assert ground.run(confirm_overwrite=TARGET)["puts"] == 1
        assert not ground.run(mode="live").get("failed")

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({"workers": 0}, "workers is 0: it must be from 1 to 64"),
            ({"plan": {"id": "x"}}, "plan is none that dynamodb_restore_info gives"),
            ({"target_table": "missing"}, "There is no table missing in cn-northwest-1"),
            ({"log_dir": "/proc/nowhere"}, "cannot be written"),
            ({"directory": "/proc/nowhere"}, "cannot be made"),
            ({"bucket": "elsewhere"}, "bucket elsewhere is not there"),
        ],
    )
    def test_what_makes_no_sense_is_one_sentence(self, ground, params, words):
        ground.saved.captured(put(1, 1, "a"))
        result = ground.run(**params)
        assert result["failed"] and words in result["msg"] and not ground.table.items(TARGET)

    def test_a_plan_that_reaches_too_far_or_to_another_table_is_refused(self, ground):
        """GIVEN plans whose windows or log end after the moment, or are of a table made anew WHEN applied THEN refused."""
        ground.saved.window(0, 50, [])
        plan = ground.saved.plan(100)
        (window,) = plan["windows"]
        late, foreign = window | {"moment": "2026-11-21T03:00:00Z"}, window | {"table_id": "another"}
        log = plan["log"] | {"end": "2026-11-21T03:00:00Z"}
        for wrong, words in (
            ({"windows": [late]}, "reach beyond 2026-11-21T02:01:40Z"),
            ({"log": log}, "changes in changes/user-cn/ reach beyond"),
            ({"windows": [foreign]}, "are not of the table user-cn that was backed up"),
        ):
            assert words in ground.run(plan=plan | wrong)["msg"]

    def test_a_table_that_is_being_made_is_not_written(self, ground):
        ground.table.status = "CREATING"
        assert "is CREATING" in ground.run()["msg"]

    @pytest.mark.parametrize("mode", ["exclusive", "live"])
    def test_an_item_without_its_key_is_named(self, ground, mode):
        """GIVEN an item that lacks its key, and one whose value is none WHEN applied THEN both are named, the rest is there."""
        ground.saved.captured(
            record(1, 1, {"PK": {"S": "lame"}}, {"content": {"S": SECRET}}),
            put(2, 1, "raw", b={"L": [SECRET]}),
            put(3, 1, "good"),
        )
        failed = ground.run(mode=mode, show=0)
        assert [one["key"]["PK"]["S"] for one in failed["problems"]] == ["lame", "raw"] and "without PK" in failed[
            "msg"
        ]
        assert ground.table.items(TARGET) == [row("good")]

    def test_a_full_disk_is_named(self, ground, monkeypatch):
        """GIVEN no room for what does not fit into memory WHEN applied THEN it says so, and nothing is left there."""
        monkeypatch.setattr("ansible.module_utils.dynabridge.last_states.OVERHEAD", 10**6)

        def full(_file):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("ansible.module_utils.dynabridge.last_states.SpillFile.flush", full)
        ground.saved.captured(*many(60))
        message = ground.run(budget_mb=1)["msg"]
        assert "No space left on device" in message and "give a directory with more room" in message
        assert not list((ground.logs.parent / "room").iterdir()) and not ground.table.items(TARGET)
