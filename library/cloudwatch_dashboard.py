# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: a CloudWatch dashboard as its body says, and no call when it already is so."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudwatch_dashboard
short_description: Create, change or remove a CloudWatch dashboard
version_added: 0.1.0
description:
  - Compares the dashboard's body with the wanted one as data, so that neither the order of keys nor white space is a change.
  - A body in which CloudWatch finds a mistake is refused, with CloudWatch's own words for each place.
  - Needs C(cloudwatch:GetDashboard), C(cloudwatch:PutDashboard), and C(cloudwatch:DeleteDashboards) to remove one.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  name:
    description: Name of the dashboard, of letters, digits, V(-) and V(_), 255 at most.
    type: str
    required: true
  body:
    description:
      - What it shows, in the structure of CloudWatch's dashboards.
      - Required to create one.
    type: dict
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Says what would change, and changes nothing.
  diff_mode:
    support: full
    description: Shows the bodies.
"""

EXAMPLES = r"""
- name: Show what the bridge does
  cloudwatch_dashboard:
    name: dynabridge-cn
    body: "{{ dashboard__place | dynabridge_dashboard }}"

- name: Remove the dashboard
  cloudwatch_dashboard:
    name: dynabridge-cn
    state: absent
"""

RETURN = r"""
name:
  description: Name of the dashboard.
  returned: success
  type: str
  sample: dynabridge-cn
widgets:
  description: How many widgets it has now, V(0) when it is not there.
  returned: success
  type: int
  sample: 19
"""

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "body": {"type": "dict"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
NOT_FOUND = ("ResourceNotFound", "DashboardNotFoundError", "ResourceNotFoundException")


def found(client: Any, name: str) -> dict[str, Any] | None:
    """The body as it is; None when there is no such dashboard. One that is no JSON differs from whatever is wanted."""
    try:
        text = client.get_dashboard(DashboardName=name)["DashboardBody"]
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_FOUND:
            return None
        raise
    try:
        return json.loads(text)
    except ValueError:
        return {"not JSON": text}


def put(module: AnsibleAWSModule, client: Any, name: str, body: dict[str, Any]) -> None:
    answer = client.put_dashboard(DashboardName=name, DashboardBody=json.dumps(body))
    if messages := answer.get("DashboardValidationMessages"):
        told = "; ".join(f"{one.get('DataPath') or 'body'}: {one.get('Message')}" for one in messages)
        module.fail_json(msg=f"dashboard {name}: CloudWatch does not understand all of it: {told}")


def settle(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    name, wanted = module.params["name"], None
    if module.params["state"] == "present":
        # Through JSON, as CloudWatch keeps it: tuples and lists are the same there.
        wanted = json.loads(json.dumps(module.params["body"]))
    there = found(client, name)
    result = {
        "changed": there != wanted,
        "name": name,
        "widgets": len(wanted.get("widgets", [])) if wanted else 0,
        "diff": {"before": there or {}, "after": wanted or {}},
    }
    if result["changed"] and not module.check_mode:
        if wanted is None:
            client.delete_dashboards(DashboardNames=[name])
        else:
            put(module, client, name, wanted)
    return result


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_if=[("state", "present", ["body"])]
    )
    try:
        result = settle(module, module.client("cloudwatch"))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"dashboard {module.params['name']} cannot be settled")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
