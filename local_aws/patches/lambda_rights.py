# SPDX-License-Identifier: GPL-3.0-or-later
"""Each of Lambda's operations has an action of its own, on the function or mapping that it is about.

Service Authorization Reference, "Actions, resources, and condition keys for AWS Lambda": actions bear the operation's name (but
Invoke, which is InvokeFunction); CreateFunction has the resource type `function`; to read, change or delete a mapping
has the type `eventSourceMapping`. The emulator takes the change of a mapping, of a function's concurrency and of its asynchronous
settings for other actions or for none, and CreateFunction for one on `*`.
"""

import json

from ministack.core import iam_actions

from ..sides import Side

SERVICE = "lambda"
OTHERWISE = {
    "Invoke": "InvokeFunction",
    "InvokeAsync": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
}


def install(side: Side) -> None:
    emulator_resource = iam_actions.extract_resource_arn
    # With a model the operation is found by its route.
    iam_actions._BOTOCORE_SERVICE_MAP[SERVICE] = [SERVICE]

    def action(method, path):
        operation = iam_actions._match_rest_action(SERVICE, method, path)
        return OTHERWISE.get(operation, operation)

    def resource(service, method, path, headers, body, query_params, region, account_id):
        named = emulator_resource(service, method, path, headers, body, query_params, region, account_id)
        if service == SERVICE and named == "*" and action(method, path) == "CreateFunction":
            return f"arn:{side.partition}:lambda:{region}:{account_id}:function:{_function(body)}"
        return named

    iam_actions._lambda_action = action
    iam_actions.extract_resource_arn = resource


def _function(body: bytes) -> str:
    try:
        return str(json.loads(body or b"{}").get("FunctionName", ""))
    except (ValueError, AttributeError):
        return ""  # the emulator refuses it
