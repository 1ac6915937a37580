# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of sides on this machine, for tests: its own directory, its own free ports, stopped when the test ends."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import boto3

REPOSITORY = Path(__file__).resolve().parents[1]
QUICK_IMPORTS = str(REPOSITORY / "tests" / "quick_imports")


@dataclass(frozen=True)
class LocalPair:
    """Both sides: ``client("cn", "dynamodb")``, and the environment in which playbooks reach them."""

    directory: Path
    sides: dict

    def moved(self, side: str, region: str) -> "LocalPair":
        """The pair as somebody sees it for whom the side is in another region of its account."""
        return LocalPair(self.directory, self.sides | {side: self.sides[side] | {"region": region}})

    def session(self, side: str, **credentials) -> boto3.Session:
        return boto3.Session(
            region_name=self.sides[side]["region"],
            aws_access_key_id=credentials.get("access_key", self.sides[side]["account_id"]),
            aws_secret_access_key=credentials.get("secret_key", "test"),
        )

    def client(self, side: str, service: str, **credentials):
        return self.session(side, **credentials).client(service, endpoint_url=self.sides[side]["endpoint_url"])

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command that is to work on this pair, and on nothing else."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "ANSIBLE_", "DYNABRIDGE_"))
        }
        return inherited | {
            "DYNABRIDGE_LOCAL_DIR": str(self.directory),
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "PYTHONPATH": QUICK_IMPORTS,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }


def launcher(directory: Path, *arguments: str) -> str:
    """Run ``python -m local_aws``; gives its line of JSON."""
    command = [sys.executable, "-m", "local_aws", *arguments, "--dir", str(directory)]
    return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=90).stdout


@contextlib.contextmanager
def started_pair(directory: Path, *options: str):
    """Both sides up for the length of the block. options: of ``python -m local_aws up``."""
    state = json.loads(launcher(directory, "up", *options))
    try:
        yield LocalPair(directory, state["sides"])
    finally:
        launcher(directory, "down")


def run_playbook(
    pair: LocalPair, *arguments: str, environment: dict[str, str] | None = None, timeout: int = 600
) -> subprocess.CompletedProcess:
    """``ansible-playbook`` on the pair; output is captured, the exit code is the caller's to judge."""
    command = ["ansible-playbook", "-i", "inventories/local", *arguments]
    env = pair.environment | (environment or {})
    return subprocess.run(
        command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=timeout, check=False
    )
