# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tools.operator_policy record | write | check | fill``: the operator's IAM policies."""

import argparse
import json
import re
import sys
from pathlib import Path

from .groups import FOLDER, policies, stale, texts
from .places import place_of
from .policy import LARGEST, for_place, size


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.verb == "record":
        from .record import record  # noqa: PLC0415  it imports the tests, which the others do without

        record()
        return write()
    if options.verb == "fill":
        return fill(options.side, options.account, Path(options.to))
    return {"write": write, "check": check}[options.verb]()


def write() -> int:
    FOLDER.mkdir(exist_ok=True)
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
    return 0


def check() -> int:
    names = stale()
    if names:
        print(f"docs/operator-policy is not current ({', '.join(names)}): run `make operator-policy`.", file=sys.stderr)
    return 1 if names else 0


def fill(side: str, account: str, folder: Path) -> int:
    """Policies of a side, with its values, to be given to its operator."""
    place = place_of(side, account)
    folder.mkdir(parents=True, exist_ok=True)
    for group, policy in policies().items():
        file = folder / f"{side}-{group}.json"
        own = for_place(policy, place)
        file.write_text(json.dumps(own, indent=2) + "\n", encoding="utf-8")
        print(file)
        if size(own) > LARGEST:
            print(
                f"{file} has {size(own)} characters, and a managed policy takes {LARGEST}: give some of its statements"
                " to a second policy.",
                file=sys.stderr,
            )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.operator_policy", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser(
        "record", help="play every verb on this machine, and write the policies anew: a quarter of an hour"
    )
    verbs.add_parser("write", help="write the policies anew from what was recorded")
    verbs.add_parser("check", help="say whether the policies are what was recorded")
    command = verbs.add_parser("fill", help="put a side's values into the policies")
    command.add_argument("--side", required=True, choices=["cn", "sg"])
    command.add_argument("--account", required=True, type=_account, help="its account, 12 digits")
    command.add_argument("--to", default="build/operator-policy", help="folder to write to (%(default)s)")
    return parser


def _account(text: str) -> str:
    if not re.fullmatch(r"\d{12}", text):
        raise argparse.ArgumentTypeError(f"{text} is no account: give its 12 digits")
    return text


if __name__ == "__main__":
    sys.exit(main())
