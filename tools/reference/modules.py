# SPDX-License-Identifier: GPL-3.0-or-later
"""Own modules, by their DOCUMENTATION and the fragments of the repository."""

import ast
from pathlib import Path

import yaml

from .markdown import options_table, text_of, type_of

OWN_FRAGMENT = "dynabridge."


def strings_of(path: Path) -> dict[str, str]:
    """Constants of a Python file, f-strings of them included: nothing of it is run."""
    found: dict[str, str] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in [*tree.body, *(line for one in classes for line in one.body)]:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = _string(node.value, found)
            if value is not None:
                found[node.targets[0].id] = value
    return found


def _string(node: ast.expr, known: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
        texts = [known.get(part.id) if isinstance(part, ast.Name) else getattr(part, "value", None) for part in parts]
        return None if None in texts else "".join(texts)
    return None


def page(repository: Path) -> list[str]:
    fragments = strings_of(repository / "plugins" / "doc_fragments" / "dynabridge.py")
    lines = ["# Modules", "", "Modules of this repository, where amazon.aws and community.aws have none."]
    for path in sorted((repository / "library").glob("*.py")):
        lines += ["", *_section(path, fragments)]
    return lines


def _section(path: Path, fragments: dict[str, str]) -> list[str]:
    texts = strings_of(path)
    said = yaml.safe_load(texts["DOCUMENTATION"])
    lines = [f"## {said['module']}", "", f"{text_of(said['short_description'])}.", ""]
    lines += [f"- {text_of(sentence)}" for sentence in _listed(said["description"])]
    lines += ["", "### Options", "", *options_table(_options(said, fragments))]
    foreign = [name for name in said.get("extends_documentation_fragment", []) if not name.startswith(OWN_FRAGMENT)]
    if foreign:
        lines += ["", "Further those of " + ", ".join(f"`{name}`" for name in foreign) + "."]
    lines += ["", "### Examples", "", "```yaml", texts["EXAMPLES"].strip("\n"), "```", ""]
    return [*lines, "### Returns", "", "| name | type | when | what |", "|---|---|---|---|", *_returns(texts, "")]


def _options(said: dict, fragments: dict[str, str]) -> dict:
    """With those of own fragments, of which a module may say an option otherwise."""
    options: dict = {}
    for name in said.get("extends_documentation_fragment", []):
        if name.startswith(OWN_FRAGMENT):
            fragment = yaml.safe_load(fragments[name.removeprefix(OWN_FRAGMENT).upper()])
            options |= fragment.get("options", {})
    own = {name: options.get(name, {}) | option for name, option in (said.get("options") or {}).items()}
    return dict(sorted((options | own).items()))


def _returns(texts: dict[str, str], above: str, returned: dict | None = None):
    returned = yaml.safe_load(texts["RETURN"]) if returned is None else returned
    for name, value in (returned or {}).items():
        path = f"{above}{name}"
        yield f"| `{path}` | {type_of(value)} | {text_of(value.get('returned'))} | {text_of(value.get('description'))} |"
        yield from _returns(texts, f"{path}.", value.get("contains") or {})


def _listed(said) -> list:
    return said if isinstance(said, list) else [said]
