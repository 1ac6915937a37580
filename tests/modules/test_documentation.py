# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules' documentation says of their parameters and results is what they take and return."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import add_fragments

TREE = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (TREE / "library").glob("*.py"))
OWN_FRAGMENTS = "dynabridge."
FACTS = {"type": None, "elements": None, "required": False, "default": None, "choices": None}


@pytest.fixture(params=NAMES)
def module(request):
    return importlib.import_module(f"ansible.modules.{request.param}")


@pytest.fixture(scope="module", autouse=True)
def own_fragments():
    fragment_loader.add_directory(str(TREE / "plugins" / "doc_fragments"))


def documentation(module) -> dict:
    """As Ansible reads it, without the fragments of amazon.aws: AnsibleAWSModule adds their options to the spec."""
    read = yaml.safe_load(module.DOCUMENTATION)
    named = read.get("extends_documentation_fragment", [])
    read["extends_documentation_fragment"] = [name for name in named if name.startswith(OWN_FRAGMENTS)]
    add_fragments(read, module.__file__, fragment_loader, is_module=True)
    return read


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
    documented = documentation(module)
    assert parameters(documented["options"], "suboptions") == parameters(module.ARGUMENT_SPEC, "options")
    assert module.__name__.endswith("." + documented["module"])


def test_the_examples_use_known_options(module):
    # GIVEN the examples WHEN they call the module THEN with options that it has, and all that it requires
    name = module.__name__.rsplit(".", 1)[-1]
    options = documentation(module)["options"]
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
