# SPDX-License-Identifier: GPL-3.0-or-later
"""The partition in every ARN: `arn:aws-cn:` in the China regions.

AWS General Reference, "Amazon Resource Names": the partition is `aws-cn` for the China regions. AWS China
documentation, "Amazon Resource Names (ARNs) for Amazon Web Services in China": AWS managed policies are
`arn:aws-cn:iam::aws:policy/...` there; service principals stay `<service>.amazonaws.com`.

The emulator writes `arn:aws:` in some 650 places, and compares an ARN's partition with "aws" in some 40. Its
modules are imported as they are, from their usual bytecode cache, and the string constants of the loaded code
are replaced before it runs: nothing is compiled anew, so a China side starts as fast as the other.
"""

import importlib.machinery
import sys
import types

from ..sides import Side

EMULATOR = "ministack"


def install(side: Side) -> None:
    if side.partition != "aws":
        sys.meta_path.insert(0, _finder(side.partition))


def _finder(partition: str) -> type:
    class PartitionLoader(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname):
            return translated(super().get_code(fullname), partition)

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


def translated(constant, partition: str):
    """The constant with `arn:aws:` replaced, whatever it is nested in."""
    if isinstance(constant, str):
        return constant.replace("arn:aws:", f"arn:{partition}:")
    if isinstance(constant, bytes):
        return constant.replace(b"arn:aws:", f"arn:{partition}:".encode())
    if isinstance(constant, (tuple, frozenset)):
        return type(constant)(translated(part, partition) for part in constant)
    if isinstance(constant, types.CodeType):
        return _translated_code(constant, partition)
    return constant


def _translated_code(code: types.CodeType, partition: str) -> types.CodeType:
    constants = translated(code.co_consts, partition)
    # `spec.partition != "aws"`: a bare "aws" means the partition in code that reads one, and nowhere else.
    if "partition" in code.co_names or "AWS::Partition" in code.co_consts:
        constants = tuple(partition if part == "aws" else part for part in constants)
    return code.replace(co_consts=constants)
