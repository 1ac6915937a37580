# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: tell which SSM parameters exist, without secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssm_parameter_info
short_description: Tell which Parameter Store parameters exist, without their secrets
version_added: 0.1.0
description:
  - For each name tells whether the parameter exists, its type, version and last change.
  - Never decrypts. The value of a C(SecureString) is not returned, not even encrypted, so the result may be
    logged.
  - Needs C(ssm:GetParameters) on the names, and no right on any key.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  names:
    description:
      - Names of the parameters, in the order in which they are returned.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.reads_only
seealso:
  - module: community.aws.ssm_parameter
"""

EXAMPLES = r"""
- name: Look whether the peer's key pair is there
  ssm_parameter_info:
    names:
      - /DDBReplication/TableSG/AccessKey
      - /DDBReplication/TableSG/SecretKey
  register: peer_key

- name: Stop when a part of it is missing
  ansible.builtin.assert:
    that: peer_key.missing | length == 0
    fail_msg: "missing: {{ peer_key.missing | join(', ') }}"
"""

RETURN = r"""
parameters:
  description: One entry for each name, in the order of O(names).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name as it was asked for.
      returned: always
      type: str
      sample: /DDBReplication/TableSG/AccessKey
    exists:
      description: Whether there is such a parameter.
      returned: always
      type: bool
    type:
      description: V(String), V(StringList) or V(SecureString), empty when there is none.
      returned: always
      type: str
      sample: String
    version:
      description: Its version, V(0) when there is none.
      returned: always
      type: int
      sample: 1
    last_modified:
      description: Time of its last change (ISO 8601, UTC), empty when there is none.
      returned: always
      type: str
      sample: '2025-01-31T02:00:00+00:00'
    value:
      description: Its value.
      returned: when it exists and its type is V(String) or V(StringList)
      type: str
      sample: AKIAIOSFODNN7EXAMPLE
missing:
  description: The names of which there is no parameter.
  returned: success
  type: list
  elements: str
  sample: [/DDBReplication/TableSG/SecretKey]
"""

from datetime import UTC

try:
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {"names": {"type": "list", "elements": "str", "required": True}}
NAMES_A_CALL = 10  # limit of GetParameters
TYPES_WITHOUT_SECRET = ("String", "StringList")


def describe(name: str, found: dict | None) -> dict:
    """What may be told of a parameter: the value only of types that hold no secret."""
    if found is None:
        return {"name": name, "exists": False, "type": "", "version": 0, "last_modified": ""}
    modified = found.get("LastModifiedDate")
    told = {
        "name": name,
        "exists": True,
        "type": found["Type"],
        "version": found["Version"],
        "last_modified": modified.astimezone(UTC).isoformat() if modified else "",
    }
    if found["Type"] in TYPES_WITHOUT_SECRET:
        told["value"] = found["Value"]
    return told


def read_parameters(client, names: list[str]) -> dict[str, dict]:
    """The parameters that exist, under every name by which they can have been asked for."""
    found = {}
    unique = list(dict.fromkeys(names))
    for start in range(0, len(unique), NAMES_A_CALL):
        answer = client.get_parameters(Names=unique[start : start + NAMES_A_CALL], WithDecryption=False)
        for parameter in answer["Parameters"]:
            selector = parameter.get("Selector") or ""
            found[parameter["Name"] + selector] = parameter
            if parameter.get("ARN"):
                found[parameter["ARN"] + selector] = parameter
    return found


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    names = module.params["names"]
    try:
        found = read_parameters(tell(module.client("ssm")), names)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"cannot read the parameters {', '.join(names)} in {module.region}")
    parameters = [describe(name, found.get(name)) for name in names]
    missing = [parameter["name"] for parameter in parameters if not parameter["exists"]]
    module.exit_json(changed=False, parameters=parameters, missing=missing)


if __name__ == "__main__":
    main()
