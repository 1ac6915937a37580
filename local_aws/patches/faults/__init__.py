# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: what AWS does on a bad day, so that tests can see what becomes of the bridge then.

Nothing of this acts until it is switched on, by HTTP on the side's own port and without credentials (the sides listen on
127.0.0.1 only); `POST /_ministack/reset` switches it off. `tests/faults_api.py` has a function for each.

* `PUT /_dynabridge/faults {"share": 0.05, "calls": ["dynamodb:*"], "kinds": ["throttling"], "seed": 1}`: that share of the calls
  fails, drawn by a seeded generator. A call's name is its IAM action, with `*` as in a policy. Kinds: `throttling` (the
  service's own code: ProvisionedThroughputExceededException, ThrottlingException, SlowDown ...), `unavailable` (503),
  `internal` (500; half of those calls are carried out all the same, as on AWS, where the caller cannot know), `partial`
  (PutRecords, BatchWriteItem and BatchGetItem leave out some of their members). A share of 0 ends it.
* `PUT /_dynabridge/kill {"function": name, "calls": ["dynamodb:*"], "after": 2, "times": 1}`: the function's workers that are
  at work are killed when AWS has carried out its call number `after`, before it gets the answer. Counting begins anew after
  each kill.
* `POST /_dynabridge/trim {"stream": name}`: the records that a table's stream (by the table's name) or a Kinesis stream holds are
  gone, as at the end of their retention.
* `PUT /_dynabridge/region {"region": "cn-north-1", "down": true}`: that region is gone (see `regions`): calls that are signed for
  it are cut off and counted, its stream mappings and rules stand still. `"down": false` brings it back with all it had.
* `GET /_dynabridge/faults`: the settings, how many calls failed by name and kind, how many workers were killed, and how many
  calls each lost region got, by call.

A side that cannot be reached at all is the launcher's business: see `local_aws.pausing`.
"""

import importlib

from ...sides import Side
from . import api, calls, regions


def install(side: Side) -> None:
    app = importlib.import_module("ministack.app")
    api.install(app, side)
    calls.install(app)
    regions.install()


def reset() -> None:
    calls.switch_off()
    regions.switch_off()
