# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter rules of bucket notifications are answered as `Prefix` and `Suffix` (S3 API Reference)."""

from .functions import make_queue


def test_rules_come_back_capitalised(pair, unique):
    # GIVEN a notification whose rules were sent in lower case
    s3 = pair.client("cn", "s3")
    s3.create_bucket(Bucket=unique, CreateBucketConfiguration={"LocationConstraint": "cn-north-1"})
    queue = make_queue(pair, "cn", unique)[1]
    rules = [{"Name": "prefix", "Value": "a/"}, {"Name": "suffix", "Value": ".gz"}]
    s3.put_bucket_notification_configuration(
        Bucket=unique,
        SkipDestinationValidation=True,
        NotificationConfiguration={
            "QueueConfigurations": [
                {"QueueArn": queue, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
            ]
        },
    )
    # WHEN it is read THEN the names are capitalised
    (answer,) = s3.get_bucket_notification_configuration(Bucket=unique)["QueueConfigurations"]
    assert answer["Filter"]["Key"]["FilterRules"] == [
        {"Name": "Prefix", "Value": "a/"},
        {"Name": "Suffix", "Value": ".gz"},
    ]
