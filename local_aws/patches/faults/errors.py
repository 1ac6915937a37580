# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as each service sends them: code, status, and the protocol in which the caller asked.

Codes: "Common Errors" and "Errors" in the services' API references, and botocore's retry rules, which must recognise them.
"""

import json
from xml.sax.saxutils import escape

PARTIAL = "partial"  # no error: see `partial`
KINDS = ("throttling", "unavailable", "internal", PARTIAL)

THROTTLING = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "kinesis": ("ProvisionedThroughputExceededException", 400),
    "s3": ("SlowDown", 503),
    "lambda": ("TooManyRequestsException", 429),
    "sqs": ("RequestThrottled", 403),
    "iam": ("Throttling", 400),
    "sts": ("Throttling", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "cloudwatch": ("Throttling", 400),
}
INTERNAL = {
    "dynamodb": ("InternalServerError", 500),
    "ssm": ("InternalServerError", 500),
    "s3": ("InternalError", 500),
    "lambda": ("ServiceException", 500),
    "iam": ("ServiceFailure", 500),
    "ec2": ("InternalError", 500),
}
MESSAGES = {
    "throttling": "Rate exceeded",
    "unavailable": "Service is unable to handle request.",
    "internal": "The request processing has failed because of an unknown error, exception or failure.",
}


def code_of(service: str, kind: str) -> tuple[str, int]:
    """(code, status) by which a service says that kind of failure."""
    if kind == "throttling":
        return THROTTLING.get(service, ("ThrottlingException", 400))
    if kind == "unavailable":
        return "ServiceUnavailable", 503
    return INTERNAL.get(service, ("InternalFailure", 500))


def answer(service: str, kind: str, headers: dict, request_id: str) -> tuple[int, dict, bytes]:
    """The whole answer, in the protocol of the request."""
    code, status = code_of(service, kind)
    message = MESSAGES[kind]
    common = {"x-amzn-requestid": request_id, "x-amz-request-id": request_id}
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        body = _cbor({"__type": code, "message": message})
        return status, {**common, "Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, body
    if headers.get("x-amz-target"):
        body = json.dumps({"__type": code, "message": message}).encode()
        return status, {**common, "Content-Type": "application/x-amz-json-1.0"}, body
    if service == "lambda":
        body = json.dumps({"Type": "Service", "message": message}).encode()
        return status, {**common, "Content-Type": "application/json", "x-amzn-errortype": code}, body
    return status, {**common, "Content-Type": "text/xml"}, _xml(service, code, status, message, request_id).encode()


def _xml(service: str, code: str, status: int, message: str, request_id: str) -> str:
    error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if service == "s3":
        return f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
    if service == "ec2":
        return f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    blame = "Receiver" if status >= 500 else "Sender"
    return (
        f"<ErrorResponse><Error><Type>{blame}</Type>{error}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _cbor(texts: dict[str, str]) -> bytes:
    """A map of at most 23 short texts (RFC 8949): no library for two strings."""
    parts = [bytes([0xA0 | len(texts)])]
    for text in (text for pair in texts.items() for text in pair):
        data = text.encode()
        parts.append((bytes([0x60 | len(data)]) if len(data) < 24 else bytes([0x78, len(data)])) + data)
    return b"".join(parts)
