# SPDX-License-Identifier: MIT
"""Which host names a proxy lets through, and what is wrong with what it was told. Names of endpoints are handed in."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

# Services by the name they have here; the value is botocore's name of the endpoint.
SERVICES = {"dynamodb": "dynamodb", "dynamodbstreams": "streams.dynamodb", "kinesis": "kinesis", "sts": "sts"}
BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
HOST = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
# The widest network of clients that is taken without a word: a NAT's address is one, not a thousand.
WIDEST = {4: 24, 6: 64}


def hosts(
    endpoints: Mapping[str, str],
    s3: Iterable[str],
    services: Iterable[str],
    buckets: Iterable[str],
    extra: Iterable[str],
) -> list[str]:
    """The names to let through, each by itself. endpoints: host of each service; s3: hosts of S3 in that region.

    A bucket has a host name of its own. S3's own name would let any bucket through, as a path that a proxy cannot see.
    """
    named = [endpoints[service] for service in services]
    named += [f"{bucket}.{host}" for bucket in buckets for host in s3]
    return sorted({*named, *(host.lower() for host in extra)})


def clients(given: Iterable[str]) -> list[str]:
    """The addresses without those that lie in another's network: squid would drop the network for the sake of the address."""
    networks: list[Any] = [ipaddress.ip_network(str(client)) for client in given]
    found: list[str] = []
    for version in WIDEST:
        same = [network for network in networks if network.version == version]
        found += [_short(network) for network in ipaddress.collapse_addresses(same)]
    return found


def _short(network: Any) -> str:
    return str(network.network_address if network.num_addresses == 1 else network)


def problems(subject: Mapping[str, Any]) -> list[str]:
    """Sentences for what a proxy cannot be told: clients, wide_clients, services, buckets, extra_hosts, s3, port."""
    found = [text for client in subject["clients"] for text in _client_problems(str(client), subject["wide_clients"])]
    if not subject["clients"]:
        found.append(
            "squid_proxy_clients is empty: a proxy for nobody. Give the addresses from which the peer's functions arrive (its NAT"
            " gateway's) in dynabridge_proxy_clients."
        )
    found += [
        f"squid_proxy_services names '{name}': it must be one of {', '.join(SERVICES)}. S3 goes by bucket (squid_proxy_buckets),"
        " any other host by its full name (squid_proxy_extra_hosts)."
        for name in subject["services"]
        if name not in SERVICES
    ]
    found += [text for bucket in subject["buckets"] for text in _bucket_problems(str(bucket))]
    found += [text for host in subject["extra_hosts"] for text in _host_problems(str(host), subject["s3"])]
    if not any(subject[each] for each in ("services", "buckets", "extra_hosts")):
        found.append(
            "squid_proxy_services, squid_proxy_buckets and squid_proxy_extra_hosts are all empty: nothing would pass."
        )
    return found + _port_problems(subject["port"])


def _client_problems(client: str, wide: bool) -> list[str]:
    try:
        network = ipaddress.ip_network(client)
    except ValueError as error:
        return [
            f"squid_proxy_clients has '{client}': it must be an address or a network such as 203.0.113.7 ({error})."
        ]
    if network.prefixlen == 0:
        return [
            f"squid_proxy_clients has '{client}', which is everybody: give the addresses from which the peer's functions arrive."
        ]
    widest = WIDEST[network.version]
    if network.prefixlen < widest and not wide:
        return [
            f"squid_proxy_clients has '{client}', {network.num_addresses:,} addresses: give the addresses themselves, a network"
            f" of /{widest} at most, or set squid_proxy_wide_clients to true if it is meant."
        ]
    return []


def _bucket_problems(bucket: str) -> list[str]:
    if BUCKET.fullmatch(bucket):
        return []
    reason = (
        "a wildcard would let other people's buckets through" if "*" in bucket else "3 to 63 small letters, digits, '-'"
    )
    if "." in bucket and "*" not in bucket:
        reason = "a bucket with a dot is asked for by path, which a proxy cannot see"
    return [f"squid_proxy_buckets has '{bucket}': it must be the full name of one bucket ({reason})."]


def _host_problems(host: str, s3: Iterable[str]) -> list[str]:
    if host.lower() in s3:
        return [
            f"squid_proxy_extra_hosts has '{host}', by which every bucket of everybody can be reached: name the buckets in"
            " squid_proxy_buckets."
        ]
    if HOST.fullmatch(host.lower()):
        return []
    return [
        f"squid_proxy_extra_hosts has '{host}': it must be the full name of one host, without wildcard, leading dot, port or"
        " path, and no address."
    ]


def _port_problems(port: Any) -> list[str]:
    if str(port).isdigit() and 1 <= int(port) <= 65535:
        return []
    return [f"squid_proxy_port is '{port}': it must be a number from 1 to 65535."]
