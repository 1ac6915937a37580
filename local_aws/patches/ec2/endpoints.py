# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC endpoints: found by any filter, shown with their groups."""

from ministack.services import ec2

from .queries import check_filters, named, passes

original_create = ec2._create_vpc_endpoint


def actions(_side) -> dict:
    return {"CreateVpcEndpoint": create_vpc_endpoint, "DescribeVpcEndpoints": describe_vpc_endpoints}


def create_vpc_endpoint(params):
    before = set(ec2._vpc_endpoints.keys())
    answer = original_create(params)
    for identifier in set(ec2._vpc_endpoints.keys()) - before:
        ec2._vpc_endpoints[identifier]["Groups"] = ec2._parse_member_list(params, "SecurityGroupId")
    return answer


def describe_vpc_endpoints(params):
    identifiers = named(params, "VpcEndpointId", ec2._vpc_endpoints, "InvalidVpcEndpointId.NotFound", "VPC endpoint")
    check_filters(params, _values({}))
    items = "".join(
        _item(endpoint)
        for endpoint in ec2._vpc_endpoints.values()
        if (not identifiers or endpoint["VpcEndpointId"] in identifiers)
        and passes(params, endpoint["VpcEndpointId"], _values(endpoint))
    )
    return ec2._xml(200, "DescribeVpcEndpointsResponse", f"<vpcEndpointSet>{items}</vpcEndpointSet>")


def _values(endpoint: dict) -> dict:
    return {
        "vpc-id": endpoint.get("VpcId"),
        "service-name": endpoint.get("ServiceName"),
        "vpc-endpoint-id": endpoint.get("VpcEndpointId"),
        "vpc-endpoint-state": endpoint.get("State"),
        "vpc-endpoint-type": endpoint.get("VpcEndpointType"),
    }


def _item(endpoint: dict) -> str:
    groups = "".join(f"<item><groupId>{group}</groupId></item>" for group in endpoint.get("Groups", []))
    text = ec2._vpce_fields_xml(endpoint)
    return text.replace("</routeTableIdSet>", f"</routeTableIdSet><groupSet>{groups}</groupSet>")
