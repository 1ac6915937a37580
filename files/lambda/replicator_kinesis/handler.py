# SPDX-License-Identifier: MIT
"""Lambda receiver: this side's Kinesis stream -> its replicated tables (row R7).

Wiring only: the work is in dynabridge.aws.receiver. Clients live as long as the environment.
"""

import os

import boto3
from botocore.config import Config

from dynabridge.aws.apply import Applier
from dynabridge.aws.memory import Memory
from dynabridge.aws.quarantine import Quarantine
from dynabridge.aws.receiver import Receiver
from dynabridge.settings import receiver_settings

_receiver = None


def lambda_handler(event, context):
    """Entry point. Gives the partial batch response of the event source mapping."""
    global _receiver  # one for the life of the environment: connections are reused
    if _receiver is None:
        _receiver = _build(receiver_settings(os.environ))
    return _receiver.handle(event)


def _build(settings):
    session = boto3.Session()
    dynamodb = session.client("dynamodb", config=Config(retries={"total_max_attempts": 5, "mode": "standard"}))
    quarantine = Quarantine(session.client("s3"), settings.quarantine_bucket, settings.side, "replicator_kinesis")
    memory = Memory(dynamodb, settings.tombstones.table, settings.names, settings.tombstones.keep_seconds)
    applier = Applier(dynamodb, settings.names, memory, settings.write_batch)
    return Receiver(settings, applier, quarantine, dynamodb, session.client("cloudwatch"))
