# SPDX-License-Identifier: MIT
"""Plain receiver: a conditional PutItem or DeleteItem for each record, one after the other."""

import base64
import contextlib
import json
import os

import boto3

dynamodb = boto3.client("dynamodb")
NEWER = "attribute_not_exists(PK) OR last_update_timestamp < :t"
NOT_LATER = "last_update_timestamp <= :t"


def lambda_handler(event, context):
    table = os.environ["TARGET_TABLE"]
    for record in event["Records"]:
        change = json.loads(base64.b64decode(record["kinesis"]["data"]))
        values = {":t": change["image"]["last_update_timestamp"]}
        with contextlib.suppress(dynamodb.exceptions.ConditionalCheckFailedException):
            if change["event"] == "REMOVE":
                dynamodb.delete_item(
                    TableName=table,
                    Key=change["keys"],
                    ConditionExpression=NOT_LATER,
                    ExpressionAttributeValues=values,
                )
            else:
                dynamodb.put_item(
                    TableName=table,
                    Item=change["image"],
                    ConditionExpression=NEWER,
                    ExpressionAttributeValues=values,
                )
    print(f"applied {len(event['Records'])}")
    return {"batchItemFailures": []}
