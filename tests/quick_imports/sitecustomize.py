# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles what a module brings along once for all tests, instead of once a task: a third of a task's time.

Ansible sends a module as a zip of sources, and Python keeps no compiled files of those. Tests put this folder on PYTHONPATH, so
that each interpreter they start looks for the compiled code of a source by its digest. Nothing else of a run differs.
"""

import hashlib
import importlib.util
import marshal
import os
import zipimport
from pathlib import Path

_folder = Path(__file__).resolve().parents[2] / ".ansible" / "compiled"
_compile = zipimport._compile_source


def _compiled(path: str, source: bytes):
    inner = path.rpartition(".zip")[2].encode()
    place = _folder / hashlib.blake2b(importlib.util.MAGIC_NUMBER + inner + source, digest_size=16).hexdigest()
    try:
        return marshal.loads(place.read_bytes())
    except OSError:
        code = _compile(path, source)
        _keep(place, marshal.dumps(code))
        return code


def _keep(place: Path, data: bytes) -> None:
    """Others read and write at the same time: a file appears whole or not at all."""
    beside = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        _folder.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        beside.replace(place)
    except OSError:
        pass  # a home that may not be written to: slower, not different


zipimport._compile_source = _compiled
