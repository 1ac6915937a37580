# SPDX-License-Identifier: GPL-3.0-or-later
"""What the capture talks to, in memory: a bucket with tags, a queue, a table's stream, a mapping and its metrics."""

import hashlib
import io
from datetime import UTC, datetime
from types import SimpleNamespace

from botocore.response import StreamingBody

from dynabridge.aws.capture import Capture
from dynabridge.aws.capture_look import Look
from dynabridge.aws.capture_tend import Tend, Watermarks
from dynabridge.aws.lost_batches import StreamReader
from dynabridge.aws.objects import Objects
from dynabridge.aws.quarantine import Quarantine
from dynabridge.capture_settings import capture_settings
from tests.events import STREAM
from tests.modules.aws_fakes import aws_error, fake_client

NOW = 1_795_280_400.0
ENVIRONMENT = {
    "SIDE": "cn",
    "AWS_LAMBDA_FUNCTION_NAME": "stream_to_s3",
    "CAPTURE_TABLES": "user-cn",
    "BACKUP_BUCKET": "backups",
    "BACKUP_BUCKET_REGION": "cn-northwest-1",
    "CAPTURE_PREFIX": "changes",
    "QUARANTINE_BUCKET": "quarantine",
    "CAPTURE_QUEUE": "ddbcapturecn",
}


class Bucket:
    """All buckets. ``error``: what every put of a log object raises."""

    def __init__(self):
        self.objects, self.puts, self.error, self.asked = {}, [], None, []

    def put_object(self, Bucket, Key, Body, **more):
        self.asked.append({"Bucket": Bucket, **more})
        if self.error and Bucket == "backups":
            raise self.error
        present = self.objects.get((Bucket, Key))
        if ("IfNoneMatch" in more and present is not None) or (
            "IfMatch" in more and (present is None or tag(present) != more["IfMatch"])
        ):
            raise aws_error("PreconditionFailed")
        self.puts.append(Key)
        self.objects[Bucket, Key] = Body

    def get_object(self, Bucket, Key, **_more):
        if (Bucket, Key) not in self.objects:
            raise aws_error("NoSuchKey")
        body = self.objects[Bucket, Key]
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "ETag": tag(body)}

    def names(self, bucket="backups"):
        return sorted(key for owner, key in self.objects if owner == bucket)


def tag(body):
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class Queue:
    def __init__(self):
        self.messages, self.error = [], None

    def get_queue_url(self, QueueName):
        return {"QueueUrl": f"https://sqs/{QueueName}"}

    def send_message(self, QueueUrl, MessageBody):
        if self.error:
            raise self.error
        self.messages.append(MessageBody)
        return {}

    def receive_message(self, QueueUrl, **_more):
        if self.error:
            raise self.error
        waiting = [text for text in self.messages if not isinstance(text, tuple)]
        if not waiting:
            return {}
        self.messages[self.messages.index(waiting[0])] = ("taken", waiting[0])
        attributes = {"SentTimestamp": str(int(NOW * 1000))}
        return {
            "Messages": [{"MessageId": "m", "ReceiptHandle": waiting[0], "Body": waiting[0], "Attributes": attributes}]
        }

    def delete_message(self, QueueUrl, ReceiptHandle):
        self.messages.remove(("taken", ReceiptHandle))
        return {}

    def change_message_visibility(self, QueueUrl, ReceiptHandle, VisibilityTimeout):
        self.messages[self.messages.index(("taken", ReceiptHandle))] = ReceiptHandle
        return {}


class Streams:
    """One shard. ``records``: as Lambda has them; what comes before ``trimmed`` is gone."""

    def __init__(self):
        self.records, self.trimmed = [], 0

    def get_shard_iterator(self, StreamArn, ShardId, ShardIteratorType, SequenceNumber="0"):
        if ShardIteratorType == "AT_SEQUENCE_NUMBER" and int(SequenceNumber) < self.trimmed:
            raise aws_error("TrimmedDataAccessException")
        return {"ShardIterator": str(max(int(SequenceNumber), self.trimmed)).zfill(10)}

    def get_records(self, ShardIterator, Limit):
        found = [one for one in self.records if int(one["dynamodb"]["SequenceNumber"]) >= int(ShardIterator)]
        return {"Records": [_of_api(record) for record in found]}


def _of_api(record):
    data = record["dynamodb"]
    moment = datetime.fromtimestamp(data["ApproximateCreationDateTime"], UTC)
    return {**record, "dynamodb": data | {"ApproximateCreationDateTime": moment}}


class Tables:
    def __init__(self):
        self.stream, self.id, self.error = STREAM, "id", None

    def describe_table(self, TableName):
        if self.error:
            raise self.error
        stream = (
            {"LatestStreamArn": self.stream, "LatestStreamLabel": self.stream.rpartition("/")[2]} if self.stream else {}
        )
        return {"Table": {"TableId": self.id, "StreamSpecification": {"StreamEnabled": bool(stream)}, **stream}}


class Functions:
    def __init__(self):
        self.mapping = {
            "EventSourceArn": STREAM,
            "State": "Enabled",
            "LastProcessingResult": "OK",
            "StartingPosition": "TRIM_HORIZON",
        }

    def list_event_source_mappings(self, FunctionName):
        return {"EventSourceMappings": [self.mapping] if self.mapping else []}


class CloudWatch:
    def __init__(self):
        self.ages, self.earlier_ages, self.throttles, self.error, self.published, self.windows = (
            [],
            [],
            [],
            None,
            [],
            [],
        )

    def get_metric_data(self, MetricDataQueries, StartTime, EndTime):
        if self.error:
            raise self.error
        self.windows.append((EndTime - StartTime).total_seconds())
        ages = self.ages if self.windows[-1] < 400 else self.ages + self.earlier_ages
        values = {"IteratorAge": ages, "Throttles": self.throttles}
        return {
            "MetricDataResults": [
                {"Id": query["Id"], "Values": values[query["MetricStat"]["Metric"]["MetricName"]]}
                for query in MetricDataQueries
            ]
        }

    def put_metric_data(self, Namespace, MetricData):
        self.published += [
            (Namespace, one["MetricName"], one["Dimensions"][0]["Value"], one["Value"]) for one in MetricData
        ]

    def values(self, name):
        return [value for _namespace, metric, _table, value in self.published if metric == name]


def capture_cloud(**environment):
    """Capture and tend on these; ``clock``: the time."""
    cloud = SimpleNamespace(
        s3=Bucket(), sqs=Queue(), streams=Streams(), dynamodb=Tables(), functions=Functions(), cloudwatch=CloudWatch(), clock=NOW
    )  # fmt: skip
    settings = capture_settings(ENVIRONMENT | environment)
    names = ("s3", "sqs", "dynamodb", "cloudwatch")
    clients = {name: fake_client(name, getattr(cloud, name)) for name in names}
    clients["lambda"] = fake_client("lambda", cloud.functions)
    streams = fake_client("dynamodbstreams", cloud.streams)

    def now():
        return cloud.clock

    objects = Objects(clients["s3"], settings.bucket, settings.owner, settings.kms_key)
    quarantine = Quarantine(clients["s3"], settings.quarantine_bucket, settings.side, settings.function)
    cloud.capture = Capture(settings, objects, quarantine, clients["sqs"], clients["cloudwatch"], now)
    look = Look(clients["dynamodb"], clients["lambda"], clients["cloudwatch"], settings.function, now)
    cloud.marks = Watermarks(objects, settings.prefix)
    reader = StreamReader(None, streams, lambda _seconds: None)
    cloud.tend = Tend(settings, cloud.capture, cloud.marks, look, reader, clients["sqs"], clients["cloudwatch"], now)
    return cloud
