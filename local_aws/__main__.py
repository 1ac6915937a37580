# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: `python -m local_aws up|down|reset|status`; one JSON line on stdout, errors on stderr."""

import argparse
import json
import signal
import sys
from pathlib import Path

from . import commands
from .errors import LauncherError
from .sides import SIDES
from .state import StateDirectory, default_directory
from .tls import Doors


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # take back a half-done start as on Ctrl-C
    try:
        print(json.dumps(_run(options)))
    except LauncherError as error:
        print(f"local_aws: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("local_aws: interrupted.", file=sys.stderr)
        return 130
    return 0


def _run(options: argparse.Namespace) -> dict:
    directory = StateDirectory(Path(options.dir or default_directory()).expanduser().absolute())
    if options.verb == "up":
        ports = {name: getattr(options, f"{name}_port") for name in SIDES}
        doors = Doors.of({name: getattr(options, f"{name}_tls") for name in SIDES}, options.tls_certificate)
        return commands.up(directory, ports, doors)
    return {"down": commands.down, "reset": commands.reset, "status": commands.status}[options.verb](directory)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_aws", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    help_texts = {
        "up": "start both sides",
        "down": "stop them and remove what they left",
        "reset": "empty both accounts",
        "status": "say what runs",
    }
    for verb, text in help_texts.items():
        command = verbs.add_parser(verb, help=text)
        command.add_argument("--dir", help="state directory (default: $DYNABRIDGE_LOCAL_DIR or .local_aws)")
        if verb == "up":
            for name in SIDES:
                command.add_argument(f"--{name}-port", type=_port, help=f"port of side {name} (default: a free one)")
                command.add_argument(
                    f"--{name}-tls", help=f"address at which side {name} answers by TLS too, for tests"
                )
            command.add_argument("--tls-certificate", help="PEM file with certificate and key, for those addresses")
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: give a number from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
