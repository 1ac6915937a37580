# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a command of the AWS CLI is one: its service, operation and options, by botocore's models. It is not run."""

import functools

from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

# What the CLI has of its own.
OWN = {("configure", "--profile"), ("logs", "tail"), ("s3", "cp"), ("s3", "ls"), ("s3", "sync")}
GLOBAL = {"profile", "region", "output", "query", "cli-binary-format", "endpoint-url"}


@functools.cache
def operations(service: str) -> dict[str, set[str]]:
    """Operation -> its options, as the CLI spells them."""
    model = Loader().load_service_model(service, "service-2")
    shapes = model["shapes"]
    return {
        xform_name(name, "-"): {
            xform_name(member, "-") for member in shapes[operation.get("input", {}).get("shape", "")]["members"]
        }
        if "input" in operation
        else set()
        for name, operation in model["operations"].items()
    }


def problem_of(words: list[str]) -> str:
    """A sentence; '' where all is well. ``words`` may go on behind a pipe."""
    words = words[: words.index("|")] if "|" in words else words
    # Options of all services may stand before the service.
    while words[1].startswith("--"):
        words = [words[0], *words[3:]]
    service, operation = words[1:3]
    if (service, operation) in OWN:
        return ""
    try:
        known = operations(service)
    except UnknownServiceError:
        return f"there is no service {service}"
    if operation not in known:
        return f"{service} has no operation {operation}"
    options = {word[2:].removeprefix("no-") for word in words[3:] if word.startswith("--")}
    unknown = options - known[operation] - GLOBAL
    return f"{service} {operation} has no option {', '.join(sorted(unknown))}" if unknown else ""
