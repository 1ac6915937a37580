# SPDX-License-Identifier: MIT
"""Lambda sender: a replicated table's DynamoDB stream -> the peer's Kinesis stream (row R6).

Wiring only: the work is in dynabridge.aws.sender. Clients and the peer's key pair live as long as the environment.
"""

import os

import boto3
from botocore.config import Config

from dynabridge.aws.memory import Memory
from dynabridge.aws.own_side import OwnSide
from dynabridge.aws.peer import PeerStream, read_key_pair
from dynabridge.aws.quarantine import Quarantine
from dynabridge.aws.sender import Sender
from dynabridge.aws.stamper import Stamper
from dynabridge.settings import sender_settings

_sender = None


def lambda_handler(event, context):
    """Entry point. Gives the partial batch response of the event source mapping."""
    global _sender  # one for the life of the environment: connections and the key pair are reused
    if _sender is None:
        _sender = _build(sender_settings(os.environ))
    return _sender.handle(event)


def _build(settings):
    session = boto3.Session()
    ssm = session.client("ssm")
    quarantine = Quarantine(session.client("s3"), settings.quarantine_bucket, settings.side, "ddb_send_to_kinesis")

    def connect(access_key, secret_key):
        config = Config(
            connect_timeout=5,
            read_timeout=15,
            retries={"total_max_attempts": 3, "mode": "standard"},
            proxies=dict(settings.proxies),
        )
        return session.client(
            "kinesis",
            region_name=settings.target_region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=None,
            config=config,
        )

    peer = PeerStream(
        settings.target_stream,
        lambda: read_key_pair(ssm, settings.parameter_path),
        connect,
        proxy=settings.proxies.get("https", ""),
    )
    return Sender(settings, peer, quarantine, _own_side(session, settings), session.client("cloudwatch"))


def _own_side(session, settings):
    dynamodb = session.client("dynamodb", config=Config(retries={"total_max_attempts": 5, "mode": "standard"}))
    memory = Memory(dynamodb, settings.tombstones.table, settings.names, settings.tombstones.keep_seconds)
    return OwnSide(
        dynamodb=dynamodb,
        names=settings.names,
        memory=memory,
        stamper=Stamper(dynamodb, settings.names, settings.region),
    )
