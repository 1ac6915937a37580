# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB's calls that name their table by `ResourceArn` are authorised on that table.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB": ListTagsOfResource, TagResource,
UntagResource and those on resource policies have the resource type `table`. The emulator authorises them on `*`, which a
policy that names its tables does not allow.
"""

import json

from ministack.core import iam_actions

from ..sides import Side


def install(_side: Side) -> None:
    emulator_names = iam_actions.dynamodb_resource_arns

    def resource_arns(body, region, account_id):
        return emulator_names(body, region, account_id) or _named(body)

    iam_actions.dynamodb_resource_arns = resource_arns


def _named(body: bytes) -> list[str]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return []
    arn = request.get("ResourceArn") if isinstance(request, dict) else None
    return [arn] if isinstance(arn, str) and arn else []
