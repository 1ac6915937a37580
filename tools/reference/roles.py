# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles, by their argument specs."""

from pathlib import Path

import yaml

from .markdown import options_table, text_of


def specs_of(role: Path) -> dict:
    return yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]


def page(repository: Path) -> list[str]:
    lines = [
        "# Roles",
        "",
        "Each entry point with its variables. A default that comes from the inventory stands in the role's README, and in its",
        "`defaults/main.yml`.",
    ]
    for role in sorted(path for path in (repository / "roles").iterdir() if path.is_dir()):
        lines += ["", f"## {role.name}", "", f"[What it does](../../roles/{role.name}/README.md)."]
        for name, spec in specs_of(role).items():
            lines += ["", f"### {role.name}: {name}", "", f"{text_of(spec.get('short_description'))}.", ""]
            lines += options_table(spec["options"])
    return lines
