# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket in memory with what a restore needs: verified backups, incrementals, captured changes, a watermark."""

import json
from dataclasses import replace

from dynabridge.aws.objects import Objects
from dynabridge.backup_layout import SCHEMA, SUCCESS, Place, day_of
from dynabridge.catalogue import VERIFIED, Found, judge, verdict
from dynabridge.change_log import objects_of
from dynabridge.exports import SUMMARY
from dynabridge.watermark import Hole, Watermark, key_of_watermark
from tests.backup_fakes import SCHEMA_DOCUMENT, FakeS3
from tests.export_files import BUCKET, MOMENT, PREFIX, TABLE, TABLE_ID, identifier, write_export
from tests.modules.aws_fakes import fake_client

STREAM_ARN = "arn:aws-cn:dynamodb:cn-north-1:100000000001:table/user-cn/stream/2026-11-20T00:00:00.000"


class World:
    """``moment`` 0 is ``MOMENT``: times here are seconds after it."""

    def __init__(self):
        self.s3 = FakeS3()
        self.objects = Objects(fake_client("s3", self.s3), BUCKET)
        self.exports = 0

    def backup(self, at, files=None, table=TABLE, state=VERIFIED, window=None, schema=SCHEMA_DOCUMENT):
        """A verified export of these files' lines; gives its folder."""
        self.exports += 1
        moment = MOMENT + at
        window = window and tuple(MOMENT + edge for edge in window)
        folder = write_export(self.s3.objects, files, table, day_of(moment), moment, window, tail=self.exports)
        self.s3.objects[folder + SCHEMA] = json.dumps(schema).encode()
        if state == VERIFIED:
            place = Place(day_of(moment), table, identifier(moment, self.exports), "")
            found = judge(BUCKET, PREFIX, place, Found(), {SUMMARY: self.s3.objects[folder + SUMMARY]})
            count = sum(1 for key in self.s3.objects if key.startswith(folder + "data/"))
            marked = replace(found, state=VERIFIED, verified=moment, files=count)
            self.s3.objects[folder + SUCCESS] = json.dumps(verdict(marked, moment)).encode()
        return folder

    def capture(self, records, table=TABLE):
        """A batch of stream records, as Lambda gets them."""
        self.s3.objects.update(objects_of(table, records))

    def watermark(self, since, until, *holes, table=TABLE):
        mark = Watermark(
            table,
            TABLE_ID,
            STREAM_ARN,
            MOMENT + since,
            MOMENT + until,
            MOMENT + until,
            tuple(Hole(MOMENT + start, MOMENT + end, why) for start, end, why in holes),
        )
        self.s3.objects[key_of_watermark(table)] = json.dumps(mark.as_dict()).encode()


def record(number, at, key, new=None, old=None):
    """A stream record of an item with the key PK: its second, its images."""
    images = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image is not None}
    return {
        "eventID": f"{number:032x}",
        "dynamodb": {
            "ApproximateCreationDateTime": int(MOMENT + at),
            "SequenceNumber": str(100000000000000000000 + number),
            "Keys": {"PK": {"S": key}},
            **images,
        },
    }
