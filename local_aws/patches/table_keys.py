# SPDX-License-Identifier: GPL-3.0-or-later
"""A table's KMS key must be there, enabled, and usable by who makes the table.

Amazon DynamoDB Developer Guide, "DynamoDB encryption at rest: usage notes": DynamoDB uses the caller's rights on the key
(kms:DescribeKey, kms:CreateGrant, and others) when a table is made, by CreateTable or ImportTable. The condition key
kms:ViaService tells that it is DynamoDB who asks. The emulator takes any text for a key.
"""

from ..sides import Side

RIGHTS = ("kms:DescribeKey", "kms:CreateGrant")


def install(side: Side) -> None:
    from ministack.services import dynamodb, kms

    from .export import access

    emulator_create = dynamodb._create_table

    def create_table(data: dict):
        key = (data.get("SSESpecification") or {}).get("KMSMasterKeyId")
        if not key:
            return emulator_create(data)
        found = kms._resolve_key(key)
        if found is None or found["KeyState"] != "Enabled":
            said = "does not exist" if found is None else f"is {found['KeyState']}"
            return dynamodb.error_response_json(
                "ValidationException", f"KMS validation error: KMS key '{key}' {said} (Service: AWSKMS)"
            )
        region = dynamodb.get_region()
        via = {"kms:ViaService": f"dynamodb.{region}.{_suffix(side)}"}
        refusal = access.refusal("kms", region, [(right, found["Arn"]) for right in RIGHTS], via)
        if refusal:
            return dynamodb.error_response_json("AccessDeniedException", f"KMS key access denied: {refusal}")
        return emulator_create(data)

    dynamodb._create_table = create_table


def _suffix(side: Side) -> str:
    return "amazonaws.com.cn" if side.partition == "aws-cn" else "amazonaws.com"
