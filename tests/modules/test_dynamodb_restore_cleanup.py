# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_restore_cleanup removes what a restore has made, and nothing else."""

import json

import pytest
from ansible.module_utils.dynabridge.aws import restore_cleanup
from ansible.modules import dynamodb_restore_cleanup

from dynabridge.restore_state import IMPORT, State
from tests.backup_fakes import FakeS3
from tests.export_files import BUCKET
from tests.modules.aws_fakes import aws_error, fake_client

REGION, NAME, RUN = "cn-north-1", "user-cn-drill-1", "user-cn-drill-1-0123abcd"
ARN = f"arn:aws-cn:dynamodb:{REGION}:100000000001:table/{NAME}"
KEY = f"restore/{RUN}/{REGION}.state.json"


class FakeDynamoDB:
    """One table, which is gone after ``looks`` looks at it. ``busy``: so many calls to delete it are refused before."""

    def __init__(self, table=None, busy=0, looks=1):
        self.found, self.busy, self.looks, self.calls = table, busy, looks, []

    def describe_table(self, TableName):
        if self.found and self.found["TableStatus"] == "DELETING":
            self.looks -= 1
            if self.looks < 0:
                self.found = None
        if self.found is None:
            raise aws_error("ResourceNotFoundException")
        return {"Table": self.found}

    def update_table(self, TableName, DeletionProtectionEnabled):
        self.calls.append("update_table")
        self.found["DeletionProtectionEnabled"] = DeletionProtectionEnabled

    def delete_table(self, TableName):
        self.calls.append("delete_table")
        if self.busy:
            self.busy -= 1
            raise aws_error("ResourceInUseException")
        assert not self.found["DeletionProtectionEnabled"], "AWS refuses that"
        self.found = self.found | {"TableStatus": "DELETING"}

    def list_imports(self, TableArn, PageSize):
        return {"ImportSummaryList": [{"ImportArn": f"{ARN}/import/1"}]}

    def describe_import(self, ImportArn):
        told = {
            "ImportArn": ImportArn,
            "ImportStatus": "FAILED",
            "TableArn": ARN,
            "TableId": "its-id",
            "ClientToken": "t",
        }
        return {"ImportTableDescription": told}


class FakeScaling:
    def __init__(self):
        self.deregistered = []

    def describe_scalable_targets(self, ServiceNamespace, ResourceIds, NextToken=""):
        resource = ResourceIds[int(NextToken or 0)]
        target = {"ResourceId": resource, "ScalableDimension": "dynamodb:table:ReadCapacityUnits"}
        more = {"NextToken": "1"} if not NextToken and len(ResourceIds) > 1 else {}
        return {"ScalableTargets": [target], **more}

    def deregister_scalable_target(self, ServiceNamespace, ResourceId, ScalableDimension):
        self.deregistered.append(ResourceId)


def table(**changes):
    return {
        "TableArn": ARN,
        "TableId": "its-id",
        "TableStatus": "ACTIVE",
        "DeletionProtectionEnabled": True,
        "GlobalSecondaryIndexes": [{"IndexName": "by-name"}],
        **changes,
    }


@pytest.fixture
def clean(run_module, monkeypatch):
    monkeypatch.setattr(restore_cleanup.Cleanup.__init__, "__defaults__", (lambda _seconds: None, lambda: 0.0))

    def run(dynamodb, state=None, key=KEY, scaling=None, **params):
        s3 = FakeS3()
        if state:
            s3.objects[key] = json.dumps(state.as_dict()).encode()
        clients = {"s3": fake_client("s3", s3), "dynamodb": fake_client("dynamodb", dynamodb)}
        clients["application-autoscaling"] = fake_client("application-autoscaling", scaling or FakeScaling())
        given = {"target_table": NAME, "bucket": BUCKET} | params
        result = run_module(dynamodb_restore_cleanup, clients, **given)
        assert not state or key in s3.objects, "the bucket keeps what it has"
        return result

    return run


OWN = State(RUN, REGION, way=IMPORT, token="t", table_arn=ARN, table_id="its-id", filled=True)


def test_a_table_of_a_restore_goes_with_its_protection_and_its_autoscaling(clean):
    """GIVEN a restored table that is protected and scales WHEN it is removed THEN it is gone, and so are its targets."""
    dynamodb, scaling = FakeDynamoDB(table(), busy=2, looks=3), FakeScaling()
    result = clean(dynamodb, OWN, scaling=scaling)
    assert result["changed"] and f"{NAME} in {REGION}, which the restore {RUN} had made, is removed" in result["text"]
    assert dynamodb.found is None and scaling.deregistered == [f"table/{NAME}", f"table/{NAME}/index/by-name"]


def test_what_is_not_there_needs_no_removal(clean):
    assert clean(FakeDynamoDB())["changed"] is False


def test_check_mode_only_tells(clean):
    dynamodb = FakeDynamoDB(table())
    result = clean(dynamodb, OWN, check=True)
    assert result["changed"] and "would remove" in result["text"] and dynamodb.calls == []


@pytest.mark.parametrize(
    ("state", "key"),
    [
        (None, KEY),
        (State(RUN, REGION, token="t", table_arn=ARN, table_id="another"), KEY),  # deleted since, and made by somebody
        (State(RUN, REGION), KEY),  # it never came to make one
        (OWN, f"restore/{NAME}-2-0123abcd/{REGION}.state.json"),  # of another table, whose name begins alike
        (OWN, f"restore/{RUN}/cn-northwest-1.state.json"),  # in another region
    ],
)
def test_any_other_table_is_left_alone(clean, state, key):
    """GIVEN a table that no restore says it has made WHEN it is to be removed THEN refused, also in check mode."""
    for check in (False, True):
        dynamodb = FakeDynamoDB(table())
        result = clean(dynamodb, state, key, check=check)
        assert result["failed"] and "is left alone" in result["msg"] and dynamodb.calls == []


def test_a_table_whose_imports_answer_was_lost_is_known_by_the_token(clean):
    state = State(RUN, REGION, way=IMPORT, token="t")
    assert clean(FakeDynamoDB(table()), state)["changed"]


def test_an_interrupted_removal_is_seen_through(clean):
    dynamodb = FakeDynamoDB(table(TableStatus="DELETING"))
    assert clean(dynamodb, OWN)["changed"] and dynamodb.calls == []


def test_a_refusal_is_a_sentence(clean):
    dynamodb = FakeDynamoDB(table())
    dynamodb.delete_table = lambda **_arguments: (_ for _ in ()).throw(aws_error("AccessDeniedException"))
    assert "cannot be removed (AccessDeniedException)" in clean(dynamodb, OWN)["msg"]
    assert "wait_timeout is 0" in clean(dynamodb, OWN, wait_timeout=0)["msg"]
