# SPDX-License-Identifier: GPL-3.0-or-later
"""The partition in every ARN: `arn:aws-cn:` in the China regions.

AWS General Reference, "Amazon Resource Names": the partition is `aws-cn` for the China regions. AWS China
documentation, "Amazon Resource Names (ARNs) for Amazon Web Services in China": AWS managed policies are
`arn:aws-cn:iam::aws:policy/...` there; service principals stay `<service>.amazonaws.com`.

The emulator writes `arn:aws:` in some 650 places. Its modules are imported as they are, from their usual
bytecode cache, and the string constants of the loaded code are replaced before it runs: nothing is
compiled anew, so a China side starts as fast as the other.
"""

import importlib.machinery
import sys
import types

from ..sides import Side

EMULATOR = "ministack"


def install(side: Side) -> None:
    if side.partition == "aws":
        return
    sys.meta_path.insert(0, _finder(f"arn:{side.partition}:"))


def _finder(prefix: str) -> type:
    class PartitionLoader(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname):
            return _translated(super().get_code(fullname), prefix)

    class PartitionFinder(importlib.machinery.PathFinder):
        @classmethod
        def find_spec(cls, fullname, path=None, target=None):
            if fullname.partition(".")[0] != EMULATOR:
                return None
            spec = super().find_spec(fullname, path, target)
            if spec and type(spec.loader) is importlib.machinery.SourceFileLoader:
                spec.loader = PartitionLoader(spec.loader.name, spec.loader.path)
            return spec

    return PartitionFinder


def _translated(constant, prefix: str):
    """The constant with `arn:aws:` replaced by the prefix, whatever it is nested in."""
    if isinstance(constant, str):
        return constant.replace("arn:aws:", prefix)
    if isinstance(constant, bytes):
        return constant.replace(b"arn:aws:", prefix.encode())
    if isinstance(constant, (tuple, frozenset)):
        return type(constant)(_translated(part, prefix) for part in constant)
    if isinstance(constant, types.CodeType):
        return constant.replace(co_consts=_translated(constant.co_consts, prefix))
    return constant
