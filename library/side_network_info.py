# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: tell what there is of a side's network."""

from __future__ import annotations

DOCUMENTATION = r"""
module: side_network_info
short_description: Tell what there is of a side's network
version_added: 0.1.0
description:
  - Lists every EC2 resource that bears the tag C(dynabridge) with the side's name, by kind, so that a network is found
    again without a state file, whole or in parts.
  - Tells what a given VPC has, for users who have a network already.
  - Leaves out what AWS still shows although it is gone.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  side:
    description: Value of the tag C(dynabridge).
    type: str
    required: true
  vpc_id:
    description: A VPC that bears no tag of ours, to be looked at as well. None when empty.
    type: str
    default: ''
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.reads_only
seealso:
  - module: amazon.aws.ec2_vpc_net_info
"""

EXAMPLES = r"""
- name: Look what there is of the network
  side_network_info:
    side: cn
  register: found

- name: Say from which addresses the side's traffic leaves
  ansible.builtin.debug:
    msg: "{{ found.nat_addresses | join(', ') }}"
"""

RETURN = r"""
network:
  description: By kind, what bears the tag and is there.
  returned: success
  type: dict
  contains:
    vpcs:
      description: The VPC, with C(cidr). As all entries it has C(id), C(name) and C(part), its tag C(dynabridge_part).
      returned: always
      type: list
      elements: dict
    subnets:
      description: Subnets, with C(cidr), C(zone) and C(vpc_id).
      returned: always
      type: list
      elements: dict
    internet_gateways:
      description: Internet gateways, with C(vpc_id), empty when it is attached to none.
      returned: always
      type: list
      elements: dict
    nat_gateways:
      description: NAT gateways, with C(state), C(subnet_id) and C(public_ips).
      returned: always
      type: list
      elements: dict
    addresses:
      description: Elastic IP addresses, with C(public_ip) and C(held_by), the instance or interface, empty when it is free.
      returned: always
      type: list
      elements: dict
    route_tables:
      description: Route tables, with C(vpc_id).
      returned: always
      type: list
      elements: dict
    endpoints:
      description: VPC endpoints, with C(service), C(state) and C(places), their route tables or subnets.
      returned: always
      type: list
      elements: dict
    security_groups:
      description: Security groups, with C(group_name) and C(vpc_id).
      returned: always
      type: list
      elements: dict
    instances:
      description: Instances, with C(state), C(public_ip) and C(private_ip).
      returned: always
      type: list
      elements: dict
nat_addresses:
  description: Public addresses by which the network's traffic leaves. Of the given VPC, when there is one.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.7]
given:
  description: What the given VPC has; C(exists) is false and the lists are empty when there is none.
  returned: success
  type: dict
  contains:
    exists:
      description: Whether there is such a VPC.
      returned: always
      type: bool
    subnets:
      description: All its subnets, with C(id), C(cidr) and C(zone).
      returned: always
      type: list
      elements: dict
    services:
      description: Names of the services that its endpoints lead to.
      returned: always
      type: list
      elements: str
    nat_addresses:
      description: Public addresses of its NAT gateways.
      returned: always
      type: list
      elements: str
"""

try:
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible.module_utils.dynabridge.aws.network import given_network, nat_addresses, network_of
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    "side": {"type": "str", "required": True},
    "vpc_id": {"type": "str", "default": ""},
}
NO_VPC = {"exists": False, "subnets": [], "services": [], "nat_addresses": []}


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    vpc_id = module.params["vpc_id"]
    try:
        ec2 = tell(module.client("ec2"))
        network = network_of(ec2, module.params["side"])
        given = given_network(ec2, vpc_id) if vpc_id else NO_VPC
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(
            error, msg=f"cannot look at the network of side {module.params['side']} in {module.region}"
        )
    leaving = given["nat_addresses"] if vpc_id else nat_addresses(network["nat_gateways"])
    module.exit_json(changed=False, network=network, nat_addresses=leaving, given=given)


if __name__ == "__main__":
    main()
