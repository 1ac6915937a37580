# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over the sides: the environment of a side, a region's partition, the sides of the local AWS."""

import functools
import json
from pathlib import Path

import ansible.module_utils
from ansible.errors import AnsibleFilterError

try:
    from botocore.exceptions import UnknownRegionError
    from botocore.loaders import create_loader
    from botocore.regions import EndpointResolver
except ImportError:  # preflight reports it with the command that mends it
    EndpointResolver = None

# Ansible hands the kit to modules; a filter finds it where it lies.
KIT = str(Path(__file__).resolve().parents[2] / "module_utils")
if KIT not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(KIT)

from ansible.module_utils.dynabridge.errors import SettingsError  # noqa: E402  after the path
from ansible.module_utils.dynabridge.proxy_server import proxy_url  # noqa: E402

# What a shell may hold that would lead a module to another account or endpoint than the side's profile.
STRAY_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


def environment(sides, name):
    """Environment variables that lead every AWS module to the account of the side."""
    if name not in sides:
        raise AnsibleFilterError(
            f"unknown side '{name}': dynabridge_sides knows {', '.join(sorted(sides))}."
            " Set the host's dynabridge_side to one of these, or add the side."
        )
    side = sides[name]
    variables = dict.fromkeys(STRAY_VARIABLES, "")
    variables.update(AWS_PROFILE=side["profile"], AWS_REGION=side["region"], AWS_DEFAULT_REGION=side["region"])
    if side.get("proxy"):
        url = _proxy_url(side["proxy"], f"proxy of side {name} in dynabridge_sides")
        variables.update(_proxy_variables(url, [each for each in sides.values() if each is not side]))
    if side.get("config_file"):
        variables.update(_local_variables(side["config_file"]))
    return variables


def _proxy_url(server, where):
    try:
        return proxy_url(str(server), where)
    except SettingsError as error:
        raise AnsibleFilterError(f"{error}. Correct it in the inventory.") from error


def _proxy_variables(url, others):
    """Every module of the side goes through its proxy; the metadata service and the other side do not.

    A module that reaches both sides is told each side's proxy by itself.
    """
    straight = ["127.0.0.1", "localhost", "169.254.169.254", *(_domain(other["region"]) for other in others)]
    both = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": ",".join(straight)}
    return both | {name.lower(): value for name, value in both.items()}


def _domain(region):
    """What all endpoints of a region end with: ``.cn-north-1.amazonaws...``."""
    return f".{region}.{_resolver().get_partition_dns_suffix(partition(region))}"


def _local_variables(config_file):
    """A file of the local AWS only, no credentials of the user's, no instance metadata, no proxy."""
    return {
        "AWS_CONFIG_FILE": config_file,
        "AWS_SHARED_CREDENTIALS_FILE": config_file,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def partition(region):
    """The partition of a region, as botocore knows it."""
    if EndpointResolver is None:
        raise AnsibleFilterError(
            f"botocore is missing for the Python that runs Ansible, so the partition of region '{region}'"
            " is unknown. Install requirements.txt into that Python."
        )
    try:
        return _resolver().get_partition_for_region(region)
    except UnknownRegionError as error:
        raise AnsibleFilterError(
            f"botocore knows no region '{region}'. Correct the region in dynabridge_sides,"
            " or update botocore if the region is new."
        ) from error


@functools.cache
def _resolver():
    # Not botocore's session: that one fails on an AWS_PROFILE of the shell that does not exist.
    return EndpointResolver(create_loader().load_data("endpoints"))


def local_sides(sides, state, directory):
    """The sides with the endpoints and accounts of the local AWS; without a state they have no endpoint."""
    running = json.loads(state) if state else {}
    config_file = f"{directory}/aws/config"
    return {name: _local_side(side, running.get(name), config_file) for name, side in sides.items()}


def _local_side(side, running, config_file):
    mine = {"config_file": config_file, "endpoint_url": "", "account_id": ""}
    if running:
        mine.update(endpoint_url=running["endpoint_url"], account_id=running["account_id"])
    if running and running.get("tls_address"):
        mine["peer_endpoint_url"] = _kinesis_url(side["region"], running["tls_address"])
    return {**side, **mine}


def _kinesis_url(region, address):
    """As AWS calls it: whoever is to reach it, a proxy for one, must resolve the name to this machine."""
    host, port = _resolver().construct_endpoint("kinesis", region)["hostname"], address.rpartition(":")[2]
    return f"https://{host}" if port == "443" else f"https://{host}:{port}"


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_environment": environment,
            "dynabridge_partition": partition,
            "dynabridge_local_sides": local_sides,
        }
