# SPDX-License-Identifier: GPL-3.0-or-later
"""Markdown of what Ansible's documentation is made of: its markup, options, defaults."""

import json
import re

# Semantic markup: https://docs.ansible.com/ansible/latest/dev_guide/ansible_markup.html
NAMED = re.compile(r"\b(?:C|V|O|RV|E|M|I|B)\(((?:[^()\\]|\\.|\([^()]*\))*)\)")
LINKED = re.compile(r"\bL\(([^,()]*),\s*([^()]*)\)")
# <table> would be taken for HTML, but not within code.
PLACEHOLDER = re.compile(r"(<)(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)")
BARE = re.compile(r"\bU\(([^()]*)\)")


def text_of(said) -> str:
    """A description, a sentence or several, as one line of Markdown that may stand in a table."""
    sentences = said if isinstance(said, list) else [said or ""]
    line = " ".join(" ".join(str(sentence).split()) for sentence in sentences)
    line = NAMED.sub(lambda found: code(_name(found.group(1))), line)
    line = BARE.sub(r"<\1>", LINKED.sub(r"[\1](\2)", PLACEHOLDER.sub(r"\\\1", line)))
    return line.replace("|", "\\|")


def _name(marked: str) -> str:
    """``dynamodb_restore_info#module:plans`` is of another module, and stands with its name."""
    owner, mark, name = marked.replace("\\", "").partition("#module:")
    return f"{owner}: {name}" if mark else owner


def code(value) -> str:
    return f"`{value}`"


def default_of(option: dict) -> str:
    if option.get("required"):
        return "required"
    if "default" not in option or option["default"] is None:
        return ""
    value = option["default"]
    shown = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return code(shown).replace("|", "\\|").replace('`""`', "empty")


def type_of(option: dict) -> str:
    kind = option.get("type", "str")
    return f"{kind} of {option['elements']}" if option.get("elements") else kind


def description_of(option: dict) -> str:
    said = text_of(option.get("description"))
    if option.get("choices"):
        said += " One of " + ", ".join(code(choice) for choice in option["choices"]) + "."
    return said


def options_table(options: dict) -> list[str]:
    """Rows of all options; those within others bear their path."""
    if not options:
        return ["No variables."]
    return ["| name | type | default | what |", "|---|---|---|---|", *_rows(options, "")]


def _rows(options: dict, above: str):
    for name, option in options.items():
        path = f"{above}{name}"
        yield f"| `{path}` | {type_of(option)} | {default_of(option)} | {description_of(option)} |"
        inner = option.get("suboptions") or option.get("options") or {}
        yield from _rows(inner, f"{path}.")
