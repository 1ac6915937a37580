# SPDX-License-Identifier: MIT
"""Clients under a role of their own: the credentials live in this process only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ..errors import BackupError
from .answers import error_code

SESSION_NAME = "dynabridge"
MakeClient = Callable[..., Any]


def under_role(sts: Any, role_arn: str, profile: str | None = None) -> MakeClient:
    """Assume the role; gives what makes clients under it. ``profile``: for its endpoints and region, not its credentials.

    Raises BackupError when the role cannot be assumed.
    """
    try:
        given = sts.assume_role(RoleArn=role_arn, RoleSessionName=SESSION_NAME)["Credentials"]
    except (ClientError, BotoCoreError) as error:
        code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
        raise BackupError(
            f"role {role_arn} cannot be assumed ({code}): deploy.yml --tags backup makes it; the caller needs "
            f"sts:AssumeRole on it, and the role has to trust the caller [{error}]"
        ) from error
    session = boto3.Session(profile_name=profile or None)

    def make(service: str, **arguments: Any) -> Any:
        return session.client(
            service,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            **arguments,
        )

    return make
