# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reference says what playbooks, roles and modules say of themselves."""

import pytest

from tests.local_pair import REPOSITORY
from tools.reference.__main__ import stale
from tools.reference.markdown import default_of, options_table, text_of

FOLDER = REPOSITORY / "docs" / "reference"


def test_the_reference_is_current():
    assert not stale(), "run `make reference`, and commit what it writes"


@pytest.mark.parametrize(
    ("page", "pattern"), [("playbooks.md", "playbooks/*.yml"), ("roles.md", "roles/*"), ("modules.md", "library/*.py")]
)
def test_everything_has_its_section(page, pattern):
    text = (FOLDER / page).read_text(encoding="utf-8")
    for path in REPOSITORY.glob(pattern):
        name = path.name.removesuffix(".py")
        assert f"\n## {name}\n" in text, f"{page} has no section of {name}"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("With O(collect) V(show\\)) is C(a/)", "With `collect` `show)` is `a/`"),
        (["One.", "Two of RV(dynamodb_restore_info#module:plans)."], "One. Two of `dynamodb_restore_info: plans`."),
        (
            "L(here, https://example.com) or U(https://example.org)",
            "[here](https://example.com) or <https://example.org>",
        ),
        ("<table>_schema.json, C(<table>/) a|b", "\\<table>_schema.json, `<table>/` a\\|b"),
    ],
)
def test_markup_becomes_markdown(said, shown):
    assert text_of(said) == shown


def test_defaults_are_told_from_none():
    """GIVEN options WHEN one is required, has a default, an empty one, or none THEN each shows as what it is."""
    options = [{"required": True}, {"default": 0}, {"default": ""}, {"default": []}, {"default": "a"}, {}]
    assert [default_of(option) for option in options] == ["required", "`0`", "empty", "`[]`", "`a`", ""]


def test_options_within_options_bear_their_path():
    options = {"outer": {"type": "list", "elements": "dict", "suboptions": {"inner": {"choices": ["a", "b"]}}}}
    assert options_table(options)[2:] == [
        "| `outer` | list of dict |  |  |",
        "| `outer.inner` | str |  |  One of `a`, `b`. |",
    ]
