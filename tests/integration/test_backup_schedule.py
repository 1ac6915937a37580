# SPDX-License-Identifier: GPL-3.0-or-later
"""backup_schedule.yml installs what cron runs; here its lines are run as cron would, mostly with a fake playbook."""

import getpass
import json
import os
import pwd
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.support import eventually
from tests.local_pair import REPOSITORY, started_pair

FULL = {"name": "full", "minute": "0", "hour": "2", "arguments": ["-e", "type=full"]}
# Says what it was given; does what the word in `how` says.
FAKE = """#!/bin/sh
echo "run: $*"
echo "environment: $ANSIBLE_CONFIG $ANSIBLE_NOCOLOR $LC_ALL ${GREETING-none}, in $PWD"
case $(cat "$(dirname "$0")/how") in
    fail)
        printf '[ERROR]: Task failed: Action failed: Table user-cn was not backed up: access denied.\\n'
        printf 'Ask for s3:PutObject.\\nOrigin: somewhere\\n\\n'
        for number in $(seq 100); do echo "line $number"; done
        exit 2 ;;
    hang) while [ -e "$(dirname "$0")/how" ] && grep -q hang "$(dirname "$0")/how"; do sleep 0.1; done ;;
esac
"""


@dataclass
class Schedule:
    """What the role installed under a directory."""

    directory: Path
    variables: dict

    @property
    def cron_file(self) -> Path:
        return self.directory / "dynabridge-backup"

    @property
    def log(self) -> Path:
        return self.directory / "log" / "full.log"

    def play(self, *arguments: str, **variables) -> subprocess.CompletedProcess:
        file = self.directory / "variables.json"
        file.write_text(json.dumps(self.variables | variables))
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventories/local"]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        return subprocess.run(
            [*command, "backup_schedule.yml", "-e", f"@{file}", *arguments],
            cwd=REPOSITORY,
            env=inherited | {"ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def installs(self, *arguments: str, **variables) -> str:
        result = self.play(*arguments, **variables)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def refusal(self, **variables) -> str:
        result = self.play(**variables)
        assert result.returncode != 0, result.stdout
        assert not self.cron_file.exists()
        return " ".join((result.stdout + result.stderr).split())

    def does(self, how: str) -> None:
        (self.directory / "bin" / "how").write_text(how)

    def lines(self) -> list[str]:
        return [line for line in self.cron_file.read_text().splitlines() if line[:1].isdigit() or line[:1] == "*"]

    def start(self) -> subprocess.Popen:
        """Run the first line of the cron file as cron does: /bin/sh, hardly an environment, no terminal."""
        *_times, user, command = self.lines()[0].split(maxsplit=6)
        assert user == pwd.getpwuid(os.getuid()).pw_name
        environment = {"HOME": str(self.directory), "LOGNAME": user, "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
        return subprocess.Popen(
            ["/bin/sh", "-c", command.replace("\\%", "%")],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start_hanging(self) -> subprocess.Popen:
        """A run that has its lock and goes on until it does something else."""
        begun = self.runs()
        self.does("hang")
        process = self.start()
        eventually(lambda: self.runs() > begun, seconds=30)
        return process

    def runs(self) -> int:
        return self.log.read_text().count("\nrun: ") if self.log.exists() else 0

    def run(self) -> tuple[int, str]:
        """Exit code, and what would be mailed."""
        process = self.start()
        mail, _nothing = process.communicate(timeout=60)
        return process.returncode, mail


def new_schedule(directory: Path) -> Schedule:
    (directory / "bin").mkdir()
    fake = directory / "bin" / "ansible-playbook"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    variables = {
        "backup_schedule_jobs": [FULL],
        "backup_schedule_user": getpass.getuser(),
        "backup_schedule_bin_dir": str(directory / "bin"),
        "backup_schedule_cron_file": str(directory / "dynabridge-backup"),
        "backup_schedule_runner": str(directory / "dynabridge-run"),
        "backup_schedule_log_dir": str(directory / "log"),
    }
    schedule = Schedule(directory, variables)
    schedule.does("pass")
    return schedule


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    schedule = new_schedule(tmp_path_factory.mktemp("installed"))
    schedule.installs(backup_schedule_environment={"GREETING": "it's 100% here"})
    return schedule


@pytest.fixture
def schedule(tmp_path):
    """Nothing installed yet."""
    return new_schedule(tmp_path)


class TestRuns:
    def test_a_run_that_goes_well_says_nothing(self, installed):
        """GIVEN a playbook that passes WHEN cron runs the line THEN no mail, exit code 0, and all is in the log."""
        installed.does("pass")
        assert installed.run() == (0, "")
        log = installed.log.read_text()
        assert "run: -i inventories/cn -i inventories/sg backup.yml -e type=full\n" in log
        assert f"environment: {REPOSITORY}/ansible.cfg 1 C.UTF-8 it's 100% here, in {REPOSITORY}\n" in log
        assert "exit code 0 after" in log.splitlines()[-1]

    def test_a_run_that_fails_tells_the_sentence_and_the_end_of_the_log(self, installed):
        """GIVEN a playbook that fails WHEN cron runs the line THEN mail: who, why, the last lines; the code is passed on."""
        installed.does("fail")
        code, mail = installed.run()
        lines = mail.splitlines()
        assert code == 2 and lines[0].startswith("dynabridge full on ") and "gave 2 after" in lines[0]
        assert lines[1:3] == ["Table user-cn was not backed up: access denied.", "Ask for s3:PutObject."]
        assert "line 100" in lines and "line 60" not in lines and len(lines) < 50
        assert "line 1\n" in installed.log.read_text(), "the log has everything"

    def test_a_second_run_gives_way_to_the_first(self, installed):
        """GIVEN a run that hangs WHEN the next one comes THEN it says so and gives 75; after the first all is as before."""
        first = installed.start_hanging()
        code, mail = installed.run()
        assert code == 75 and "a run of 2" in mail and "is still under way" in mail
        installed.does("pass")
        assert first.wait(timeout=30) == 0
        assert installed.run() == (0, "")

    def test_the_lock_holds_when_the_runner_was_killed(self, installed):
        """GIVEN a runner that is killed while its playbook goes on THEN the next run gives way all the same."""
        first = installed.start_hanging()
        first.kill()
        first.wait(timeout=10)
        assert installed.run()[0] == 75
        installed.does("pass")
        eventually(lambda: installed.run()[0] == 0, seconds=30)

    def test_a_log_that_cannot_be_written_is_told(self, installed):
        """GIVEN a log directory that is in the way WHEN cron runs the line THEN one sentence and 73."""
        log, away = installed.directory / "log", installed.directory / "away"
        log.rename(away)
        try:
            code, mail = installed.run()
        finally:
            away.rename(log)
        assert code == 73 and "cannot be written" in mail and mail.count("\n") == 1


class TestInstallation:
    def test_check_mode_and_a_second_run_change_nothing(self, schedule):
        """GIVEN nothing WHEN checked THEN it says what it would do; installed twice THEN the second changes nothing."""
        assert "changed=3" in schedule.installs("--check", "--diff") and not schedule.cron_file.exists()
        assert "changed=0" not in schedule.installs()
        assert "changed=0" in schedule.installs("--check") and "changed=0" in schedule.installs()

    def test_it_is_taken_away_and_the_logs_stay(self, schedule):
        schedule.installs()
        schedule.run()
        absent = {"backup_schedule_state": "absent"}
        assert "changed=1" in schedule.installs("--check", **absent) and schedule.cron_file.exists()
        schedule.installs(**absent)
        assert not schedule.cron_file.exists() and not (schedule.directory / "dynabridge-run").exists()
        assert schedule.log.exists() and "changed=0" in schedule.installs(**absent)

    def test_the_cron_file(self, schedule):
        """GIVEN two jobs and an address THEN a line each, a % escaped, words quoted, and who gets mail."""
        hourly = {
            "name": "inc",
            "minute": "*/30",
            "hour": "*",
            "weekday": "1-5",
            "playbook": "compare.yml",
            "arguments": ["-e", "note=50% of it"],
        }
        schedule.installs(backup_schedule_jobs=[FULL, hourly], backup_schedule_mailto="ops@example.com,b@example.com")
        user, runner = getpass.getuser(), schedule.directory / "dynabridge-run"
        assert schedule.lines() == [
            f"0 2 * * * {user} {runner} full backup.yml -e type=full",
            f"*/30 * * * 1-5 {user} {runner} inc compare.yml -e 'note=50\\% of it'",
        ]
        text = schedule.cron_file.read_text()
        assert "\nMAILTO=ops@example.com,b@example.com\n" in text and text.endswith("\n")
        assert schedule.cron_file.stat().st_mode & 0o777 == 0o644

    def test_success_is_told_on_demand_and_logs_are_put_aside(self, schedule):
        """GIVEN logs of 1 byte at most, 2 kept WHEN run four times THEN each in its own log, the oldest is gone."""
        schedule.installs(backup_schedule_tell_success=True, backup_schedule_log_bytes=1, backup_schedule_log_keep=2)
        for _run in range(4):
            code, mail = schedule.run()
            assert code == 0 and "went well: backup.yml -e type=full took" in mail and mail.count("\n") == 1
        assert sorted(path.name for path in schedule.log.parent.glob("*.log*")) == [
            "full.log",
            "full.log.1",
            "full.log.2",
        ]
        assert all(path.read_text().count("=== ") == 2 for path in schedule.log.parent.glob("*.log*"))


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"backup_schedule_cron_file": "/etc/cron.d/dynabridge.backup"}, "cron reads only files whose names"),
        ({"backup_schedule_jobs": []}, "give at least one job"),
        ({"backup_schedule_jobs": [FULL, FULL]}, "has the names 'full, full'"),
        ({"backup_schedule_jobs": [FULL | {"name": "../full"}]}, "The job ../full"),
        ({"backup_schedule_jobs": [FULL | {"minute": "0 0"}]}, "is no line of a crontab"),
        ({"backup_schedule_jobs": [FULL | {"arguments": ["-e", "a=1\n* * * * * root rm"]}]}, "no line break"),
        ({"backup_schedule_jobs": [FULL | {"playbook": "backups.yml"}]}, "Missing: "),
        ({"backup_schedule_inventories": ["inventories/us"]}, "inventories/us. Is cron installed?"),
        ({"backup_schedule_user": "nobody-of-that-name"}, "no user nobody-of-that-name"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_installed(schedule, variables, sentence):
    text = schedule.refusal(**variables)
    assert sentence in text and "Nothing was changed." in text
    assert not (schedule.directory / "dynabridge-run").exists()


def test_the_runner_is_posix(installed):
    """The runner is of /bin/sh: a shell that only knows POSIX reads it."""
    started = time.monotonic()
    check = subprocess.run(["sh", "-n", str(installed.directory / "dynabridge-run")], check=False)
    assert check.returncode == 0 and time.monotonic() - started < 10


@pytest.fixture
def bucket_and_table(tmp_path):
    """Two sides with a bucket and a table each, and no deployment: enough for backup.yml with the caller's own rights."""
    with started_pair(tmp_path / "local") as pair:
        for side, region in (("cn", "cn-northwest-1"), ("sg", "ap-southeast-2")):
            account, endpoint = (pair.sides[side][name] for name in ("account_id", "endpoint_url"))
            s3 = pair.session(side).client("s3", region_name=region, endpoint_url=endpoint)
            place = {"LocationConstraint": region}
            s3.create_bucket(Bucket=f"dynabridge-backup-{side}-{account}", CreateBucketConfiguration=place)
            pair.client(side, "dynamodb").create_table(
                TableName=f"user-{side}",
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            )
        yield pair


def test_backups_of_both_sides_by_cron(schedule, bucket_and_table):
    """GIVEN the real backup.yml WHEN cron runs it THEN both tables are verified, silently; without a table it tells which."""
    pair = bucket_and_table
    schedule.installs(
        backup_schedule_jobs=[FULL | {"arguments": ["-e", "type=full", "-e", "backup_role="]}],
        backup_schedule_bin_dir=str(Path(sys.executable).parent),
        backup_schedule_inventories=["inventories/local"],
        backup_schedule_environment={"DYNABRIDGE_LOCAL_DIR": str(pair.directory)},
    )
    assert schedule.run() == (0, "")
    log = schedule.log.read_text()
    assert all(f"user-{side}: full backup verified: 0 items" in log for side in pair.sides)
    assert "\x1b" not in log, "plain lines"
    pair.client("sg", "dynamodb").delete_table(TableName="user-sg")
    code, mail = schedule.run()
    assert code == 2 and mail.splitlines()[1].startswith(
        "table user-sg cannot be looked at (ResourceNotFoundException)"
    )
