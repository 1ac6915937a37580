# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a saved schema under another name, in another region, with another key; and what is said to be lacking."""

import copy
import json

import pytest

from dynabridge.errors import SettingsError
from dynabridge.exports import DataFile
from dynabridge.restore_state import IMPORT, State, identity_of, state_from
from dynabridge.restored_schema import (
    AWS_KEY,
    MARK,
    billing_change,
    check_key,
    differing,
    encryption_of,
    missing_tags,
    parts_that_differ,
    to_create,
    to_import,
    wanted_schema,
)
from dynabridge.table_schema import schema_of
from tests.table_answers import ARN, KEY_ARN, POLICY, RECOVERY, SCALING, TAGS, TARGET, TTL, description

NEW_ARN = "arn:aws-cn:dynamodb:cn-northwest-1:100000000001:table/orders-back"
FAR_KEY = KEY_ARN.replace("cn-north-1", "cn-northwest-1")
INDEX_TARGET = TARGET | {
    "ResourceId": "table/orders-cn/index/by-buyer",
    "ScalableDimension": "dynamodb:index:ReadCapacityUnits",
}


def saved(**changes):
    policy = json.dumps(
        POLICY | {"Statement": [{**POLICY["Statement"][0], "Resource": [ARN, f"{ARN}/index/*", f"{ARN}2"]}]}
    )
    schema = schema_of(description(), TTL, RECOVERY, TAGS, [TARGET, INDEX_TARGET], [SCALING], policy)
    return schema | changes


def wanted(schema=None, arn=NEW_ARN, **more):
    return wanted_schema(schema or saved(), arn, None, **more)


class TestKey:
    def test_a_key_of_the_lost_region_gives_way_to_awss_own_and_that_is_said(self):
        """GIVEN a table under a key of its region WHEN made in another THEN by AWS's own KMS key, with a sentence."""
        encryption, sentence = encryption_of(saved(), "cn-northwest-1")
        assert encryption == {"Enabled": True, "SSEType": "KMS"}
        assert KEY_ARN in sentence and "kms_key_arn" in sentence

    def test_in_its_own_region_the_key_stays(self):
        encryption, sentence = encryption_of(saved(), "cn-north-1")
        assert encryption["KMSMasterKeyId"] == KEY_ARN and not sentence

    @pytest.mark.parametrize(("key", "named"), [(FAR_KEY, FAR_KEY), (AWS_KEY, None)])
    def test_a_key_that_is_given_is_taken(self, key, named):
        encryption, sentence = encryption_of(saved(), "cn-northwest-1", key)
        assert encryption.get("KMSMasterKeyId") == named and encryption["SSEType"] == "KMS" and not sentence

    def test_a_table_without_has_none(self):
        schema = saved()
        del schema["table_creation_parameters"]["SSESpecification"]
        assert encryption_of(schema, "cn-northwest-1") == (None, "")

    def test_a_key_of_another_region_is_refused(self):
        with pytest.raises(SettingsError, match="a KMS key of cn-northwest-1"):
            check_key(KEY_ARN, "cn-northwest-1")
        for good in ("", AWS_KEY, FAR_KEY, "alias/tables"):
            check_key(good, "cn-northwest-1")


class TestRequests:
    def test_an_import_has_throughput_and_no_local_indexes(self):
        """GIVEN a provisioned table with local indexes WHEN imported THEN units of table and index, and nothing else."""
        parameters = to_import(saved(), "orders-back", None)
        assert (
            parameters["TableName"] == "orders-back" and parameters["ProvisionedThroughput"]["WriteCapacityUnits"] == 10
        )
        assert "LocalSecondaryIndexes" not in parameters and "SSESpecification" not in parameters
        assert "price" not in {entry["AttributeName"] for entry in parameters["AttributeDefinitions"]}

    def test_a_creation_is_on_demand_marked_and_has_local_indexes(self):
        parameters = to_create(saved(), "orders-back", {"Enabled": True}, "token")
        assert parameters["BillingMode"] == "PAY_PER_REQUEST" and "ProvisionedThroughput" not in parameters
        assert "ProvisionedThroughput" not in parameters["GlobalSecondaryIndexes"][0]
        assert parameters["LocalSecondaryIndexes"] and parameters["Tags"] == [{"Key": MARK, "Value": "token"}]

    def test_the_saved_schema_is_not_touched(self):
        schema = saved()
        before = copy.deepcopy(schema)
        to_create(schema, "orders-back", None, "token")
        wanted(schema, on_demand=True)
        assert schema == before


class TestWanted:
    def test_names_are_the_new_tables_everywhere(self):
        """GIVEN autoscaling and a policy that name the old table WHEN wanted anew THEN they name the new one; a table whose
        name begins with the old one's stays as it is."""
        schema, lacking = wanted()
        assert [target["ResourceId"] for target in schema["autoscaling"]["targets"]] == [
            "table/orders-back",
            "table/orders-back/index/by-buyer",
        ]
        assert schema["autoscaling"]["policies"][0]["ResourceId"] == "table/orders-back"
        assert schema["resource_policy"]["Statement"][0]["Resource"] == [NEW_ARN, f"{NEW_ARN}/index/*", f"{ARN}2"]
        assert lacking == []

    def test_another_accounts_policy_is_left_out_and_that_is_said(self):
        schema, (sentence,) = wanted(arn=NEW_ARN.replace("100000000001", "100000000002"))
        assert schema["resource_policy"] is None and "resource policy was left out (1 statements)" in sentence

    def test_on_demand_has_no_autoscaling_and_that_is_said(self):
        schema, (sentence,) = wanted(on_demand=True)
        assert schema["autoscaling"] == {"targets": [], "policies": []} and "autoscaling was left out" in sentence

    def test_alarms_of_step_scaling_are_somebodys(self):
        policy = {**SCALING, "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": {}}
        schema = saved() | {"autoscaling": {"targets": [TARGET], "policies": [policy]}}
        _schema, (sentence,) = wanted(schema)
        assert "have to be made by hand" in sentence and SCALING["PolicyName"] in sentence

    def test_a_metric_of_ones_own_follows_the_table(self):
        dimensions = [{"Name": "TableName", "Value": "orders-cn"}, {"Name": "Other", "Value": "orders-cn"}]
        tracking = {"TargetValue": 1.0, "CustomizedMetricSpecification": {"Dimensions": dimensions}}
        schema = saved() | {
            "autoscaling": {
                "targets": [],
                "policies": [SCALING | {"TargetTrackingScalingPolicyConfiguration": tracking}],
            }
        }
        made, _lacking = wanted(schema)
        (policy,) = made["autoscaling"]["policies"]
        found = policy["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]["Dimensions"]
        assert [entry["Value"] for entry in found] == ["orders-back", "orders-cn"]


class TestDifferences:
    def test_a_fresh_import_differs_in_all_that_imports_leave_out(self):
        schema, _lacking = wanted()
        fresh = schema | {
            "stream": "none",
            "ttl": "",
            "point_in_time_recovery": False,
            "recovery_period_days": 0,
            "tags": {},
        }
        fresh |= {"table_class": "STANDARD", "deletion_protection": False, "resource_policy": None}
        fresh |= {"autoscaling": {"targets": [], "policies": []}}
        assert len(differing(schema, fresh)) == 8 and differing(schema, schema) == []
        assert missing_tags(schema, fresh) == {"team": "orders", "用途": ""}
        assert differing(schema, schema | {"recovery_period_days": 35}) == ["point_in_time_recovery"]

    def test_tags_that_it_has_besides_do_not_count(self):
        schema, _lacking = wanted()
        assert differing(schema, schema | {"tags": {**schema["tags"], "more": "x"}}) == []

    def test_capacity_of_a_created_table_is_given_back(self):
        """GIVEN a table created on demand WHEN it was provisioned THEN one change gives mode, units, and those of its index."""
        schema, _lacking = wanted()
        made = schema | {"table_creation_parameters": to_import(saved(), "orders-back", None, on_demand=True)}
        change = billing_change(schema, made)
        assert change["BillingMode"] == "PROVISIONED" and change["ProvisionedThroughput"]["WriteCapacityUnits"] == 10
        (update,) = change["GlobalSecondaryIndexUpdates"]
        assert update["Update"]["IndexName"] == "by-buyer" and billing_change(schema, schema) is None

    def test_what_only_a_creation_can_give_is_named(self):
        schema, _lacking = wanted()
        made = schema | {"local_secondary_indexes": []}
        assert parts_that_differ(schema, made) == ["LocalSecondaryIndexes"]
        assert parts_that_differ(schema, schema) == []


class TestState:
    def test_it_comes_back_as_it_was(self):
        state = State("run", "cn-northwest-1", IMPORT, "token", 2, table_id="id", phases={"fill": 1.5}, loaded=[1])
        assert state_from(json.loads(json.dumps(state.as_dict())), "run", "cn-northwest-1") == state

    @pytest.mark.parametrize(
        "document", [None, [], {}, {"version": 2}, State("other", "x").as_dict(), {"version": 1, "run": "r"}]
    )
    def test_anything_else_owns_nothing(self, document):
        assert state_from(document, "run", "cn-northwest-1") == State("run", "cn-northwest-1")

    def test_a_new_attempt_forgets_the_old_job_and_keeps_the_seconds(self):
        state = State("run", "x", IMPORT, "old", 1, "import", "arn", "id", 5, True, True, "f", [1], {"fill": 2}, ["s"])
        state.begin_again("new", IMPORT)
        assert state == State("run", "x", IMPORT, "new", 2, phases={"fill": 2})

    def test_files_have_an_identity(self):
        files = [DataFile("a", 1, "x"), DataFile("b", 2, "y")]
        assert identity_of(files) == identity_of(list(files)) != identity_of(files[::-1])
