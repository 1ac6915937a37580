# SPDX-License-Identifier: MIT
"""Lambda for the captured changes (row D1): a table's DynamoDB stream -> objects of the backup bucket.

Wiring only: the work is in dynabridge.aws.capture, and in dynabridge.aws.capture_tend what a rule asks for each minute.
"""

import os
import time

import boto3
from botocore.config import Config

from dynabridge.aws.capture import Capture
from dynabridge.aws.capture_look import Look
from dynabridge.aws.capture_tend import Tend, Watermarks
from dynabridge.aws.lost_batches import StreamReader
from dynabridge.aws.objects import Objects
from dynabridge.aws.quarantine import Quarantine
from dynabridge.capture_settings import capture_settings
from dynabridge.errors import SettingsError

LEFT_OVER_SECONDS = 30  # for the message that is being taken up, and for the watermarks

_capture = _tend = None


def lambda_handler(event, context):
    """Entry point: a batch of a table's stream, or ``{"action": "tend"}``."""
    global _capture, _tend  # one for the life of the environment: connections are reused
    if _capture is None:
        _capture, _tend = _build(capture_settings(os.environ))
    if "Records" in event:
        return _capture.handle(event)
    if event.get("action") != "tend":
        raise SettingsError(f"event {event!r} asks for nothing that this function does: action is tend")
    return _tend.handle(time.monotonic() + context.get_remaining_time_in_millis() / 1000 - LEFT_OVER_SECONDS)


def _build(settings):
    session = boto3.Session()
    patient = Config(retries={"total_max_attempts": 5, "mode": "standard"})
    s3 = session.client("s3", region_name=settings.bucket_region, config=patient)
    objects = Objects(s3, settings.bucket, settings.owner, settings.kms_key)
    quarantine = Quarantine(session.client("s3"), settings.quarantine_bucket, settings.side, settings.function)
    sqs, cloudwatch = session.client("sqs"), session.client("cloudwatch")
    capture = Capture(settings, objects, quarantine, sqs, cloudwatch)
    look = Look(
        session.client("dynamodb", config=patient), session.client("lambda"), cloudwatch, settings.function, time.time
    )
    reader = StreamReader(None, session.client("dynamodbstreams", config=patient))
    return capture, Tend(settings, capture, Watermarks(objects, settings.prefix), look, reader, sqs, cloudwatch)
