# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: how a side's replication stands, as its own region tells."""

from __future__ import annotations

DOCUMENTATION = r"""
module: side_status_info
short_description: How the replication of a side stands
version_added: 0.1.0
description:
  - Asks a side's region for mappings and their last results, metrics of the last 15 minutes, queues, quarantine, counters, keys,
    the last comparisons and alarms that ring, at the same time.
  - What cannot be asked is told in RV(unknown) and hides nothing else. No secret is read or returned.
  - Listings are paged, and no more than O(most) objects of the quarantine are counted.
author:
  - dynabridge contributors (!UNKNOWN)
options:
  functions:
    description: Names of the functions.
    type: list
    elements: str
    required: true
  queues:
    description: Names of the on-failure queues.
    type: list
    elements: str
    required: true
  bucket:
    description: The quarantine bucket.
    type: str
    required: true
  loader_stats_table:
    description: Table of the counter C(loaded_count).
    type: str
    default: loader_stats
  replicator_stats_table:
    description: Table of the counter C(replicated_count), and of the last comparisons.
    type: str
    default: replicator_stats
  compared:
    description: Tables whose last comparison is wanted, by their names in C(dynabridge_tables).
    type: list
    elements: str
    default: []
  parameter_path:
    description: Path of C(AccessKey) and C(SecretKey) in the side's Parameter Store, with C(/) at both ends.
    type: str
    required: true
  user:
    description: The side's IAM user by whose key the peer writes.
    type: str
    required: true
  alarm_prefix:
    description: What the names of the side's alarms begin with.
    type: str
    required: true
  namespace:
    description: Namespace of the replicator's metrics.
    type: str
    default: DDB-Replicator
  most:
    description: Objects of the quarantine to count.
    type: int
    default: 10000
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - dynabridge.reads_only
"""

EXAMPLES = r"""
- name: See how the replication of cn stands
  side_status_info:
    functions: [ddb_send_to_kinesis, replicator_kinesis]
    queues: [ddbstreamcn, ddbreplicatorcn]
    bucket: dynabridge-quarantine-cn-100000000001
    compared: [user]
    parameter_path: /DDBReplication/TableSG/
    user: dynabridge-peer-sg
    alarm_prefix: dynabridge-cn-
  register: side
"""

RETURN = r"""
mappings:
  description: By function, its mappings with C(source), C(state) and C(result), the result of the last batch.
  returned: always
  type: dict
  sample: {"replicator_kinesis": [{"source": "ddb_replication_stream_cn", "state": "Enabled", "result": "OK"}]}
metrics:
  description:
    - C(functions), by name the C(invocations), C(errors) and C(throttles) of the last 15 minutes, and C(age_seconds) of what was
      handed over last, None where nothing was.
    - C(lag_seconds) of the last batch that arrived, None where none did.
  returned: always
  type: dict
queues:
  description: By queue, its messages, those that somebody holds included.
  returned: always
  type: dict
  sample: {"ddbstreamcn": 0, "ddbreplicatorcn": 0}
quarantine:
  description: The C(bucket), its C(entries) by function, C(gaps), the C(total), and whether there may be C(more).
  returned: always
  type: dict
counters:
  description: C(loaded) and C(replicated).
  returned: always
  type: dict
  sample: {"loaded": 5000, "replicated": 5000}
compares:
  description: By table, what its last comparison found, None where there was none; see M(dynamodb_compare_record).
  returned: always
  type: dict
stored_key:
  description: Id of the key by which the side writes to its peer; empty where the pair is not whole.
  returned: always
  type: str
  sample: AKIAIOSFODNN7EXAMPLE
user_keys:
  description: The C(user) by whose key the peer writes, and its C(keys), each with C(id), C(active) and C(created).
  returned: always
  type: dict
alarms:
  description: Alarms that ring, with C(name) and C(since).
  returned: always
  type: list
  elements: dict
unknown:
  description: By the name of a value above that is None, why.
  returned: always
  type: dict
"""

import time
from contextlib import suppress

with suppress(ImportError):  # without botocore AnsibleAWSModule says what is missing
    from ansible.module_utils.dynabridge.aws.proxies import tell
    from ansible.module_utils.dynabridge.aws.side_status import SERVICES, Place, look
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

from ansible.module_utils.dynabridge.arguments import check_lowest
from ansible.module_utils.dynabridge.errors import DynabridgeError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENT_SPEC = {
    "functions": {"type": "list", "elements": "str", "required": True},
    "queues": {"type": "list", "elements": "str", "required": True},
    "bucket": {"type": "str", "required": True},
    "loader_stats_table": {"type": "str", "default": "loader_stats"},
    "replicator_stats_table": {"type": "str", "default": "replicator_stats"},
    "compared": {"type": "list", "elements": "str", "default": []},
    "parameter_path": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "alarm_prefix": {"type": "str", "required": True},
    "namespace": {"type": "str", "default": "DDB-Replicator"},
    "most": {"type": "int", "default": 10000},
}


def place_of(params: dict) -> Place:
    check_lowest(params, most=1)
    return Place(
        functions=params["functions"],
        queues=params["queues"],
        bucket=params["bucket"],
        loader_table=params["loader_stats_table"],
        stats_table=params["replicator_stats_table"],
        compared=params["compared"],
        parameter_path=params["parameter_path"],
        user=params["user"],
        alarm_prefix=params["alarm_prefix"],
        namespace=params["namespace"],
        most=params["most"],
    )


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        place = place_of(module.params)
        # A region that is gone is to be told soon, and not after the minutes of botocore's own patience.
        soon = Config(connect_timeout=10, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
        clients = {service: tell(module.client(service, config=soon)) for service in SERVICES}
        result = look(clients, place, time.time())
    except DynabridgeError as error:
        module.fail_json(msg=str(error))
    except BotoCoreError as error:
        module.fail_json_aws(error, msg="Cannot look at the side")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
