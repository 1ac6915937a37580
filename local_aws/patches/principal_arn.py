# SPDX-License-Identifier: GPL-3.0-or-later
"""The condition key `aws:PrincipalArn` of an assumed role is the ARN of the role, not of the session.

IAM User Guide, "AWS global condition context keys", aws:PrincipalArn: "For IAM roles, the request context returns the ARN
of the role, not the ARN of the user that assumed the role." The emulator gives the session's, so that a bucket policy that
lets some roles write, by this key, keeps them out too.
"""

from ministack.core import iam_evaluator
from ministack.services import iam

from ..sides import Side

KEY = "aws:principalarn"


def install(_side: Side) -> None:
    emulator_resolves = iam_evaluator._resolve_condition_key

    def resolve(key, context):
        value = emulator_resolves(key, context)
        return _role_arn(value) if key.lower() == KEY and ":assumed-role/" in (value or "") else value

    iam_evaluator._resolve_condition_key = resolve


def _role_arn(session_arn: str) -> str:
    """The session names its role without the role's path, so the role is asked for its ARN."""
    _, partition, _, _, account, resource = session_arn.split(":", 5)
    name = resource.split("/")[1]
    role = iam._roles.get_scoped(account, None, name)
    return role["Arn"] if role else f"arn:{partition}:iam::{account}:role/{name}"
