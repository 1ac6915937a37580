# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: all of a DynamoDB table but its items, so that a restore can bring it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dynamodb_table_schema_info
short_description: Tell all of a DynamoDB table but its items, in the form that a restore needs
version_added: 0.1.0
description:
  - Reads keys, indexes, billing and throughput, encryption, class, stream, TTL, point-in-time recovery, tags, deletion
    protection, autoscaling and resource policy of a table, and returns them as one document.
  - What may not be read is an error that names the call, because a restore would leave it out unseen. Only a region
    whose DynamoDB does not know resource policies counts as one without them.
  - Needs C(dynamodb:DescribeTable), C(dynamodb:DescribeTimeToLive), C(dynamodb:DescribeContinuousBackups),
    C(dynamodb:ListTagsOfResource) and C(dynamodb:GetResourcePolicy) on the table, and
    C(application-autoscaling:DescribeScalableTargets) and C(application-autoscaling:DescribeScalingPolicies) on C(*).
  - Not read are replicas of Global Tables, scheduled scaling, Kinesis destinations, Contributor Insights, the policy of
    the stream and warm throughput.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  table_name:
    description:
      - Name of the table.
    type: str
    required: true
  compare_with:
    description:
      - File with a schema of this table that was saved earlier. RV(same) tells whether it says the same; a file that is
        not there does not.
      - The module fails when the file is anything else, or another table's, so that it is not overwritten.
    type: path
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.reads_only
seealso:
  - module: community.aws.dynamodb_table
"""

EXAMPLES = r"""
- name: Read the schema of a table
  dynamodb_table_schema_info:
    table_name: user-cn
  register: user_table

- name: Read it, and whether it is still as it was saved
  dynamodb_table_schema_info:
    table_name: user-cn
    compare_with: /srv/schemas/user-cn_schema.json
  register: user_table

- name: Save it
  ansible.builtin.copy:
    content: "{{ user_table.schema | to_nice_json(indent=2, sort_keys=false) }}\n"
    dest: /srv/schemas/user-cn_schema.json
    mode: "0644"
  when: not user_table.same
"""

RETURN = r"""
schema:
  description: The document.
  returned: success
  type: dict
  contains:
    version:
      description: Version of the document's form.
      returned: always
      type: int
      sample: 1
    saved_at:
      description: When it was read (ISO 8601, UTC).
      returned: always
      type: str
      sample: '2026-11-21T02:00:03Z'
    table_name:
      description: Name of the table.
      returned: always
      type: str
      sample: user-cn
    table_arn:
      description: ARN of the table.
      returned: always
      type: str
      sample: arn:aws-cn:dynamodb:cn-north-1:100000000001:table/user-cn
    table_id:
      description: Id of the table, another one when it was made anew.
      returned: always
      type: str
    region:
      description: Region of the table.
      returned: always
      type: str
      sample: cn-north-1
    account_id:
      description: Account of the table.
      returned: always
      type: str
      sample: '100000000001'
    item_count:
      description: Items, as AWS counts them about every six hours.
      returned: always
      type: int
    size_bytes:
      description: Size of the items in bytes, just as old.
      returned: always
      type: int
    table_creation_parameters:
      description: C(TableCreationParameters) of ImportTable. They have no local indexes.
      returned: always
      type: dict
    local_secondary_indexes:
      description: Local indexes, as CreateTable takes them. ImportTable cannot make a table that has some.
      returned: always
      type: list
      elements: dict
    attribute_definitions:
      description: Types of all key attributes, with those of the local indexes.
      returned: always
      type: list
      elements: dict
    table_class:
      description: V(STANDARD) or V(STANDARD_INFREQUENT_ACCESS).
      returned: always
      type: str
      sample: STANDARD
    stream:
      description: View type of the stream, V(none) when there is none.
      returned: always
      type: str
      sample: NEW_AND_OLD_IMAGES
    ttl:
      description: Attribute with the time of expiry, empty when there is none.
      returned: always
      type: str
      sample: expires
    point_in_time_recovery:
      description: Whether point-in-time recovery is on.
      returned: always
      type: bool
    recovery_period_days:
      description: How many days back, V(0) when point-in-time recovery is off.
      returned: always
      type: int
      sample: 35
    tags:
      description: Tags, without those that AWS sets itself.
      returned: always
      type: dict
    deletion_protection:
      description: Whether AWS refuses to delete the table.
      returned: always
      type: bool
    autoscaling:
      description: C(targets) and C(policies) of the table and its indexes, as Application Auto Scaling takes them.
      returned: always
      type: dict
    resource_policy:
      description: Policy of the table, V(null) when it has none.
      returned: always
      type: dict
same:
  description: Whether the file says the same. When it was saved, number of items and size do not count.
  returned: when O(compare_with) is given
  type: bool
"""

from pathlib import Path

try:
    from ansible.module_utils.dynabridge.aws.table_schema import read_schema
    from botocore.exceptions import BotoCoreError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible.module_utils.dynabridge.errors import DynabridgeError, SettingsError
from ansible.module_utils.dynabridge.table_schema import read_schema_text, same_schema
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    "table_name": {"type": "str", "required": True},
    "compare_with": {"type": "path"},
}


def is_saved(schema: dict, path: str) -> bool:
    """Whether the file says the same. Raises SettingsError for a file that must not be taken for this table's schema."""
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}. Give another file") from error
    saved = read_schema_text(text, path)
    if saved["table_name"] != schema["table_name"]:
        raise SettingsError(
            f"{path} is the schema of table {saved['table_name']}, not of {schema['table_name']}: give another file"
        )
    return same_schema(saved, schema)


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    name, path = module.params["table_name"], module.params["compare_with"]
    try:
        schema = read_schema(module.client, name)
        compared = {"same": is_saved(schema, path)} if path else {}
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except BotoCoreError as error:
        module.fail_json_aws(error, msg=f"cannot read the schema of table {name} in region {module.region}")
    module.exit_json(changed=False, schema=schema, **compared)


if __name__ == "__main__":
    main()
