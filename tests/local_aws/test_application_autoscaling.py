# SPDX-License-Identifier: GPL-3.0-or-later
"""Scalable targets and policies of DynamoDB (Application Auto Scaling API Reference)."""

import json

import pytest

from .functions import make_table

WRITES = {"ServiceNamespace": "dynamodb", "ScalableDimension": "dynamodb:table:WriteCapacityUnits"}
READS = WRITES | {"ScalableDimension": "dynamodb:table:ReadCapacityUnits"}
TRACKING = {
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
    },
}


@pytest.fixture(params=["cn", "sg"])
def scaling(pair, request):
    return pair.client(request.param, "application-autoscaling")


@pytest.fixture
def table(pair, scaling, unique):
    """A resource id of one test's own."""
    side = next(side for side, facts in pair.sides.items() if facts["region"] == scaling.meta.region_name)
    make_table(pair, side, unique)
    yield f"table/{unique}"
    pair.client(side, "dynamodb").delete_table(TableName=unique)


def targets(scaling, *resources, **more):
    pages = scaling.get_paginator("describe_scalable_targets")
    found = pages.paginate(ServiceNamespace="dynamodb", ResourceIds=list(resources), **more)
    return [target for page in found for target in page["ScalableTargets"]]


def test_a_target_and_its_policy_are_told_as_they_were_given(scaling, table):
    # GIVEN a table WHEN a target and a policy are registered, the target twice
    scaling.register_scalable_target(**WRITES, ResourceId=table, MinCapacity=1, MaxCapacity=10)
    scaling.register_scalable_target(**WRITES, ResourceId=table, MaxCapacity=20)
    scaling.put_scaling_policy(**WRITES, ResourceId=table, PolicyName="p", **TRACKING)
    # THEN they are told, the target as it was registered last
    (target,) = targets(scaling, table)
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 20)
    asked = {"ServiceNamespace": "dynamodb", "ResourceId": table}
    (policy,) = scaling.describe_scaling_policies(**asked)["ScalingPolicies"]
    assert {name: policy[name] for name in TRACKING} == TRACKING
    # and with the target its policy is gone
    scaling.deregister_scalable_target(**WRITES, ResourceId=table)
    assert targets(scaling, table) == scaling.describe_scaling_policies(**asked)["ScalingPolicies"] == []


def test_targets_come_in_pages(scaling, table):
    # GIVEN two targets WHEN listed one to a page THEN both are told
    for dimension in (READS, WRITES):
        scaling.register_scalable_target(**dimension, ResourceId=table, MinCapacity=1, MaxCapacity=2)
    found = targets(scaling, table, "table/none", PaginationConfig={"PageSize": 1})
    assert {target["ScalableDimension"] for target in found} == {
        READS["ScalableDimension"],
        WRITES["ScalableDimension"],
    }


def test_what_cannot_be_scaled_is_refused(scaling, table):
    # GIVEN no such table, no capacity, no target WHEN asked for THEN it is refused as AWS does
    exceptions = scaling.exceptions
    with pytest.raises(exceptions.ValidationException, match="does not exist"):
        scaling.register_scalable_target(**WRITES, ResourceId="table/none", MinCapacity=1, MaxCapacity=2)
    with pytest.raises(exceptions.ValidationException, match="must be specified"):
        scaling.register_scalable_target(**WRITES, ResourceId=table)
    with pytest.raises(exceptions.ObjectNotFoundException, match="No scalable target registered"):
        scaling.put_scaling_policy(**WRITES, ResourceId=table, PolicyName="p", **TRACKING)


def test_reading_needs_its_right(pair, unique):
    # GIVEN a user who may read targets and not policies THEN so it is
    iam = pair.client("cn", "iam")
    iam.create_user(UserName=unique)
    statement = {"Effect": "Allow", "Action": "application-autoscaling:DescribeScalableTargets", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=unique, PolicyName="one", PolicyDocument=document)
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    secrets = {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
    scaling = pair.client("cn", "application-autoscaling", **secrets)
    assert targets(scaling, "table/none") == []
    with pytest.raises(scaling.exceptions.ClientError, match="AccessDenied"):
        scaling.describe_scaling_policies(ServiceNamespace="dynamodb")
