# SPDX-License-Identifier: MIT
"""What is wrong with what the inventory says of a network, and with a VPC that was given, as sentences."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any

from .network import GATEWAY_SERVICES

SIZES = range(16, 29)  # AWS takes no others, for VPCs and subnets alike
WIDEST_SSH = 16  # a CIDR that is wider is nobody's own


def network_problems(subject: dict[str, Any], side: str) -> list[str]:
    """Every problem of a side's network, as sentences. For the subject see roles/preflight/defaults/main.yml."""
    switch = subject["private_path"]
    if not _is_switch(switch):
        return [f"dynabridge_private_path is {switch!r}, but must be true or false. Correct it in the inventory."]
    found = _address_problems(subject)
    if not _on(switch):
        if _on(subject["proxy_instance"]):
            found.append(
                "dynabridge_proxy_instance is true, but dynabridge_private_path is not, so that there is no network for the proxy"
                " and no known address that it could admit. Set dynabridge_private_path: true."
            )
        return found
    found += _ssh_problems(subject["proxy_ssh_cidr"])
    return found + (_given_problems(subject) if subject["vpc_id"] else _own_problems(subject, side))


def given_problems(given: dict[str, Any], vpc_id: str, private: list[str], public: list[str]) -> list[str]:
    """Why a VPC cannot be used. given: see side_network_info."""
    if not given["exists"]:
        return [
            f"dynabridge_network_vpc_id is {vpc_id}, but the side's region and account have no such VPC. Correct it."
        ]
    there = {one["id"] for one in given["subnets"]}
    return [
        f"{variable} names {subnet}, which is no subnet of {vpc_id}: it has {', '.join(sorted(there)) or 'none'}. Correct it."
        for variable, subnets in (
            ("dynabridge_network_private_subnet_ids", private),
            ("dynabridge_network_public_subnet_ids", public),
        )
        for subnet in subnets
        if subnet not in there
    ]


def given_warnings(given: dict[str, Any], region: str, private: list[str], addresses: list[str]) -> list[str]:
    """What a user should know of the VPC they gave."""
    found = []
    zones = sorted({one["zone"] for one in given["subnets"] if one["id"] in private})
    if len(zones) == 1:
        found.append(
            f"The functions' subnets are all in {zones[0]}: while this zone is gone, nothing replicates. Give one of another zone"
            " too."
        )
    for service in GATEWAY_SERVICES:
        if not any(name.endswith(f".{region}.{service}") for name in given["services"]):
            found.append(
                f"The VPC has no endpoint of {service}: this traffic pays for its way through the NAT gateway."
            )
    if not addresses:
        found.append(
            "The VPC has no NAT gateway, and dynabridge_network_nat_addresses is empty: how do the functions reach the peer, and"
            " by which address?"
        )
    return found


def _is_switch(value: Any) -> bool:
    return str(value).lower() in ("true", "false", "yes", "no")


def _on(value: Any) -> bool:
    return str(value).lower() in ("true", "yes")


def _address_problems(subject: dict[str, Any]) -> list[str]:
    return [
        f"{variable} has '{address}', which is no IPv4 address. Give addresses alone, such as 198.51.100.7."
        for variable, addresses in (
            ("dynabridge_network_nat_addresses", subject["nat_addresses"]),
            ("dynabridge_peer_nat_addresses", subject["peer_nat_addresses"]),
        )
        for address in addresses
        if not _is_address(address)
    ]


def _is_address(text: Any) -> bool:
    try:
        return ip_address(str(text)).version == 4
    except ValueError:
        return False


def _ssh_problems(cidr: str) -> list[str]:
    if not cidr:
        return []
    network, problem = _network("dynabridge_proxy_ssh_cidr", cidr)
    if network and network.prefixlen < WIDEST_SSH:
        problem = [
            f"dynabridge_proxy_ssh_cidr is {cidr}, which lets more than a network of your own knock at the proxy. Give one of"
            f" /{WIDEST_SSH} or narrower, or '' and come by Session Manager."
        ]
    return problem


def _given_problems(subject: dict[str, Any]) -> list[str]:
    found = []
    if not re.fullmatch(r"vpc-[0-9a-f]{8,17}", str(subject["vpc_id"])):
        found.append(
            f"dynabridge_network_vpc_id is '{subject['vpc_id']}', which is no id of a VPC (vpc-...). Correct it."
        )
    if not subject["private_subnet_ids"]:
        found.append(
            "dynabridge_network_vpc_id is given, but dynabridge_network_private_subnet_ids is empty: say in which of its subnets"
            " the functions are to be, best in two zones."
        )
    return found + [
        f"{variable} has '{subnet}', which is no id of a subnet (subnet-...). Correct it."
        for variable in ("private_subnet_ids", "public_subnet_ids")
        for subnet in subject[variable]
        if not re.fullmatch(r"subnet-[0-9a-f]{8,17}", str(subnet))
    ]


def _own_problems(subject: dict[str, Any], side: str) -> list[str]:
    ids = [f"dynabridge_network_{name}" for name in ("private_subnet_ids", "public_subnet_ids") if subject[name]]
    if ids:
        return [
            f"{' and '.join(ids)} given, but dynabridge_network_vpc_id is empty: say which VPC they are of, or give neither."
        ]
    return _zone_problems(subject, side) + _cidr_problems(subject, side) + _endpoint_problems(subject["endpoints"])


def _zone_problems(subject: dict[str, Any], side: str) -> list[str]:
    zones = subject["zones"]
    if len(zones) < 2 or len(set(zones)) < len(zones) or not all(re.fullmatch(r"[a-z]", str(zone)) for zone in zones):
        return [
            f"dynabridge_network_zones is {zones}, but must be two or more letters of zones, each once, such as [a, b]."
        ]
    return [
        f"dynabridge_network_{kind}_cidrs.{side} has {len(subject[f'{kind}_cidrs'])} subnets, but there are {len(zones)} zones"
        f" (dynabridge_network_zones): give one for each."
        for kind in ("public", "private")
        if len(subject[f"{kind}_cidrs"]) != len(zones)
    ]


def _cidr_problems(subject: dict[str, Any], side: str) -> list[str]:
    vpc, found = _network(f"dynabridge_network_cidrs.{side}", subject["cidrs"].get(side, ""), SIZES)
    subnets: list[IPv4Network] = []
    for kind in ("public", "private"):
        for cidr in subject[f"{kind}_cidrs"]:
            where = f"dynabridge_network_{kind}_cidrs.{side}"
            subnet, problems = _network(where, cidr, SIZES)
            found += problems
            if subnet:
                found += [
                    f"{where} has {cidr}, which {why}. Correct one of them." for why in _misplaced(subnet, vpc, subnets)
                ]
                subnets.append(subnet)
    others = {peer: _network("", cidr)[0] for peer, cidr in sorted(subject["cidrs"].items()) if peer != side}
    return found + [
        f"dynabridge_network_cidrs has {vpc} for {side} and {other} for {peer}, which overlap: a line between both could never"
        " tell them apart. Give each side its own."
        for peer, other in others.items()
        if vpc and other and vpc.overlaps(other)
    ]


def _misplaced(subnet: IPv4Network, vpc: IPv4Network | None, others: list[IPv4Network]) -> list[str]:
    outside = vpc is not None and not subnet.subnet_of(vpc)
    found = [f"does not lie in {vpc} (dynabridge_network_cidrs)"] if outside else []
    return found + [f"overlaps with {other}" for other in others if subnet.overlaps(other)]


def _network(variable: str, cidr: Any, sizes: range | None = None) -> tuple[IPv4Network | None, list[str]]:
    try:
        network = ip_network(str(cidr))
    except ValueError as error:
        return None, [f"{variable} is '{cidr}', which is no network: {error}. Give one such as 10.10.0.0/16."]
    if not isinstance(network, IPv4Network):
        return None, [f"{variable} is '{cidr}', but must be of IPv4."]
    if sizes and network.prefixlen not in sizes:
        return None, [f"{variable} is '{cidr}', but AWS takes /{sizes[0]} to /{sizes[-1]} only. Correct it."]
    return network, []


def _endpoint_problems(services: list[str]) -> list[str]:
    found = [
        f"dynabridge_network_endpoints has '{name}', which has its gateway endpoint already, at no charge. Take it out."
        for name in services
        if name in GATEWAY_SERVICES
    ]
    return found + [
        f"dynabridge_network_endpoints has '{name}', but takes services as AWS names them, such as sqs, ssm, logs or monitoring."
        for name in services
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", str(name))
    ]
