# SPDX-License-Identifier: GPL-3.0-or-later
"""What the world of the proxy needs of the machine, and why it cannot be made here."""

import os
import shutil
import subprocess
from functools import cache


@cache
def what_is_missing() -> str:
    """A reason to skip; '' where everything is there."""
    if os.geteuid() != 0:
        return "needs root: network namespaces, and port 443"
    for program, package in (("ip", "iproute2"), ("squid", "squid")):
        if not shutil.which(program):
            return f"needs {program} (Debian: apt-get install {package})"
    return _no_namespaces()


def _no_namespaces() -> str:
    """Containers often have root and may not make namespaces."""
    name = f"dynabridge-{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False, timeout=30)
    if made.returncode:
        return f"needs network namespaces: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=False, timeout=30)
    return ""
