# SPDX-License-Identifier: GPL-3.0-or-later
"""One pair of sides for all contract tests of a session; each test works under names of its own."""

import uuid
from dataclasses import dataclass, field

import pytest

from tests.local_pair import LocalPair, started_pair

from .exports import Subject, started_cloud


@dataclass(frozen=True)
class Pair(LocalPair):
    """Keeps its clients: making one takes longer than most calls."""

    clients: dict = field(default_factory=dict)

    def client(self, side, service, **credentials):
        key = (side, service, *sorted(credentials.items()))
        if key not in self.clients:
            self.clients[key] = super().client(side, service, **credentials)
        return self.clients[key]


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """Both sides, in a temporary directory and on free ports."""
    with started_pair(tmp_path_factory.mktemp("local_aws") / "state") as started:
        yield Pair(started.directory, started.sides)


@pytest.fixture
def unique():
    """A name that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """The China side on its own, with quick exports."""
    with started_cloud(tmp_path_factory.mktemp("export")) as cloud:
        yield cloud


@pytest.fixture
def subject(cloud, unique):
    """A table and a bucket of one test."""
    subject = Subject(cloud, unique)
    yield subject
    subject.dynamodb.delete_table(TableName=subject.name)
