# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies of docs/operator-policy are enough for the verbs that they name."""

import pytest

from tests.docs.test_commands import NEEDS_AWS, PAGES, commands, playbook_of
from tests.local_pair import REPOSITORY, run_playbook, started_pair
from tests.operators import groups_for, operated

# Nothing of a side is asked for by its operator, or it is about the local AWS itself.
NOT_OPERATED = {"backup_schedule", "proxy", "proxy_check", "demo", "local_aws"}
OPERATED = [page for page in PAGES if page not in NOT_OPERATED]


@pytest.fixture(scope="module")
def operated_pair(tmp_path_factory):
    """A pair of this file's own, with nothing deployed, whose operators may do nothing yet."""
    directory = tmp_path_factory.mktemp("operated")
    with started_pair(directory / "local") as pair, operated(pair, directory / "operators") as own:
        yield own


@pytest.mark.long
@pytest.mark.parametrize("page", OPERATED)
def test_each_verb_runs_with_its_policy_alone(operated_pair, page):
    """GIVEN operators with the policy of a verb's group and no other WHEN the commands of its page are run THEN each succeeds."""
    operated_pair.allow(groups_for(page))
    for command in commands(REPOSITORY / "docs" / "playbooks" / f"{page}.md"):
        if not any(inventory in command for inventory in NEEDS_AWS):
            result = run_playbook(operated_pair, *playbook_of(command), timeout=1200)
            assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
