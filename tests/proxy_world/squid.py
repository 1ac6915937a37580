# SPDX-License-Identifier: GPL-3.0-or-later
"""A real squid in the namespace, with the configuration that the role writes."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.local_pair import REPOSITORY
from tests.proxy_world.network import Network

USERS = ("proxy", "squid")  # Debian's, and others'
SECONDS = 20.0
ROLE = REPOSITORY / "roles" / "squid_proxy"


def user() -> str:
    """Whom squid runs as on this machine."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in USERS if name in known)


def variables(network: Network, directory: Path, allowed: dict) -> dict:
    """What a host of the group ``proxy`` has, with the paths of this one. allowed: the role's region, services, buckets, ..."""
    return {
        "squid_proxy_services": [],
        "squid_proxy_buckets": [],
        "squid_proxy_extra_hosts": [],
        **allowed,
        "squid_proxy_port": 80,
        "squid_proxy_hostname": "proxy.test",
        "squid_proxy_clients": [network.client],
        "squid_proxy_hosts_file": str(directory / "hosts"),
        "squid_proxy_name_servers": [],
        "squid_proxy__user": user(),
        "squid_proxy__pid_file": str(directory / "log" / "squid.pid"),
        "squid_proxy__log_dir": str(directory / "log"),
    }


def render(target: Path, given: dict) -> None:
    """The role's template, rendered as Ansible does it, with the role's own variables below what is given."""
    command = [
        *(str(Path(sys.executable).parent / "ansible"), "localhost", "-i", "localhost,", "-c", "local"),
        *("-m", "ansible.builtin.template", "-a", f"src={ROLE}/templates/squid.conf.j2 dest={target} mode=0644"),
        *("-e", f"ansible_python_interpreter={sys.executable}", "-e", f"@{ROLE}/defaults/main.yml"),
        *("-e", f"@{ROLE}/vars/main.yml"),
        *("-e", json.dumps(given)),
    ]
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env["ANSIBLE_CONFIG"] = str(REPOSITORY / "ansible.cfg")
    done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass
class Squid:
    """Started and stopped as often as a test likes; its access log goes on."""

    network: Network
    directory: Path
    process: subprocess.Popen | None = None

    @property
    def configuration(self) -> Path:
        return self.directory / "squid.conf"

    @property
    def address(self) -> tuple[str, int]:
        return self.network.proxy, 80

    def prepare(self, names: dict[str, str], allowed: dict) -> None:
        """Write what it reads. names: host name -> address, known to this squid alone."""
        log = self.directory / "log"
        log.mkdir()
        shutil.chown(log, user())
        lines = [f"{address} {name}" for name, address in names.items()]
        (self.directory / "hosts").write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
        render(self.configuration, variables(self.network, self.directory, allowed))

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        service = f"dynabridge{os.getpid()}"  # names its shared memory: another squid may run on this machine
        command = self.network.inside("squid", "-N", "-n", service, "-f", str(self.configuration))
        with open(self.directory / "log" / "output", "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        deadline = time.monotonic() + SECONDS
        while not self._listens():
            assert self.process.poll() is None and time.monotonic() < deadline, self._complaints()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as systemd does, and wait until it is gone."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=SECONDS)
        self.process = None

    def log(self, *words: str) -> list[str]:
        """Lines of the access log with all the words; a line is written when its connection ends."""
        path = self.directory / "log" / "access.log"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line for line in lines if all(word in line for word in words)]

    def _listens(self) -> bool:
        """By the kernel's table: a connection would be a line in the log."""
        listening = self.network.inside("ss", "-Hltn", "sport", "=", ":80")
        return bool(subprocess.run(listening, capture_output=True, text=True, check=True, timeout=30).stdout.strip())

    def _complaints(self) -> str:
        files = (self.directory / "log" / name for name in ("output", "cache.log"))
        return "squid did not start:\n" + "\n".join(path.read_text() for path in files if path.exists())
