# SPDX-License-Identifier: MIT
"""What there is of a side's network: everything that bears the side's tag, and what a VPC of somebody else's has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TAG, PART = "dynabridge", "dynabridge_part"

# Kind: the call, the list in its answer, the id in an entry, the name of its parameter for filters.
KINDS = {
    "vpcs": ("describe_vpcs", "Vpcs", "VpcId", "Filters"),
    "subnets": ("describe_subnets", "Subnets", "SubnetId", "Filters"),
    "internet_gateways": ("describe_internet_gateways", "InternetGateways", "InternetGatewayId", "Filters"),
    "nat_gateways": ("describe_nat_gateways", "NatGateways", "NatGatewayId", "Filter"),
    "addresses": ("describe_addresses", "Addresses", "AllocationId", "Filters"),
    "route_tables": ("describe_route_tables", "RouteTables", "RouteTableId", "Filters"),
    "endpoints": ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "Filters"),
    "security_groups": ("describe_security_groups", "SecurityGroups", "GroupId", "Filters"),
    "instances": ("describe_instances", "Reservations", "InstanceId", "Filters"),
}
# AWS shows these for an hour or so after they are gone.
GONE = {"deleted", "failed", "terminated"}


def network_of(ec2: Any, side: str) -> dict[str, list[dict]]:
    """By kind, what bears the side's tag and is there. ``part``: what it is in the side's network."""
    wanted = {f"tag:{TAG}": side}
    return {kind: [_told(kind, entry) for entry in _entries(ec2, kind, wanted)] for kind in KINDS}


def given_network(ec2: Any, vpc_id: str) -> dict[str, Any]:
    """Of a VPC that somebody else made: its subnets, the services its endpoints lead to, its NAT gateways' addresses."""
    wanted = {"vpc-id": vpc_id}
    return {
        "exists": bool(_entries(ec2, "vpcs", wanted)),
        "subnets": [_told("subnets", entry) for entry in _entries(ec2, "subnets", wanted)],
        "services": sorted(entry["ServiceName"] for entry in _entries(ec2, "endpoints", wanted)),
        "nat_addresses": nat_addresses([_told("nat_gateways", one) for one in _entries(ec2, "nat_gateways", wanted)]),
    }


def nat_addresses(gateways: list[dict]) -> list[str]:
    """The public addresses by which traffic leaves."""
    return sorted(
        {address for gateway in gateways if gateway["state"] != "deleting" for address in gateway["public_ips"]}
    )


def _entries(ec2: Any, kind: str, wanted: dict[str, str]) -> list[dict]:
    call, answer, identifier, parameter = KINDS[kind]
    filters = {parameter: [{"Name": name, "Values": [value]} for name, value in wanted.items()]}
    # DescribeAddresses knows no pages.
    pages = [ec2.describe_addresses(**filters)] if kind == "addresses" else ec2.get_paginator(call).paginate(**filters)
    found = [entry for page in pages for entry in page[answer]]
    if kind == "instances":
        found = [instance for reservation in found for instance in reservation["Instances"]]
    return sorted((entry for entry in found if _state(entry) not in GONE), key=lambda entry: entry[identifier])


def _state(entry: dict) -> str:
    state = entry.get("State", "")
    return (state["Name"] if isinstance(state, dict) else state).lower()


def _told(kind: str, entry: dict) -> dict[str, Any]:
    tags = {tag["Key"]: tag["Value"] for tag in entry.get("Tags", [])}
    told = {"id": entry[KINDS[kind][2]], "name": tags.get("Name", ""), "part": tags.get(PART, "")}
    return told | (DETAILS[kind](entry) if kind in DETAILS else {})


def _nat_gateway(entry: dict) -> dict[str, Any]:
    addresses = entry.get("NatGatewayAddresses", [])
    public = [one["PublicIp"] for one in addresses if one.get("PublicIp")]
    return {"state": _state(entry), "subnet_id": entry["SubnetId"], "public_ips": public}


DETAILS: dict[str, Callable[[dict], dict[str, Any]]] = {
    "vpcs": lambda entry: {"cidr": entry["CidrBlock"]},
    "subnets": lambda entry: {
        "cidr": entry["CidrBlock"],
        "zone": entry["AvailabilityZone"],
        "vpc_id": entry["VpcId"],
    },
    "internet_gateways": lambda entry: {"vpc_id": next((one["VpcId"] for one in entry.get("Attachments", [])), "")},
    "nat_gateways": _nat_gateway,
    "addresses": lambda entry: {
        "public_ip": entry["PublicIp"],
        "held_by": entry.get("InstanceId") or entry.get("NetworkInterfaceId") or "",
    },
    "route_tables": lambda entry: {"vpc_id": entry["VpcId"]},
    "endpoints": lambda entry: {
        "service": entry["ServiceName"],
        "state": _state(entry),
        "places": sorted([*entry.get("RouteTableIds", []), *entry.get("SubnetIds", [])]),
    },
    "security_groups": lambda entry: {"group_name": entry["GroupName"], "vpc_id": entry["VpcId"]},
    "instances": lambda entry: {
        "state": _state(entry),
        "public_ip": entry.get("PublicIpAddress", ""),
        "private_ip": entry.get("PrivateIpAddress", ""),
    },
}
