# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for a proxy: the host names of a region's services, as botocore knows them, and what is wrong with its variables."""

from pathlib import Path

import ansible.module_utils
from ansible.errors import AnsibleFilterError

try:
    from botocore.exceptions import UnknownRegionError
    from botocore.loaders import create_loader
    from botocore.regions import EndpointResolver
except ImportError:  # said below, with what mends it
    EndpointResolver = None

# Ansible hands the kit to modules; a filter finds it where it lies.
KIT = str(Path(__file__).resolve().parents[2] / "module_utils")
if KIT not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(KIT)

from ansible.module_utils.dynabridge import proxy, proxy_hosts  # noqa: E402  after the path


def hosts(region, services, buckets=(), extra=()):
    """The host names that a proxy lets through for a region."""
    unknown = sorted(set(services) - set(proxy_hosts.SERVICES))
    if unknown:
        raise AnsibleFilterError(
            f"a proxy knows no service {', '.join(unknown)}, only {', '.join(proxy_hosts.SERVICES)}"
        )
    endpoints = {name: endpoint(proxy_hosts.SERVICES[name], region) for name in services}
    return proxy_hosts.hosts(endpoints, s3_hosts(region), services, buckets, extra)


def problems(subject):
    """Sentences; see module_utils/dynabridge/proxy_hosts.py and roles/squid_proxy/vars/main.yml for the subject."""
    try:
        s3 = s3_hosts(subject["region"])
    except AnsibleFilterError as error:
        return [str(error)]
    return proxy_hosts.problems({**subject, "s3": s3})


def endpoint(service, region):
    """Host name of a service's endpoint in a region."""
    return resolver_of(region).construct_endpoint(service, region)["hostname"]


def s3_hosts(region):
    """S3's names in a region: one region's clients use the name that S3 had before there were regions."""
    resolver = resolver_of(region)
    everywhere = resolver.construct_endpoint("s3", f"{resolver.get_partition_for_region(region)}-global") or {}
    here = everywhere.get("credentialScope", {}).get("region") == region
    return [endpoint("s3", region), *([everywhere["hostname"]] if here else [])]


def resolver_of(region):
    """Botocore's endpoints, which know the region."""
    if EndpointResolver is None:
        raise AnsibleFilterError(
            f"botocore is missing for the Python that runs Ansible, so the endpoints of region '{region}' are unknown."
            " Install requirements.txt into that Python."
        )
    # Not botocore's session: that one fails on an AWS_PROFILE of the shell that does not exist.
    resolver = EndpointResolver(create_loader().load_data("endpoints"))
    try:
        resolver.get_partition_for_region(region)
    except UnknownRegionError as error:
        raise AnsibleFilterError(
            f"botocore knows no region '{region}', so a proxy cannot know its endpoints. Correct squid_proxy_region, or update"
            " botocore if the region is new."
        ) from error
    return resolver


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_proxy_hosts": hosts,
            "dynabridge_proxy_clients": proxy_hosts.clients,
            "dynabridge_proxy_problems": problems,
            "dynabridge_proxy_endpoint": endpoint,
            "dynabridge_proxy_masked": proxy.masked,
        }
