# SPDX-License-Identifier: MIT
"""The lifecycle rules of a bucket."""

from __future__ import annotations

from typing import Any

from .answers import error_code
from .botocore_errors import ClientError


def read_rules(s3: Any, bucket: str, owner: str = "") -> list[dict[str, Any]]:
    """The rules in force, [] where there are none. ``owner``: account that the bucket must belong to; '' = any."""
    expected = {"ExpectedBucketOwner": owner} if owner else {}
    try:
        return s3.get_bucket_lifecycle_configuration(Bucket=bucket, **expected).get("Rules", [])
    except ClientError as error:
        if error_code(error) == "NoSuchLifecycleConfiguration":
            return []
        raise
