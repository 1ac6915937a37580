# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for AWS clients, each answering as the service does (errors with the shapes botocore gives)."""

from botocore.exceptions import ClientError


def client_error(code, message="", operation="Operation", **more):
    return ClientError({"Error": {"Code": code, "Message": message}, **more}, operation)


class FakeS3:
    def __init__(self, fail_with=None):
        self.objects, self.fail_with = {}, fail_with

    def put_object(self, Bucket, Key, Body, ContentType):
        if self.fail_with:
            raise self.fail_with
        self.objects[Bucket, Key] = Body


class FakeCloudWatch:
    def __init__(self):
        self.metrics = {}

    def put_metric_data(self, Namespace, MetricData):
        assert all(data["StorageResolution"] == 1 for data in MetricData)
        for data in MetricData:
            self.metrics.setdefault(f"{Namespace}/{data['MetricName']}", []).append(data["Value"])


class FakeSsm:
    def __init__(self, **parameters):
        self.parameters, self.reads = parameters, 0

    def get_parameters(self, Names, WithDecryption):
        self.reads += 1
        assert WithDecryption
        found = [{"Name": name, "Value": self.parameters[name]} for name in Names if name in self.parameters]
        return {"Parameters": found, "InvalidParameters": [name for name in Names if name not in self.parameters]}


class FakeKinesis:
    """PutRecords; ``script`` holds for each call what becomes of its records: an exception, or error codes by lane."""

    def __init__(self, *script):
        self.script, self.calls, self.arrived = list(script), [], []

    def put_records(self, StreamName, Records):
        self.calls.append([record["PartitionKey"] for record in Records])
        step = self.script.pop(0) if self.script else {}
        if isinstance(step, Exception):
            raise step
        results = []
        for record in Records:
            code = step.get(record["PartitionKey"]) if isinstance(step, dict) else None
            results.append({"ErrorCode": code} if code else {"SequenceNumber": "1"})
            if not code:
                self.arrived.append(record)
        return {"Records": results}
