# SPDX-License-Identifier: GPL-3.0-or-later
"""What the emulator does not do as AWS does it, mended one module a gap.

A patch is a module with a docstring that names the AWS behaviour it stands for, `install(side)`, and, if it
keeps anything in memory, `reset()`. They are installed in the order of PATCHES before the emulator serves.
"""

import importlib
import logging

from ..sides import Side

# `partition` must come first: it changes the emulator's modules while they are being imported.
PATCHES = (
    "partition",
    "recorded_calls",
    "workers",
    "mappings",
    "metric_namespace",
    "alarms",
    "service_linked_roles",
    "async_failures",
    "secure_transport",
    "principal_arn",
    "parameter_lists",
    "transaction_rights",
    "resource_arns",
    "lambda_rights",
    "named_resources",
    "passed_roles",
    "stream_rights",
    "user_credentials",
    "notification_filters",
    "application_autoscaling",
    "export",
    "imports",
    "table_keys",
    "retrieval",
    "ec2",
    "faults",
)

logger = logging.getLogger("local_aws")
_installed: list = []


def install_all(side: Side) -> None:
    for name in PATCHES:
        patch = importlib.import_module(f"{__name__}.{name}")
        patch.install(side)
        _installed.append(patch)
    _reset_with_the_emulator()


def reset_all() -> None:
    """Forget what the patches remember; one failing patch does not keep the others from it."""
    for patch in _installed:
        if hasattr(patch, "reset"):
            try:
                patch.reset()
            except Exception:
                logger.exception("reset of patch %s failed", patch.__name__)


def _reset_with_the_emulator() -> None:
    """`POST /_ministack/reset` must clear the patches' state too."""
    app = importlib.import_module("ministack.app")
    emulator_reset = app._reset_all_state

    def reset_everything() -> None:
        reset_all()
        emulator_reset()

    app._reset_all_state = reset_everything
