# SPDX-License-Identifier: GPL-3.0-or-later
"""An export of the real DynamoDB goes through the same code as those of the local AWS."""

from pathlib import Path

import pytest

from tests.integration.backups import Ground, blames
from tests.local_aws.exports import md5, started_cloud

REAL_EXPORT = Path(__file__).resolve().parents[3] / "shared" / "data" / "real_full_export" / "AWSDynamoDB"
TABLE, DAY = "S3ExportTest", "2024/05/14"

pytestmark = pytest.mark.skipif(not REAL_EXPORT.is_dir(), reason="the real export, no part of the project, is absent")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """One side, with quick exports."""
    with started_cloud(tmp_path_factory.mktemp("real_export")) as cloud:
        yield cloud


@pytest.fixture
def ground(cloud):
    """A bucket with backups of its own side."""
    ground = Ground(cloud)
    ground.backup(tables=[ground.neighbour])
    yield ground
    cloud.reset()


@pytest.fixture(params=["md5", "checksum"])
def real(ground, request):
    """The folder of the real export, copied under the prefix of backups, and a schema beside it."""
    (source,) = REAL_EXPORT.iterdir()
    folder = f"daily/{DAY}/{TABLE}/AWSDynamoDB/{source.name}/"
    for path in (found for found in source.rglob("*") if found.is_file()):
        ground.put(folder + path.relative_to(source).as_posix(), path.read_bytes())
    for path in source.glob("manifest-*.json"):
        ground.put(f"{folder}{path.stem}.{request.param}", md5(path.read_bytes()).encode())
    (own,) = ground.catalogue(tables=[ground.neighbour])["backups"].values()
    ground.put(f"{folder}table_schema.json", ground.read(f"{own['folder']}table_schema.json"))
    return folder


def test_real_export_is_verified(ground, real):
    """GIVEN an export that the real DynamoDB wrote WHEN it is verified THEN it counts, with what its summary says."""
    identifier = real.rstrip("/").rpartition("/")[2]
    before = ground.catalogue()["backups"][identifier]
    assert before["state"] == "unverified"

    result = ground.backup(action="verify", ids=[identifier])

    assert not result.get("failed"), result
    found = ground.catalogue()["backups"][identifier]
    assert (found["state"], found["kind"], found["items"], found["files"]) == ("verified", "full", 3, 1)
    assert (found["region"], found["account_id"]) == ("eu-central-1", "164221962816")
    assert found["moment"] == "2024-05-14T11:14:20.608Z"
    assert ground.verdicts(real) == {"_SUCCESS"}


def test_real_export_is_found_damaged(ground, real):
    """GIVEN the real export with a byte changed WHEN it is verified THEN it is damaged, and the file is named."""
    file = next(key for key in ground.stored(real) if key.endswith(".gz"))
    body = bytearray(ground.read(file))
    body[-20] ^= 1
    ground.put(file, bytes(body))

    result = ground.backup(action="verify", ids=[real.rstrip("/").rpartition("/")[2]])

    blames(result, TABLE, file)
    assert ground.verdicts(real) == {"_FAILED"}
