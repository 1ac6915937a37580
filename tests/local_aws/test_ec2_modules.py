# SPDX-License-Identifier: GPL-3.0-or-later
"""Key pairs of the local AWS, and Ansible's EC2 modules on it. Each test names its AWS behaviour."""

import json
import subprocess
import sys

import pytest

from .networks import refusal

# Public keys made for this test; ssh-keygen and openssl gave the fingerprints that the test expects.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM++mlvrQFZ4g71JS/fUDRI7M4ziLj8WSsCCO2QpUBWz somebody"
RSA = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCm+JHknH8PfA9XlRPXEMyLiV2ZeMVn8Xd7dBDXWmNPeuztgEqPU2HEniC4fc"
    "4NGU9zRksHWL/qv9wTM2BEVLqNThXOYOksb7TZjFs6BRx6Yad1XjDqzl0Of4gDS803wZXQTnChwchj+3lGnCMf5GyJ"
    "QmxHheu+QllXSLDNa07UKfZxVbDKbvIsdzTJUQjERfXZTn5eOPGqZZ9CIPkX503piFbc37FhJCE8vi6mtHxqMPjUMr"
    "eCvWRGoCWcl0LAZDWq9K18dVlAIZQGGQAc6WF6qkcADSKWanr0CM14U9EMZJNvgozz6DMGtFGxbO5+DjZwuwjHpU+6"
    "yTZxawoBScuB somebody"
)
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - amazon.aws.ec2_vpc_net: {name: NAME, cidr_block: 10.78.0.0/16}
      register: vpc
    - amazon.aws.ec2_vpc_subnet:
        {vpc_id: "{{ vpc.vpc.id }}", cidr: 10.78.0.0/24, az: REGIONa, map_public: true, tags: {Name: NAME}}
      register: public
    - amazon.aws.ec2_vpc_subnet:
        {vpc_id: "{{ vpc.vpc.id }}", cidr: 10.78.1.0/24, az: REGIONb, tags: {Name: NAME}}
      register: private
    - amazon.aws.ec2_vpc_igw: {vpc_id: "{{ vpc.vpc.id }}", tags: {Name: NAME}}
      register: gateway
    - amazon.aws.ec2_vpc_nat_gateway:
        {subnet_id: "{{ public.subnet.id }}", if_exist_do_not_create: true, wait: true, tags: {Name: NAME}}
      register: nat
    - amazon.aws.ec2_vpc_route_table:
        vpc_id: "{{ vpc.vpc.id }}"
        subnets: ["{{ public.subnet.id }}"]
        routes: [{dest: 0.0.0.0/0, gateway_id: "{{ gateway.gateway_id }}"}]
        tags: {Name: NAME-public}
    - amazon.aws.ec2_vpc_route_table:
        vpc_id: "{{ vpc.vpc.id }}"
        subnets: ["{{ private.subnet.id }}"]
        routes: [{dest: 0.0.0.0/0, nat_gateway_id: "{{ nat.nat_gateway_id }}"}]
        tags: {Name: NAME-private}
    - amazon.aws.ec2_security_group:
        name: NAME
        description: proxy
        vpc_id: "{{ vpc.vpc.id }}"
        rules: [{proto: tcp, ports: [80], cidr_ip: "{{ nat.nat_gateway_addresses[0].public_ip }}/32"}]
      register: group
    - amazon.aws.ec2_key: {name: NAME, key_material: "KEY"}
    - amazon.aws.ec2_instance:
        name: NAME
        image_id: ami-12345678
        instance_type: c5.large
        key_name: NAME
        vpc_subnet_id: "{{ public.subnet.id }}"
        security_groups: ["{{ group.group_id }}"]
        network: {assign_public_ip: true}
        metadata_options: {http_tokens: required}
        termination_protection: true
        wait: true
      register: instance
    - amazon.aws.ec2_eip:
        {device_id: "{{ instance.instances[0].instance_id }}", in_vpc: true, tags: {Name: NAME}}
"""


@pytest.mark.parametrize(
    ("material", "kind", "fingerprint"),
    [
        (ED25519, "ed25519", "Oq9WasJqF/Cwe3HxuB2pDyOhQ/yyDoRjPPPl+CQ+0uU="),
        (RSA, "rsa", "41:49:9e:aa:f8:55:11:58:2c:9c:d9:f4:84:20:5d:9b"),
    ],
)
def test_imported_key_has_its_own_fingerprint(pair, unique, material, kind, fingerprint):
    """AWS: the MD5 of the public key in DER for RSA, OpenSSH's SHA-256 for ED25519; always the same."""
    ec2 = pair.client("cn", "ec2")
    imported = [ec2.import_key_pair(KeyName=f"{unique}-{n}", PublicKeyMaterial=material.encode()) for n in (1, 2)]

    described = ec2.describe_key_pairs(KeyNames=[f"{unique}-1"], IncludePublicKey=True)["KeyPairs"][0]

    assert {pair["KeyFingerprint"] for pair in [*imported, described]} == {fingerprint}
    assert (described["KeyType"], described["PublicKey"]) == (kind, material)
    assert (
        refusal(ec2.import_key_pair, KeyName=f"{unique}-1", PublicKeyMaterial=material.encode())
        == "InvalidKeyPair.Duplicate"
    )
    for n in (1, 2):
        ec2.delete_key_pair(KeyName=f"{unique}-{n}")


def test_key_that_is_none(pair, unique):
    """AWS: InvalidKey.Format."""
    assert (
        refusal(pair.client("cn", "ec2").import_key_pair, KeyName=unique, PublicKeyMaterial=b"ssh-rsa nonsense")
        == "InvalidKey.Format"
    )


def test_network_modules_change_nothing_the_second_time(pair, unique, tmp_path):
    """AWS: amazon.aws modules of a VPC with NAT gateway and proxy instance find all as they left it.

    One side stands for both: what differs between the partitions is in the tests above.
    """
    playbook = tmp_path / "network.yml"
    values = {"NAME": unique, "REGION": pair.sides["sg"]["region"], "KEY": ED25519}
    text = PLAYBOOK
    for name, value in values.items():
        text = text.replace(name, value)
    playbook.write_text(text)
    environment = pair.environment | {
        "AWS_CONFIG_FILE": str(pair.directory / "aws" / "config"),
        "AWS_PROFILE": "sg",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json",
    }

    runs = []
    for _ in range(2):
        run = subprocess.run(
            ["ansible-playbook", "-i", "localhost,", "-c", "local", str(playbook)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        runs.append(json.loads(run.stdout)["stats"]["localhost"])

    assert runs[0]["changed"] == runs[0]["ok"] == 11
    assert (runs[1]["changed"], runs[1]["ok"]) == (0, 11)
