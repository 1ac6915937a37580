# SPDX-License-Identifier: GPL-3.0-or-later
"""What IAM is asked for an export.

Service Authorization Reference, Amazon DynamoDB: ExportTableToPointInTime is checked on the table,
DescribeExport on the export, ListExports on no resource ("*"); ImportTable and DescribeImport likewise.
Developer Guide, "Requesting a table export in DynamoDB": the caller also needs s3:PutObject and
s3:AbortMultipartUpload on the bucket. DynamoDB uses these rights afterwards, so lacking them ends in a FAILED
export.
"""

import json

from ministack import app
from ministack.core import iam_actions, iam_evaluator

BUCKET_ACTIONS = ("s3:PutObject", "s3:AbortMultipartUpload")


def install() -> None:
    iam_actions.dynamodb_resource_arns = _naming_jobs(iam_actions.dynamodb_resource_arns)


def _naming_jobs(original):
    """The emulator takes these calls for calls on "*", which a least-privilege policy does not allow."""

    def resource_arns(body, region, account_id):
        arns = original(body, region, account_id)
        return arns or _job_arns(body, region, account_id)

    return resource_arns


def _job_arns(body, region, account_id) -> list[str]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return []
    if not isinstance(request, dict):
        return []
    if "S3Bucket" in request:
        named = request.get("TableArn")
    elif "S3BucketSource" in request:
        table = (request.get("TableCreationParameters") or {}).get("TableName")
        named = table and iam_actions._dynamodb_table_arn(table, region, account_id)
    else:
        named = request.get("ExportArn") or request.get("ImportArn")
    return [named] if isinstance(named, str) and named else []


def bucket_refusal(partition: str, region: str, bucket: str, keys: list[str], algorithm: str) -> str | None:
    """Why the caller of the current request may not write these objects; None if they may."""
    wanted = [(action, f"arn:{partition}:s3:::{bucket}/{key}") for action in BUCKET_ACTIONS for key in keys]
    return refusal("s3", region, wanted, {"s3:x-amz-server-side-encryption": algorithm})


def refusal(service: str, region: str, wanted: list[tuple[str, str]], context: dict) -> str | None:
    """Why the caller of the current request may not do one of these (action, ARN); None if they may."""
    access_key = iam_evaluator._verified_key.get()
    if not app.AUTH or not access_key:
        return None  # root, whose keys are never checked
    # DynamoDB itself reaches the others by TLS, so a policy that demands it is satisfied.
    origin = iam_evaluator._request_origin.set((iam_evaluator._request_origin.get()[0], True))
    try:
        for action, arn in wanted:
            denied = iam_evaluator.enforce(
                access_key, action, service, region, resource_arn=arn, service_context=context
            )
            if denied is not None:
                return _message(denied, action, arn)
    finally:
        iam_evaluator._request_origin.reset(origin)
    return None


def _message(denied, action: str, arn: str) -> str:
    principal = getattr(denied, "principal_arn", None)
    if principal is None:
        return denied.message
    return f'User: {principal} is not authorized to perform: {action} on resource: "{arn}"'
