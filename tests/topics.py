# SPDX-License-Identifier: GPL-3.0-or-later
"""A topic and a queue that listens to it: what alarms tell people, for tests."""

import json


def listened_topic(sns, sqs, name: str) -> tuple[str, str]:
    """The topic's ARN and the queue's URL, both of that name."""
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    # SNS delivers to nobody who does not let it in.
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [allowed | {"Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


def changes_heard(sqs, queue: str) -> list[tuple[str, str, str]]:
    """Alarm, old and new state of the messages that wait, ten at most; they are taken off the queue."""
    found = []
    for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        told = json.loads(json.loads(message["Body"])["Message"])
        found.append((told["AlarmName"], told["OldStateValue"], told["NewStateValue"]))
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found
