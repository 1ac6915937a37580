# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: build a reproducible zip for a Lambda function."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_package
short_description: Build a reproducible zip for a Lambda function
version_added: 0.1.0
description:
  - Packs files and directories into a zip whose bytes depend on the names and contents of the files only.
    Names are sorted, times and modes fixed (every file C(0644)), entries stored uncompressed, because
    compressed bytes differ between builds of zlib.
  - The zip of unchanged sources has the same SHA-256, so C(amazon.aws.lambda) sees no change.
  - C(__pycache__) directories and compiled files (C(.pyc), C(.pyo)) are left out. Links to files are
    followed.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  dest:
    description:
      - Where to write the zip. Missing parent directories are made.
    type: path
    required: true
  sources:
    description:
      - What goes into the zip, and where.
    type: list
    elements: dict
    required: true
    suboptions:
      src:
        description:
          - A file, or a directory that is taken with everything in it.
        type: path
        required: true
      dest:
        description:
          - Path within the zip.
          - For a file its whole name, or the folder to put it in when it ends with C(/) or is empty.
          - For a directory the folder for its contents, empty for the top of the zip.
        type: str
        default: ''
  write_in_check_mode:
    description:
      - Write O(dest) in check mode too.
      - The zip is a build artefact on the controller, nothing on AWS, and C(amazon.aws.lambda) needs it to
        tell in check mode whether the function would change.
      - RV(ignore:changed) tells the truth either way.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Writes the zip in check mode too, unless O(write_in_check_mode=false).
  diff_mode:
    support: full
    description: Shows digest and name of each entry.
seealso:
  - module: amazon.aws.lambda
"""

EXAMPLES = r"""
- name: Pack the sender with the kit at the top of the zip
  lambda_package:
    dest: "{{ playbook_dir }}/../build/sender.zip"
    sources:
      - src: "{{ playbook_dir }}/../files/lambda/sender.py"
      - src: "{{ playbook_dir }}/../module_utils/dynabridge"
        dest: dynabridge
  register: sender_package

- name: Deploy it
  amazon.aws.lambda:
    name: ddb_send_to_kinesis
    zip_file: "{{ sender_package.dest }}"
    handler: sender.handler
    runtime: python3.13
    role: "{{ sender_role_arn }}"
"""

RETURN = r"""
dest:
  description: Where the zip is.
  returned: success
  type: str
  sample: build/sender.zip
sha256:
  description: SHA-256 of the zip in base64, as Lambda tells it in C(CodeSha256).
  returned: success
  type: str
  sample: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
sha256_hex:
  description: The same digest in hexadecimal.
  returned: success
  type: str
  sample: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
files:
  description: Names within the zip, sorted.
  returned: success
  type: list
  elements: str
  sample: [dynabridge/__init__.py, sender.py]
size:
  description: Size of the zip in bytes.
  returned: success
  type: int
  sample: 20480
written:
  description:
    - Whether the zip was written now. It is not when it was right already, nor in check mode with
      O(write_in_check_mode=false).
  returned: success
  type: bool
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.dynabridge.packaging import (
    PackagingError,
    build_zip,
    collect,
    listing,
    sha256_base64,
    sha256_hex,
)

ARGUMENT_SPEC = {
    "dest": {"type": "path", "required": True},
    "sources": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "src": {"type": "path", "required": True},
            "dest": {"type": "str", "default": ""},
        },
    },
    "write_in_check_mode": {"type": "bool", "default": True},
}


def read_existing(path: str) -> bytes | None:
    """The bytes of the file at path, None when there is none."""
    try:
        with open(path, "rb") as opened:
            return opened.read()
    except FileNotFoundError:
        return None


def replace_file(path: str, content: bytes) -> None:
    """Write content at path in one step: both sides' plays may build the same zip at the same time."""
    directory = os.path.dirname(os.path.abspath(path))
    os.makedirs(directory, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".", suffix=".zip")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def make_package(dest: str, sources: list[dict], may_write: bool) -> dict:
    """Build the zip, bring dest to it if it differs, and describe the outcome."""
    entries = collect(sources)
    content = build_zip(entries)
    existing = read_existing(dest)
    changed = existing != content
    if changed and may_write:
        replace_file(dest, content)
    return {
        "changed": changed,
        "written": changed and may_write,
        "dest": dest,
        "sha256": sha256_base64(content),
        "sha256_hex": sha256_hex(content),
        "files": [name for name, _content in entries],
        "size": len(content),
        "diff": {
            "before_header": dest,
            "after_header": dest,
            "before": listing(existing or b""),
            "after": listing(content),
        },
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    may_write = not module.check_mode or module.params["write_in_check_mode"]
    try:
        result = make_package(module.params["dest"], module.params["sources"], may_write)
    except PackagingError as error:
        module.fail_json(msg=f"cannot build {module.params['dest']}: {error}")
    except OSError as error:
        module.fail_json(msg=f"cannot write {module.params['dest']}: {error.strerror} ({error.filename})")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
