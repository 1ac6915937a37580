# SPDX-License-Identifier: GPL-3.0-or-later
"""The three API calls."""

import time

from ministack.services import dynamodb

from . import access, contents, jobs, requests, settings
from .continuous_backups import log_of
from .requests import Refused

ECHOED = ("ExportType", "S3BucketOwner", "S3Prefix", "S3SseKmsKeyId")


class Operations:
    """Handlers of the emulator's DynamoDB: a request in, (status, headers, body) out."""

    def __init__(self, side):
        self._side = side

    def export_table_to_point_in_time(self, request: dict):
        return self._answer(self._export, request)

    def describe_export(self, request: dict):
        return self._answer(self._describe, request)

    def list_exports(self, request: dict):
        return self._answer(self._list, request)

    def _answer(self, operation, request: dict):
        try:
            return dynamodb.json_response(operation(request))
        except Refused as refused:
            return dynamodb.error_response_json(refused.code, refused.message)

    def _export(self, request: dict) -> dict:
        requests.check_members(request)
        table = self._table(request["TableArn"])
        earlier = self._same_token(request)
        if earlier is not None:
            return {"ExportDescription": earlier}
        log = log_of(table)
        description = self._described(request, table, log)
        job = jobs.Job(
            description=description,
            request=request,
            log=log,
            until=jobs.micros(request["ExportTime"]) if "ExportTime" in request else log.mark(),
            key_names=tuple(name for name in (table["pk_name"], table["sk_name"]) if name),
            refusal=self._refusal(description),
        )
        answer = {"ExportDescription": dict(description)}
        dynamodb._exports[description["ExportArn"]] = description
        jobs.start(job)
        return answer

    def _table(self, arn: str) -> dict:
        name = requests.table_name(arn, self._side.partition, dynamodb.get_region(), dynamodb.get_account_id())
        table = dynamodb._tables.get(name)
        if table is None:
            raise Refused("TableNotFoundException", f"Table not found: {arn}")
        return table

    def _same_token(self, request: dict) -> dict | None:
        token = request.get("ClientToken")
        for description in dynamodb._exports.values():
            if not token or description["ClientToken"] != token:
                continue
            if time.time() - description.get("EndTime", time.time()) > settings.TOKEN_VALID_SECONDS:
                continue
            if jobs.request_of(description["ExportArn"]) != request:
                raise Refused(
                    "ExportConflictException",
                    "Export conflict: Duplicate request detected with conflicting parameters",
                )
            return description
        return None

    def _described(self, request: dict, table: dict, log) -> dict:
        now = time.time_ns() // 1_000_000
        identifier = contents.export_id(now)
        description = {
            "ExportArn": f"{table['TableArn']}/export/{identifier}",
            "ExportStatus": "IN_PROGRESS",
            "StartTime": now / 1000,
            "TableArn": table["TableArn"],
            "TableId": table["TableId"],
            "ClientToken": request.get("ClientToken") or dynamodb.new_uuid(),
            "S3Bucket": request["S3Bucket"],
            "S3SseAlgorithm": request.get("S3SseAlgorithm", "AES256"),
            "ExportFormat": request.get("ExportFormat", "DYNAMODB_JSON"),
        }
        description.update({name: request[name] for name in ECHOED if request.get(name) is not None})
        if request.get("ExportType") == "INCREMENTAL_EXPORT":
            description["IncrementalExportSpecification"] = requests.window(request, log)
        else:
            wanted = requests.full_time(request, log, table["TableName"])
            description["ExportTime"] = now / 1000 if wanted is None else wanted
        return description

    def _refusal(self, description: dict) -> str | None:
        """The caller's rights on the bucket are looked at while the request is at hand, and tell later."""
        folder = jobs.folder(description)
        algorithm = {"AES256": "AES256", "KMS": "aws:kms"}[description["S3SseAlgorithm"]]
        data_folder = jobs.data_folder(description)
        keys = [f"{folder}/_started", f"{folder}/manifest-summary.json", f"{data_folder}/data.json.gz"]
        return access.bucket_refusal(
            self._side.partition, dynamodb.get_region(), description["S3Bucket"], keys, algorithm
        )

    def _describe(self, request: dict) -> dict:
        arn = request.get("ExportArn") or ""
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or "/export/" not in parts[5]:
            raise Refused("ValidationException", "Invalid Export ARN")
        if (parts[1], parts[4]) != (self._side.partition, dynamodb.get_account_id()):
            raise Refused("AccessDeniedException", "Access is denied")
        if parts[3] != dynamodb.get_region():
            raise Refused("ExportNotFoundException", "Export not found: Invalid export arn")
        description = dynamodb._exports.get(arn)
        if description is None:
            raise Refused("ExportNotFoundException", f"Export not found: Export not found: {arn}")
        return {"ExportDescription": description}

    def _list(self, request: dict) -> dict:
        """Newest first; exports of a table that is gone are not listed, whoever bears its name now."""
        limit = min(request.get("MaxResults") or 25, 25)
        tables = {table["TableId"] for table in dynamodb._tables.values()}
        listed = sorted(
            (
                description
                for description in dynamodb._exports.values()
                if description["TableId"] in tables
                and request.get("TableArn") in (None, description["TableArn"])
                and time.time() - description["StartTime"] < settings.LISTED_SECONDS
            ),
            key=lambda description: description["ExportArn"].rpartition("/")[2],
            reverse=True,
        )
        start = _start(listed, request.get("NextToken"))
        page = listed[start : start + limit]
        answer = {"ExportSummaries": [_summary(description) for description in page]}
        if start + limit < len(listed):
            answer["NextToken"] = page[-1]["ExportArn"]
        return answer


def _start(listed: list[dict], token: str | None) -> int:
    if token is None:
        return 0
    for position, description in enumerate(listed):
        if description["ExportArn"] == token:
            return position + 1
    raise Refused("ValidationException", f"Invalid Request: Provided nextToken is invalid: {token}")


def _summary(description: dict) -> dict:
    return {
        "ExportArn": description["ExportArn"],
        "ExportStatus": description["ExportStatus"],
        "ExportType": description.get("ExportType", "FULL_EXPORT"),
    }
