# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for captured changes: which tables, what the function may do, and the alarms."""

# A section of it is named by each alarm.
PAGE = "docs/runbooks/alarms/capture.md"
WATERMARK = "watermark.json"


def capture_names(tables, side):
    """Names, on this side, of the tables whose changes are captured. Asked also of tables that preflight then refuses."""
    names = [(table.get("names") or {}).get(side) for table in tables if table.get("capture", False)]
    return [name for name in names if name]


def capture_statements(place):
    """The function's rights. For place see roles/change_capture/vars/main.yml. Sids are stable: tests take them away."""
    bucket = f"arn:{place['partition']}:s3:::{place['bucket']}"
    here = f"{place['region']}:{place['account_id']}"
    tables = [f"arn:{place['partition']}:dynamodb:{here}:table/{name}" for name in place["tables"]]
    in_namespace = {"Condition": {"StringEquals": {"cloudwatch:namespace": place["namespace"]}}}
    return [
        _allow(
            "ReadStream",
            ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"],
            [f"{table}/stream/*" for table in tables],
        ),
        # Tells which stream is the table's, and whether it is still the same table.
        _allow("LookAtTables", ["dynamodb:DescribeTable"], tables),
        _allow("WriteChanges", ["s3:PutObject"], f"{bucket}/{place['prefix']}/*"),
        _allow("ReadWatermarks", ["s3:GetObject"], f"{bucket}/{place['prefix']}/*/{WATERMARK}"),
        # S3 answers that an object is missing only to who may list; to others it says 403.
        _allow("ListChanges", ["s3:ListBucket"], bucket),
        _allow("KeepInQuarantine", ["s3:PutObject"], f"arn:{place['partition']}:s3:::{place['quarantine_bucket']}/*"),
        # Its mapping sends what it gives up, it sends what it cannot read, and takes both up again.
        _allow(
            "UseQueue",
            [
                "sqs:SendMessage",
                "sqs:GetQueueUrl",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
            ],
            f"arn:{place['partition']}:sqs:{here}:{place['queue']}",
        ),
        # Neither takes a resource.
        _allow("LookAtMappings", ["lambda:ListEventSourceMappings"], "*"),
        _allow("ReadMetrics", ["cloudwatch:GetMetricData"], "*"),
        # PutMetricData knows no resources: the namespace is the limit.
        _allow("PublishMetrics", ["cloudwatch:PutMetricData"], "*") | in_namespace,
        *_using_key(place["kms_key_arn"]),
    ]


def _using_key(key):
    return [_allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], key)] if key else []


def _allow(sid, actions, resource):
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def capture_alarms(tables, side, limit_seconds, function, queue, namespace):
    """As replication_alarms_list: two for each captured table, and the function's. None where nothing is captured."""
    names = capture_names(tables, side)
    found = [alarm for name in names for alarm in _table_alarms(name, int(limit_seconds), namespace)]
    return found + (_function_alarms(function, queue) if names else [])


def _table_alarms(name, limit, namespace):
    about = {"namespace": namespace, "dimensions": {"Table": name}}
    return [
        about
        | {
            "name": f"Capture_age-{name}",
            "metric": "Recoverable_age_seconds",
            "page": f"{PAGE}#capture_age",
            "means": f"It is more than {limit} seconds ago that every change of {name} was known to be captured, or nobody"
            " looks any more.",
            "statistic": "Maximum",
            "period_seconds": 300,
            "threshold": limit,
            "missing_data": "breaching",
        },
        about
        | {
            "name": f"Capture_hole-{name}",
            "metric": "Hole_count",
            "page": f"{PAGE}#capture_hole",
            "means": f"Changes of {name} could not be captured; its watermark says from when to when.",
        },
    ]


def _function_alarms(function, queue):
    return [
        {
            "name": "Capture_errors",
            "metric": "Errors",
            "means": "The function that captures changes fails; its log says why. It tries again.",
            "page": f"{PAGE}#capture_errors",
            "namespace": "AWS/Lambda",
            "dimensions": {"FunctionName": function},
            "evaluation_periods": 5,
            "datapoints_to_alarm": 2,
        },
        # Once is no news: the function takes up by itself what its mapping gave up.
        {
            "name": "Capture_queue",
            "metric": "ApproximateAgeOfOldestMessage",
            "means": "A batch that was given up waits in the queue of the capture, and the function does not take it up.",
            "page": f"{PAGE}#capture_queue",
            "namespace": "AWS/SQS",
            "dimensions": {"QueueName": queue},
            "statistic": "Maximum",
            "period_seconds": 300,
            "threshold": 300,
        },
    ]


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_capture_names": capture_names,
            "dynabridge_capture_statements": capture_statements,
            "dynabridge_capture_alarms": capture_alarms,
        }
