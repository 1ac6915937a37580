# SPDX-License-Identifier: GPL-3.0-or-later
"""Fake boto3 clients whose calls are held against botocore's service models."""

from __future__ import annotations

from functools import cache
from unittest.mock import Mock

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.paginate import Paginator
from botocore.validate import ParamValidator


@cache
def service_model(service: str):
    return botocore.session.get_session().get_service_model(service)


def fake_client(service: str, fake: object) -> Mock:
    """A client with the fake's operations of the service; arguments that AWS does not know fail the test.

    Its paginators are botocore's own.
    """
    model = service_model(service)
    operations = {xform_name(name): name for name in model.operation_names}
    names = [name for name in dir(fake) if name in operations]
    client = Mock(spec=[*names, "get_paginator"])
    client.get_paginator.side_effect = lambda name: Paginator(
        getattr(client, name), _paging(service, operations[name]), model.operation_model(operations[name])
    )
    for name in names:
        shape = model.operation_model(operations[name]).input_shape
        getattr(client, name).side_effect = _checked(name, shape, getattr(fake, name))
    return client


@cache
def _paging(service: str, operation: str) -> dict:
    return botocore.session.get_session().get_paginator_model(service).get_paginator(operation)


def _checked(name, shape, answer):
    def call(**arguments):
        report = ParamValidator().validate(arguments, shape)
        assert not report.has_errors(), f"{name}: {report.generate_report()}"
        return answer(**arguments)

    return call


def aws_error(code: str, message: str = "refused", operation: str = "Operation") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def calls_of(client: Mock, *prefixes: str) -> list[str]:
    """The names of the calls that begin with one of the prefixes, in their order."""
    return [call[0] for call in client.method_calls if call[0].startswith(prefixes)]
