# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m local_aws`: starting, stopping, and what it says when something is in its way."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import boto3
import pytest

from local_aws import launch
from local_aws.errors import LauncherError
from local_aws.ownership import owned_pids
from tests.local_pair import REPOSITORY

from .functions import eventually, make_function


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "local_aws", *map(str, arguments)],
        cwd=REPOSITORY,
        timeout=90,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def succeed(*arguments, **environment):
    result = run(*arguments, **environment)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    return json.loads(result.stdout)


def refusal(*arguments, **environment):
    """The one sentence on stderr of a run that must fail."""
    result = run(*arguments, **environment)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr.strip()


@pytest.fixture
def directory(tmp_path):
    yield tmp_path / "state"
    run("down", "--dir", tmp_path / "state")


def tokens(directory):
    return json.loads((directory / "launcher.json").read_text())["tokens"].values()


def test_up_and_down_leave_nothing_behind(directory, tmp_path):
    # GIVEN nothing, WHEN the sides are started twice
    first = succeed("up", "--dir", directory)
    again = succeed("up", "--dir", directory)
    # THEN the second time changes nothing, and the files are the owner's only
    assert (first["changed"], again["changed"], again["state"]) == (True, False, "up")
    assert first["sides"] == again["sides"] == json.loads((directory / "state.json").read_text())
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "aws" / "config").stat().st_mode) == 0o600
    assert succeed("status", "--dir", directory) | {"changed": False} == again
    # WHEN a function has run and the sides are stopped
    marks = list(tokens(directory))
    _run_a_function(first)
    assert sum(len(owned_pids(mark)) for mark in marks) == 3  # two sides and a worker
    stopped = succeed("down", "--dir", directory)
    # THEN no process and no file is left, and stopping again changes nothing
    assert (stopped["changed"], stopped["state"]) == (True, "down")
    assert [owned_pids(mark) for mark in marks] == [set(), set()]
    assert list(tmp_path.iterdir()) == []
    assert succeed("down", "--dir", directory)["changed"] is False


def _run_a_function(answer):
    class OneSide:
        @staticmethod
        def client(side, service):
            entry = answer["sides"][side]
            return boto3.client(
                service,
                region_name=entry["region"],
                endpoint_url=entry["endpoint_url"],
                aws_access_key_id=entry["account_id"],
                aws_secret_access_key="test",
            )

    make_function(OneSide, "cn", "worker", "def handler(event, context):\n    return 1\n")
    OneSide.client("cn", "lambda").invoke(FunctionName="worker")


def test_a_side_ends_on_sigterm_and_is_started_again_alone(directory):
    # GIVEN both sides up, WHEN one is told to end
    before = succeed("up", "--dir", directory)
    pid = before["sides"]["sg"]["pid"]
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: any(pid in owned_pids(mark) for mark in tokens(directory)), lambda alive: not alive)
    assert succeed("status", "--dir", directory)["state"] == "partial"
    # THEN `up` starts it again and leaves the other alone
    after = succeed("up", "--dir", directory)
    assert (after["changed"], after["state"]) == (True, "up")
    assert after["sides"]["cn"] == before["sides"]["cn"]
    assert after["sides"]["sg"]["pid"] != pid


def test_a_pid_that_is_not_ours_is_never_killed(directory):
    # GIVEN a state file that names, after a crash, the pid of a stranger
    succeed("up", "--dir", directory)
    marks = list(tokens(directory))
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        state = json.loads((directory / "state.json").read_text())
        state["cn"]["pid"] = stranger.pid
        (directory / "state.json").write_text(json.dumps(state))
        # WHEN the sides are stopped THEN the stranger lives, and the real side does not
        succeed("down", "--dir", directory)
        assert stranger.poll() is None
        assert [owned_pids(mark) for mark in marks] == [set(), set()]
    finally:
        stranger.kill()
        stranger.wait()


def test_reset_empties_both_accounts(directory):
    # GIVEN a table on each side, WHEN the sides are reset THEN both are empty and still the same processes
    before = succeed("up", "--dir", directory)
    clients = [
        boto3.client(
            "sqs",
            region_name=entry["region"],
            endpoint_url=entry["endpoint_url"],
            aws_access_key_id=entry["account_id"],
            aws_secret_access_key="test",
        )
        for entry in before["sides"].values()
    ]
    for client in clients:
        client.create_queue(QueueName="queue")
    assert succeed("reset", "--dir", directory)["sides"] == before["sides"]
    assert [client.list_queues().get("QueueUrls", []) for client in clients] == [[], []]


def test_a_busy_port_is_named_and_nothing_is_started(directory):
    # GIVEN a port that somebody listens on, WHEN it is asked for THEN one sentence says what to do
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        sentence = refusal("up", "--dir", directory, "--sg-port", port)
    assert f"Port {port} for side sg is in use" in sentence
    assert "--sg-port" in sentence
    assert not directory.exists()


def test_given_ports_are_used_and_held_to(directory):
    # GIVEN two free ports, WHEN they are asked for THEN the sides listen there
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [one.getsockname()[1], two.getsockname()[1]]
    answer = succeed("up", "--dir", directory, "--cn-port", ports[0], "--sg-port", ports[1])
    assert [answer["sides"][side]["port"] for side in ("cn", "sg")] == ports
    # WHEN another port is asked for later THEN the sentence says what to do first
    assert "python -m local_aws down" in refusal("up", "--dir", directory, "--cn-port", ports[1])


def test_one_port_cannot_serve_both_sides(directory):
    assert "two different ports" in refusal("up", "--dir", directory, "--cn-port", 4999, "--sg-port", 4999)


def test_a_number_of_lanes_that_makes_no_sense_is_named(directory):
    # GIVEN no number, WHEN the sides are started THEN one sentence says what to give
    assert "LOCAL_AWS_LANES is 'many'" in refusal("up", "--dir", directory, LOCAL_AWS_LANES="many")


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    # GIVEN a file where the directory should be made (that stops root, too), WHEN the sides are started
    (tmp_path / "file").touch()
    # THEN one sentence names the place and the way out
    sentence = refusal("up", "--dir", tmp_path / "file" / "state")
    assert str(tmp_path / "file" / "state") in sentence
    assert "--dir" in sentence


def test_a_directory_with_other_files_is_refused(tmp_path):
    # GIVEN somebody's directory with a folder `tmp` of their own, WHEN it is given THEN it is refused
    (tmp_path / "tmp").mkdir()
    sentence = refusal("up", "--dir", tmp_path)
    # and neither this nor `down` touches it
    assert f"{tmp_path} holds other files" in sentence
    assert succeed("down", "--dir", tmp_path)["changed"] is False
    assert [entry.name for entry in tmp_path.iterdir()] == ["tmp"]


def test_an_empty_directory_given_by_the_user_stays(tmp_path):
    # GIVEN an empty directory that was there before, WHEN the sides are started there and stopped
    succeed("up", "--dir", tmp_path)
    succeed("down", "--dir", tmp_path)
    # THEN it is empty again and still there
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("found", "words"), [(None, "has no ministack"), ("1.5.32", "has ministack 1.5.32")])
def test_a_missing_or_other_emulator_is_named(monkeypatch, found, words):
    # GIVEN an environment without the emulator, or with another version of it
    def version(_name):
        if found is None:
            raise launch.metadata.PackageNotFoundError
        return found

    monkeypatch.setattr(launch.metadata, "version", version)
    # WHEN the sides are to be started THEN one sentence says which version to install, and how
    with pytest.raises(LauncherError) as error:
        launch.check_emulator()
    assert words in str(error.value)
    assert f"pip install ministack=={launch.MINISTACK_VERSION}" in str(error.value)


def test_the_users_aws_environment_does_not_reach_the_sides(directory):
    # GIVEN an environment full of AWS settings, WHEN the sides are started in it THEN they see none of them
    succeed("up", "--dir", directory, AWS_PROFILE="mine", AWS_ACCESS_KEY_ID="AKIAMINE", HTTP_PROXY="http://proxy:1")
    pid = json.loads((directory / "state.json").read_text())["cn"]["pid"]
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            names = {line.partition(b"=")[0].decode() for line in file.read().split(b"\0")}
    except FileNotFoundError:
        pytest.skip("needs /proc to look into another process's environment")
    assert not [name for name in names if name.startswith("AWS_") or "PROXY" in name]


def test_an_interrupted_start_is_taken_back(directory, tmp_path):
    # GIVEN a start that is interrupted at once, as by Ctrl-C
    process = subprocess.Popen(
        [sys.executable, "-m", "local_aws", "up", "--dir", str(directory)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually((directory / "launcher.json").exists, bool)
    time.sleep(0.05)
    marks = list(tokens(directory))
    process.send_signal(signal.SIGINT)
    _output, errors = process.communicate(timeout=30)
    # WHEN it ends THEN nothing is left, unless it had been quicker than the interruption
    if process.returncode == 0:
        succeed("down", "--dir", directory)
    else:
        assert (process.returncode, "interrupted" in errors) == (130, True)
    assert [owned_pids(mark) for mark in marks] == [set(), set()]
    assert list(tmp_path.iterdir()) == []
