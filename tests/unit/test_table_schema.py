# SPDX-License-Identifier: GPL-3.0-or-later
"""A table's schema from AWS's answers, and the table that AWS would make of it."""

import copy
import json

import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.errors import SettingsError
from dynabridge.table_schema import (
    check_schema,
    create_parameters,
    has_local_indexes,
    import_parameters,
    read_schema_text,
    same_schema,
    schema_of,
)
from tests.modules.aws_fakes import service_model
from tests.table_answers import (
    ARN,
    KEY_ARN,
    OFF,
    POLICY,
    RECOVERY,
    SCALING,
    TAGS,
    TARGET,
    TTL,
    description,
    keys,
    projected,
    told_index,
)


@pytest.fixture
def described():
    return description()


@pytest.fixture
def schema(described):
    return schema_of(described, TTL, RECOVERY, TAGS, [TARGET], [SCALING], json.dumps(POLICY), now=1763692800.0)


def test_all_that_a_restore_must_bring_back(schema):
    """GIVEN AWS's answers about a table with everything THEN the document holds it in the words AWS takes back."""
    definitions = [
        {"AttributeName": "at", "AttributeType": "N"},
        {"AttributeName": "buyer", "AttributeType": "S"},
        {"AttributeName": "order", "AttributeType": "S"},
    ]
    assert schema == {
        "version": 1,
        "saved_at": "2025-11-21T02:40:00Z",
        "table_name": "orders-cn",
        "table_arn": ARN,
        "table_id": "9b1b4b39-97a2-4e6b-8b3c-a7a9c5c9e001",
        "region": "cn-north-1",
        "account_id": "100000000001",
        "item_count": 340000,
        "size_bytes": 104857600,
        "table_creation_parameters": {
            "TableName": "orders-cn",
            "AttributeDefinitions": definitions,  # price is the local index's alone: ImportTable would refuse it
            "KeySchema": keys("order", "at"),
            "BillingMode": "PROVISIONED",
            "ProvisionedThroughput": {"ReadCapacityUnits": 20, "WriteCapacityUnits": 10},
            "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY_ARN},
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by-buyer",
                    "KeySchema": keys("buyer", "at"),
                    "Projection": projected("INCLUDE", "paid", "total"),
                    "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
                }
            ],
        },
        "local_secondary_indexes": [
            {"IndexName": "by-price", "KeySchema": keys("order", "price"), "Projection": projected("KEYS_ONLY")}
        ],
        "attribute_definitions": [*definitions, {"AttributeName": "price", "AttributeType": "N"}],
        "table_class": "STANDARD_INFREQUENT_ACCESS",
        "stream": "NEW_AND_OLD_IMAGES",
        "ttl": "expires",
        "point_in_time_recovery": True,
        "recovery_period_days": 7,
        "tags": {"team": "orders", "用途": ""},
        "deletion_protection": True,
        "autoscaling": {
            "targets": [
                {
                    "ServiceNamespace": "dynamodb",
                    "ResourceId": "table/orders-cn",
                    "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
                    "MinCapacity": 10,
                    "MaxCapacity": 400,
                    "SuspendedState": {"DynamicScalingInSuspended": False},
                }
            ],
            "policies": [
                {
                    "PolicyName": "$orders-scaling-policy",
                    "ServiceNamespace": "dynamodb",
                    "ResourceId": "table/orders-cn",
                    "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
                    "PolicyType": "TargetTrackingScaling",
                    "TargetTrackingScalingPolicyConfiguration": SCALING["TargetTrackingScalingPolicyConfiguration"],
                }
            ],
        },
        "resource_policy": POLICY,
    }
    assert has_local_indexes(schema)


def test_a_plain_table_on_demand(described):
    """GIVEN a table on demand with defaults only THEN no throughput of 0 and no key of AWS's is asked for anew."""
    for name in ("LocalSecondaryIndexes", "StreamSpecification", "SSEDescription", "TableClassSummary"):
        del described[name]
    described |= {
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 500},
        "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "GlobalSecondaryIndexes": [told_index("by-buyer", keys("buyer"), projected())],
        "DeletionProtectionEnabled": False,
    }
    schema = schema_of(described, {"TimeToLiveStatus": "DISABLED"}, OFF)
    parameters = schema["table_creation_parameters"]
    assert parameters["OnDemandThroughput"] == {"MaxWriteRequestUnits": 500}
    assert "ProvisionedThroughput" not in json.dumps(parameters) and "SSESpecification" not in parameters
    assert [item["AttributeName"] for item in schema["attribute_definitions"]] == ["at", "buyer", "order"]
    assert (schema["stream"], schema["ttl"], schema["table_class"]) == ("none", "", "STANDARD")
    assert (schema["point_in_time_recovery"], schema["recovery_period_days"]) == (False, 0)
    assert schema["resource_policy"] is None and not has_local_indexes(schema)
    check_schema(schema)


def test_a_table_of_old_without_a_billing_mode_is_provisioned(described):
    """GIVEN a table that was never on demand: AWS leaves its mode out THEN its throughput is saved."""
    del described["BillingModeSummary"]
    parameters = schema_of(described, TTL, OFF)["table_creation_parameters"]
    assert parameters["BillingMode"] == "PROVISIONED" and parameters["ProvisionedThroughput"]["ReadCapacityUnits"] == 20


@pytest.mark.parametrize(
    "told", [{"Status": "DISABLED", "SSEType": "KMS"}, {"Status": "ENABLED", "SSEType": "AES256"}, {}]
)
def test_encryption_that_is_no_choice_is_not_asked_for(described, told):
    """GIVEN a table under a key of AWS's own THEN nothing is asked for: CreateTable takes KMS or nothing."""
    described["SSEDescription"] = told
    assert "SSESpecification" not in schema_of(described, TTL, OFF)["table_creation_parameters"]


# -- the round trip --------------------------------------------------------------------------

NAMES = st.sampled_from([f"a{number}" for number in range(12)])
UNITS = st.fixed_dictionaries({"ReadCapacityUnits": st.integers(1, 900), "WriteCapacityUnits": st.integers(1, 900)})
PROJECTIONS = st.one_of(
    st.sampled_from([projected("ALL"), projected("KEYS_ONLY")]),
    st.sets(NAMES, min_size=1, max_size=4).map(lambda names: projected("INCLUDE", *sorted(names))),
)


@st.composite
def tables(draw):
    """Arguments of CreateTable in the order in which schemas have them."""
    partition, sort = draw(st.lists(NAMES, min_size=2, max_size=2, unique=True))
    provisioned = draw(st.booleans())
    units = {"ProvisionedThroughput": UNITS} if provisioned else {}
    index = {"KeySchema": st.lists(NAMES, min_size=1, max_size=2, unique=True).map(lambda pair: keys(*pair))}
    index |= {"Projection": PROJECTIONS, **units}
    globally = draw(st.lists(st.fixed_dictionaries(index), max_size=4))
    locally = draw(st.lists(st.tuples(NAMES.filter(lambda name: name != partition), PROJECTIONS), max_size=3))
    arguments = {
        "TableName": "made",
        "KeySchema": keys(partition, sort),
        "BillingMode": "PROVISIONED" if provisioned else "PAY_PER_REQUEST",
        **{name: draw(strategy) for name, strategy in units.items()},
    }
    if globally:
        named = [{"IndexName": f"global-{number}", **found} for number, found in enumerate(globally)]
        arguments["GlobalSecondaryIndexes"] = named
    if locally:
        arguments["LocalSecondaryIndexes"] = [
            {"IndexName": f"local-{number}", "KeySchema": keys(partition, name), "Projection": projection}
            for number, (name, projection) in enumerate(locally)
        ]
    if not provisioned and draw(st.booleans()):
        arguments["OnDemandThroughput"] = {"MaxReadRequestUnits": draw(st.integers(1, 900))}
    if draw(st.booleans()):
        arguments["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY_ARN}
    if draw(st.booleans()):
        arguments["TableClass"] = "STANDARD_INFREQUENT_ACCESS"
    types = {name: draw(st.sampled_from("SNB")) for name in sorted(used_names(arguments))}
    arguments["AttributeDefinitions"] = [{"AttributeName": name, "AttributeType": code} for name, code in types.items()]
    return arguments


def used_names(arguments, *kinds):
    kinds = kinds or ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
    holders = [arguments, *(index for kind in kinds for index in arguments.get(kind, []))]
    return {key["AttributeName"] for holder in holders for key in holder["KeySchema"]}


def told_of(arguments, shuffle):
    """What DescribeTable says of a table that was made so; lists of names come in any order."""
    told = copy.deepcopy(arguments)
    told |= {"TableArn": ARN, "TableId": "1", "TableStatus": "ACTIVE", "ItemCount": 0, "TableSizeBytes": 0}
    told["BillingModeSummary"] = {"BillingMode": told.pop("BillingMode")}
    told.setdefault("ProvisionedThroughput", {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0})
    told["ProvisionedThroughput"]["NumberOfDecreasesToday"] = 0
    if "OnDemandThroughput" in told:
        told["OnDemandThroughput"].setdefault("MaxWriteRequestUnits", -1)
    if "SSESpecification" in told:
        del told["SSESpecification"]
        told["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": KEY_ARN}
    if "TableClass" in told:
        told["TableClassSummary"] = {"TableClass": told.pop("TableClass")}
    for index in told.get("GlobalSecondaryIndexes", []):
        index.setdefault("ProvisionedThroughput", {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0})
        index |= {"IndexStatus": "ACTIVE", "ItemCount": 3, "IndexArn": "x"}
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes", "AttributeDefinitions"):
        if kind in told:
            shuffle(told[kind])
    for index in told.get("GlobalSecondaryIndexes", []) + told.get("LocalSecondaryIndexes", []):
        shuffle(index["Projection"].get("NonKeyAttributes", []))
    return told


def held_against_the_model(operation, arguments, member=None):
    shape = service_model("dynamodb").operation_model(operation).input_shape
    shape = shape.members[member] if member else shape
    report = ParamValidator().validate(arguments, shape)
    assert not report.has_errors(), report.generate_report()
    assert set(arguments) <= set(shape.members), "botocore lets unknown names pass"


@given(tables(), st.randoms(use_true_random=False))
def test_the_table_made_of_a_schema_is_the_table(arguments, random):
    """GIVEN any table WHEN made anew of its schema THEN CreateTable gets what made it, and ImportTable all it may have."""
    schema = schema_of(told_of(arguments, random.shuffle), TTL, RECOVERY)
    check_schema(json.loads(json.dumps(schema)))
    made = create_parameters(schema, "made")
    assert made == arguments
    held_against_the_model("CreateTable", made)
    imported = import_parameters(schema, "other")
    held_against_the_model("ImportTable", imported, "TableCreationParameters")
    defined = {item["AttributeName"] for item in imported["AttributeDefinitions"]}
    assert defined == used_names(arguments, "GlobalSecondaryIndexes")
    without = {"LocalSecondaryIndexes", "TableClass", "AttributeDefinitions"}
    assert imported | {"AttributeDefinitions": 0} == {
        name: value for name, value in arguments.items() if name not in without
    } | {"TableName": "other", "AttributeDefinitions": 0}
    assert has_local_indexes(schema) == ("LocalSecondaryIndexes" in arguments)
    again = schema_of(told_of(made, random.shuffle), TTL, RECOVERY, now=5.0)
    assert same_schema(schema, again)


def test_the_parameters_are_copies(schema):
    """GIVEN parameters WHEN somebody changes them THEN the schema stays as it was saved."""
    before = copy.deepcopy(schema)
    create_parameters(schema, "x")["KeySchema"].clear()
    create_parameters(schema, "x")["LocalSecondaryIndexes"][0].clear()
    import_parameters(schema, "x")["GlobalSecondaryIndexes"][0].clear()
    assert schema == before


def test_what_vector_indexes_need_is_kept(described):
    """GIVEN a vector index, which ImportTable can make THEN it and the types of its search attributes are saved."""
    described["AttributeDefinitions"].append({"AttributeName": "lang", "AttributeType": "S"})
    index = {
        "IndexName": "alike",
        "SearchSchema": [{"AttributeName": "lang", "SearchSchemaElementType": "HASH"}],
        "Projection": projected(),
        "VectorAttribute": {"AttributeName": "embedding"},
        "Dimensions": 8,
        "DistanceFunction": "COSINE",
    }
    described["VectorIndexes"] = [{**index, "IndexStatus": "ACTIVE", "IndexArn": "x", "ItemCount": 1}]
    schema = schema_of(described, TTL, OFF)
    imported = import_parameters(schema, "other")
    assert imported["VectorIndexes"] == [index]
    assert {"AttributeName": "lang", "AttributeType": "S"} in imported["AttributeDefinitions"]
    held_against_the_model("ImportTable", imported, "TableCreationParameters")
    check_schema(schema)


# -- documents -------------------------------------------------------------------------------


def test_only_what_lasts_makes_a_difference(schema):
    """GIVEN two documents of a table THEN time, item count and size do not count, and anything else does."""
    assert same_schema(schema, schema | {"saved_at": "x", "item_count": 0, "size_bytes": 0})
    assert not same_schema(schema, schema | {"ttl": ""})
    assert not same_schema(schema, schema | {"table_id": "made anew"})


def changed(schema, path, value=None):
    """The document with one entry changed, or taken out (None)."""
    document = copy.deepcopy(schema)
    *parents, last = path
    holder = document
    for name in parents:
        holder = holder[name]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return document


TCP = "table_creation_parameters"


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("version",), None, "it has no version. Save the schema anew with export_schema.yml"),
        (("version",), 2, "its version is 2, known is 1"),
        (("ttl",), None, "it has no ttl"),
        (("ttl",), 7, "ttl is 7"),
        (("resource_policy",), "text", 'resource_policy is "text"'),
        ((TCP, "KeySchema"), None, "it has no table_creation_parameters.KeySchema"),
        ((TCP, "BillingMode"), "FREE", "BillingMode is 'FREE': it must be PROVISIONED or PAY_PER_REQUEST"),
        ((TCP, "ProvisionedThroughput"), None, "the table is PROVISIONED, but has no ProvisionedThroughput"),
        ((TCP, "ProvisionedThroughput", "WriteCapacityUnits"), 0, "the table is PROVISIONED, but has no"),
        ((TCP, "GlobalSecondaryIndexes", 0, "ProvisionedThroughput"), None, "the index by-buyer is PROVISIONED, but"),
        ((TCP, "AttributeDefinitions"), [], "it does not say the type of the key attribute at"),
        (("attribute_definitions", 3), None, "it does not say the type of the key attribute price"),
        ((TCP, "KeySchema"), keys("order", "at")[1:], "its table has no partition key"),
        ((TCP, "KeySchema"), ["order"], "its keys cannot be read (TypeError"),
    ],
    ids=str,
)
def test_a_document_that_is_no_schema_is_named(schema, path, value, sentence):
    """GIVEN a document from which no table can be made THEN one sentence says what is wrong with it, and where."""
    with pytest.raises(SettingsError) as refused:
        check_schema(changed(schema, path, value), "orders.json")
    assert str(refused.value).startswith("orders.json is no table schema that can be used: ")
    assert sentence in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "\x00", "[]", "{}", '"version"', "null"])
def test_a_file_that_is_no_schema_is_named(text):
    """GIVEN a file with anything else THEN it is named."""
    with pytest.raises(SettingsError, match=r"orders\.json is no table schema"):
        read_schema_text(text, "orders.json")


def test_a_file_reads_as_it_was_written(schema):
    """GIVEN a schema WHEN written and read THEN it is the same."""
    assert read_schema_text(json.dumps(schema), "orders.json") == schema
