# SPDX-License-Identifier: MIT
"""Zip archives that are the same bytes wherever and whenever they are built (standard library only).

Lambda compares a function's code by the SHA-256 of its zip, so every byte counts: names are sorted, times and
modes fixed, and entries stored, not deflated. Deflate's output depends on the zlib build behind Python (zlib,
zlib-ng, Cloudflare's), so the same sources would deploy anew from another operator's machine. The price is a
few tens of kilobytes: Lambda takes 50 MB.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import posixpath
import stat
import zipfile
from collections.abc import Iterable, Mapping

from .errors import DynabridgeError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_UNIX = 3
_FILE_MODE = stat.S_IFREG | 0o644
_LEFT_OUT_DIRECTORIES = frozenset({"__pycache__"})
_LEFT_OUT_SUFFIXES = (".pyc", ".pyo")


class PackagingError(DynabridgeError):
    """The sources cannot be packed; the text says which one and why."""


def collect(sources: Iterable[Mapping[str, str]]) -> list[tuple[str, bytes]]:
    """Read sources ({'src': file or directory, 'dest': path in the zip}) as (name, content), sorted by name.

    The dest of a file is its whole name, or a folder when it is empty or ends with '/'. The dest of a
    directory is the folder for what lies in it (empty = the top).
    """
    origins: dict[str, str] = {}
    for source in sources:
        for name, path in _files_of(source["src"], source.get("dest") or ""):
            if name in origins:
                raise PackagingError(f"{origins[name]} and {path} would both be {name}: change one dest")
            origins[name] = path
    if not origins:
        raise PackagingError("the sources hold no files to pack")
    return [(name, _content(origins[name])) for name in sorted(origins)]


def build_zip(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """The zip of (name, content) entries: the same bytes for the same entries, in any order."""
    buffer = io.BytesIO()
    written = set()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(entries):
            checked = _zip_name(name)
            if checked in written:
                raise PackagingError(f"{checked} is there twice")
            written.add(checked)
            archive.writestr(_zip_info(checked), content)
    return buffer.getvalue()


def sha256_base64(content: bytes) -> str:
    """The digest as Lambda tells it in CodeSha256."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode("ascii")


def sha256_hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def listing(archive: bytes) -> str:
    """One line for each entry, 'digest  name', to show in a diff; empty when these bytes are no zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return "".join(f"{sha256_hex(opened.read(name))}  {name}\n" for name in sorted(opened.namelist()))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return ""


def _zip_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.compress_type = zipfile.ZIP_STORED
    info.create_system = _UNIX
    info.external_attr = _FILE_MODE << 16
    return info


def _files_of(src: str, dest: str) -> Iterable[tuple[str, str]]:
    if os.path.isdir(src):
        for path in _walk(src):
            inner = os.path.relpath(path, src).replace(os.sep, "/")
            yield _zip_name(posixpath.join(dest, inner)), path
    elif os.path.isfile(src):
        is_folder = dest == "" or dest.endswith("/")
        yield _zip_name(dest + os.path.basename(src) if is_folder else dest), src
    else:
        raise PackagingError(f"source {src} is not there (neither a file nor a directory)")


def _walk(directory: str) -> Iterable[str]:
    for parent, folders, files in os.walk(directory, onerror=_cannot_read):
        folders[:] = [folder for folder in folders if folder not in _LEFT_OUT_DIRECTORIES]
        for name in files:
            if not name.endswith(_LEFT_OUT_SUFFIXES):
                yield os.path.join(parent, name)


def _zip_name(name: str) -> str:
    normal = posixpath.normpath(name.replace("\\", "/"))
    if normal in ("", ".") or posixpath.isabs(normal) or normal == ".." or normal.startswith("../"):
        raise PackagingError(f"{name!r} is no path within a zip: it must be relative and stay inside")
    return normal


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as opened:
            return opened.read()
    except OSError as error:
        _cannot_read(error)
        raise AssertionError("unreachable") from error


def _cannot_read(error: OSError) -> None:
    raise PackagingError(f"cannot read {error.filename}: {error.strerror}") from error
