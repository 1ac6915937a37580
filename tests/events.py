# SPDX-License-Identifier: GPL-3.0-or-later
"""Events as AWS hands them to the functions: DynamoDB stream and Kinesis batches."""

import base64

STREAM = "arn:aws-cn:dynamodb:cn-north-1:100000000001:table/user-cn/stream/2026-11-20T10:00:00.000"
KINESIS = "arn:aws:kinesis:ap-southeast-1:200000000002:stream/ddb_replication_stream_sg"


def image(key, time="1700000000.5", region="cn-north-1", **more):
    return {"PK": {"S": key}, "last_update_timestamp": {"N": time}, "last_updater_region": {"S": region}, **more}


def stream_record(number, name="INSERT", new=None, old=None, **more):
    data = {
        "ApproximateCreationDateTime": 1700000000.0,
        "Keys": {"PK": (new or old)["PK"]},
        "SequenceNumber": f"{number:030d}",
        "SizeBytes": 100,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    data |= {"NewImage": new} if new else {}
    data |= {"OldImage": old} if old else {}
    return {
        "eventID": f"event{number}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "cn-north-1",
        "dynamodb": data,
        "eventSourceARN": STREAM,
        **more,
    }


def kinesis_record(number, payload, key="lane-000"):
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": key,
            "sequenceNumber": f"{number:056d}",
            "data": base64.b64encode(payload).decode(),
            "approximateArrivalTimestamp": 1700000001.25,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number:056d}",
        "eventName": "aws:kinesis:record",
        "awsRegion": "ap-southeast-1",
        "eventSourceARN": KINESIS,
    }
