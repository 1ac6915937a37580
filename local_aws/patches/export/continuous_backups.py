# SPDX-License-Identifier: GPL-3.0-or-later
"""Point-in-time recovery: who has it, since when, and every change since.

The emulator stores and removes items in two functions only, whatever the API call (PutItem, batches,
transactions, PartiQL, imports, TTL). Both are wrapped, because its stream events leave out PartiQL and TTL.
"""

import threading

from ministack.services import dynamodb

from .changelog import ChangeLog, image_text

DEFAULT_PERIOD_DAYS = 35

_logs: dict[str, ChangeLog] = {}  # by TableId, so that a table created again starts anew
_transaction = threading.local()


def install() -> None:
    dynamodb._set_item = _logged_set(dynamodb._set_item)
    dynamodb._remove_item = _logged_removal(dynamodb._remove_item)
    dynamodb._execute_transaction = _all_or_nothing(dynamodb._execute_transaction)
    dynamodb._delete_table = _forgetting(dynamodb._delete_table)
    dynamodb._update_continuous_backups = _update
    dynamodb._describe_continuous_backups = _describe


def forget() -> None:
    _logs.clear()


def log_of(table: dict) -> ChangeLog | None:
    return _logs.get(table["TableId"])


def _logged_set(original):
    def set_item(table, partition_value, sort_value, item):
        old = original(table, partition_value, sort_value, item)
        log = _logs.get(table.get("TableId"))
        if log is not None:
            _note(log, (partition_value, sort_value), image_text(item))
        return old

    return set_item


def _logged_removal(original):
    def remove_item(table, partition_value, sort_value):
        old = original(table, partition_value, sort_value)
        log = _logs.get(table.get("TableId"))
        if log is not None and old is not None:
            _note(log, (partition_value, sort_value), None)
        return old

    return remove_item


def _note(log: ChangeLog, identity, image: str | None) -> None:
    journal = getattr(_transaction, "journal", None)
    if journal is None:
        log.record(identity, image)
    else:
        journal.append((log, identity, image))


def _all_or_nothing(original):
    """The emulator applies a PartiQL transaction statement by statement, and undoes it when one fails."""

    def execute_transaction(data):
        _transaction.journal = []
        try:
            response = original(data)
            journal = _transaction.journal
        finally:
            _transaction.journal = None
        if response[0] == 200:
            for log, identity, image in journal:
                log.record(identity, image)
        return response

    return execute_transaction


def _forgetting(original):
    def delete_table(data):
        table = dynamodb._tables.get(dynamodb._normalize_table_name(data.get("TableName")))
        response = original(data)
        if table is not None and response[0] == 200:
            _logs.pop(table["TableId"], None)
        return response

    return delete_table


def _update(data: dict):
    table = _table(data)
    if table is None:
        return _no_such_table(data)
    wanted = data.get("PointInTimeRecoverySpecification") or {}
    days = wanted.get("RecoveryPeriodInDays", DEFAULT_PERIOD_DAYS)
    if not 1 <= days <= 35:
        return dynamodb.error_response_json(
            "ValidationException",
            f"1 validation error detected: Value '{days}' at 'pointInTimeRecoverySpecification."
            "recoveryPeriodInDays' failed to satisfy constraint: Member must be between 1 and 35",
        )
    enabled = bool(wanted.get("PointInTimeRecoveryEnabled"))
    dynamodb._pitr_settings[table["TableName"]] = enabled
    if not enabled:
        _logs.pop(table["TableId"], None)
    elif (log := log_of(table)) is not None:
        log.period_days = days
    else:
        _logs[table["TableId"]] = ChangeLog(_images(table), days)
    return dynamodb.json_response({"ContinuousBackupsDescription": _description(table)})


def _describe(data: dict):
    table = _table(data)
    if table is None:
        return _no_such_table(data)
    return dynamodb.json_response({"ContinuousBackupsDescription": _description(table)})


def _description(table: dict) -> dict:
    log = log_of(table)
    recovery = {"PointInTimeRecoveryStatus": "DISABLED"}
    if log is not None:
        recovery = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": log.period_days,
            "EarliestRestorableDateTime": log.earliest_restorable(),
            "LatestRestorableDateTime": log.latest_restorable(),
        }
    return {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}


def _images(table: dict) -> dict:
    return {
        (partition_value, sort_value): image_text(item)
        for partition_value, items in table["items"].items()
        for sort_value, item in items.items()
    }


def _table(data: dict) -> dict | None:
    return dynamodb._tables.get(dynamodb._normalize_table_name(data.get("TableName")))


def _no_such_table(data: dict):
    return dynamodb.error_response_json("TableNotFoundException", f"Table not found: {data.get('TableName')}")
