# SPDX-License-Identifier: GPL-3.0-or-later
"""A DynamoDB transaction is authorised by the actions and tables in it, each once.

DynamoDB Developer Guide, "Using IAM with DynamoDB transactions": a transaction needs the rights of its single writes. The
emulator evaluates the caller's policies anew for each of up to 100 writes, which takes longer than the writes.
"""

from ministack.core import iam_actions

from ..sides import Side


def install(_side: Side) -> None:
    emulator_checks = iam_actions.dynamodb_transaction_checks

    def checks(*arguments):
        return list(dict.fromkeys(emulator_checks(*arguments)))

    iam_actions.dynamodb_transaction_checks = checks
