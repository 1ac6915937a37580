# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the tools that run the play, and with the account that answers it, as sentences."""

import importlib.metadata
import re
import sys

# amazon.aws 10.1 (the oldest in requirements) needs this boto3; core 2.19 is the oldest that is tested here.
MINIMUM = {"ansible-core": "2.19.0", "boto3": "1.34.0", "botocore": "1.34.0", "python": "3.11.0"}


def versions(core):
    """The versions that count; '' = not installed for the Python that runs Ansible."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    return {"ansible-core": core, "python": python, "boto3": _installed("boto3"), "botocore": _installed("botocore")}


def _installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def version_problems(found):
    """Sentences for what is missing or too old."""
    return [
        f"{name} {found[name] or 'is missing: it'} must be {minimum} or later: install requirements.txt"
        " into the Python that runs ansible-playbook."
        for name, minimum in MINIMUM.items()
        if _numbers(found[name]) < _numbers(minimum)
    ]


def _numbers(version):
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def caller_problems(caller, sides, side, peer_caller=None):
    """Sentences for an account or partition that is not the side's. A caller is the result of aws_caller_info."""
    account, partition = caller["account"], caller["arn"].split(":")[1]
    profile, region = sides[side]["profile"], sides[side]["region"]
    wanted, wanted_partition = str(sides[side].get("account_id") or account), sides[side]["partition"]
    mend = f"Correct the AWS profile '{profile}' or the side's entry in dynabridge_sides."
    found = []
    if account != wanted:
        found.append(f"Side {side} is the account {wanted}, but the profile '{profile}' leads to {account}. {mend}")
    if partition != wanted_partition:
        found.append(
            f"Side {side} ({region}) is in the partition {wanted_partition},"
            f" but the profile '{profile}' leads to {caller['arn']}. {mend}"
        )
    if peer_caller and peer_caller.get("account") == account:
        found.append(f"Both sides lead to the account {account}: each must have its own. {mend}")
    return found


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_versions": versions,
            "dynabridge_version_problems": version_problems,
            "dynabridge_caller_problems": caller_problems,
        }
