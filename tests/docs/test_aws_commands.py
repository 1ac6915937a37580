# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the AWS CLI that stand in texts are such. They need an account, so they are looked at, and not run."""

import re
import shlex

import pytest

from tests.docs.aws_commands import problem_of
from tests.local_pair import REPOSITORY

TEXTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("roles/*/README.md")])


def told(text: str) -> list[str]:
    """Commands that stand in a line of their own, in a block or indented."""
    whole = re.sub(r"\\\n\s*", "", text)
    return re.findall(r"^(?:    )?(aws .*)$", whole, re.MULTILINE)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_are_known(path):
    for command in told(path.read_text(encoding="utf-8")):
        assert problem_of(shlex.split(command, comments=True)) == "", command


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("aws lamda invoke", "there is no service lamda"),
        ("aws lambda invok --function-name x", "lambda has no operation invok"),
        ("aws sqs get-queue-url --queue x", "sqs get-queue-url has no option queue"),
        ("aws --profile cn logs tail /aws/lambda/x --since 1h | head", ""),
        ("aws lambda update-event-source-mapping --no-enabled --uuid x", ""),
    ],
)
def test_what_is_wrong_is_named(command, sentence):
    """GIVEN a command that is misspelt THEN the word is named."""
    assert problem_of(shlex.split(command)) == sentence
