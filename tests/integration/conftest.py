# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures on the local AWS. Everything in this folder is marked ``integration``."""

from pathlib import Path

import pytest

from tests.integration.support import FIRST_DEPLOY, Bridge
from tests.local_pair import run_playbook, started_pair


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def empty_pair(tmp_path_factory):
    """Two sides with nothing deployed; tests make and remove what they need."""
    with started_pair(tmp_path_factory.mktemp("empty") / "local") as pair:
        yield pair


@pytest.fixture(scope="session")
def deployed_pair(tmp_path_factory):
    """Two sides as ``deploy.yml`` leaves them. Tests bring back what they change."""
    with started_pair(tmp_path_factory.mktemp("deployed") / "local") as pair:
        result = run_playbook(pair, "deploy.yml", "-vvv", "--diff")
        assert result.returncode == 0, result.stdout + result.stderr
        (pair.directory / FIRST_DEPLOY).write_text(result.stdout + result.stderr)
        yield pair


@pytest.fixture
def bridge(deployed_pair):
    """The deployed pair with what tests of a running bridge ask of it."""
    return Bridge.of(deployed_pair)


@pytest.fixture
def key(bridge):
    """The key of an item that no other test uses."""
    with bridge.own_key() as name:
        yield name
