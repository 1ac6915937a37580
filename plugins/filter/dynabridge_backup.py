# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for backups: which tables, who may do what, and the alarms of each table.

The statements of the function, the operator and who restores stand here once: what the function does by its schedule, the
operator does by hand, so they share most rights. Sids are stable: tests take the statements away one by one.
"""

# Folder of the bucket for what is made ready for an import.
PREPARED = "restore"
# ... and for what drills came to.
DRILLS = "drills"
# A drill calls its scratch table so, and no other table can be removed by who restores.
SCRATCH_TABLES = "*-drill-????????T??????Z"
# A section of it is named by each alarm.
ALARMS_PAGE = "docs/runbooks/alarms/backups.md"
# What tells a table's schema; module_utils/dynabridge/aws/table_schema.py asks for it.
SCHEMA_ACTIONS = [
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:ListTagsOfResource",
    "dynamodb:GetResourcePolicy",
]
# What DynamoDB does with a table's key on behalf of who makes the table (Developer Guide, encryption at rest).
TABLE_KEY_ACTIONS = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
    "kms:CreateGrant",
]
SCALING_ACTIONS = ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"]


def backup_names(tables, side):
    """Names, on this side, of the tables that are backed up. Asked also of tables that preflight then refuses."""
    names = [(table.get("names") or {}).get(side) for table in tables if table.get("backup", False)]
    return [name for name in names if name]


def _limits(tables, side, hours):
    backed_up = [table for table in tables if table.get("backup", False)]
    return [
        {"name": table["names"][side], "hours": int(table.get("backup_max_age_hours", hours))} for table in backed_up
    ]


def backup_alarms(tables, side, hours, days, namespace):
    """Two alarms for each table: its last verified full backup is too old, or will soon be gone."""
    found = []
    for table in _limits(tables, side, hours):
        name, limit = table["name"], table["hours"]
        about = {
            "namespace": namespace,
            "dimensions": {"Table": name},
            "period_seconds": 3600,
        }
        found.append(
            about
            | {
                "name": f"Backup_age-{name}",
                "metric": "Backup_age_hours",
                "page": f"{ALARMS_PAGE}#backup_age",
                "means": f"The last verified full backup of {name} is older than {limit} hours, or nobody looks any more.",
                "statistic": "Maximum",
                "threshold": limit,
                "missing_data": "breaching",
            }
        )
        found.append(
            about
            | {
                "name": f"Backup_expires-{name}",
                "metric": "Last_backup_expires_days",
                "page": f"{ALARMS_PAGE}#backup_expires",
                "means": f"The last verified full backup of {name} expires within {days} days.",
                "statistic": "Minimum",
                "comparison": "LessThanThreshold",
                "threshold": int(days),
            }
        )
    return found


def function_statements(place):
    """The function's rights. For place see roles/backup_function/vars/main.yml."""
    queue = f"arn:{place['partition']}:sqs:{place['region']}:{place['account_id']}:{place['queue']}"
    # PutMetricData knows no resources: the namespace is the limit.
    in_namespace = {"Condition": {"StringEquals": {"cloudwatch:namespace": place["namespace"]}}}
    return [
        *_exporting(place),
        _allow("PublishMetrics", ["cloudwatch:PutMetricData"], "*") | in_namespace,
        _allow("SendToFailureQueue", ["sqs:SendMessage"], queue),
    ]


def operator_statements(place):
    """The rights of who takes backups by hand: to switch point-in-time recovery on, too."""
    return [
        *_exporting(place),
        _allow("SwitchRecoveryOn", ["dynamodb:UpdateContinuousBackups"], _tables(place)),
        # DynamoDB takes no resource for the list of exports.
        _allow("ListExports", ["dynamodb:ListExports"], "*"),
    ]


def _exporting(place):
    exports = [f"{table}/export/*" for table in _tables(place)]
    return [
        _allow("ReadSchema", SCHEMA_ACTIONS, _tables(place)),
        # Application Auto Scaling takes no resource for what it describes.
        _allow("ReadScaling", SCALING_ACTIONS, "*"),
        _allow("StartExports", ["dynamodb:ExportTableToPointInTime"], _tables(place)),
        _allow("WatchExports", ["dynamodb:DescribeExport"], exports),
        *_reading(place),
        # DynamoDB writes the export with the rights of who asks for it.
        _allow("WriteBackups", _write_actions(place), f"{_bucket(place)}/{place['prefix']}/*"),
        *_using_key(place),
    ]


def _write_actions(place):
    """In another account's bucket an object must be handed over to its owner."""
    return ["s3:PutObject", "s3:AbortMultipartUpload"] + (["s3:PutObjectAcl"] if place["bucket_owner"] else [])


def _reading(place, *more_folders):
    folders = [place["prefix"], *more_folders]
    return [
        # On the whole bucket, because S3 answers that an object is missing only to who may list: to others it says 403, and to
        # those whose right to list is bound to a prefix, too.
        _allow("ListBackups", ["s3:ListBucket"], _bucket(place)),
        _allow("ReadBackups", ["s3:GetObject"], [f"{_bucket(place)}/{folder}/*" for folder in folders]),
        # Tells when a backup expires.
        _allow("ReadLifecycle", ["s3:GetLifecycleConfiguration"], _bucket(place)),
    ]


def _using_key(place):
    key = place["kms_key_arn"]
    return [_allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], key)] if key else []


def restore_statements(place):
    """The rights of who restores, in whatever region of the account is left."""
    return [
        *_making_tables(place),
        *_reading(place, PREPARED, DRILLS, place["changes_prefix"]),
        *_preparing(place),
        *_using_key(place),
        _logging_imports(place),
    ]


def _making_tables(place):
    """Tables of any name: made, filled, held against what they should be, and set as the lost one was."""
    anywhere = f"arn:{place['partition']}:dynamodb:*:{place['account_id']}:table/*"
    return [
        _allow(
            "MakeTables",
            [
                "dynamodb:CreateTable",
                "dynamodb:DescribeTable",
                "dynamodb:UpdateTable",
                "dynamodb:UpdateTimeToLive",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:ListTagsOfResource",
                "dynamodb:PutResourcePolicy",
                "dynamodb:GetResourcePolicy",
            ],
            anywhere,
        ),
        _allow(
            "RemoveScratchTables",
            ["dynamodb:DeleteTable"],
            f"arn:{place['partition']}:dynamodb:*:{place['account_id']}:table/{SCRATCH_TABLES}",
        ),
        _allow("ImportTables", ["dynamodb:ImportTable"], anywhere),
        _allow("WatchImports", ["dynamodb:DescribeImport"], f"{anywhere}/import/*"),
        _allow("ListImports", ["dynamodb:ListImports"], "*"),
        _allow(
            "WriteItems",
            ["dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
            anywhere,
        ),
        _allow(
            "CompareItems", ["dynamodb:Scan", "dynamodb:Query", "dynamodb:GetItem", "dynamodb:BatchGetItem"], anywhere
        ),
        _allow(
            "RestoreScaling",
            [
                *SCALING_ACTIONS,
                "application-autoscaling:RegisterScalableTarget",
                "application-autoscaling:PutScalingPolicy",
                "application-autoscaling:DeregisterScalableTarget",
            ],
            "*",
        ),
        # Autoscaling works by a role of the account, which is made when the first target is registered.
        _allow("MakeScalingRole", ["iam:CreateServiceLinkedRole"], "*")
        | {"Condition": {"StringLike": {"iam:AWSServiceName": "dynamodb.application-autoscaling.*"}}},
        # A restored table has a key of its own region: whichever lets this role in, for tables only.
        _allow("UseTableKeys", TABLE_KEY_ACTIONS, f"arn:{place['partition']}:kms:*:{place['account_id']}:key/*")
        | {"Condition": {"StringLike": {"kms:ViaService": "dynamodb.*"}}},
    ]


def _preparing(place):
    return [
        # Asks S3 for objects of the Glacier classes.
        _allow("FetchFromGlacier", ["s3:RestoreObject"], f"{_bucket(place)}/{place['prefix']}/*"),
        # Data sets that are merged for an import, and reports; what drills came to.
        _allow(
            "WritePrepared",
            ["s3:PutObject", "s3:AbortMultipartUpload"],
            [f"{_bucket(place)}/{folder}/*" for folder in (PREPARED, DRILLS)],
        ),
    ]


def _logging_imports(place):
    """An import writes what it could not read to a log group, with the rights of who asks for it."""
    groups = f"arn:{place['partition']}:logs:*:{place['account_id']}:log-group:/aws-dynamodb/*"
    return _allow(
        "LogImports",
        [
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogGroups",
            "logs:DescribeLogStreams",
            "logs:FilterLogEvents",
            "logs:GetLogEvents",
            "logs:PutLogEvents",
            "logs:PutRetentionPolicy",
        ],
        [groups, f"{groups}:*"],
    )


def _allow(sid, actions, resource):
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def _bucket(place):
    return f"arn:{place['partition']}:s3:::{place['bucket']}"


def _tables(place):
    start = f"arn:{place['partition']}:dynamodb:{place['region']}:{place['account_id']}:table/"
    return [start + name for name in place["tables"]]


def transitions(lifecycle):
    """The inventory's lifecycle as S3 tells of it."""
    return [{"Days": int(step["days"]), "StorageClass": step["storage_class"]} for step in lifecycle]


def snake_transitions(steps):
    """The same as community.aws.s3_lifecycle takes it."""
    return [{"transition_days": step["Days"], "storage_class": step["StorageClass"]} for step in steps]


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_backup_names": backup_names,
            "dynabridge_backup_alarms": backup_alarms,
            "dynabridge_backup_transitions": transitions,
            "dynabridge_snake_transitions": snake_transitions,
            "dynabridge_backup_function_statements": function_statements,
            "dynabridge_backup_operator_statements": operator_statements,
            "dynabridge_backup_restore_statements": restore_statements,
        }
