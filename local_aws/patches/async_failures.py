# SPDX-License-Identifier: GPL-3.0-or-later
"""The on-failure destination of an asynchronous invocation is told with the rights of the function's role.

AWS Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations": to send to a destination, the function's
execution role needs the permission (sqs:SendMessage for a queue). The emulator sends whatever the role may do.
"""

import logging

from ministack.services import lambda_svc

from ..sides import Side
from .mappings import access

logger = logging.getLogger("local_aws")


def install(_side: Side) -> None:
    emulator_routes = lambda_svc._route_async_failure

    def route(target_arn: str, function_name: str, event: dict, result: dict) -> None:
        function = lambda_svc._functions.get(function_name) or {}
        if function and not access.may_send(function["config"], target_arn):
            logger.warning("the role of %s may not send to %s: the failed event is lost", function_name, target_arn)
            return
        emulator_routes(target_arn, function_name, event, result)

    lambda_svc._route_async_failure = route
