# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: the report of a load test or of a drill, as figures, page and pictures."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report_page
short_description: Write a report as figures, a page that needs nothing else, and pictures
version_added: 0.1.0
description:
  - Writes C(<dest>/<name>.json) with all figures, C(<dest>/<name>.html) with charts and tables of them, and
    C(<dest>/<name>-<chart>.png) for each chart.
  - The page holds all it needs, asks for nothing from a network, and runs no script. It suits a phone, a desktop and paper, a
    light scheme and a dark one.
  - The same facts give the same bytes, so a second run changes nothing.
  - Where Matplotlib is missing, the figures are written all the same, with a warning. Nobody's drill fails for a chart.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  kind:
    description: What the report is of. Needed with O(facts).
    type: str
    choices: [load_test, drill, test1]
  facts:
    description: What is known of it, as C(load_report.py) and C(drill_report.py) of the kit describe it.
    type: dict
  figures:
    description: A C(.json) file of an earlier report, instead of O(facts). Its page and pictures are made anew.
    type: path
  dest:
    description: Directory for the files. It is made where it is missing.
    type: path
    required: true
  name:
    description: First part of the files' names.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Says what would change, and writes nothing.
  diff_mode:
    support: full
    description: Shows the figures that change, and the names of the files.
requirements:
  - matplotlib
  - jinja2
seealso:
  - module: dynamodb_load
  - module: dynamodb_drill_report
"""

EXAMPLES = r"""
- name: Report the drills of this run
  report_page:
    kind: drill
    facts:
      side: cn
      drills: "{{ judged | map(attribute='record') }}"
      history: "{{ past.drills }}"
    dest: reports
    name: drill-20261120T040001Z-cn

- name: Draw an earlier report anew
  report_page:
    figures: reports/drill-20261120T040001Z-cn.json
    dest: reports
    name: drill-20261120T040001Z-cn
"""

RETURN = r"""
files:
  description: The files of the report, the page first. In check mode those that there would be.
  returned: always
  type: list
  elements: str
  sample: [reports/drill-1-cn.html, reports/drill-1-cn.json, reports/drill-1-cn-targets.png]
page:
  description: The page, or the figures where there is no page.
  returned: always
  type: str
  sample: reports/drill-1-cn.html
written:
  description: Files that were written, or would be.
  returned: always
  type: list
  elements: str
"""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.warnings import warn
from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible.module_utils.dynabridge_report import page

ARGUMENT_SPEC = {
    "kind": {"type": "str", "choices": ["load_test", "drill", "test1"]},
    "facts": {"type": "dict"},
    "figures": {"type": "path"},
    "dest": {"type": "path", "required": True},
    "name": {"type": "str", "required": True},
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def document_of(params: dict[str, Any]) -> dict[str, Any]:
    """The figures: of the facts, or of the file. Raises SettingsError naming what is no report."""
    if not NAME.fullmatch(params["name"]):
        raise SettingsError(
            f"name is {params['name']!r}: it must be a file name of letters, digits, dot, dash and underscore"
        )
    if params["figures"]:
        return read_figures(Path(params["figures"]))
    try:
        return page.DOCUMENTS[params["kind"]](params["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"facts are not those of a {params['kind']}: {type(error).__name__} {error}") from error


def read_figures(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"figures is {path}, which cannot be read: {error}") from error
    if not isinstance(document, dict) or document.get("kind") not in page.VIEWS or document.get("version") != 1:
        raise SettingsError(f"figures is {path}, which holds no report of version 1")
    return document


def contents(document: dict[str, Any], name: str) -> dict[str, bytes]:
    """By file name; the figures alone where nothing can be drawn."""
    try:
        return page.files(document, name)
    except ImportError as error:
        warn(f"{name}.html was not made, its figures are kept: {error}. Install what requirements.txt names.")
        return {f"{name}.json": page.figures(document)}


def differing(directory: Path, found: dict[str, bytes]) -> list[str]:
    return [name for name, content in found.items() if read(directory / name) != content]


def read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def write(path: Path, content: bytes) -> None:
    """In one step: who opens it sees the old one or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def change_of(directory: Path, name: str, found: dict[str, bytes], changing: list[str]) -> dict[str, str]:
    before = (read(directory / f"{name}.json") or b"").decode(errors="replace")
    after = found[f"{name}.json"].decode()
    header = ", ".join(changing) or "nothing"
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        mutually_exclusive=[("facts", "figures")],
        required_one_of=[("facts", "figures")],
        required_by={"facts": "kind"},
    )
    directory, name = Path(module.params["dest"]), module.params["name"]
    try:
        found = contents(document_of(module.params), name)
        changing = differing(directory, found)
        diff = change_of(directory, name, found, changing)
        if not module.check_mode:
            directory.mkdir(parents=True, exist_ok=True)
            for file in changing:
                write(directory / file, found[file])
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=f"the report cannot be written to {directory}: {error.strerror}. Make it a directory that you may write to."
        )
    ordered = sorted(found, key=lambda file: (not file.endswith(".html"), not file.endswith(".json"), file))
    paths = [str(directory / file) for file in ordered]
    module.exit_json(
        changed=bool(changing),
        files=paths,
        page=paths[0],
        written=[str(directory / file) for file in changing],
        diff=diff,
    )


if __name__ == "__main__":
    main()
