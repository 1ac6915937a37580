# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket with what a plan reads, and a table in memory that its changes are written to."""

import json
from types import SimpleNamespace

from dynabridge.backup_layout import SCHEMA
from dynabridge.catalogue import INCREMENTAL, VERIFIED, Backup
from dynabridge.change_log import objects_of
from dynabridge.restore_plan import APPLY, LogPart, Plan
from dynabridge.table_schema import schema_of
from tests.backup_fakes import FakeS3
from tests.dynamodb import FakeDynamoDB
from tests.export_files import BUCKET, DAY, MOMENT, PREFIX, TABLE, TABLE_ID, identifier, table_arn, write_export
from tests.fakes import client_error
from tests.table_answers import OFF

TARGET = "user-restored"
NO_TTL = {"TimeToLiveStatus": "DISABLED"}


class Table(FakeDynamoDB):
    """Takes batches. ``left``: called with the requests of a batch, gives those that come back unprocessed."""

    def __init__(self, schema=(("PK", "S"),), table=TARGET):
        super().__init__(keys={table: tuple(name for name, _kind in schema)})
        self.schema, self.arns, self.status = schema, {}, "ACTIVE"
        self.batches, self.left = [], lambda requests: []
        self.invalid = set()  # PKs that no write is valid for
        self.meta = SimpleNamespace(region_name="cn-northwest-1", endpoint_url="http://127.0.0.1:1")

    def describe_table(self, TableName):
        self._begin("describe_table", TableName)
        if TableName not in (*self.keys, "replicator_tombstones"):
            raise client_error("ResourceNotFoundException")
        schema = self.schema if TableName in self.keys else (("PK", "S"),)
        return {"Table": description(TableName, schema) | {"TableStatus": self.status} | self.arns.get(TableName, {})}

    def batch_write_item(self, RequestItems):
        self._begin("batch_write_item", RequestItems)
        ((table, requests),) = RequestItems.items()
        arguments = [next(iter(request.values())) for request in requests]
        names = [self._key_name(table, one.get("Item") or one["Key"]) for one in arguments]
        assert 0 < len(set(names)) == len(names) <= 25, "a key twice, or too many, rejects the call"
        if any((one.get("Item") or one["Key"])["PK"].get("S") in self.invalid for one in arguments):
            raise client_error("ValidationException", "one of them is invalid")
        self.batches.append(len(requests))
        left = self.left(requests)
        for request in requests:
            if request not in left:
                self._take(table, request)
        return {"UnprocessedItems": {table: left} if left else {}}

    def _take(self, table, request):
        ((kind, one),) = request.items()
        self._change("Put" if kind == "PutRequest" else "Delete", {"TableName": table, **one})

    def _single(self, action, arguments):
        if (arguments.get("Item") or arguments["Key"])["PK"].get("S") in self.invalid:
            raise client_error("ValidationException", "the item is too large")
        super()._single(action, arguments)

    def content(self, table=TARGET):
        return sorted(json.dumps(item, sort_keys=True, default=repr) for item in self.items(table))


def description(table, schema):
    """What DescribeTable says, as far as it matters."""
    kinds = ("HASH", "RANGE")
    return {
        "TableName": table,
        "TableArn": table_arn(table),
        "TableId": TABLE_ID,
        "CreationDateTime": "then",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in schema],
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind} for (name, _type), kind in zip(schema, kinds, strict=False)
        ],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    }


def record(number, at, keys, new=None, old=None):
    """A stream record. ``at``: seconds after the backup's moment."""
    images = ({"NewImage": new} if new is not None else {}) | ({"OldImage": old} if old is not None else {})
    data = {"ApproximateCreationDateTime": float(int(MOMENT) + at), "SequenceNumber": f"{number:025d}", "Keys": keys}
    return {"eventID": f"e{number}", "dynamodb": data | images}


class Saved:
    """The bucket: a full backup without items at MOMENT, windows and captured changes after it."""

    def __init__(self, schema=(("PK", "S"),)):
        self.s3, self.windows, self.base = FakeS3(), [], None
        folder = write_export(self.s3.objects, [])
        document = schema_of(description(TABLE, schema), NO_TTL, OFF)
        self.s3.objects[folder + SCHEMA] = json.dumps(document).encode()
        self.base = self._backup(folder, 0, moment=MOMENT)

    def window(self, start, end, lines):
        """An incremental export of [start, end), seconds after the backup's moment."""
        tail = len(self.windows) + 1
        span = (MOMENT + start, MOMENT + end)
        folder = write_export(self.s3.objects, [lines], window=span, tail=tail)
        self.windows.append(self._backup(folder, tail, kind=INCREMENTAL, start=span[0], moment=span[1]))

    def captured(self, *records, table=TABLE):
        for key, body in objects_of(table, records):
            self.s3.objects[key] = body

    def plan(self, moment, **changes):
        """The plan for so many seconds after the backup."""
        fields = {
            "table": TABLE,
            "moment": MOMENT + moment,
            "method": APPLY,
            "bucket": BUCKET,
            "prefix": PREFIX,
            "changes_prefix": "changes",
            "base": self.base,
            "windows": tuple(self.windows),
            "log": LogPart(MOMENT, MOMENT + moment, 1, 100),
        }
        return Plan(**fields | changes).as_dict()

    @staticmethod
    def _backup(folder, tail, **fields):
        names = {"bucket": BUCKET, "table": TABLE, "id": identifier(MOMENT, tail), "day": DAY, "folder": folder}
        return Backup(**names, state=VERIFIED, table_arn=table_arn(), table_id=TABLE_ID, **fields)
