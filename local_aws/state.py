# SPDX-License-Identifier: GPL-3.0-or-later
"""The state directory: where it is, what lies in it, how it is made and removed."""

import contextlib
import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import LauncherError
from .sides import SIDES, Side

REPOSITORY = Path(__file__).resolve().parent.parent
DIRECTORY_VARIABLE = "DYNABRIDGE_LOCAL_DIR"


def default_directory() -> Path:
    return Path(os.environ.get(DIRECTORY_VARIABLE) or REPOSITORY / ".local_aws")


@dataclass(frozen=True)
class StateDirectory:
    """Everything the launcher writes lies under this one directory."""

    path: Path

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def launcher_file(self) -> Path:
        return self.path / "launcher.json"

    @property
    def aws_config_file(self) -> Path:
        return self.path / "aws" / "config"

    def log_file(self, side: Side) -> Path:
        return self.path / "log" / f"{side.name}.log"

    def temporary_directory(self, side: Side) -> Path:
        return self.path / "tmp" / side.name

    def read_state(self) -> dict:
        return _read_json(self.state_file)

    def read_launcher(self) -> dict:
        return _read_json(self.launcher_file)

    def write_state(self, state: dict) -> None:
        _write_private(self.state_file, json.dumps(state, indent=2) + "\n")

    def write_launcher(self, launcher: dict) -> None:
        _write_private(self.launcher_file, json.dumps(launcher, indent=2) + "\n")

    def write_aws_config(self, sides: list[Side]) -> None:
        _write_private(self.aws_config_file, "\n".join(_profile(side) for side in sides))

    def make(self) -> None:
        """Make the directory tree, readable by its owner only."""
        try:
            if not self.launcher_file.is_file():
                self._claim()
            for folder in self._folders():
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _not_writable(self.path, error) from error

    def _claim(self) -> None:
        """Mark a new or empty directory as ours: `remove` must never meet somebody's own `tmp` or `log`."""
        missing = not self.path.exists()
        if missing:
            self.path.mkdir(parents=True, mode=0o700)
        elif any(self.path.iterdir()):
            raise LauncherError(
                f"{self.path} holds other files, and the local AWS wants a directory of its own: give a new or an "
                f"empty one with --dir or the environment variable {DIRECTORY_VARIABLE}."
            )
        self.write_launcher({"made_directory": missing, "tokens": {}})

    def remove(self) -> None:
        """Remove what the launcher made; the top stays if somebody else made it or put files into it."""
        made_here = self.read_launcher().get("made_directory", False)
        for folder in ("aws", "log", "tmp"):
            shutil.rmtree(self.path / folder, ignore_errors=True)
        for file in (self.state_file, self.launcher_file):
            file.unlink(missing_ok=True)
        if made_here:
            with contextlib.suppress(OSError):
                self.path.rmdir()

    @contextlib.contextmanager
    def locked(self):
        """Two launchers on one directory take turns."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _not_writable(self.path, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _folders(self) -> list[Path]:
        return [
            self.path / "aws",
            self.path / "log",
            self.path / "tmp",
            *(self.temporary_directory(side) for side in SIDES.values()),
        ]


def _profile(side: Side) -> str:
    # A 12-digit access key is the root key of that account here, and is exempt from signature checks.
    return (
        f"[profile {side.name}]\nregion = {side.region}\nendpoint_url = {side.endpoint_url}\n"
        f"aws_access_key_id = {side.account_id}\naws_secret_access_key = test\n"
    )


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except NotADirectoryError:
        return {}
    except (OSError, ValueError) as error:
        raise LauncherError(
            f"{path} cannot be read ({error}); remove it and run `python -m local_aws up` again."
        ) from error


def _write_private(path: Path, text: str) -> None:
    """Write atomically and for the owner only: readers never see half a file."""
    partial = path.with_name(path.name + ".partial")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(partial, path)
    except OSError as error:
        raise _not_writable(path, error) from error


def _not_writable(path: Path, error: OSError) -> LauncherError:
    return LauncherError(
        f"{path} cannot be written ({error.strerror}); give a directory you may write to with "
        f"--dir or the environment variable {DIRECTORY_VARIABLE}."
    )
