# SPDX-License-Identifier: GPL-3.0-or-later
"""report_page writes figures, page and pictures; the same facts give the same bytes."""

import json
import sys

import pytest
from ansible.modules import report_page

from tests.report_facts import drill_facts, failed_drill_facts, load_facts


@pytest.fixture
def write(run_module, tmp_path):
    def run(facts, kind="drill", **more):
        given = {"kind": kind, "facts": facts} if facts else {}
        return run_module(report_page, **({"dest": str(tmp_path / "reports"), "name": "one"} | given | more))

    return run


def names(result):
    return [path.rpartition("/")[2] for path in result["files"]]


def test_a_report_is_written_once(write, tmp_path):
    """GIVEN drills WHEN reported THEN figures, page and a picture of each chart are there; a second run changes nothing."""
    first = write(drill_facts())
    assert names(first) == ["one.html", "one.json", "one-history.png", "one-phases.png", "one-targets.png"]
    assert (
        first["changed"] and first["page"].endswith("/one.html") and sorted(first["written"]) == sorted(first["files"])
    )
    assert (tmp_path / "reports" / "one-phases.png").read_bytes().startswith(b"\x89PNG")
    second = write(drill_facts())
    assert not second["changed"] and second["written"] == [] and second["files"] == first["files"]


def test_a_page_is_made_anew_from_its_figures(write, tmp_path):
    """GIVEN a report's figures WHEN drawn again THEN every byte is the same."""
    first = write(load_facts(total=1000, seconds=20.0), "load_test")
    before = {path.name: path.read_bytes() for path in (tmp_path / "reports").iterdir()}
    (tmp_path / "reports" / "one.html").write_text("old")
    again = write(None, figures=first["files"][1])
    assert names(again) == names(first) and again["written"] == [first["page"]]
    assert {path.name: path.read_bytes() for path in (tmp_path / "reports").iterdir()} == before


def test_check_mode_writes_nothing_and_shows_the_figures(write, tmp_path):
    result = write(failed_drill_facts(), check=True)
    assert result["changed"] and not (tmp_path / "reports").exists()
    assert json.loads(result["diff"]["after"])["kind"] == "drill" and result["diff"]["before"] == ""


def test_without_what_draws_the_figures_are_kept(write, monkeypatch):
    """GIVEN no Matplotlib WHEN reported THEN the figures are written, and a warning says what is missing."""
    monkeypatch.delitem(sys.modules, "ansible.module_utils.dynabridge_report.drawing", raising=False)
    for loaded in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delattr("ansible.module_utils.dynabridge_report.drawing", raising=False)
    warnings = []  # where they go depends on whether the process has loaded Ansible's controller
    monkeypatch.setattr(report_page, "warn", warnings.append)
    assert names(write(failed_drill_facts())) == ["one.json"] and "one.html was not made" in warnings[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "../one"}, "it must be a file name"),
        ({"facts": {"side": "cn"}}, "facts are not those of a drill"),
        ({"facts": None, "figures": "/nowhere.json"}, "cannot be read"),
        ({"facts": None, "figures": __file__}, "cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(write, given, words):
    more = dict(given)
    result = write(more.pop("facts", failed_drill_facts()), **more)
    assert result["failed"] and words in result["msg"]


def test_a_directory_that_is_none(write, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = write(failed_drill_facts(), dest=str(tmp_path / "file"))
    assert (
        result["failed"]
        and "the report cannot be written to" in result["msg"]
        and "Make it a directory" in result["msg"]
    )
