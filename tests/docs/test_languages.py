# SPDX-License-Identifier: GPL-3.0-or-later
"""A text and its Chinese twin say the same: headings, commands, tables; and each leads to the other."""

import re
from pathlib import Path

import pytest

from tests.docs.test_commands import commands
from tests.local_pair import REPOSITORY

CHINESE = sorted([*REPOSITORY.glob("*.zh.md"), *REPOSITORY.glob("docs/**/*.zh.md")])
ENDING = ".zh.md"
SPOKEN = ("README.md", "docs/getting-started.md")  # must be there in Chinese, and all runbooks


def english_of(path: Path) -> Path:
    """The twin lies beside."""
    return path.parent / (path.name.removesuffix(ENDING) + ".md")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def without_blocks(path: Path) -> str:
    return re.sub(r"^```.*?^```", "", text_of(path), flags=re.MULTILINE | re.DOTALL)


def levels(path: Path) -> list[int]:
    """The depth of each heading."""
    return [len(marks) for marks in re.findall(r"^(#+) ", without_blocks(path), re.MULTILINE)]


def rows(path: Path) -> list[int]:
    """The cells of each row of a table."""
    return [line.count("|") for line in without_blocks(path).splitlines() if line.startswith("|")]


def by_hand(path: Path) -> list[str]:
    """Commands that stand indented, because they need an account or the reader's own names; comments are of the language."""
    lines = re.findall(r"^    (?=aws|ansible|export|zcat)(.*)", without_blocks(path), re.MULTILINE)
    return [line.split(" #")[0].strip() for line in lines]


def links_of(path: Path) -> set[Path]:
    return {(path.parent / name).resolve() for name in re.findall(r"\]\(([^)#:]+)\)", text_of(path))}


def test_what_must_be_there_in_chinese_is():
    texts = [path for path in REPOSITORY.glob("docs/runbooks/**/*.md") if not path.name.endswith(ENDING)]
    texts += [REPOSITORY / name for name in SPOKEN]
    assert set(texts) <= {english_of(path) for path in CHINESE}


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_both_languages_say_the_same(path):
    """GIVEN a Chinese text THEN its English twin has the same commands in the same order, headings and rows of tables."""
    english = english_of(path)
    assert commands(path) == commands(english)
    assert by_hand(path) == by_hand(english)
    assert levels(path) == levels(english)
    assert rows(path) == rows(english)


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_each_language_leads_to_the_other(path):
    english = english_of(path)
    assert english in links_of(path) and path in links_of(english)
