# SPDX-License-Identifier: MIT
"""Lambda for backups (row B1): begins exports by schedule, and verifies and marks those that have ended.

Wiring only: the work is in dynabridge.aws.backup_watch. An export takes minutes to hours, so nothing here waits for one.
"""

import os
import time
from functools import cache

import boto3
from botocore.config import Config

from dynabridge.aws.backup_watch import Watch
from dynabridge.aws.backups import Backups
from dynabridge.aws.catalogue import AT_ONCE
from dynabridge.aws.exports import Exports, Target
from dynabridge.aws.lifecycle import read_rules
from dynabridge.aws.objects import Objects
from dynabridge.aws.table_schema import read_schema
from dynabridge.backup_settings import backup_settings

LEFT_OVER_SECONDS = 30  # to write down how far it got

_watch = None


def lambda_handler(event, context):
    """Entry point: ``{"action": "start", "kind": "full"}`` or ``{"action": "check"}``."""
    global _watch  # one for the life of the environment: connections are reused
    if _watch is None:
        _watch = _build(backup_settings(os.environ))
    until = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - LEFT_OVER_SECONDS
    return _watch.handle(event, context.aws_request_id, until)


def _build(settings):
    patient = Config(retries={"total_max_attempts": 5, "mode": "standard"}, max_pool_connections=AT_ONCE)
    s3 = boto3.client("s3", region_name=settings.bucket_region, config=patient)
    dynamodb = boto3.client("dynamodb", config=patient)
    clients = cache(lambda service: dynamodb if service == "dynamodb" else boto3.client(service, config=patient))
    backups = Backups(
        Objects(s3, settings.bucket, settings.owner),
        Exports(dynamodb),
        lambda table: read_schema(clients, table),
        Target(settings.bucket, settings.owner, settings.kms_key),
        settings.prefix,
    )
    return Watch(settings, backups, lambda: read_rules(s3, settings.bucket, settings.owner), boto3.client("cloudwatch"))
