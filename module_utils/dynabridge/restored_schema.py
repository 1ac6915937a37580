# SPDX-License-Identifier: MIT
"""The table that is to be made of a saved schema: under another name, perhaps in another region, with another key.

A saved schema names its table, region and key in many places. Here they are replaced, and what cannot be taken over is said
in a sentence: nothing is left out unseen.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import SettingsError
from .table_schema import ON_DEMAND, create_parameters, import_parameters

# What is set after the items are there, in this order. Protection comes last: until then a half-made table can be removed.
SETTINGS = (
    "table_class",
    "stream",
    "point_in_time_recovery",
    "ttl",
    "tags",
    "autoscaling",
    "resource_policy",
    "deletion_protection",
)
# AWS's own KMS key for DynamoDB. It must not be named to CreateTable: it is what is taken when no key is named.
AWS_KEY = "alias/aws/dynamodb"
# A table that a restore creates itself bears this tag until it is done, so that it is known again after an interruption.
MARK = "dynabridge-restore"
_CAPACITY = ("ProvisionedThroughput", "OnDemandThroughput")
# Besides the recovery's switch its period counts.
_FIELDS = {name: (name,) for name in SETTINGS} | {
    "point_in_time_recovery": ("point_in_time_recovery", "recovery_period_days")
}

Schema = dict[str, Any]


def check_key(kms_key: str, region: str) -> None:
    """Raises SettingsError for the ARN of a key that tables of the region cannot use."""
    parts = kms_key.split(":")
    if kms_key.startswith("arn:") and (len(parts) < 6 or parts[2:4] != ["kms", region]):
        raise SettingsError(
            f"kms_key_arn is {kms_key}: a table in {region} takes a KMS key of {region}. Give one of that region, or "
            f"{AWS_KEY} for AWS's own"
        )


def encryption_of(saved: Schema, region: str, kms_key: str = "") -> tuple[dict[str, Any] | None, str]:
    """SSESpecification in the region, None for DynamoDB's default, and a sentence where it is another than it was."""
    before = saved["table_creation_parameters"].get("SSESpecification")
    if kms_key:
        return {"Enabled": True, "SSEType": "KMS"} | ({} if kms_key == AWS_KEY else {"KMSMasterKeyId": kms_key}), ""
    known = (before or {}).get("KMSMasterKeyId", "")
    if not before or not known or known.split(":")[3:4] in ([region], []):
        return copy.deepcopy(before), ""
    return {"Enabled": True, "SSEType": "KMS"}, (
        f"the table was encrypted by {known}, a key of another region: now it is by AWS's own KMS key of {region}. "
        "Give kms_key_arn for another"
    )


def to_import(saved: Schema, table: str, encryption: dict[str, Any] | None, on_demand: bool = False) -> dict[str, Any]:
    """TableCreationParameters of ImportTable."""
    return _parameters(import_parameters(saved, table), encryption, on_demand)


def to_create(saved: Schema, table: str, encryption: dict[str, Any] | None, mark: str) -> dict[str, Any]:
    """Arguments of CreateTable for a table that is loaded afterwards: on demand, whatever it is to be, and marked."""
    parameters = _parameters(create_parameters(saved, table), encryption, on_demand=True)
    return parameters | {"Tags": [{"Key": MARK, "Value": mark}]}


def wanted_schema(
    saved: Schema, arn: str, encryption: dict[str, Any] | None, on_demand: bool = False
) -> tuple[Schema, list[str]]:
    """The schema of the table with that ARN once it is done, and sentences on what it will lack."""
    _arn, _partition, _service, region, account_id, resource = arn.split(":", 5)
    table = resource.partition("/")[2]
    wanted = copy.deepcopy(saved)
    wanted |= {"table_name": table, "table_arn": arn, "region": region, "account_id": account_id}
    wanted["table_creation_parameters"] = to_import(saved, table, encryption, on_demand)
    lacking = []
    if on_demand and saved["autoscaling"]["targets"]:
        wanted["autoscaling"] = {"targets": [], "policies": []}
        lacking.append("its autoscaling was left out: the table is on demand now")
    else:
        wanted["autoscaling"] = _scaled(saved["autoscaling"], saved["table_name"], table)
        lacking += _lost_alarms(wanted["autoscaling"]["policies"])
    wanted["resource_policy"], sentence = _policy(saved, arn)
    return wanted, lacking + ([sentence] if sentence else [])


def differing(wanted: Schema, made: Schema, names: Iterable[str] = SETTINGS) -> list[str]:
    """Which of these settings a table has otherwise than it should; tags that it has besides do not count."""
    return [name for name in names if _value(wanted, made, name) != tuple(made[field] for field in _FIELDS[name])]


def parts_that_differ(wanted: Schema, made: Schema) -> list[str]:
    """What could be given only when the table was made, and is not as it should be."""
    ours, theirs = (_without_key(schema["table_creation_parameters"]) for schema in (wanted, made))
    differ = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
    local = wanted["local_secondary_indexes"] != made["local_secondary_indexes"]
    # Attributes are defined as far as indexes use them, which are compared themselves.
    return [name for name in differ if name != "AttributeDefinitions"] + (["LocalSecondaryIndexes"] if local else [])


def missing_tags(wanted: Schema, made: Schema) -> dict[str, str]:
    """The tags to add or to change."""
    return {name: value for name, value in wanted["tags"].items() if made["tags"].get(name) != value}


def billing_change(wanted: Schema, made: Schema) -> dict[str, Any] | None:
    """Arguments of UpdateTable that give the table and its indexes the capacity they should have; None: they have it."""
    ours, theirs = wanted["table_creation_parameters"], made["table_creation_parameters"]
    indexes = {index["IndexName"]: index for index in theirs.get("GlobalSecondaryIndexes", [])}
    updates = [
        {"Update": {"IndexName": index["IndexName"]} | _capacity(index)}
        for index in ours.get("GlobalSecondaryIndexes", [])
        if _capacity(index) and _capacity(index) != _capacity(indexes.get(index["IndexName"], {}))
    ]
    own = {name: ours[name] for name in ("BillingMode", *_CAPACITY) if name in ours and ours[name] != theirs.get(name)}
    if not own and not updates:
        return None
    return own | ({"GlobalSecondaryIndexUpdates": updates} if updates else {})


def _parameters(parameters: dict[str, Any], encryption: dict[str, Any] | None, on_demand: bool) -> dict[str, Any]:
    parameters.pop("SSESpecification", None)
    if encryption:
        parameters["SSESpecification"] = encryption
    if on_demand:
        parameters["BillingMode"] = ON_DEMAND
        for holder in (parameters, *parameters.get("GlobalSecondaryIndexes", [])):
            for name in _CAPACITY:
                holder.pop(name, None)
    return parameters


def _capacity(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {name: holder[name] for name in _CAPACITY if name in holder}


def _value(wanted: Schema, made: Schema, name: str) -> tuple:
    if name == "tags":
        return ({**made["tags"], **wanted["tags"]},)
    return tuple(wanted[field] for field in _FIELDS[name])


def _without_key(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """AWS tells the key that it took by itself, too."""
    rest = {name: value for name, value in parameters.items() if name not in ("TableName", "SSESpecification")}
    return rest | {"SSESpecification": bool(parameters.get("SSESpecification"))}


def _scaled(autoscaling: Mapping[str, Any], before: str, table: str) -> dict[str, Any]:
    """Targets and policies with their resource's new name: ``table/user-cn`` and ``table/user-cn/index/by-mail``."""
    scaled = copy.deepcopy(dict(autoscaling))
    for entry in (*scaled["targets"], *scaled["policies"]):
        _table, _slash, rest = entry["ResourceId"].partition("/")
        _name, slash, index = rest.partition("/")
        entry["ResourceId"] = f"table/{table}{slash}{index}"
    for policy in scaled["policies"]:
        tracking = policy.get("TargetTrackingScalingPolicyConfiguration", {})
        for dimension in tracking.get("CustomizedMetricSpecification", {}).get("Dimensions", []):
            if dimension.get("Name") == "TableName" and dimension.get("Value") == before:
                dimension["Value"] = table
    return scaled


def _lost_alarms(policies: Iterable[Mapping[str, Any]]) -> list[str]:
    """Target tracking makes its own alarms; those of step scaling are somebody's, and no part of the schema."""
    return [
        f"the alarms that call the scaling policy {policy['PolicyName']} of {policy['ResourceId']} have to be made by hand"
        for policy in policies
        if policy.get("PolicyType") == "StepScaling"
    ]


def _policy(saved: Schema, arn: str) -> tuple[dict[str, Any] | None, str]:
    """The resource policy with the new table's ARN in place of the old one's, wherever it stands."""
    policy = saved["resource_policy"]
    if policy is None:
        return None, ""
    before = saved["table_arn"]
    if (before.split(":")[1], before.split(":")[4]) != (arn.split(":")[1], arn.split(":")[4]):
        statements = policy.get("Statement", [])
        count = len(statements) if isinstance(statements, list) else 1
        return None, (
            f"its resource policy was left out ({count} statements): it is of account {before.split(':')[4]}, "
            f"and the table is now in {arn.split(':')[4]}"
        )
    return _renamed(policy, before, arn), ""


def _renamed(value: Any, before: str, after: str) -> Any:
    if isinstance(value, dict):
        return {name: _renamed(entry, before, after) for name, entry in value.items()}
    if isinstance(value, list):
        return [_renamed(entry, before, after) for entry in value]
    if isinstance(value, str) and (value == before or value.startswith(f"{before}/")):
        return after + value.removeprefix(before)
    return value


def spelled(document: Any) -> str:
    """A policy as DynamoDB takes it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
