# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that read a table's stream are authorised on that stream.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB": DescribeStream, GetRecords and
GetShardIterator have the resource type `stream`. The emulator authorises them on `*`, which a policy that names its streams
does not allow. GetRecords names its stream by the iterator.
"""

import json

from ministack.core import iam_actions
from ministack.services import dynamodb_streams

from ..sides import Side

SERVICE = "dynamodbstreams"


def install(_side: Side) -> None:
    emulator_resource = iam_actions.extract_resource_arn

    def resource(service, method, path, headers, body, query_params, region, account_id):
        if service == SERVICE:
            return _stream(body) or "*"
        return emulator_resource(service, method, path, headers, body, query_params, region, account_id)

    iam_actions.extract_resource_arn = resource


def _stream(body: bytes) -> str:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return ""
    if not isinstance(request, dict):
        return ""
    if iterator := request.get("ShardIterator"):
        decoded = dynamodb_streams._decode_iterator(iterator) or {}
        return str(decoded.get("arn") or "")
    return str(request.get("StreamArn") or "")
