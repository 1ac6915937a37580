# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over a side's network: what is planned, what is there, what is wrong. Their logic is the kit's."""

from ansible.module_utils.dynabridge import network, network_problems


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_network_plan": network.plan,
            "dynabridge_network_missing": network.missing_parts,
            "dynabridge_network_surplus": network.surplus,
            "dynabridge_network_misplaced": network.misplaced,
            "dynabridge_network_by_part": network.by_part,
            "dynabridge_network_made": network.made,
            "dynabridge_network_service": network.service_name,
            "dynabridge_network_function_egress": network.function_egress,
            "dynabridge_network_proxy_ingress": network.proxy_ingress,
            "dynabridge_network_proxy_egress": network.proxy_egress,
            "dynabridge_network_problems": network_problems.network_problems,
            "dynabridge_network_given_problems": network_problems.given_problems,
            "dynabridge_network_given_warnings": network_problems.given_warnings,
        }
