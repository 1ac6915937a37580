# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer's stream while its key pair is being replaced."""

import pytest

from dynabridge.aws.peer import KEY_READINGS, PeerStream
from dynabridge.errors import PeerRefused
from dynabridge.wire import WireRecord
from tests.fakes import FakeKinesis, client_error

RECORD = WireRecord("lane-000", b"data")


class Stored:
    """A pair in Parameter Store that the peer accepts when both halves are `valid`; `later`: what is stored next."""

    def __init__(self, valid, *pairs):
        self.valid, self.pairs, self.tried, self.pauses = valid, list(pairs), [], []
        self.stream = PeerStream("stream", self.read, self.connect, self.pauses.append)

    def read(self):
        return self.pairs.pop(0) if len(self.pairs) > 1 else self.pairs[0]

    def connect(self, *pair):
        self.tried.append(pair)
        refusals = [] if pair == self.valid else [client_error("InvalidSignatureException")] * 9
        return FakeKinesis(*refusals)


def test_pair_read_between_its_halves_is_read_again():
    """GIVEN a rotation that has stored one half WHEN the pair is refused THEN the whole one is used in the same batch."""
    stored = Stored(("new", "secret of new"), ("old", "secret of new"), ("new", "secret of new"))
    assert stored.stream.put([RECORD]) == []
    assert stored.tried == [("old", "secret of new"), ("new", "secret of new")] and stored.pauses == [1.0]


def test_refused_pair_that_stays_is_tried_once():
    """GIVEN a revoked key WHEN it is stored all the same THEN one clear error, and the next batch tries again."""
    stored = Stored(("new", "n"), ("old", "o"))
    for batch in (1, 2):
        with pytest.raises(PeerRefused, match="refused the key pair"):
            stored.stream.put([RECORD])
        assert len(stored.tried) == batch


def test_pair_that_never_stands_still_is_an_error():
    """GIVEN a pair that differs at every reading THEN the batch ends after a few."""
    stored = Stored(("new", "n"), *((str(number), "") for number in range(20)))
    with pytest.raises(PeerRefused):
        stored.stream.put([RECORD])
    assert len(stored.tried) == KEY_READINGS
