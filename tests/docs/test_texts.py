# SPDX-License-Identifier: GPL-3.0-or-later
"""What texts say of the tree is so: tags and groups, versions of formats, links to other texts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dynabridge import drills, merged_set, restore_state, resync_state, table_schema, watermark, wire
from tests.local_pair import REPOSITORY

TEXTS = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/**/*.md"),
        *REPOSITORY.glob("roles/*/README.md"),
    ]
)
FORMATS = (drills, merged_set, restore_state, resync_state, table_schema, watermark, wire)


def tags_of_roles() -> dict[str, list[str]]:
    """The tags of deploy.yml, each with its roles."""
    (play,) = yaml.safe_load((REPOSITORY / "playbooks" / "deploy.yml").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for entry in play["roles"]:
        for tag in entry["tags"]:
            found.setdefault(tag, []).append(entry["role"])
    return found


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)


def test_each_tag_of_deploy_is_explained():
    """GIVEN the tags of deploy.yml THEN docs/tags.md has a row for each, and for no other; those of several roles name them."""
    text, tags = text_of(REPOSITORY / "docs" / "tags.md"), tags_of_roles()
    assert sorted(first_cells(text)) == sorted(tags)
    several = {tag: roles for tag, roles in tags.items() if tag not in roles and tag != "always"}
    for tag, roles in several.items():
        assert f"| `{tag}` | {', '.join(f'`{role}`' for role in roles)} |" in text


def test_tags_in_texts_exist():
    known = set(tags_of_roles())
    for path in TEXTS:
        for given in re.findall(r"deploy\.yml[^`\n]* --tags ([a-z_,]+)", text_of(path)):
            assert set(given.split(",")) <= known, f"{path} says --tags {given}"


def test_groups_are_as_shown():
    command = [
        Path(sys.executable).parent / "ansible-inventory",
        "-i",
        "inventories/cn",
        "-i",
        "inventories/sg",
        "--graph",
    ]
    graph = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert graph.strip() in text_of(REPOSITORY / "docs" / "tags.md")


@pytest.mark.parametrize("module", FORMATS, ids=lambda module: module.__name__)
def test_versions_of_formats_are_as_told(module):
    """GIVEN docs/upgrade.md, which says that there is only version 1 THEN that is what is written."""
    assert module.VERSION == 1
    assert "All are version 1" in text_of(REPOSITORY / "docs" / "upgrade.md")


def anchors_of(path: Path) -> set[str]:
    """Of the headings, spelled as GitHub does."""
    headings = re.findall(r"^#+ (.*)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path):
    """GIVEN a link to another text of the tree, or within one THEN the file is there, and its heading."""
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text_of(path)):
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors_of(file), f"{path} links to {target}"
