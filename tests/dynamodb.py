# SPDX-License-Identifier: GPL-3.0-or-later
"""A DynamoDB in memory: conditional writes, transactions, batch reads and streams, with faults and other actors on demand."""

import copy
from dataclasses import dataclass, field

from tests.expressions import holds
from tests.fakes import client_error

SINGLE_CODES = {
    "ConditionalCheckFailed": "ConditionalCheckFailedException",
    "ValidationError": "ValidationException",
    "TransactionConflict": "TransactionConflictException",
}


@dataclass
class FakeDynamoDB:
    """Tables are made when they are first used; their key is ``PK`` unless ``keys`` says otherwise.

    fate: item's PK -> codes that its next writes meet. errors: operation -> exception raised instead. before: called with
    (operation, arguments) ahead of every call; it may raise, or act as another client. stream: called with
    (table, old, new) for every row that changes.
    """

    fate: dict = field(default_factory=dict)
    errors: dict = field(default_factory=dict)
    keys: dict = field(default_factory=dict)
    before: object = None
    stream: object = None
    tables: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)

    # -- the API -----------------------------------------------------------------------------

    def transact_write_items(self, TransactItems):
        self._begin("transact_write_items", TransactItems)
        self.calls.append(len(TransactItems))
        actions = [next(iter(item.items())) for item in TransactItems]
        names = [(arguments["TableName"], self._name(arguments)) for _action, arguments in actions]
        assert len(set(names)) == len(names) <= 100, "a transaction holds an item once, and 100 at most"
        codes = [self._refusal(arguments) for _action, arguments in actions]
        if any(codes):
            raise client_error(
                "TransactionCanceledException", CancellationReasons=[{"Code": code or "None"} for code in codes]
            )
        for action, arguments in actions:
            self._change(action, arguments)

    def put_item(self, **arguments):
        self._single("Put", arguments)

    def delete_item(self, **arguments):
        self._single("Delete", arguments)

    def update_item(self, **arguments):
        if "ADD" in arguments["UpdateExpression"]:
            return self._add(arguments)
        return self._single("Update", arguments)

    def batch_get_item(self, RequestItems):
        self._begin("batch_get_item", RequestItems)
        answer = {}
        for table, request in RequestItems.items():
            names = [self._key_name(table, key) for key in request["Keys"]]
            assert len(set(names)) == len(names) <= 100
            rows = self.rows(table)
            answer[table] = [copy.deepcopy(rows[name]) for name in names if name in rows]
        return {"Responses": answer, "UnprocessedKeys": {}}

    # -- for tests ---------------------------------------------------------------------------

    def rows(self, table):
        return self.tables.setdefault(table, {})

    def items(self, table):
        return list(self.rows(table).values())

    def get(self, table, **key):
        return self.rows(table).get(self._key_name(table, key))

    def put(self, table, item):
        """A plain write of another client: no condition, no fate."""
        self._change("Put", {"TableName": table, "Item": item})

    def delete(self, table, key):
        self._change("Delete", {"TableName": table, "Key": key})

    # -- within ------------------------------------------------------------------------------

    def _begin(self, operation, arguments):
        if self.before:
            self.before(operation, arguments)
        if error := self.errors.get(operation):
            raise error

    def _single(self, action, arguments):
        self._begin(f"{action.lower()}_item", arguments)
        self.calls.append(1)
        if code := self._refusal(arguments):
            raise client_error(SINGLE_CODES.get(code, code), "because")
        self._change(action, arguments)

    def _refusal(self, arguments):
        codes = self.fate.get((arguments.get("Item") or arguments["Key"])["PK"].get("S"))
        if codes and (code := codes.pop(0)):
            return code
        return None if holds(arguments, self._stored(arguments)) else "ConditionalCheckFailed"

    def _add(self, arguments):
        self._begin("count", arguments)
        row = self.rows(arguments["TableName"]).setdefault(self._name(arguments), dict(arguments["Key"]))
        total = int(row.get("cnt", {"N": "0"})["N"]) + int(arguments["ExpressionAttributeValues"][":n"]["N"])
        row["cnt"] = {"N": str(total)}
        return {"Attributes": {"cnt": row["cnt"]}}

    def _change(self, action, arguments):
        table, old = arguments["TableName"], self._stored(arguments)
        if action == "Put":
            new = copy.deepcopy(arguments["Item"])
        elif action == "Update":
            new = (old or dict(arguments["Key"])) | self._assigned(arguments)
        else:
            new = None
        if new is None:
            self.rows(table).pop(self._name(arguments), None)
        else:
            self.rows(table)[self._name(arguments)] = new
        if self.stream and old != new:
            self.stream(table, old, new)

    @staticmethod
    def _assigned(arguments):
        """``SET #t = :a, #r = :b``"""
        pairs = (part.split("=") for part in arguments["UpdateExpression"].removeprefix("SET ").split(","))
        names, values = arguments["ExpressionAttributeNames"], arguments["ExpressionAttributeValues"]
        return {names[name.strip()]: values[value.strip()] for name, value in pairs}

    def _stored(self, arguments):
        return self.rows(arguments["TableName"]).get(self._name(arguments))

    def _name(self, arguments):
        return self._key_name(arguments["TableName"], arguments.get("Item") or arguments["Key"])

    def _key_name(self, table, item):
        return tuple(repr(item[name]) for name in self.keys.get(table, ("PK",)))
