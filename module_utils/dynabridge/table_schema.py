# SPDX-License-Identifier: MIT
"""A table without its items, as one JSON document: all that a restore must bring back.

It holds what AWS says of the table in the words in which AWS takes it back. ``table_creation_parameters`` is the
``TableCreationParameters`` of ImportTable, which knows no local indexes, class, stream, TTL, recovery, tags, deletion
protection, autoscaling and policy: these stand beside it, to be set after the import. Where there are local indexes
the table must be made by CreateTable and loaded.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .backup_layout import iso
from .desired_state import table_settings
from .errors import SettingsError

VERSION = 1
# What changes with the table's items and with time: two documents that differ in nothing else say the same.
MOMENTARY = ("saved_at", "item_count", "size_bytes")
STANDARD_CLASS = "STANDARD"
PROVISIONED, ON_DEMAND = "PROVISIONED", "PAY_PER_REQUEST"

_INDEX = ("IndexName", "KeySchema", "Projection")
_VECTOR_INDEX = ("IndexName", "VectorAttribute", "SearchSchema", "Projection", "Dimensions", "DistanceFunction")
_UNITS = ("ReadCapacityUnits", "WriteCapacityUnits")
_MOST_UNITS = ("MaxReadRequestUnits", "MaxWriteRequestUnits")
# Without RoleARN: DynamoDB's targets are scaled by the account's service-linked role, whatever is given.
_TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity", "SuspendedState")
_POLICY = (
    "PolicyName",
    "ServiceNamespace",
    "ResourceId",
    "ScalableDimension",
    "PolicyType",
    "TargetTrackingScalingPolicyConfiguration",
    "StepScalingPolicyConfiguration",
    "PredictiveScalingPolicyConfiguration",
)
_FIELDS = {
    "saved_at": str,
    "table_name": str,
    "table_arn": str,
    "table_id": str,
    "region": str,
    "account_id": str,
    "item_count": int,
    "size_bytes": int,
    "table_creation_parameters": dict,
    "local_secondary_indexes": list,
    "attribute_definitions": list,
    "table_class": str,
    "stream": str,
    "ttl": str,
    "point_in_time_recovery": bool,
    "recovery_period_days": int,
    "tags": dict,
    "deletion_protection": bool,
    "autoscaling": dict,
    "resource_policy": (dict, type(None)),
}
_PARAMETERS = {"TableName": str, "AttributeDefinitions": list, "KeySchema": list, "BillingMode": str}


def schema_of(
    description: Mapping[str, Any],
    ttl: Mapping[str, Any],
    backups: Mapping[str, Any],
    tags: Iterable[Mapping[str, str]] = (),
    targets: Iterable[Mapping[str, Any]] = (),
    policies: Iterable[Mapping[str, Any]] = (),
    resource_policy: str | None = None,
    now: float = 0.0,
) -> dict[str, Any]:
    """The document. Arguments are AWS's answers without their envelopes.

    description: ``Table`` of DescribeTable; ttl: ``TimeToLiveDescription``; backups: ``ContinuousBackupsDescription``;
    tags: ``Tags`` of ListTagsOfResource; targets, policies: ``ScalableTargets`` and ``ScalingPolicies`` of the table and
    its indexes; resource_policy: ``Policy`` of GetResourcePolicy, None = the table has none; now: epoch seconds.
    """
    _arn, _partition, _service, region, account_id, _resource = description["TableArn"].split(":", 5)
    settings = table_settings(description, backups, ttl)
    local = [_index(index, _INDEX) for index in _standing(description, "LocalSecondaryIndexes")]
    parameters = _creation_parameters(description)
    used = _key_attributes([parameters, *local, *_indexes(parameters)])
    return {
        "version": VERSION,
        "saved_at": iso(int(now)),
        "table_name": description["TableName"],
        "table_arn": description["TableArn"],
        "table_id": description.get("TableId", ""),
        "region": region,
        "account_id": account_id,
        "item_count": int(description.get("ItemCount", 0)),
        "size_bytes": int(description.get("TableSizeBytes", 0)),
        "table_creation_parameters": parameters,
        "local_secondary_indexes": local,
        "attribute_definitions": _definitions(description, used),
        "table_class": description.get("TableClassSummary", {}).get("TableClass", STANDARD_CLASS),
        "stream": settings["stream_view_type"],
        "ttl": settings["ttl_attribute"],
        "point_in_time_recovery": settings["point_in_time_recovery"],
        "recovery_period_days": settings["recovery_period_days"],
        # AWS sets tags of its own, such as CloudFormation's, and takes them from nobody else.
        "tags": {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")},
        "deletion_protection": settings["deletion_protection"],
        "autoscaling": {"targets": _sorted(targets, _TARGET), "policies": _sorted(policies, _POLICY)},
        "resource_policy": json.loads(resource_policy) if resource_policy else None,
    }


def import_parameters(schema: Mapping[str, Any], table_name: str) -> dict[str, Any]:
    """TableCreationParameters of ImportTable. A table with local indexes lacks them then: see has_local_indexes."""
    return {**copy.deepcopy(schema["table_creation_parameters"]), "TableName": table_name}


def create_parameters(schema: Mapping[str, Any], table_name: str) -> dict[str, Any]:
    """Arguments of CreateTable: what can only be given then, or no later without harm: keys, local indexes, class."""
    parameters = import_parameters(schema, table_name)
    parameters["AttributeDefinitions"] = copy.deepcopy(schema["attribute_definitions"])
    if has_local_indexes(schema):
        parameters["LocalSecondaryIndexes"] = copy.deepcopy(schema["local_secondary_indexes"])
    if schema["table_class"] != STANDARD_CLASS:
        parameters["TableClass"] = schema["table_class"]
    return parameters


def has_local_indexes(schema: Mapping[str, Any]) -> bool:
    """Whether ImportTable cannot make this table as it was."""
    return bool(schema["local_secondary_indexes"])


def same_schema(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both describe the same table in the same way, whenever that was, and however many items it had."""
    return _lasting(one) == _lasting(other)


def read_schema_text(text: str | bytes, where: str) -> dict[str, Any]:
    """The document of a file. Raises SettingsError for what is none; ``where`` names the file."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{where} is no table schema: it is no JSON ({error})") from error
    check_schema(document, where)
    return document


def check_schema(document: Any, where: str = "the document") -> None:
    """Raises SettingsError, with a sentence, for what no table could be made from. ``where`` names the file."""
    problem = _problem(document)
    if problem:
        raise SettingsError(f"{where} is no table schema that can be used: {problem}")


def _problem(document: Any) -> str:
    if not isinstance(document, dict) or "version" not in document:
        return "it has no version. Save the schema anew with export_schema.yml, or take one of a backup"
    if document["version"] != VERSION:
        return f"its version is {document['version']!r}, known is {VERSION}. Use the dynabridge that wrote it, or newer"
    problem = _wrong_field(document, _FIELDS)
    if not problem:
        parameters = document["table_creation_parameters"]
        problem = _wrong_field(parameters, _PARAMETERS, "table_creation_parameters.")
    return problem or _wrong_throughput(parameters) or _wrong_keys(document)


def _wrong_field(document: Mapping[str, Any], fields: Mapping[str, Any], path: str = "") -> str:
    missing = [f"{path}{name}" for name in fields if name not in document]
    if missing:
        return f"it has no {', '.join(missing)}"
    wrong = [name for name, kind in fields.items() if not isinstance(document[name], kind)]
    return f"{path}{wrong[0]} is {json.dumps(document[wrong[0]])[:60]}" if wrong else ""


def _wrong_throughput(parameters: Mapping[str, Any]) -> str:
    """AWS refuses a provisioned table without its throughput, and that of each global index."""
    mode = parameters["BillingMode"]
    if mode not in (PROVISIONED, ON_DEMAND):
        return f"BillingMode is {mode!r}: it must be {PROVISIONED} or {ON_DEMAND}"
    if mode == ON_DEMAND:
        return ""
    holders = {"the table": parameters}
    holders |= {
        f"the index {index.get('IndexName')}": index for index in parameters.get("GlobalSecondaryIndexes") or []
    }
    for name, holder in holders.items():
        units = holder.get("ProvisionedThroughput") or {}
        if not all(isinstance(units.get(unit), int) and units[unit] >= 1 for unit in _UNITS):
            return f"{name} is {PROVISIONED}, but has no ProvisionedThroughput with {' and '.join(_UNITS)}"
    return ""


def _wrong_keys(document: Mapping[str, Any]) -> str:
    """A key whose type nobody knows, or one that is no key."""
    parameters = document["table_creation_parameters"]
    try:
        pairs = (
            (parameters["AttributeDefinitions"], [parameters, *_indexes(parameters)]),
            (document["attribute_definitions"], [parameters, *document["local_secondary_indexes"]]),
        )
        for definitions, holders in pairs:
            defined = {item["AttributeName"] for item in definitions}
            unknown = _key_attributes(holders) - defined
            if unknown:
                return f"it does not say the type of the key attribute {sorted(unknown)[0]}"
        if not any(key["KeyType"] == "HASH" for key in parameters["KeySchema"]):
            return "its table has no partition key"
    except (KeyError, TypeError, AttributeError) as error:
        return f"its keys cannot be read ({type(error).__name__}: {error})"
    return ""


def _creation_parameters(description: Mapping[str, Any]) -> dict[str, Any]:
    # AWS leaves the mode out of tables that have always been provisioned.
    mode = (description.get("BillingModeSummary") or {}).get("BillingMode", PROVISIONED)
    keys = {"KeySchema": description["KeySchema"]}
    indexes = {
        "GlobalSecondaryIndexes": [
            {**_index(index, _INDEX), **_throughput(index, mode)}
            for index in _standing(description, "GlobalSecondaryIndexes")
        ],
        "VectorIndexes": [_index(index, _VECTOR_INDEX) for index in _standing(description, "VectorIndexes")],
    }
    indexes = {name: found for name, found in indexes.items() if found}
    used = _key_attributes([keys, *(index for found in indexes.values() for index in found)])
    return {
        "TableName": description["TableName"],
        "AttributeDefinitions": _definitions(description, used),
        "KeySchema": copy.deepcopy(description["KeySchema"]),
        "BillingMode": mode,
        **_throughput(description, mode),
        **_encryption(description),
        **indexes,
    }


def _throughput(holder: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Of a table or a global index. On demand AWS tells units of 0 and takes none; -1 is its word for no maximum."""
    if mode == PROVISIONED:
        return {"ProvisionedThroughput": _picked(holder["ProvisionedThroughput"], _UNITS)}
    most = _picked(holder.get("OnDemandThroughput") or {}, _MOST_UNITS)
    most = {name: units for name, units in most.items() if units > 0}
    return {"OnDemandThroughput": most} if most else {}


def _encryption(description: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing where AWS's own key is used, which is the default and cannot be named."""
    found = description.get("SSEDescription") or {}
    if found.get("SSEType") != "KMS" or found.get("Status") in ("DISABLED", "DISABLING"):
        return {}
    specification = {"Enabled": True, "SSEType": "KMS"}
    if found.get("KMSMasterKeyArn"):
        specification["KMSMasterKeyId"] = found["KMSMasterKeyArn"]
    return {"SSESpecification": specification}


def _standing(description: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The indexes of a kind by name, without those on their way out: AWS tells them in no order."""
    found = [index for index in description.get(kind) or [] if index.get("IndexStatus") != "DELETING"]
    return sorted(found, key=lambda index: index["IndexName"])


def _index(found: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    index = _picked(found, names)
    others = index.get("Projection", {}).get("NonKeyAttributes")
    if others:
        index["Projection"]["NonKeyAttributes"] = sorted(others)  # a set, in whatever order AWS tells it
    return index


def _indexes(parameters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(parameters.get("GlobalSecondaryIndexes") or []), *(parameters.get("VectorIndexes") or [])]


def _key_attributes(holders: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of the attributes whose types must be given. Vector indexes have a search schema in place of keys."""
    return {
        element["AttributeName"]
        for holder in holders
        for element in holder.get("KeySchema") or holder.get("SearchSchema") or []
    }


def _definitions(description: Mapping[str, Any], used: set[str]) -> list[dict[str, str]]:
    """Only those that are used: AWS refuses a table with others."""
    found = [dict(item) for item in description["AttributeDefinitions"] if item["AttributeName"] in used]
    return sorted(found, key=lambda item: item["AttributeName"])


def _sorted(entries: Iterable[Mapping[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    picked = [_picked(entry, names) for entry in entries]
    order = ("ResourceId", "ScalableDimension", "PolicyName")
    return sorted(picked, key=lambda entry: [entry.get(name, "") for name in order])


def _picked(found: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: copy.deepcopy(found[name]) for name in names if name in found}


def _lasting(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name not in MOMENTARY}
