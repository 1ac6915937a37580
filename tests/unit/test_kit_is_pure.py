# SPDX-License-Identifier: GPL-3.0-or-later
"""The kit is imported by modules, zipped into functions and shipped elsewhere: it must need nothing but Python."""

import ast
import sys
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2] / "module_utils" / "dynabridge"
ALLOWED_IN_AWS = {"boto3", "botocore"}


def imported_by(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", sorted(KIT.rglob("*.py")), ids=lambda path: str(path.relative_to(KIT)))
def test_imports_only_the_standard_library(path):
    allowed = set(sys.stdlib_module_names) | (ALLOWED_IN_AWS if "aws" in path.relative_to(KIT).parts else set())
    assert set(imported_by(path)) <= allowed
