# SPDX-License-Identifier: GPL-3.0-or-later
"""One pair of sides for all contract tests of a session; each test works under names of its own."""

import uuid

import pytest

from tests.local_pair import started_pair


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """Both sides, in a temporary directory and on free ports."""
    with started_pair(tmp_path_factory.mktemp("local_aws") / "state") as started:
        yield started


@pytest.fixture
def unique():
    """A name that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"
