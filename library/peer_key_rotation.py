# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: replace the key pair by which one side writes to the other's stream, while replication goes on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: peer_key_rotation
short_description: Replace the key pair by which one side writes to the other's Kinesis stream
version_added: 0.1.0
description:
  - Makes a new key of the IAM user on the owner's side, proves it by records without changes that it puts into the stream,
    stores it in the holder's Parameter Store, reads it back and proves it again, disables the old key, proves what is
    stored once more, and deletes the old key.
  - A step that fails takes all before it back; only the deletion of the old key, the last step, takes nothing back.
  - One module and not several tasks, so that no secret leaves this process, and a half-done rotation can be taken back.
  - A stored key that is inactive, or no key of the user any more, is replaced whatever its age.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  user:
    description: The IAM user on the owner's side.
    type: str
    required: true
  stream:
    description: The Kinesis stream on the owner's side that the user may write to.
    type: str
    required: true
  path:
    description: Path of C(AccessKey) and C(SecretKey) in the holder's Parameter Store, with C(/) at both ends.
    type: str
    required: true
  side:
    description: Name of the holder's side, which the records of the proof bear as their origin.
    type: str
    required: true
  owner:
    description: How to reach the account of the user and the stream.
    type: dict
    required: true
    suboptions: &side
      profile:
        description: AWS profile. The environment's credentials when empty.
        type: str
      region:
        description: Region. The profile's region when empty.
        type: str
      endpoint_url:
        description: Endpoint. The profile's or the region's own when empty.
        type: str
      proxy:
        description: V(host:port) of the proxy by which this side is reached. That of the environment when empty.
        type: str
  holder:
    description: How to reach the account whose Parameter Store holds the pair.
    type: dict
    required: true
    suboptions: *side
  max_age_days:
    description: Only a key that is at least so many days old is replaced. V(0) = always.
    type: int
    default: 0
  wait:
    description: Seconds in which the peer has to accept a key, because IAM spreads a change slowly.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Looks at the keys and tells what would be done.
requirements:
  - boto3
  - botocore
notes:
  - Needs C(iam:ListAccessKeys), C(iam:CreateAccessKey), C(iam:UpdateAccessKey) and C(iam:DeleteAccessKey) on the user,
    and C(ssm:GetParameters), C(ssm:PutParameter) and C(ssm:DescribeParameters) on the parameters, with the use of their KMS
    key. C(iam:GetAccessKeyLastUsed) makes one message clearer.
"""

EXAMPLES = r"""
- name: Replace the key pair of which cn's sender makes use, when it is 90 days old
  peer_key_rotation:
    user: dynabridge-peer-cn
    stream: ddb_replication_stream_sg
    path: /DDBReplication/TableSG/
    side: cn
    owner:
      profile: sg
      region: ap-southeast-1
    holder:
      profile: cn
      region: cn-north-1
    max_age_days: 90
"""

RETURN = r"""
summary:
  description: What was done, or would be done, and why.
  returned: success
  type: str
  sample: key AKIAIOSFODNN7EXAMPLE is 91.2 days old. AKIAI44QH8DHBEXAMPLE was put in its place
age_days:
  description: Age of the key that was stored before. V(0) where the user had no such key any more.
  returned: success
  type: float
  sample: 91.2
access_key_id:
  description: Id of the key that is stored now.
  returned: success
  type: str
  sample: AKIAI44QH8DHBEXAMPLE
previous_access_key_id:
  description: Id of the key that was stored before.
  returned: success
  type: str
  sample: AKIAIOSFODNN7EXAMPLE
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.rotation import Proof, StoredPair, UserKeys, rotate
    from ansible.module_utils.dynabridge.aws.sides import SOON, side_client
    from botocore.exceptions import BotoCoreError, ClientError

from ansible.module_utils.dynabridge.arguments import REACHED
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible.module_utils.dynabridge.rotation import Pair, plan
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

SIDE = {
    "type": "dict",
    "required": True,
    "options": REACHED,
}
ARGUMENT_SPEC = {
    "user": {"type": "str", "required": True},
    "stream": {"type": "str", "required": True},
    "path": {"type": "str", "required": True},
    "side": {"type": "str", "required": True},
    "owner": SIDE,
    "holder": SIDE,
    "max_age_days": {"type": "int", "default": 0},
    "wait": {"type": "int", "default": 60},
}


def connect(side: dict[str, Any], service: str, pair: Pair | None = None) -> Any:
    """A client of a side: by its profile, or by a key pair that is to be proven there."""
    credentials = {"aws_access_key_id": pair.access_key, "aws_secret_access_key": pair.secret_key} if pair else {}
    return side_client(side, service, SOON, credentials=credentials)


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """The result to return. Every secret is told to the module as soon as it is known: it blanks them in what it prints."""
    params = module.params
    owner, holder = params["owner"], params["holder"]
    user = UserKeys(connect(owner, "iam"), params["user"])
    store = StoredPair(connect(holder, "ssm"), params["path"], module._module.no_log_values.add)
    stored = store.read().access_key
    todo = plan(user.list(), stored, params["max_age_days"], datetime.now(UTC))
    result = {
        "changed": todo.rotate,
        "age_days": round(todo.age_days, 1),
        "access_key_id": stored,
        "previous_access_key_id": stored,
    }
    if not todo.rotate:
        return result | {"summary": f"{todo.reason}, and stays until it is {params['max_age_days']}"}
    if module.check_mode:
        return result | {"summary": f"{todo.reason}. It would be replaced"}
    proof = Proof(lambda pair: connect(owner, "kinesis", pair), params["stream"], params["side"], params["wait"])
    new = rotate(todo, user, store, proof)
    return result | {
        "access_key_id": new.access_key,
        "summary": f"{todo.reason}. {new.access_key} was put in its place",
    }


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, default_args=False)
    about = f"The key pair of {module.params['user']} in {module.params['path']}"
    try:
        result = run(module)
    except DynabridgeError as error:
        module.fail_json(msg=f"{about}: {error}.".replace("..", "."))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"{about} cannot be looked at, and nothing was changed")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
