# SPDX-License-Identifier: MIT
"""Receiver as the source documents describe it: a record a change, each written if its stamp is later.

Written anew for the tests of a migration. It reads what the function of that name reads, and stops at anything else.
"""

import ast
import base64
import os

import boto3

dynamodb = boto3.client("dynamodb")
cloudwatch = boto3.client("cloudwatch")


def lambda_handler(event, context):
    # Outside of any care: a record in another form fails the batch, until its retries are used up.
    changes = [ast.literal_eval(base64.b64decode(record["kinesis"]["data"]).decode()) for record in event["Records"]]
    _count(sum(map(_apply, changes)))


def _apply(change):
    """Whether the change was written."""
    try:
        if change["event_name"] == "REMOVE":
            _delete(change["old_image"])
        else:
            _put(change["new_image"])
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _put(item):
    dynamodb.put_item(
        TableName=os.environ["TARGET_TABLE"],
        Item=item,
        ConditionExpression="attribute_not_exists(PK) OR last_update_timestamp < :t",
        ExpressionAttributeValues={":t": item["last_update_timestamp"]},
    )


def _delete(item):
    dynamodb.delete_item(
        TableName=os.environ["TARGET_TABLE"],
        Key={"PK": item["PK"]},
        ConditionExpression="attribute_exists(PK) AND last_update_timestamp <= :t",
        ExpressionAttributeValues={":t": item["last_update_timestamp"]},
    )


def _count(written):
    if not written:
        return
    total = dynamodb.update_item(
        TableName="replicator_stats",
        Key={"PK": {"S": "replicated_count"}},
        UpdateExpression="set cnt = cnt + :n",
        ExpressionAttributeValues={":n": {"N": str(written)}},
        ReturnValues="UPDATED_NEW",
    )["Attributes"]["cnt"]["N"]
    for name, value in (("Updated_count", written), ("Total_replicated", int(total))):
        dimensions = [{"Name": "replicator", "Value": "ddb-replicator"}]
        data = {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": "Count", "StorageResolution": 1}
        cloudwatch.put_metric_data(Namespace="DDB-Replicator", MetricData=[data])
