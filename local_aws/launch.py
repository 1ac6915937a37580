# SPDX-License-Identifier: GPL-3.0-or-later
"""Start one side: its socket, its environment, its process, and waiting until it answers."""

import contextlib
import errno
import http.client
import os
import site
import socket
import subprocess
import sys
import time
from importlib import metadata

from .errors import LauncherError
from .ownership import TOKEN_VARIABLE
from .sides import BIND_HOST, Side
from .state import REPOSITORY, StateDirectory
from .tls import Door

MINISTACK_VERSION = "1.5.33"
START_SECONDS = 60.0
# Names a side may inherit. Everything else stays out, above all AWS_* and proxies: a function must see the
# credentials of its role, and reach this machine directly.
INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "SYSTEMROOT",
    "LOCAL_AWS_EXPORT_MIN_WINDOW",
    "LOCAL_AWS_EXPORT_SECONDS",
    "LOCAL_AWS_IMPORT_SECONDS",
    "LOCAL_AWS_LANES",
    "LOCAL_AWS_LOG_LEVEL",
    "LOCAL_AWS_PITR_LAG",
    "LOCAL_AWS_RECORD_DIR",
    "LOCAL_AWS_RETRIEVAL_SECONDS",
)


def check_emulator() -> None:
    """The patches reach into the emulator's modules, so exactly one version of it will do."""
    try:
        found = metadata.version("ministack")
    except metadata.PackageNotFoundError:
        found = None
    if found != MINISTACK_VERSION:
        has = f"has ministack {found}" if found else "has no ministack"
        raise LauncherError(
            f"The Python at {sys.executable} {has}, but the local AWS needs {MINISTACK_VERSION}: "
            f"run `{sys.executable} -m pip install ministack=={MINISTACK_VERSION}`."
        )


def check_lanes() -> None:
    lanes = os.environ.get("LOCAL_AWS_LANES", "")
    if lanes and not (lanes.isdigit() and int(lanes) > 0):
        raise LauncherError(f"LOCAL_AWS_LANES is '{lanes}': give a whole number from 1 on, or leave it unset for 2.")


def listening_socket(side: Side, port: int | None) -> socket.socket:
    """A socket that listens already: the side inherits it, so no other program can take the port between."""
    try:
        return _listening(BIND_HOST, port or 0)
    except OSError as error:
        raise _port_refused(side, port, error) from error


def listening_door(side: Side, door: Door) -> socket.socket:
    """Likewise, of the side's door."""
    try:
        return _listening(door.host, door.port)
    except OSError as error:
        raise LauncherError(
            f"{door.address} cannot be opened for side {side.name} ({error.strerror}): give an address of this machine "
            f"with a free port that you may open with --{side.name}-tls."
        ) from error


def _listening(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    return listener


def _port_refused(side: Side, port: int | None, error: OSError) -> LauncherError:
    option = f"--{side.name}-port"
    if error.errno == errno.EADDRINUSE:
        return LauncherError(
            f"Port {port} for side {side.name} is in use on {BIND_HOST}: stop the program that "
            f"listens there, or give another port with {option}, or none to have one chosen."
        )
    return LauncherError(
        f"Port {port} for side {side.name} cannot be opened on {BIND_HOST} ({error.strerror}): "
        f"give another port with {option}."
    )


def start(side: Side, sockets: list[socket.socket], directory: StateDirectory, token: str) -> subprocess.Popen:
    """``sockets``: the plain one, and that of the side's door where it has one."""
    descriptors = [listener.fileno() for listener in sockets]
    command = [
        sys.executable,
        "-m",
        "local_aws.server",
        "--side",
        side.name,
        "--port",
        str(side.port),
        "--descriptor",
        str(descriptors[0]),
        "--token",
        token,
    ]
    if side.door:
        command += ["--door-descriptor", str(descriptors[1]), "--door-certificate", str(side.door.certificate)]
    with open(directory.log_file(side), "ab") as log:
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=_environment(side, directory, token),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=descriptors,
        )


def _environment(side: Side, directory: StateDirectory, token: str) -> dict[str, str]:
    temporary = str(directory.temporary_directory(side))
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment.update(
        {
            # The user's ~/.aws must not reach the functions; packages in the user's site directory must.
            "HOME": temporary,
            "PYTHONUSERBASE": site.getuserbase(),
            "TMPDIR": temporary,
            "S3_DATA_DIR": f"{temporary}/s3",
            "STATE_DIR": f"{temporary}/state",
            "BIND_HOST": BIND_HOST,
            "MINISTACK_HOST": BIND_HOST,
            "GATEWAY_PORT": str(side.port),
            "MINISTACK_ACCOUNT_ID": side.account_id,
            "MINISTACK_REGION": side.region,
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": os.environ.get("LOCAL_AWS_LOG_LEVEL", "INFO"),
            TOKEN_VARIABLE: token,
        }
    )
    return environment


def wait_until_answering(side: Side, process: subprocess.Popen, directory: StateDirectory) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LauncherError(
                f"Side {side.name} ended with code {process.returncode} while starting:{_last_line(directory, side)}"
            )
        if answers(side):
            return
        time.sleep(0.05)
    raise LauncherError(
        f"Side {side.name} did not answer within {START_SECONDS:.0f} seconds:{_last_line(directory, side)}"
    )


def answers(side: Side, method: str = "GET", path: str = "/_ministack/health", timeout: float = 5.0) -> bool:
    """Whether the side answers this request with success."""
    connection = http.client.HTTPConnection(BIND_HOST, side.port, timeout=timeout)
    with contextlib.closing(connection):
        try:
            connection.request(method, path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def _last_line(directory: StateDirectory, side: Side) -> str:
    """The log's last line, because a failed start takes the log away with it."""
    try:
        lines = directory.log_file(side).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f" {lines[-1].strip()}" if lines else " its log is empty."
