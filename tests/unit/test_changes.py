# SPDX-License-Identifier: MIT
"""Reading stream records."""

import pytest

from dynabridge.changes import TTL_IDENTITY, images_of, is_expiry
from dynabridge.errors import MalformedRecord
from tests.strategies import NAMES


def image(time="1", region="cn-north-1", **more):
    return {"PK": {"S": "a"}, NAMES.timestamp: {"N": time}, NAMES.region: {"S": region}, **more}


def record(name, new=None, old=None, **more):
    data = {"Keys": {"PK": {"S": "a"}}, "SequenceNumber": "100", "ApproximateCreationDateTime": 1700000000}
    data |= {"NewImage": new} if new else {}
    data |= {"OldImage": old} if old else {}
    return {"eventName": name, "dynamodb": data, **more}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"eventName": "INSERT"},
        {"dynamodb": {}},
        record("INSERT"),
        record("REMOVE"),
        record("MOVED", image()),
        {"eventName": "INSERT", "dynamodb": "text"},
    ],
)
def test_broken_record_is_malformed(broken):
    with pytest.raises(MalformedRecord):
        images_of(broken)


def test_only_ttl_itself_makes_an_expiry():
    """GIVEN deletes by a person, by another service and by TTL THEN only the last is an expiry (hazard 8)."""
    assert is_expiry(record("REMOVE", old=image(), userIdentity=TTL_IDENTITY))
    assert not is_expiry(record("REMOVE", old=image()))
    assert not is_expiry(record("REMOVE", old=image(), userIdentity={"type": "Service", "principalId": "other"}))
    assert not is_expiry(record("MODIFY", image("2"), image("1"), userIdentity=TTL_IDENTITY))
