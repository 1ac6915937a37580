# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to an export on its way: it is reported by name, it never counts, and other tables do not suffer."""

import json
from dataclasses import dataclass

import pytest

from tests.integration.backups import Ground, blames, says
from tests.local_aws.exports import started_cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """One side, with quick exports."""
    with started_cloud(tmp_path_factory.mktemp("damage")) as cloud:
        yield cloud


@pytest.fixture
def ground(cloud):
    """Two tables and a bucket of this test's own."""
    yield Ground(cloud)
    cloud.reset()


# What is done to an export that DynamoDB has completed, and what has to be said of it. A place is given as {folder} of the
# backup, {file} of its data.
DAMAGE = {}


def damage(*words):
    def keep(change):
        DAMAGE[change.__name__] = (change, words)
        return change

    return keep


@damage("{file}", "is no valid gzip")
def a_byte_of_the_text_changed(ground, folder, file):
    body = bytearray(ground.read(file))
    body[len(body) // 2] ^= 0xFF
    ground.put(file, bytes(body))


@damage("{file}", "does not match its checksum")
def a_byte_changed_that_no_gunzip_notices(ground, folder, file):
    body = bytearray(ground.read(file))
    body[4] ^= 1  # of the time in the gzip header
    ground.put(file, bytes(body))


@damage("{file}", "is cut short")
def the_end_of_a_file_cut_off(ground, folder, file):
    ground.put(file, ground.read(file)[:-5])


@damage("{file}", "is cut short")
def a_file_emptied(ground, folder, file):
    ground.put(file, b"")


@damage("{file}", "is no valid gzip")
def a_file_of_something_else(ground, folder, file):
    ground.put(file, b'{"Item":{"PK":{"S":"one"}}}\n')


@damage("{file}", "is missing")
def a_file_missing(ground, folder, file):
    ground.drop(file)


@damage("{folder}manifest-summary.json is missing")
def the_summary_missing(ground, folder, file):
    ground.drop(f"{folder}manifest-summary.json")


@damage("{folder}manifest-files.json is missing")
def the_list_of_files_missing(ground, folder, file):
    ground.drop(f"{folder}manifest-files.json")


@damage("the checksum of {folder}manifest-summary.json is missing")
def the_checksum_of_the_summary_missing(ground, folder, file):
    ground.drop(f"{folder}manifest-summary.md5")


@damage("the checksum of {folder}manifest-files.json is missing")
def the_checksum_of_the_list_missing(ground, folder, file):
    ground.drop(f"{folder}manifest-files.md5")


@damage("{folder}manifest-summary.json does not match its checksum")
def the_summary_changed(ground, folder, file):
    ground.put(f"{folder}manifest-summary.json", ground.read(f"{folder}manifest-summary.json") + b" ")


@damage("{folder}manifest-files.json does not match its checksum")
def the_list_of_files_changed(ground, folder, file):
    ground.put(f"{folder}manifest-files.json", ground.read(f"{folder}manifest-files.json").replace(b":4,", b":5,"))


@damage("{file} holds 4 items, its manifest says 5")
def a_wrong_count_in_the_list_under_a_right_checksum(ground, folder, file):
    ground.seal(folder, "manifest-files", *(line | {"itemCount": 5} for line in ground.files(folder)))


@damage("manifest-summary.json says 5 items", "hold 4")
def a_wrong_count_in_the_summary_under_a_right_checksum(ground, folder, file):
    summary = json.loads(ground.read(f"{folder}manifest-summary.json"))
    ground.seal(folder, "manifest-summary", summary | {"itemCount": 5})


@damage("manifest-summary.json says items 3, expected was 4")
def all_counts_wrong_alike(ground, folder, file):
    """Only DescribeExport knows better, and the file itself."""
    summary = json.loads(ground.read(f"{folder}manifest-summary.json"))
    ground.seal(folder, "manifest-summary", summary | {"itemCount": 3})
    ground.seal(folder, "manifest-files", *(line | {"itemCount": 3} for line in ground.files(folder)))


@damage("manifest-summary.json says 4 items", "hold 0")
def an_empty_list_of_files(ground, folder, file):
    ground.seal(folder, "manifest-files")


@damage("line 1 of manifest-files.json names no data file")
def a_list_that_is_none(ground, folder, file):
    ground.seal(folder, "manifest-files", {"files": []})


@damage("only DYNAMODB_JSON can be restored")
def another_format(ground, folder, file):
    summary = json.loads(ground.read(f"{folder}manifest-summary.json"))
    ground.seal(folder, "manifest-summary", summary | {"outputFormat": "ION"})


@damage("manifest-summary.json says export", "-00000000, expected was")
def the_summary_of_another_export(ground, folder, file):
    summary = json.loads(ground.read(f"{folder}manifest-summary.json"))
    ground.seal(folder, "manifest-summary", summary | {"exportArn": f"{summary['exportArn'][:-8]}00000000"})


@damage("{folder}table_schema.json is missing")
def no_schema_anywhere(ground, folder, file):
    ground.drop(f"{folder}table_schema.json", f"{folder.partition('AWSDynamoDB/')[0]}table_schema.json")


@damage("{folder}table_schema.json")
def a_schema_that_is_none(ground, folder, file):
    ground.put(f"{folder}table_schema.json", b'{"version": 1}')


@dataclass(frozen=True)
class Outcome:
    """What came of a table's backup: what was said, where, of which data file."""

    problems: list
    state: str
    folder: str
    file: str
    verdicts: set
    listed: dict
    coverage: list


@pytest.fixture(scope="module")
def outcomes(cloud):
    """A table for each kind of damage and one without: exported, damaged, and seen through, all in one run."""
    ground = Ground(cloud, more=DAMAGE)
    tables = {name: ground.named(name) for name in (*DAMAGE, "neighbour")}
    begun = ground.begun(tables=list(tables.values()))
    files = {}
    for name, table in tables.items():
        folder = begun[table]["folder"]
        files[name] = ground.files(folder)[0]["dataFileS3Key"]
        if name in DAMAGE:
            DAMAGE[name][0](ground, folder, files[name])
    result, catalogue = ground.backup(action="finish"), ground.catalogue()
    assert result["failed"] and len(result["problems"]) == len(DAMAGE), result["problems"]
    states = {backup["table"]: backup["state"] for backup in result["backups"]}
    found = {
        name: Outcome(
            [problem for problem in result["problems"] if f"table {table}:" in problem],
            states[table],
            begun[table]["folder"],
            files[name],
            ground.verdicts(begun[table]["folder"]),
            catalogue["backups"][begun[table]["id"]],
            catalogue["tables"][table]["coverage"],
        )
        for name, table in tables.items()
    }
    cloud.reset()
    return found


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_never_counts(outcomes, name):
    """GIVEN a completed export WHEN it is damaged and then seen through THEN it is damaged, by name, and never counts."""
    found, words = outcomes[name], DAMAGE[name][1]

    (problem,) = found.problems
    says(problem, found.folder, *(word.format(folder=found.folder, file=found.file) for word in words))
    assert (found.state, found.verdicts) == ("damaged", {"_FAILED"})
    # AND the catalogue, which reads S3 alone, says the same
    assert found.listed["state"] == "damaged" and found.listed["reason"] in problem
    assert found.coverage == []


def test_damage_to_others_harms_nobody(outcomes):
    """GIVEN many damaged exports WHEN all are seen through THEN the one that is whole is verified."""
    found = outcomes["neighbour"]
    assert (found.problems, found.state, found.verdicts) == ([], "verified", {"_SUCCESS"})
    assert found.listed["state"] == "verified" and len(found.coverage) == 1


def test_damage_after_the_verdict(ground):
    """GIVEN verified backups WHEN one is damaged later and verified anew THEN it counts no more, though it once did."""
    ground.backup()
    found = {backup["table"]: backup for backup in ground.catalogue()["backups"].values()}
    victim = found[ground.victim]
    assert victim["state"] == "verified"
    the_end_of_a_file_cut_off(ground, victim["folder"], ground.files(victim["folder"])[0]["dataFileS3Key"])

    result = ground.backup(action="verify")

    blames(result, ground.victim, victim["folder"], "is cut short")
    after = ground.catalogue()
    assert after["backups"][victim["id"]]["state"] == "damaged"
    assert after["tables"][ground.victim]["coverage"] == []
    assert after["backups"][found[ground.neighbour]["id"]]["state"] == "verified"


def test_a_damaged_incremental_leaves_a_gap_by_name(ground):
    """GIVEN three incrementals, whose files lie together WHEN the second is damaged THEN the reach ends before it."""
    ground.backup(tables=[ground.victim])
    windows = []
    for number in range(3):
        ground.write(ground.victim, f"later {number}")
        windows.append(_next_incremental(ground))
    damaged = windows[1]
    file = ground.files(damaged["folder"])[0]["dataFileS3Key"]
    assert file.endswith(".json.gz") and damaged["id"] not in file
    ground.put(file, ground.read(file)[:-1])

    result = ground.backup(action="verify", ids=[backup["id"] for backup in windows])

    blames(result, ground.victim, damaged["folder"], file, "is cut short", f"from {damaged['start']}")
    table = ground.catalogue()["tables"][ground.victim]
    assert [span["to"] for span in table["coverage"]] == [windows[0]["moment"]]
    assert table["gaps"] == [{"from": windows[0]["moment"], "to": windows[2]["start"]}]


def _next_incremental(ground):
    """Windows are of whole seconds: asked for until there is one."""
    backups = []
    while not backups:
        result = ground.backup(tables=[ground.victim], kind="incremental")
        assert not result.get("failed"), result
        backups = result["backups"]
    (backup,) = backups
    return backup


def test_checksums_under_their_documented_name(ground):
    """GIVEN exports whose manifests have .checksum files instead of .md5 WHEN seen through THEN they are verified."""
    begun = ground.begun()
    for backup in begun.values():
        for manifest in ("summary", "files"):
            old = f"{backup['folder']}manifest-{manifest}.md5"
            ground.put(old.replace(".md5", ".checksum"), ground.read(old))
            ground.drop(old)

    result = ground.backup(action="finish")

    assert not result.get("failed"), result
    assert {backup["state"] for backup in result["backups"]} == {"verified"}
