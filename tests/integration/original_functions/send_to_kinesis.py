# SPDX-License-Identifier: MIT
"""Sender as the source documents describe it: the table's stream goes to the peer's Kinesis stream, a record a change.

Written anew for the tests of a migration. What it puts into Kinesis is what the function of that name puts there.
"""

import os

import boto3

parameters = boto3.client("ssm")
prefix = os.environ["PARAMETER_STORE_PATH_PREFIX"]


def _parameter(name):
    return parameters.get_parameter(Name=prefix + name, WithDecryption=True)["Parameter"]["Value"]


kinesis = boto3.client(
    "kinesis",
    region_name=os.environ["TARGET_REGION"],
    aws_access_key_id=_parameter("AccessKey"),
    aws_secret_access_key=_parameter("SecretKey"),
)


def lambda_handler(event, context):
    records = [record for change in event["Records"] for record in _outgoing(change)]
    if not records:
        return
    answer = kinesis.put_records(StreamName=os.environ["TARGET_STREAM"], Records=records)
    if answer["FailedRecordCount"]:
        raise RuntimeError(f"{answer['FailedRecordCount']} records failed")


def _outgoing(change):
    """What the peer wrote is dropped; but a delete does not say who deleted, and is always sent."""
    name, data = change["eventName"], change["dynamodb"]
    if name == "REMOVE":
        return [_record({"event_name": name, "old_image": data["OldImage"]}, data["OldImage"])]
    item = data["NewImage"]
    if item.get("last_updater_region", {}).get("S") == os.environ["TARGET_REGION"]:
        return []
    return [_record({"event_name": name, "new_image": item}, item)]


def _record(content, item):
    return {"Data": str(content).encode(), "PartitionKey": item["PK"]["S"]}
