# SPDX-License-Identifier: GPL-3.0-or-later
"""backup_status.yml on buckets that hold verdicts, without a deployment: it needs nothing but the buckets."""

import json
import time
from dataclasses import dataclass, field

import pytest

from dynabridge.backup_layout import FAILURE, SUCCESS, begun_at, day_of, folder_of
from dynabridge.catalogue import FAILED, VERIFIED, Backup, verdict
from dynabridge.exports import FULL
from tests.faults_api import all_well, throttle
from tests.local_pair import LocalPair, run_playbook, started_pair

HOUR, MB = 3600, 2**20
BUCKET_REGIONS = {"cn": "cn-northwest-1", "sg": "ap-southeast-2"}


@dataclass
class Shelf:
    """The backup bucket of a side; what is put there is taken away by `clear`."""

    pair: LocalPair
    side: str
    keys: list = field(default_factory=list)
    prefix: str = "daily"

    @property
    def bucket(self) -> str:
        return f"dynabridge-backup-{self.side}-{self.pair.sides[self.side]['account_id']}"

    @property
    def s3(self):
        region = BUCKET_REGIONS[self.side]
        return self.pair.session(self.side).client(
            "s3", region_name=region, endpoint_url=self.pair.sides[self.side]["endpoint_url"]
        )

    def make(self) -> None:
        place = {"LocationConstraint": BUCKET_REGIONS[self.side]}
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration=place)

    def put(self, hours_ago: float, state: str = VERIFIED, table: str = "", reason: str = "") -> Backup:
        """A full backup, as verdict and data lie there."""
        identifier = f"{int((time.time() - hours_ago * HOUR) * 1000):014d}-0000000a"
        begun, table = begun_at(identifier), table or f"user-{self.side}"
        backup = Backup(
            bucket=self.bucket,
            table=table,
            id=identifier,
            day=day_of(begun),
            folder=folder_of(self.prefix, day_of(begun), table, identifier),
            state=state,
            kind=FULL,
            moment=begun,
            requested=begun,
            verified=begun + 600,
            items=1000,
            billed_bytes=2 * MB,
            reason=reason,
        )
        name = SUCCESS if state == VERIFIED else FAILURE
        self._put(backup.folder + name, json.dumps(verdict(backup, begun + 600, [reason] if reason else [])))
        self._put(f"{backup.folder}data/one.json.gz", "x" * MB)
        return backup

    def _put(self, key: str, body: str) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body.encode())
        self.keys.append(key)

    def clear(self) -> None:
        for key in self.keys:
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.keys.clear()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two sides with a backup bucket each, and nothing else."""
    with started_pair(tmp_path_factory.mktemp("status") / "local") as pair:
        for side in pair.sides:
            Shelf(pair, side).make()
        yield pair


@pytest.fixture
def shelves(pair):
    both = Shelf(pair, "cn"), Shelf(pair, "sg")
    yield both
    for shelf in both:
        shelf.clear()


def status(pair, *arguments, role="''"):
    """Exit code and output, its spaces put together."""
    result = run_playbook(pair, "backup_status.yml", "-e", f"backup_status_role={role}", *arguments)
    return result.returncode, result.stdout + result.stderr


def flat(text: str) -> str:
    return " ".join(text.split())


def test_both_sides_are_green_while_dynamodb_is_down(pair, shelves):
    """GIVEN backups of this night and DynamoDB failing every call WHEN asked THEN one screen, ok, nothing changed."""
    for shelf in shelves:
        shelf.put(30)
        shelf.put(6)
        throttle(pair, shelf.side, 1.0, calls=("dynamodb:*",))
    try:
        code, output = status(pair)
    finally:
        for shelf in shelves:
            all_well(pair, shelf.side)
    assert code == 0, output
    shown = [line for line in output.splitlines() if "user-cn " in line or "user-sg " in line]
    assert [line.split()[:2] for line in shown] == [["cn", "user-cn"], ["sg", "user-sg"]]
    assert all(line.endswith(" ok") and " 6 h " in line and " 2.0 MB " in line for line in shown)
    assert "CNY" in shown[0] and "USD" in shown[1]
    assert "Every table's backups are as they should be." in output and "changed=1" not in output
    assert all(len(line.strip()) <= 120 for line in output.splitlines() if line.strip()[:3] in ("cn ", "sg "))


def test_one_bad_table_fails_and_says_why(pair, shelves):
    """GIVEN a good side and one with an old and a failed backup WHEN asked THEN it fails, with age, reason and both sides."""
    cn, sg = shelves
    cn.put(6)
    sg.put(40)
    sg.put(3, FAILED, reason="S3AccessDenied: DynamoDB may not write")
    code, output = status(pair)
    assert code == 2
    assert "of 1 tables ok" in output and "user-cn" in output
    text = flat(output)
    assert "sg user-sg: the last verified full backup shows" in text and "40 h ago; it may be 26 h old" in text
    assert "failed: S3AccessDenied: DynamoDB may not write" in text and "cn user-cn: " not in text
    code, output = status(pair, "--limit", "cn-north-1")
    assert code == 0 and "user-sg" not in output


def test_a_limit_of_ones_own(pair, shelves):
    for shelf in shelves:
        shelf.put(40)
    assert status(pair)[0] == 2
    assert status(pair, "-e", "backup_status_max_age_hours=48", "--check")[0] == 0


def test_a_table_without_any_backup_fails(pair, shelves):
    shelves[0].put(1)
    code, output = status(pair)
    assert code == 2 and "sg user-sg: there is no verified full backup" in flat(output)


def test_the_report_as_json(pair, shelves, tmp_path):
    """GIVEN a good and a bad side WHEN a file is asked for THEN it is written although the playbook fails."""
    last = shelves[0].put(2)
    file = tmp_path / "status.json"
    code, output = status(pair, "-e", f"json={file}")
    assert code == 2 and "changed=1" not in output
    cn, sg = json.loads(file.read_text())
    assert (cn["side"], cn["ok"], sg["side"], sg["ok"]) == ("cn", True, "sg", False)
    (table,) = cn["tables"]
    assert table["last"]["id"] == last.id and table["storage_classes"] == {"STANDARD": MB}
    assert table["cost"]["export"] == 0 and sg["problems"] == ["sg user-sg: there is no verified full backup"]


def test_one_table_and_a_table_that_is_gone_from_the_inventory(pair, shelves):
    """GIVEN good backups and old ones of a table of yore THEN all shows both, one shows one, an unknown name is refused."""
    for shelf in shelves:
        shelf.put(6)
    shelves[1].put(900, table="yore")
    code, output = status(pair)
    assert code == 0 and "not backed up by the inventory" in output and "yore" in output
    code, output = status(pair, "-e", "table=user")
    assert code == 0 and "yore" not in output and "user-cn" in output and "user-sg" in output
    code, output = status(pair, "-e", "table=user-cn")
    assert code == 0 and "user-sg" not in output
    code, output = status(pair, "-e", "table=yore")
    assert code == 0 and "yore" in output and "user-cn" not in output
    code, output = status(pair, "-e", "table=users")
    assert code == 2 and "There is no table users with backup: true in dynabridge_tables" in flat(output)


def test_a_side_whose_bucket_is_not_there_keeps_the_other_from_nothing(pair, shelves):
    """GIVEN a side that names another bucket WHEN asked THEN it fails by name, and the other side is shown."""
    for shelf in shelves:
        shelf.put(6)
    bucket = shelves[0].bucket
    code, output = status(pair, "-e", f"dynabridge_backup_bucket={bucket}")
    assert code == 2 and f"bucket {bucket}" in flat(output) and "user-cn" in output
    assert "cn: 1 of 1 tables ok" in output


def test_a_role_that_cannot_be_assumed_is_named(pair, shelves):
    """GIVEN an account without the operator's role WHEN asked THEN one sentence says which and what makes it."""
    code, output = status(pair, role="no-such-operator")
    assert code == 2 and "no-such-operator cannot be assumed" in flat(output) and "deploy.yml --tags backup" in output
