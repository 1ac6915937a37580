# SPDX-License-Identifier: GPL-3.0-or-later
"""`cloudwatch:namespace` limits PutMetricData (CloudWatch User Guide, condition keys for namespaces)."""

import json

import pytest


@pytest.mark.parametrize("side", ["cn", "sg"])
def test_only_the_named_namespace_may_be_written(pair, unique, side):
    # GIVEN a user who may write the metrics of one namespace
    iam = pair.client(side, "iam")
    iam.create_user(UserName=unique)
    iam.put_user_policy(
        UserName=unique,
        PolicyName="one",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "cloudwatch:PutMetricData",
                        "Resource": "*",
                        "Condition": {"StringEquals": {"cloudwatch:namespace": "DDB-Replicator"}},
                    }
                ],
            }
        ),
    )
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    metrics = pair.client(side, "cloudwatch", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    data = [{"MetricName": "Total_replicated", "Value": 1.0}]
    # WHEN the user writes to it THEN it is taken
    metrics.put_metric_data(Namespace="DDB-Replicator", MetricData=data)
    # and another namespace is refused
    with pytest.raises(metrics.exceptions.ClientError, match="AccessDenied"):
        metrics.put_metric_data(Namespace="Other", MetricData=data)
