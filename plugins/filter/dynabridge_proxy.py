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

from ansible.module_utils.dynabridge import proxy, proxy_check, proxy_hosts  # noqa: E402  after the path


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


def foreign(region, peer_region, allowed):
    """Host names that must not pass, by what they are: asked for by proxy_check.yml."""
    named = {
        "another region": endpoint("kinesis", peer_region),
        "another service": endpoint("sqs", region),
        "another bucket": f"{proxy_check.NO_BUCKET}.{endpoint('s3', region)}",
        "any bucket by path": endpoint("s3", region),
    }
    return {what: host for what, host in named.items() if host not in allowed}


def proxies(names, hostvars):
    """Where the hosts of the group are reached, and at which side each stands."""
    return [_proxy(name, hostvars[name]) for name in names]


def _proxy(name, variables):
    host = variables.get("dynabridge_proxy_address") or variables.get("ansible_host") or name
    port = variables.get("squid_proxy_port", variables["dynabridge_proxy_port"])
    return {
        "server": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "side": variables.get("dynabridge_side", ""),
    }


def peers(hostvars, groups, sides, side):
    """Addresses by which the peer's traffic leaves: as its own host knows them in this play, or as this side's was told."""
    peer = sides.get(side, {}).get("peer")
    known = ((groups.get(peer), "dynabridge_nat_addresses"), (groups.get(side), "dynabridge_peer_nat_addresses"))
    for hosts_of, variable in known:
        found = hostvars[hosts_of[0]].get(variable) if hosts_of else None
        if found:
            return list(found)
    return []


def check_problems(found, sides):
    """Sentences for what keeps proxies from being asked."""
    if not found:
        return [
            "There is no proxy to ask: the inventory has no host in the group proxy. Add one, or name one with"
            " -e proxy_check_server=<host>:<port> -e proxy_check_side=<side>."
        ]
    return [text for each in found for text in _check_problems(each["server"], each["side"], sides)]


def _check_problems(server, side, sides):
    known = " or ".join(sorted(sides))
    if "@" in server:
        return [f"The proxy {proxy.masked(server)} is given with a name and a password: a proxy of proxy.yml has none."]
    try:
        proxy.address(server)
    except ValueError:
        return [
            f"The proxy is given as '{server}': it must be host:port. Correct proxy_check_server or the group proxy."
        ]
    if side not in sides:
        return [
            f"The proxy {server} stands at side '{side}', which is not {known}: give -e proxy_check_side={known}, or set the"
            " host's dynabridge_side in the inventory."
        ]
    return []


def said(results):
    """What proxy_check_info said of each proxy, or why it could not."""
    return "\n".join(result.get("summary") or result.get("msg", "") for result in results)


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_proxy_hosts": hosts,
            "dynabridge_proxy_clients": proxy_hosts.clients,
            "dynabridge_proxy_problems": problems,
            "dynabridge_proxy_peers": peers,
            "dynabridge_proxies": proxies,
            "dynabridge_proxy_check_problems": check_problems,
            "dynabridge_proxy_foreign": foreign,
            "dynabridge_proxy_said": said,
            "dynabridge_proxy_endpoint": endpoint,
        }
