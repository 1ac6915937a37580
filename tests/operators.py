# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of a pair's sides who may do what docs/operator-policy says, and nothing else."""

import configparser
import contextlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.local_pair import LocalPair
from tools.operator_policy.groups import BESIDE, GROUPS, policies
from tools.operator_policy.places import place_of
from tools.operator_policy.policy import for_place

NAME = "dynabridge-test-operator"


@dataclass(frozen=True)
class OperatedPair(LocalPair):
    """The same sides, from a directory whose profiles are users without a right, instead of the accounts' root."""

    def allow(self, groups: Iterable[str]) -> None:
        """From now on the operators have these policies, and no other."""
        wanted = set(groups)
        for side in self.sides:
            iam, attached = self.client(side, "iam"), _attached(self, side)
            for group in attached - wanted:
                iam.detach_user_policy(UserName=NAME, PolicyArn=_arn(self, side, group))
            for group in wanted - attached:
                iam.attach_user_policy(UserName=NAME, PolicyArn=_arn(self, side, group))


@contextlib.contextmanager
def operated(pair: LocalPair, directory: Path):
    """The pair with operators for the length of the block. directory: one that is not there yet."""
    (directory / "aws").mkdir(parents=True)
    shutil.copy(pair.directory / "state.json", directory)
    profiles = configparser.ConfigParser()
    profiles.read(pair.directory / "aws" / "config")
    own = OperatedPair(directory, pair.sides)
    for side in pair.sides:
        profiles[f"profile {side}"].update(_made(own, side))
    with (directory / "aws" / "config").open("w", encoding="utf-8") as text:
        profiles.write(text)
    try:
        yield own
    finally:
        _remove(own)


def groups_for(verb: str) -> list[str]:
    """The policies that a verb needs; one that no group names has all, but those of the network."""
    named = [group for group, verbs in GROUPS.items() if verb in verbs]
    return named or [group for group in GROUPS if group not in BESIDE]


def _made(pair: LocalPair, side: str) -> dict[str, str]:
    """Makes the user and the policies; gives the user's key pair, as a profile has it."""
    iam = pair.client(side, "iam")
    iam.create_user(UserName=NAME)
    for group, policy in policies().items():
        text = json.dumps(for_place(policy, place_of(side, pair.sides[side]["account_id"])))
        iam.create_policy(PolicyName=f"{NAME}-{group}", PolicyDocument=text)
    key = iam.create_access_key(UserName=NAME)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def _remove(pair: OperatedPair) -> None:
    pair.allow([])
    for side in pair.sides:
        iam = pair.client(side, "iam")
        for group in GROUPS:
            iam.delete_policy(PolicyArn=_arn(pair, side, group))
        for key in iam.list_access_keys(UserName=NAME)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=NAME, AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName=NAME)


def _attached(pair: LocalPair, side: str) -> set[str]:
    found = pair.client(side, "iam").list_attached_user_policies(UserName=NAME)["AttachedPolicies"]
    return {one["PolicyName"].removeprefix(f"{NAME}-") for one in found}


def _arn(pair: LocalPair, side: str, group: str) -> str:
    place = place_of(side, pair.sides[side]["account_id"])
    return f"arn:{place.partition}:iam::{place.account}:policy/{NAME}-{group}"
