# SPDX-License-Identifier: GPL-3.0-or-later
"""Run an own module in this process, as Ansible does, with a fake client and a clock that does not wait."""

from __future__ import annotations

import json
from pathlib import Path

import ansible.module_utils
import ansible.modules
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

TREE = Path(__file__).resolve().parents[2]

for package, directory in ((ansible.modules, "library"), (ansible.module_utils, "module_utils")):
    if str(TREE / directory) not in package.__path__:
        package.__path__.append(str(TREE / directory))


class FakeClock:
    """Stands for the module time: sleeping takes no time, but the clock goes on."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> FakeClock:
    """The clock of everything that waits in desired_state."""
    fake = FakeClock()
    monkeypatch.setattr("ansible.module_utils.dynabridge.desired_state.time", fake)
    return fake


@pytest.fixture
def run_module(monkeypatch, capsys):
    """run_module(module, client, check=False, **params) gives what the module returns to Ansible.

    client: of whatever service, or by service.
    """

    def run(module, client=None, *, check: bool = False, **params) -> dict:
        def give(_module, service, **_more):
            return client[service] if isinstance(client, dict) else client

        monkeypatch.setattr(AnsibleAWSModule, "client", give)
        if client is not None:
            params.setdefault("region", "cn-north-1")
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        # a module is a process of its own: without this it would return the warnings of the runs before, too
        monkeypatch.setattr("ansible.module_utils.common.warnings._global_warnings", {})
        capsys.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
            module.main()
        result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
        assert ended.value.code == (1 if result.get("failed") else 0)
        return result

    return run
