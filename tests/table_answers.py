# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS says of a table with everything, and fakes that say it."""

import json

from tests.modules.aws_fakes import aws_error

ARN = "arn:aws-cn:dynamodb:cn-north-1:100000000001:table/orders-cn"
KEY_ARN = "arn:aws-cn:kms:cn-north-1:100000000001:key/6f3c9f8e-2b1d-4a55-9a60-0c7f4b1f1c11"
OFF = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem"}]}


def projected(kind="ALL", *others):
    return {"ProjectionType": kind} | ({"NonKeyAttributes": list(others)} if others else {})


def keys(partition, sort=None):
    found = [{"AttributeName": partition, "KeyType": "HASH"}]
    return found + ([{"AttributeName": sort, "KeyType": "RANGE"}] if sort else [])


def told_index(name, schema, projection, units=None, **more):
    """A global index as DescribeTable tells it."""
    units = units or (0, 0)
    return {
        "IndexName": name,
        "KeySchema": schema,
        "Projection": projection,
        "IndexStatus": "ACTIVE",
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": units[0],
            "WriteCapacityUnits": units[1],
        },
        "IndexSizeBytes": 52168,
        "ItemCount": 340,
        "IndexArn": f"{ARN}/index/{name}",
        "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
        **more,
    }


def description():
    """A provisioned table with everything, as DescribeTable tells it."""
    return {
        "AttributeDefinitions": [
            {"AttributeName": "order", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
            {"AttributeName": "buyer", "AttributeType": "S"},
            {"AttributeName": "price", "AttributeType": "N"},
        ],
        "TableName": "orders-cn",
        "KeySchema": keys("order", "at"),
        "TableStatus": "ACTIVE",
        "CreationDateTime": 1700000000.123,
        "ProvisionedThroughput": {
            "LastIncreaseDateTime": 1700000000.5,
            "NumberOfDecreasesToday": 1,
            "ReadCapacityUnits": 20,
            "WriteCapacityUnits": 10,
        },
        "TableSizeBytes": 104857600,
        "ItemCount": 340000,
        "TableArn": ARN,
        "TableId": "9b1b4b39-97a2-4e6b-8b3c-a7a9c5c9e001",
        "BillingModeSummary": {"BillingMode": "PROVISIONED"},
        "LocalSecondaryIndexes": [
            {
                "IndexName": "by-price",
                "KeySchema": keys("order", "price"),
                "Projection": projected("KEYS_ONLY"),
                "IndexSizeBytes": 1,
                "ItemCount": 1,
                "IndexArn": f"{ARN}/index/by-price",
            }
        ],
        "GlobalSecondaryIndexes": [
            told_index("by-buyer", keys("buyer", "at"), projected("INCLUDE", "total", "paid"), units=(5, 6)),
            told_index("old", keys("gone"), projected(), units=(1, 1), IndexStatus="DELETING"),
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "LatestStreamArn": f"{ARN}/stream/2026-11-21T02:00:00.000",
        "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": KEY_ARN},
        "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        "DeletionProtectionEnabled": True,
        "WarmThroughput": {"ReadUnitsPerSecond": 20, "WriteUnitsPerSecond": 10, "Status": "ACTIVE"},
    }


TTL = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
RECOVERY = {
    "ContinuousBackupsStatus": "ENABLED",
    "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 7},
}
TAGS = [
    {"Key": "team", "Value": "orders"},
    {"Key": "aws:cloudformation:stack-name", "Value": "orders"},
    {"Key": "用途", "Value": ""},
]
TARGET = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/orders-cn",
    "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
    "MinCapacity": 10,
    "MaxCapacity": 400,
    "RoleARN": "arn:aws-cn:iam::100000000001:role/aws-service-role/AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    "CreationTime": 1700000000.0,
    "SuspendedState": {"DynamicScalingInSuspended": False},
    "ScalableTargetARN": "arn:aws-cn:application-autoscaling:cn-north-1:100000000001:scalable-target/0",
}
SCALING = {
    "PolicyARN": "arn:aws-cn:autoscaling:cn-north-1:100000000001:scalingPolicy:1",
    "PolicyName": "$orders-scaling-policy",
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/orders-cn",
    "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
    },
    "Alarms": [{"AlarmName": "a", "AlarmARN": "b"}],
    "CreationTime": 1700000000.0,
}


class FakeTable:
    """DynamoDB with one table; each call can be given an error."""

    def __init__(self, description):
        self.description, self.errors, self.policy, self.pages = (
            description,
            {},
            json.dumps(POLICY),
            [TAGS[:1], TAGS[1:]],
        )

    def _may_fail(self, name):
        if name in self.errors:
            raise self.errors[name]

    def describe_table(self, TableName):
        self._may_fail("describe_table")
        return {"Table": self.description}

    def describe_time_to_live(self, TableName):
        self._may_fail("describe_time_to_live")
        return {"TimeToLiveDescription": TTL}

    def describe_continuous_backups(self, TableName):
        self._may_fail("describe_continuous_backups")
        return {"ContinuousBackupsDescription": RECOVERY}

    def list_tags_of_resource(self, ResourceArn, NextToken="0"):
        self._may_fail("list_tags_of_resource")
        page = int(NextToken)
        last = page == len(self.pages) - 1
        return {"Tags": self.pages[page]} | ({} if last else {"NextToken": str(page + 1)})

    def get_resource_policy(self, ResourceArn):
        self._may_fail("get_resource_policy")
        if self.policy is None:
            raise aws_error("PolicyNotFoundException")
        return {"Policy": self.policy, "RevisionId": "1"}


class FakeScaling:
    """Application Auto Scaling with targets and policies, two to a page."""

    def __init__(self, targets, policies):
        self.targets, self.policies, self.errors, self.asked = targets, policies, {}, []

    def describe_scalable_targets(self, ServiceNamespace, ResourceIds, NextToken="0"):
        if "describe_scalable_targets" in self.errors:
            raise self.errors["describe_scalable_targets"]
        self.asked.append(ResourceIds)
        found = [target for target in self.targets if target["ResourceId"] in ResourceIds]
        return self._page("ScalableTargets", found, int(NextToken))

    def describe_scaling_policies(self, ServiceNamespace, ResourceId, NextToken="0"):
        if "describe_scaling_policies" in self.errors:
            raise self.errors["describe_scaling_policies"]
        self.asked.append(ResourceId)
        found = [policy for policy in self.policies if policy["ResourceId"] == ResourceId]
        return self._page("ScalingPolicies", found, int(NextToken))

    @staticmethod
    def _page(name, found, start):
        return {name: found[start : start + 2]} | ({"NextToken": str(start + 2)} if start + 2 < len(found) else {})
