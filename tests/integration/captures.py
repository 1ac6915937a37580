# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the captured changes share: the log of a side's table, its watermark, and the look that a rule asks for."""

import gzip
import json
import time

from botocore.exceptions import ClientError

from dynabridge.change_lines import ChangeLine, read_change
from dynabridge.change_log import object_of
from dynabridge.watermark import Watermark, key_of_watermark, watermark_from
from tests.integration.support import Side, eventually

FUNCTION, ROLE = "stream_to_s3", "stream_to_s3_role"


def bucket_of(side: Side) -> str:
    return f"dynabridge-backup-{side.name}-{side.pair.sides[side.name]['account_id']}"


def queue_of(side: Side) -> str:
    return side.client("sqs").get_queue_url(QueueName=f"ddbcapture{side.name}")["QueueUrl"]


def messages(side: Side) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = side.client("sqs").get_queue_attributes(QueueUrl=queue_of(side), AttributeNames=names)
    return sum(int(number) for number in answer["Attributes"].values())


def call(side: Side, event: dict) -> tuple[dict | None, str]:
    """What the function answers, and its error."""
    answer = side.client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps(event))
    payload = answer["Payload"].read().decode()
    return (None, payload) if "FunctionError" in answer else (json.loads(payload or "null"), "")


def tend(side: Side) -> dict:
    """The look that a rule asks for each minute."""
    answer, error = call(side, {"action": "tend"})
    assert not error, error
    return answer


def log_of(side: Side, since: float = 0) -> list[ChangeLine]:
    """The lines of the objects that were written since, in the order of their keys."""
    s3, bucket = side.client("s3"), bucket_of(side)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"changes/{side.table}/")
    entries = [entry for page in pages for entry in page.get("Contents", [])]
    found = []
    for entry in entries:
        if object_of(entry["Key"]) and entry["LastModified"].timestamp() >= since - 1:
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            found += [read_change(line) for line in gzip.decompress(body).splitlines()]
    return found


def captured(side: Side, key: str, since: float = 0) -> list[ChangeLine]:
    """The captured changes of an item, oldest first, each once."""
    lines = [line for line in log_of(side, since) if line.keys == {"PK": {"S": key}}]
    return sorted({line.sequence: line for line in lines}.values(), key=lambda line: line.sequence)


def mark_of(side: Side) -> Watermark | None:
    try:
        answer = side.client("s3").get_object(Bucket=bucket_of(side), Key=key_of_watermark(side.table))
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey", error
        return None
    return watermark_from(json.loads(answer["Body"].read()))


def captured_until(side: Side, moment: float, seconds: float = 120.0) -> Watermark:
    """Look until the watermark is past a moment; gives it."""

    def look():
        tend(side)
        mark = mark_of(side)
        if mark and mark.until > moment:
            return mark
        time.sleep(0.5)
        return None

    return eventually(look, seconds)
