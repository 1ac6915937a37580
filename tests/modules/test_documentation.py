# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules' documentation says of their parameters and results is what they take and return."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "library").glob("*.py"))
FACTS = {"type": None, "elements": None, "required": False, "default": None, "choices": None}


@pytest.fixture(params=NAMES)
def module(request):
    return importlib.import_module(f"ansible.modules.{request.param}")


def parameters(options: dict, nested: str) -> dict:
    """{name: facts} of documented options or of an argument spec, which nest under another word."""
    return {
        name: {
            **{fact: option.get(fact, default) for fact, default in FACTS.items()},
            "nested": parameters(option.get(nested, {}), nested),
        }
        for name, option in options.items()
    }


def test_the_documented_options_are_the_parameters(module):
    # GIVEN a module WHEN its documentation is read THEN names, types, defaults and choices are those of its
    # spec
    documented = yaml.safe_load(module.DOCUMENTATION)
    assert parameters(documented["options"], "suboptions") == parameters(module.ARGUMENT_SPEC, "options")
    assert module.__name__.endswith("." + documented["module"])


def test_the_examples_use_known_options(module):
    # GIVEN the examples WHEN they call the module THEN with options that it has, and all that it requires
    name = module.__name__.rsplit(".", 1)[-1]
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    required = {option for option, facts in options.items() if facts.get("required")}
    calls = [task[name] for task in yaml.safe_load(module.EXAMPLES) if name in task]
    assert calls, "an example that calls the module"
    for call in calls:
        assert required <= set(call) <= set(options)


def test_each_returned_value_is_documented_with_its_type(module):
    # GIVEN the description of results WHEN it is read THEN every value has a text, a type, and when it is
    # returned
    def undocumented(values):
        for name, facts in values.items():
            if not {"description", "type", "returned"} <= set(facts):
                yield name
            yield from undocumented(facts.get("contains", {}))

    assert list(undocumented(yaml.safe_load(module.RETURN))) == []
