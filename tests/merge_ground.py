# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of merging stand on: a schema of any key, and a plan of what lies in a World's bucket."""

import json

from dynabridge.catalogue import backup_from
from dynabridge.restore_plan import MERGE, LogPart, Plan, named
from dynabridge.table_schema import schema_of
from tests.export_files import BUCKET, MOMENT, PREFIX, TABLE, TABLE_ID, table_arn
from tests.table_answers import OFF, TTL, keys

PK_SCHEMA_KEYS = {"PK": "S"}


def schema_with(types=None, table=TABLE):
    """The schema of a table on demand; ``types``: of the key attributes, partition key first."""
    types = types or PK_SCHEMA_KEYS
    described = {
        "TableName": table,
        "TableArn": table_arn(table),
        "TableId": TABLE_ID,
        "KeySchema": keys(*types),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    }
    return schema_of(described, TTL, OFF | {"ContinuousBackupsStatus": "ENABLED"})


def backup_in(world, folder):
    """The backup that lies in a folder of the world's bucket, by its own verdict."""
    return backup_from(json.loads(world.s3.objects[folder + "_SUCCESS"])["backup"])


def plan_of(world, folder, start=-60, end=3600, windows=()):
    """From the full backup in ``folder``, by incrementals in folders and the log, to ``end``. ``start``: None, no log."""
    log = None if start is None else LogPart(MOMENT + start, MOMENT + end, 1, 100)
    base, *windows = (backup_in(world, found) for found in (folder, *windows))
    return named(Plan(TABLE, MOMENT + end, MERGE, BUCKET, PREFIX, "changes", base, tuple(windows), log))
