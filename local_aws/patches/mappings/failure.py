# SPDX-License-Identifier: GPL-3.0-or-later
"""The message about a discarded batch, to the mapping's on-failure queue or topic.

AWS Lambda Developer Guide, "Retain discarded batch records for a Kinesis / DynamoDB event source": the
message holds metadata only. `functionError` is absent when the function answered and reported items,
`responseContext` when the records were discarded before any invocation.
"""

import datetime
import json
import uuid

from ministack.services import sns, sqs

from . import access


class NotDelivered(Exception):
    """The destination took no message; AWS counts this in DestinationDeliveryFailures and goes on."""


def message(shard, records: list, condition: str, function_arn: str, invocations: int, function_error) -> dict:
    first, last = records[0], records[-1]
    body = {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": invocations,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": function_error},
        "version": "1.0",
        "timestamp": _iso(datetime.datetime.now(datetime.UTC).timestamp(), "milliseconds"),
        shard.info_key: {
            "shardId": shard.shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": _arrival(shard, first),
            "approximateArrivalOfLastRecord": _arrival(shard, last),
            "batchSize": len(records),
            "streamArn": shard.arn,
        },
    }
    if not invocations:
        del body["responseContext"]
    elif function_error is None:
        del body["responseContext"]["functionError"]
    return body


def send(destination_arn: str, body: dict, function_config: dict) -> None:
    if not access.may_send(function_config, destination_arn):
        raise NotDelivered(f"the role {function_config.get('Role')} may not send to {destination_arn}")
    service = destination_arn.split(":")[2]
    (_send_to_queue if service == "sqs" else _send_to_topic)(destination_arn, json.dumps(body))


def _send_to_queue(arn: str, text: str) -> None:
    _arn, _partition, _service, region, account, name = arn.split(":", 5)
    if sqs._queue_by_arn(arn) is None:
        raise NotDelivered(f"there is no queue {arn}")
    url = sqs._queue_name_to_url.get_scoped(account, region, name) or sqs._queue_url_for_account(account, name)
    sqs._act_send_message({"QueueUrl": url, "MessageBody": text}, url)


def _send_to_topic(arn: str, text: str) -> None:
    if arn not in sns._topics:
        raise NotDelivered(f"there is no topic {arn}")
    sns._fanout(arn, str(uuid.uuid4()), text, "", "", {})


def _arrival(shard, record) -> str:
    return _iso(record.arrival, "milliseconds" if shard.info_key == "KinesisBatchInfo" else "seconds")


def _iso(seconds: float, precision: str) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
