# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests marked ``long`` run when they are asked for: ``make test-long``."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the tests marked long too")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes many minutes: make test-long"))
