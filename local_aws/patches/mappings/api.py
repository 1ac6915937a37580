# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, update and delete of mappings: checked as AWS checks them, then stored by the emulator."""

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

from . import access, rules, sources, supervisor

_create, _update, _delete = lambda_svc._create_esm, lambda_svc._update_esm, lambda_svc._delete_esm


def install() -> None:
    lambda_svc._create_esm = create
    lambda_svc._update_esm = update
    lambda_svc._delete_esm = delete


def create(request: dict):
    service = supervisor.service_of(request)
    try:
        rules.check_ranges(request)
        if service == "sqs":
            rules.check_queue(request)
        if service in supervisor.STREAM_SERVICES:
            rules.check_stream(request, service)
            _check_function_and_source(request)
            request = rules.with_stream_defaults(request)
        _refuse_second(request)
    except rules.Refused as refused:
        return error_response_json(refused.code, refused.message, refused.status)
    status, headers, body = _create(request)
    if status == 202 and service in supervisor.STREAM_SERVICES:
        return _complete(request, status)
    return status, headers, body


def update(mapping_id: str, request: dict):
    mapping = lambda_svc._esms.get(mapping_id)
    if mapping is None:
        return _update(mapping_id, request)
    try:
        rules.check_ranges(request)
        if supervisor.service_of(mapping) == "sqs":
            rules.check_queue({**mapping, **request})
    except rules.Refused as refused:
        return error_response_json(refused.code, refused.message, refused.status)
    status, _headers, _body = response = _update(mapping_id, request)
    if status != 200:
        return response
    if not (mapping.get("FilterCriteria") or {}).get("Filters"):
        mapping.pop("FilterCriteria", None)
    supervisor.reconcile()
    supervisor.wake(mapping_id)
    return lambda_svc.json_response(lambda_svc._esm_response(mapping), 202)


def delete(mapping_id: str):
    response = _delete(mapping_id)
    supervisor.reconcile()
    return response


def _complete(request: dict, status: int):
    """Store what the emulator leaves out, and start reading from the position asked for."""
    mapping = _find(request)
    for name in (*rules.STREAM_DEFAULTS, "StartingPositionTimestamp"):
        if name in request:
            mapping[name] = request[name]
    mapping["StateTransitionReason"] = "User action"
    supervisor.reconcile()
    return lambda_svc.json_response(lambda_svc._esm_response(mapping), status)


def _find(request: dict) -> dict | None:
    name, qualifier, error = lambda_svc._resolve_existing_esm_function(request.get("FunctionName", ""))
    if error:
        return None
    return next(
        (
            mapping
            for mapping in lambda_svc._esms.values()
            if mapping["EventSourceArn"] == request.get("EventSourceArn")
            and mapping["FunctionName"] == name
            and mapping.get("Qualifier") == qualifier
        ),
        None,
    )


def _refuse_second(request: dict) -> None:
    present = _find(request)
    if present:
        raise rules.Refused(
            "ResourceConflictException",
            f'The event source arn (" {present["EventSourceArn"]} ") and function (" {present["FunctionName"]} ") '
            f"provided mapping already exists. Please update or delete the existing mapping with UUID "
            f"{present['UUID']}",
            409,
        )


def _check_function_and_source(request: dict) -> None:
    name, qualifier, error = lambda_svc._resolve_existing_esm_function(request.get("FunctionName", ""))
    if error:
        return  # the emulator answers as AWS does
    _record, config = lambda_svc._get_func_record_for_qualifier(name, qualifier)
    arn = request["EventSourceArn"]
    access.forget()  # a policy that was attached a moment ago counts
    if not access.may_read(config or {}, arn):
        raise rules.Refused("InvalidParameterValueException", access.cannot_read(arn))
    if not sources.shards(arn):
        raise rules.Refused("InvalidParameterValueException", f"Stream not found: {arn}")
