# SPDX-License-Identifier: MIT
"""A side's network as it is planned: its parts, and the rules of its security groups.

A part bears its name as the tag ``dynabridge_part``: ``private-a`` is the private subnet in zone a.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

GATEWAY_SERVICES = ("dynamodb", "s3")
EVERYWHERE = "0.0.0.0/0"
HTTPS, HTTP, SSH = 443, 80, 22


# -- the plan ------------------------------------------------------------------------------------


def plan(wanted: dict[str, Any]) -> dict[str, Any]:
    """The parts of a network. wanted: region, zones (letters), public_cidrs, private_cidrs, nat_per_zone, endpoints."""
    zones = wanted["zones"]
    with_nat = zones if wanted["nat_per_zone"] else zones[:1]
    return {
        "subnets": [
            {"part": f"{kind}-{zone}", "cidr": cidr, "zone": f"{wanted['region']}{zone}"}
            for kind in ("public", "private")
            for zone, cidr in zip(zones, wanted[f"{kind}_cidrs"], strict=False)
        ],
        "nat_gateways": [{"part": f"nat-{zone}", "subnet": f"public-{zone}"} for zone in with_nat],
        "public_subnets": [f"public-{zone}" for zone in zones],
        "private_tables": [
            {
                "part": f"table-private-{zone}",
                "subnet": f"private-{zone}",
                "nat": f"nat-{zone if zone in with_nat else with_nat[0]}",
            }
            for zone in zones
        ],
        "endpoints": [
            *({"part": f"endpoint-{name}", "service": name, "type": "Gateway"} for name in GATEWAY_SERVICES),
            *({"part": f"endpoint-{name}", "service": name, "type": "Interface"} for name in wanted["endpoints"]),
        ],
    }


def missing_parts(planned: dict[str, Any], network: dict[str, list[dict]]) -> list[str]:
    """What a deploy would make, in words and in its order. network: see side_network_info."""
    there = {entry["part"] for entries in network.values() for entry in entries}
    addresses = {entry["part"] for entry in network["addresses"]}
    gateways = {entry["part"] for entry in network["nat_gateways"]}
    parts = [("vpc", "the VPC"), ("gateway", "its internet gateway")]
    parts += [(one["part"], f"subnet {one['cidr']} in {one['zone']}") for one in planned["subnets"]]
    words = [text for part, text in parts if part not in there]
    for one in planned["nat_gateways"]:
        words += [f"a public address for {one['part']}"] if one["part"] not in addresses else []
        words += [f"NAT gateway {one['part']}"] if one["part"] not in gateways else []
    tables = ["table-public", *(one["part"] for one in planned["private_tables"])]
    words += [f"route table {part}" for part in tables if part not in there]
    return words + [
        f"endpoint of {one['service']} ({one['type']})" for one in planned["endpoints"] if one["part"] not in there
    ]


def surplus(planned: dict[str, Any], network: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """NAT gateways, addresses and endpoints of ours that the plan has no more: they would cost on."""
    nats = {one["part"] for one in planned["nat_gateways"]}
    endpoints = {one["part"] for one in planned["endpoints"]}
    of_nats = [one for one in network["addresses"] if one["part"].startswith("nat-")]
    return {
        "nat_gateways": [one for one in network["nat_gateways"] if one["part"] not in nats],
        "addresses": [one for one in of_nats if one["part"] not in nats],
        "endpoints": [one for one in network["endpoints"] if one["part"] not in endpoints],
    }


def misplaced(planned: dict[str, Any], endpoints: list[dict], places: dict[str, list[str]]) -> list[dict]:
    """Endpoints in other places than planned: ec2_vpc_endpoint does not move them. places: by type, what they are to be in."""
    wanted = {one["part"]: sorted(places[one["type"]]) for one in planned["endpoints"]}
    return [one for one in endpoints if one["part"] in wanted and one["places"] != wanted[one["part"]]]


def by_part(entries: list[dict], field: str = "id") -> dict[str, str]:
    """Of what side_network_info tells, {part: id}."""
    return {entry["part"]: entry[field] for entry in entries if entry["part"]}


def made(results: list[dict], field: str) -> dict[str, str]:
    """Of a loop over parts, {part: id}: of those that have an id, which in check mode those to be made have not."""
    found = {}
    for result in results:
        value: Any = result
        for name in field.split("."):
            value = value.get(name) or {} if isinstance(value, dict) else {}
        if value:
            found[result["item"]["part"]] = value
    return found


def service_name(services: list[dict], region: str, service: str, kind: str) -> str:
    """AWS's name of the service in the region, '' where it has none: it begins differently in each partition, and by service."""
    for one in services:
        kinds = {entry["service_type"] for entry in one["service_type"]}
        if one["service_name"].endswith(f".{region}.{service}") and kind in kinds:
            return one["service_name"]
    return ""


# -- rules of security groups ---------------------------------------------------------------------


def function_egress(use_proxy: str, proxy_server: str) -> list[dict]:
    """The functions speak https to AWS, and to the proxy where there is one."""
    rules = [_rule(HTTPS, [EVERYWHERE], "AWS by https")]
    if str(use_proxy).upper() == "TRUE" and proxy_server:
        host, _colon, port = str(proxy_server).rpartition(":")
        if port.isdigit() and int(port) != HTTPS:
            rules.append(_rule(int(port), [_only(host)], "the proxy"))
    return rules


def proxy_ingress(port: int, addresses: list[str], ssh_cidr: str) -> list[dict]:
    """The proxy serves the addresses that the peer's traffic leaves by, and an operator where a CIDR is given."""
    rules = (
        [_rule(int(port), [f"{address}/32" for address in sorted(addresses)], "the peer's functions")]
        if addresses
        else []
    )
    return rules + ([_rule(SSH, [ssh_cidr], "operators")] if ssh_cidr else [])


def proxy_egress(_nothing: Any = None) -> list[dict]:
    """To AWS, and to where the system's packages come from."""
    return [_rule(HTTPS, [EVERYWHERE], "AWS by https"), _rule(HTTP, [EVERYWHERE], "packages of the system")]


def _only(host: str) -> str:
    """A name may have any address, and another tomorrow."""
    try:
        return f"{IPv4Address(host)}/32"
    except ValueError:
        return EVERYWHERE


def _rule(port: int, cidrs: list[str], why: str) -> dict:
    return {"proto": "tcp", "ports": [port], "cidr_ip": cidrs, "rule_desc": why}
