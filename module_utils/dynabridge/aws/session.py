# SPDX-License-Identifier: MIT
"""Clients under a role of their own: the credentials live in this process only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import boto3
    import botocore.session
    from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
except ImportError:  # AnsibleAWSModule says what is missing
    CredentialProvider = object
from ..errors import BackupError
from .answers import error_code
from .botocore_errors import BotoCoreError, ClientError
from .proxies import tell

SESSION_NAME = "dynabridge"
MakeClient = Callable[..., Any]


def client_maker(module: Any) -> MakeClient:
    """Of an AnsibleAWSModule: ``make(service, region=..., config=...)``, under its ``role_arn`` where it has one."""
    role_arn = module.params["role_arn"]
    if not role_arn:
        return lambda *arguments, **more: tell(module.client(*arguments, **more))
    return under_role(
        tell(module.client("sts")),
        role_arn,
        module.params.get("profile"),
        module.params.get("region"),
        module.params.get("endpoint_url"),
    )


def under_role(
    sts: Any, role_arn: str, profile: str | None = None, region: str | None = None, endpoint_url: str | None = None
) -> MakeClient:
    """Assume the role; gives what makes clients under it. ``profile``: for its endpoints and region, not its credentials.

    An export takes hours and a role lasts one, so it is assumed anew whenever it is about to end. Raises BackupError when
    it cannot be assumed.
    """

    def assume() -> dict[str, str]:
        return _assumed(sts, role_arn)

    lasting = RefreshableCredentials.create_from_metadata(assume(), refresh_using=assume, method=_Role.METHOD)
    core = botocore.session.Session(profile=profile or None)
    core.register_component("credential_provider", CredentialResolver([_Role(lasting)]))
    session = boto3.Session(botocore_session=core, region_name=region or None)
    home = region

    def make(service: str, region: str | None = None, config: Any = None) -> Any:
        client = session.client(service, region_name=region or home, endpoint_url=endpoint_url or None, config=config)
        return tell(client)

    return make


class _Role(CredentialProvider):
    METHOD = CANONICAL_NAME = "dynabridge-role"

    def __init__(self, credentials: RefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> RefreshableCredentials:
        return self._credentials


def _assumed(sts: Any, role_arn: str) -> dict[str, str]:
    try:
        given = sts.assume_role(RoleArn=role_arn, RoleSessionName=SESSION_NAME)["Credentials"]
    except (ClientError, BotoCoreError) as error:
        code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
        raise BackupError(
            f"role {role_arn} cannot be assumed ({code}): deploy.yml --tags backup makes it; the caller needs "
            f"sts:AssumeRole on it, and the role has to trust the caller [{error}]"
        ) from error
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
        "expiry_time": given["Expiration"].isoformat(),
    }
