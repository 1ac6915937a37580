# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source mappings of DynamoDB streams and Kinesis streams, as Lambda runs them.

AWS Lambda Developer Guide, "How Lambda processes records from stream and queue-based event sources",
"Using Lambda with Amazon Kinesis" / "... with Amazon DynamoDB" (batching, retaining discarded batches, partial
batch responses), and the API reference of CreateEventSourceMapping. The emulator reads both kinds of stream
in one thread, retries for ever and ignores every setting but the batch size; here each mapping has threads
of its own:

* a *lane* reads one shard (`lanes`), sees only its share of the partition keys, and keeps a checkpoint;
* a *delivery* brings one batch to its end: success, partial success, bisection, retries, age, discard;
* the *supervisor* starts and ends lanes as mappings, shards and settings change;
* `api` checks requests as AWS does, `access` asks the function's role before the stream is read, `ages` tells how late a
  batch is handed over.

ParallelizationFactor: each lane occupies a Lambda worker, which is a process here, so the number of lanes of
a shard is capped by the environment variable LOCAL_AWS_LANES (default 2). Up to that cap a factor acts as on
AWS: the keys are divided among the lanes, and one key's records stay in order.
"""

from ...sides import Side
from . import api, supervisor


def install(_side: Side) -> None:
    supervisor.install()
    api.install()


def reset() -> None:
    supervisor.reset()
