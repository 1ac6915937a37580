# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher's verbs. Each returns the JSON object that is printed; `changed` is the truth for Ansible."""

import contextlib
import dataclasses
import secrets

from . import launch, ownership
from .errors import LauncherError
from .sides import SIDES, Side
from .state import StateDirectory
from .tls import Doors


def up(directory: StateDirectory, ports: dict[str, int | None], doors: Doors | None = None) -> dict:
    """Start what does not run yet; both sides answer when this returns. ``doors``: of the sides that are started now."""
    launch.check_emulator()
    launch.check_lanes()
    _refuse_equal_ports(ports)
    directory.make()
    with directory.locked():
        running = running_sides(directory)
        _refuse_other_ports(running, ports)
        missing = [side for name, side in SIDES.items() if name not in running]
        if missing:
            _start_missing(directory, missing, ports, doors or Doors())
        return {"changed": bool(missing), **_description(directory)}


def down(directory: StateDirectory) -> dict:
    """Stop both sides with their Lambda workers and remove what `up` made."""
    if not directory.launcher_file.is_file():
        return {"changed": False, "state": "down", "directory": str(directory.path)}
    with directory.locked():
        ownership.stop(list(directory.read_launcher().get("tokens", {}).values()))
        directory.remove()
    return {"changed": True, "state": "down", "directory": str(directory.path)}


def reset(directory: StateDirectory) -> dict:
    """Empty both accounts; the processes, ports and profiles stay."""
    running = running_sides(directory)
    for name in SIDES:
        if name not in running:
            raise LauncherError(f"Side {name} is not running: start it with `python -m local_aws up`.")
        if not launch.answers(running[name], "POST", "/_ministack/reset", timeout=60.0):
            raise LauncherError(f"Side {name} did not reset; see {directory.log_file(running[name])}.")
    return {"changed": True, **_description(directory)}


def status(directory: StateDirectory) -> dict:
    return {"changed": False, **_description(directory)}


def running_sides(directory: StateDirectory) -> dict[str, Side]:
    """The sides whose process is alive, ours, and answers."""
    tokens = directory.read_launcher().get("tokens", {})
    running = {}
    for name, entry in directory.read_state().items():
        side = dataclasses.replace(SIDES[name], port=entry["port"])
        if entry["pid"] in ownership.owned_pids(tokens.get(name, "")) and launch.answers(side):
            running[name] = side
    return running


def _description(directory: StateDirectory) -> dict:
    running = running_sides(directory)
    sides = {name: entry for name, entry in directory.read_state().items() if name in running}
    all_or_some = "up" if len(running) == len(SIDES) else "partial"
    return {
        "state": all_or_some if directory.launcher_file.is_file() else "down",
        "directory": str(directory.path),
        "aws_config_file": str(directory.aws_config_file),
        "sides": sides,
    }


def _refuse_equal_ports(ports: dict[str, int | None]) -> None:
    given = [port for port in ports.values() if port]
    if len(set(given)) < len(given):
        raise LauncherError(f"Both sides cannot listen on port {given[0]}: give two different ports.")


def _refuse_other_ports(running: dict[str, Side], ports: dict[str, int | None]) -> None:
    for name, side in running.items():
        if ports.get(name) and ports[name] != side.port:
            raise LauncherError(
                f"Side {name} already runs on port {side.port}, not {ports[name]}: run "
                "`python -m local_aws down` first, or leave out the port."
            )


def _start_missing(directory: StateDirectory, missing: list[Side], ports: dict, doors: Doors) -> None:
    """Start the sides that are missing, all or none: what a failed start began is taken back."""
    before = directory.read_launcher()
    tokens = {side.name: secrets.token_hex(16) for side in missing}
    # What is left of a side that died (its workers) must not outlive the record of its token.
    ownership.stop([before["tokens"].get(side.name, "") for side in missing])
    directory.write_launcher({**before, "tokens": {**before["tokens"], **tokens}})
    try:
        sides, processes = _launch(directory, [_behind(side, doors) for side in missing], ports, tokens)
        for side, process in zip(sides, processes, strict=True):
            launch.wait_until_answering(side, process, directory)
        _record(directory, sides, [process.pid for process in processes])
    except BaseException:  # also Ctrl-C: nothing may stay behind
        ownership.stop(list(tokens.values()))
        if not before["tokens"]:
            directory.remove()
        raise


def _launch(directory: StateDirectory, missing: list[Side], ports: dict, tokens: dict):
    """Open every port before the first process starts: a busy one means that nothing starts."""
    with contextlib.ExitStack() as listeners:
        opened = [_with_listeners(side, ports.get(side.name), listeners) for side in missing]
        processes = [launch.start(side, sockets, directory, tokens[side.name]) for side, sockets in opened]
    return [side for side, _sockets in opened], processes


def _with_listeners(side: Side, port: int | None, listeners: contextlib.ExitStack):
    """The side with its port, and its sockets: the plain one, and that of its door."""
    plain = listeners.enter_context(launch.listening_socket(side, port))
    doors = [listeners.enter_context(launch.listening_door(side, side.door))] if side.door else []
    return dataclasses.replace(side, port=plain.getsockname()[1]), [plain, *doors]


def _behind(side: Side, doors: Doors) -> Side:
    return dataclasses.replace(side, door=doors.get(side.name))


def _record(directory: StateDirectory, sides: list[Side], pids: list[int]) -> None:
    state = directory.read_state()
    for side, pid in zip(sides, pids, strict=True):
        state[side.name] = {
            "port": side.port,
            "endpoint_url": side.endpoint_url,
            "account_id": side.account_id,
            "region": side.region,
            "pid": pid,
            **({"tls_address": side.door.address} if side.door else {}),
        }
    known = [dataclasses.replace(SIDES[name], port=entry["port"]) for name, entry in sorted(state.items())]
    directory.write_aws_config(known)
    directory.write_state(dict(sorted(state.items())))
