# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that carry out a part of what they were given, and say so in an answer that is no error.

Kinesis Data Streams API reference, PutRecords: "a single record failure does not stop the processing of subsequent records".
DynamoDB API reference, BatchWriteItem and BatchGetItem: UnprocessedItems and UnprocessedKeys. Clients do not try these again
by themselves, so this is the fault that code forgets.
"""

import json

from ministack.services import dynamodb, kinesis

CALLS = ("kinesis:PutRecords", "dynamodb:BatchWriteItem", "dynamodb:BatchGetItem")
REFUSED = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded for shard"}


def install(choose) -> None:
    """choose(call, count): the positions that are left out, none if all goes well."""
    kinesis._put_records = _of_records(kinesis._put_records, choose)
    dynamodb._batch_write_item = _of_items(
        dynamodb._batch_write_item, choose, "dynamodb:BatchWriteItem", "UnprocessedItems", lambda entry: entry, list
    )
    dynamodb._batch_get_item = _of_items(
        dynamodb._batch_get_item,
        choose,
        "dynamodb:BatchGetItem",
        "UnprocessedKeys",
        lambda entry: entry["Keys"],
        dict,
    )


def _of_records(emulator_put, choose):
    def put(data):
        records = data.get("Records", [])
        left_out = choose("kinesis:PutRecords", len(records))
        if not left_out:
            return emulator_put(data)
        taken = [record for position, record in enumerate(records) if position not in left_out]
        status, headers, body = emulator_put({**data, "Records": taken})
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        results = iter(answer["Records"])
        answer["Records"] = [
            REFUSED if position in left_out else next(results) for position, _record in enumerate(records)
        ]
        answer["FailedRecordCount"] = len(left_out)
        return status, headers, json.dumps(answer).encode()

    return put


def _of_items(emulator_call, choose, call, unprocessed, members, kind):
    """members: the list of an entry of RequestItems. kind: whether that list is the entry, or stands in it."""

    def carry_out(data):
        entries = data.get("RequestItems") or {}
        places = [(table, index) for table, entry in entries.items() for index, _member in enumerate(members(entry))]
        left_out = {places[position] for position in choose(call, len(places))}
        if not left_out or len(left_out) == len(places):
            return emulator_call(data)  # all left out is throttling, which is a kind of its own
        taken, back = _divided(entries, members, kind, left_out)
        status, headers, body = emulator_call({**data, "RequestItems": taken})
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        answer[unprocessed] = {**answer.get(unprocessed, {}), **back}
        return status, headers, json.dumps(answer).encode()

    return carry_out


def _divided(entries: dict, members, kind, left_out: set) -> tuple[dict, dict]:
    taken, back = {}, {}
    for table, entry in entries.items():
        for whole, wanted in ((taken, False), (back, True)):
            chosen = [member for index, member in enumerate(members(entry)) if ((table, index) in left_out) is wanted]
            if chosen:
                whole[table] = chosen if kind is list else {**entry, "Keys": chosen}
    return taken, back
