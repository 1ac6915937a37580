# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB condition expressions, as far as dynabridge uses them, evaluated in memory.

The contract tests in tests/integration hold the same expressions against a DynamoDB that was not written here.
"""

import re
from decimal import Decimal
from functools import lru_cache

TOKENS = re.compile(r"\s*(\(|\)|,|>=|<=|=|>|<|[#:]?[A-Za-z_][A-Za-z0-9_]*)")
COMPARE = {
    "=": lambda a, b: a == b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def holds(arguments, item):
    """Whether the ConditionExpression of a call's arguments holds for the stored item (None: no such item)."""
    expression = arguments.get("ConditionExpression")
    if not expression:
        return True
    names, values = arguments["ExpressionAttributeNames"], arguments.get("ExpressionAttributeValues", {})
    used = set(re.findall(r"[#:]\w+", expression + arguments.get("UpdateExpression", "")))
    assert used == {*names, *values}, f"declared {sorted({*names, *values})}, used {sorted(used)}"
    return compiled(expression)(item or {}, names, values)


@lru_cache(maxsize=1000)
def compiled(expression):
    tokens = TOKENS.findall(expression)
    assert "".join(tokens) == re.sub(r"\s", "", expression), expression
    parsed = _any(tokens)
    assert not tokens, f"left over in {expression}: {tokens}"
    return parsed


def _any(tokens):
    parts = [_all(tokens)]
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        parts.append(_all(tokens))
    return lambda *scope: any(part(*scope) for part in parts)


def _all(tokens):
    parts = [_one(tokens)]
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        parts.append(_one(tokens))
    return lambda *scope: all(part(*scope) for part in parts)


def _one(tokens):
    token = tokens.pop(0)
    if token == "NOT":
        inner = _one(tokens)
        return lambda *scope: not inner(*scope)
    if token == "(":
        inner = _any(tokens)
        assert tokens.pop(0) == ")"
        return inner
    if token.startswith("attribute_"):
        return _function(token, tokens)
    operator, right = tokens.pop(0), tokens.pop(0)
    return lambda item, names, values: _compare(operator, item.get(names[token]), values[right])


def _function(name, tokens):
    assert tokens.pop(0) == "("
    operand = tokens.pop(0)
    if tokens[0] == ",":
        assert name == "attribute_type"
        _comma, kind, _bracket = (tokens.pop(0) for _ in range(3))
        return lambda item, names, values: values[kind]["S"] in item.get(names[operand], {})
    assert tokens.pop(0) == ")"
    wanted = name == "attribute_exists"
    return lambda item, names, values: (names[operand] in item) == wanted


def _compare(operator, stored, value):
    if stored is None:
        return False
    ((stored_kind, left),), ((kind, right),) = stored.items(), value.items()
    if stored_kind != kind:
        return False
    if kind == "N":
        left, right = Decimal(left), Decimal(right)
    elif kind == "S":
        left, right = left.encode(), right.encode()
    return COMPARE[operator](left, right)
