# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_restore and dynamodb_retrieve against fakes: order, tokens, counts, refusals, and which regions are asked."""

import json
from functools import partial
from types import SimpleNamespace

import pytest
from ansible.modules import dynamodb_restore, dynamodb_retrieve
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from dynabridge.catalogue import backup_from
from dynabridge.restore_plan import Plan, named
from tests.backup_fakes import TABLES, cloud
from tests.export_files import BUCKET
from tests.merge_ground import schema_with
from tests.modules.aws_fakes import aws_error, fake_client

AWAY, TARGET = "cn-northwest-1", "user-back"
ARN = f"arn:aws-cn:dynamodb:{AWAY}:100000000001:table/"


class FakeTarget:
    """DynamoDB of the target's region. ``ends``: status, items and errors of imports once they are looked at ``looks`` times.

    ``refuse``: error by operation. ``log``: what was called; ``s3``: to see what was stored when.
    """

    def __init__(self, s3, ends=("COMPLETED", 5, 0), looks=1):
        self.s3, self.ends, self.looks = s3, ends, looks
        self.tables, self.jobs, self.settings, self.refuse, self.log = {}, {}, {}, {}, []

    def _called(self, name):
        self.log.append(name)
        if name in self.refuse:
            raise self.refuse[name]

    def _told(self, name):
        if name not in self.tables:
            raise aws_error("ResourceNotFoundException")
        return self.tables[name]

    def describe_table(self, TableName):
        return {"Table": self._told(TableName)}

    def import_table(self, ClientToken, TableCreationParameters, **request):
        self._called("import_table")
        states = [json.loads(body) for key, body in self.s3.objects.items() if key.endswith(".state.json")]
        assert ClientToken in [state["token"] for state in states], "the token is stored before it is used"
        assert request["InputCompressionType"] == "GZIP"
        for job in self.jobs.values():
            if job["ClientToken"] == ClientToken:
                return {"ImportTableDescription": job}
        name = TableCreationParameters["TableName"]
        self.tables[name] = {
            "TableName": name,
            "TableArn": ARN + name,
            "TableId": f"id-{len(self.jobs)}",
            "TableStatus": "ACTIVE",
            "KeySchema": TableCreationParameters["KeySchema"],
            "AttributeDefinitions": TableCreationParameters["AttributeDefinitions"],
            "BillingModeSummary": {"BillingMode": TableCreationParameters["BillingMode"]},
        }
        job = {
            "ImportArn": f"{ARN}{name}/import/{len(self.jobs)}",
            "ImportStatus": "IN_PROGRESS",
            "TableArn": ARN + name,
            "TableId": f"id-{len(self.jobs)}",
            "ClientToken": ClientToken,
            "CloudWatchLogGroupArn": "arn:aws-cn:logs:group",
        }
        self.jobs[job["ImportArn"]] = job
        return {"ImportTableDescription": dict(job)}

    def describe_import(self, ImportArn):
        job = self.jobs[ImportArn]
        job["looks"] = job.get("looks", 0) + 1
        if job["looks"] > self.looks:
            status, items, errors = self.ends
            job |= {"ImportStatus": status, "ImportedItemCount": items, "ErrorCount": errors}
        return {"ImportTableDescription": {name: value for name, value in job.items() if name != "looks"}}

    def list_imports(self, TableArn, PageSize, NextToken="0"):
        found = [{"ImportArn": arn} for arn, job in self.jobs.items() if job["TableArn"] == TableArn]
        start = int(NextToken)
        more = {"NextToken": str(start + 1)} if start + 1 < len(found) else {}  # one a page
        return {"ImportSummaryList": found[start : start + 1]} | more

    def delete_table(self, TableName):
        self._called("delete_table")
        del self.tables[TableName]

    def describe_time_to_live(self, TableName):
        ttl = self.settings.get("ttl")
        told = {"TimeToLiveStatus": "ENABLED", "AttributeName": ttl} if ttl else {"TimeToLiveStatus": "DISABLED"}
        return {"TimeToLiveDescription": told}

    def update_time_to_live(self, TableName, TimeToLiveSpecification):
        self._called("update_time_to_live")
        self.settings["ttl"] = TimeToLiveSpecification["AttributeName"]

    def describe_continuous_backups(self, TableName):
        return {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED"}}

    def list_tags_of_resource(self, ResourceArn):
        return {"Tags": []}

    def get_resource_policy(self, ResourceArn):
        raise aws_error("PolicyNotFoundException")

    def update_table(self, TableName, **change):
        self._called("update_table")
        self.tables[TableName] |= change


class FakeScaling:
    def describe_scalable_targets(self, ServiceNamespace, ResourceIds):
        return {"ScalableTargets": []}

    def describe_scaling_policies(self, ServiceNamespace, ResourceId):
        return {"ScalingPolicies": []}


class Ground:
    """A verified backup of five items in a bucket, and the module run against fakes."""

    def __init__(self, run_module, monkeypatch):
        self.world = cloud(TABLES[:1])
        (backup,) = self.world.backups.start("user-cn", "full")
        self.world.dynamodb.complete_all()
        settled = self.world.backups.settle(backup)
        assert settled.state == "verified", settled.reason
        self.s3, self.folder = self.world.s3, settled.folder
        self.s3.objects[f"{self.folder}table_schema.json"] = json.dumps(schema_with()).encode()
        self.target = FakeTarget(self.s3)
        base = backup_from(json.loads(self.s3.objects[f"{self.folder}_SUCCESS"])["backup"])
        self.plan = named(Plan("user-cn", base.moment, "full_only", BUCKET, "daily", "changes", base)).as_dict()
        self._run, self.regions, self.now = run_module, [], 0.0
        real = dynamodb_restore.Restore
        monkeypatch.setattr(dynamodb_restore, "Restore", partial(real, pause=self._pause, clock=lambda: self.now))
        self._monkeypatch = monkeypatch

    def _pause(self, seconds):
        self.now += seconds

    def run(self, module=dynamodb_restore, check=False, **params):
        dynamodb = fake_client("dynamodb", self.target)
        dynamodb.meta = SimpleNamespace(region_name=AWAY)
        clients = {
            "dynamodb": dynamodb,
            "application-autoscaling": fake_client("application-autoscaling", FakeScaling()),
            "s3": fake_client("s3", self.s3),
        }
        options = {"plan": self.plan, "bucket": BUCKET, "bucket_region": "cn-north-9", "region": AWAY}
        if module is dynamodb_restore:
            options |= {"target_table": TARGET, "source": "base"}
        seen = self.regions

        def give(_module, service, region=None, **_more):
            seen.append((service, region or AWAY))
            return clients[service]

        # run_module gives every client without its region; this one notes it.
        with self._monkeypatch.context() as patched:

            def made(**spec):
                patched.setattr(AnsibleAWSModule, "client", give)
                return AnsibleAWSModule(**spec)

            patched.setattr(module, "AnsibleAWSModule", made)
            return self._run(module, clients, check=check, **options | params)

    def state(self):
        ((_key, body),) = [entry for entry in self.s3.objects.items() if entry[0].endswith(f"{AWAY}.state.json")]
        return json.loads(body)


@pytest.fixture
def ground(run_module, monkeypatch):
    return Ground(run_module, monkeypatch)


def test_it_imports_counts_and_sets_what_was(ground):
    """GIVEN a verified backup WHEN restored THEN rows, phases, ARN; and TTL is set again. Nothing but the target's region and
    the bucket's is asked."""
    result = ground.run()
    assert not result.get("failed"), result
    assert (result["table_arn"], result["rows"], result["imported_items"]) == (ARN + TARGET, 5, 5)
    assert result["left_out"] == [] and ground.target.settings["ttl"] == "expires"
    assert set(ground.regions) == {("dynamodb", AWAY), ("application-autoscaling", AWAY), ("s3", "cn-north-9")}
    again = ground.run()
    assert (again["changed"], again["rows"]) == (False, 5) and ground.target.log.count("import_table") == 1


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (("COMPLETED", 0, 0), "wrote 0 items, the manifest says 5"),
        (("COMPLETED", 5, 2), "met 2 errors"),
        (("FAILED", 3, 2), "ended FAILED"),
        (("CANCELLED", 0, 0), "ended CANCELLED"),
    ],
)
def test_hazard_18_what_an_import_says_is_checked(ground, ends, words):
    """GIVEN an import that ends otherwise than the manifest says WHEN it has ended THEN the restore fails, also when it says
    COMPLETED; the table is left and named, and nothing is set."""
    ground.target.ends = ends
    result = ground.run()
    assert result["failed"] and words in result["msg"] and f"half-made table {TARGET}" in result["msg"]
    assert "arn:aws-cn:logs:group" in result["msg"] and result["rows"] is None
    assert "update_time_to_live" not in ground.target.log and "delete_table" not in ground.target.log


def test_what_failed_is_removed_where_that_is_wanted(ground):
    ground.target.ends = ("FAILED", 3, 2)
    result = ground.run(remove_failed=True)
    assert "No table is left" in result["msg"] and ground.target.tables == {}
    ground.target.ends = ("COMPLETED", 5, 0)
    again = ground.run()
    assert not again.get("failed") and ground.state()["attempt"] == 2, again


def test_time_that_is_up_loses_nothing(ground):
    """GIVEN an import that takes longer than one waits WHEN the time is up THEN the module fails and says how to go on; run
    again it waits for the same import."""
    ground.target.looks = 3
    late = ground.run(wait_timeout=20, poll=15)
    assert late["failed"] and late["resumable"] and "run again to go on" in late["msg"], late
    done = ground.run()
    assert not done.get("failed") and len(ground.target.jobs) == 1, done


def test_a_setting_that_aws_refuses_is_a_warning_and_keeps_none_of_the_others(ground):
    """GIVEN no right to set the TTL, and a table that had protection WHEN restored THEN protection is on, and a sentence and a
    warning name TTL and reason."""
    schema = schema_with() | {"deletion_protection": True}
    ground.s3.objects[f"{ground.folder}table_schema.json"] = json.dumps(schema).encode()
    ground.target.refuse["update_time_to_live"] = aws_error("AccessDeniedException", "not yours")
    result = ground.run()
    assert not result.get("failed"), result
    (sentence,) = result["left_out"]
    assert sentence.startswith("ttl is not as it was") and "not yours" in sentence and "by hand" in sentence
    assert any(sentence in str(warning) for warning in result["warnings"])
    assert ground.target.tables[TARGET]["DeletionProtectionEnabled"] is True


def test_an_old_token_never_gives_an_old_job(ground):
    """GIVEN a run that died before its answer, whose import has ended and whose table is gone WHEN run again THEN AWS answers
    the old job for the old token, and a new attempt takes a new one."""
    ground.run()
    state = ground.state() | {"import_arn": "", "table_arn": "", "table_id": "", "filled": False}
    (key,) = [key for key in ground.s3.objects if key.endswith(".state.json")]
    ground.s3.objects[key] = json.dumps(state).encode()
    del ground.target.tables[TARGET]
    result = ground.run()
    assert not result.get("failed") and result["rows"] == 5, result
    assert len(ground.target.jobs) == 2 and ground.state()["token"] != state["token"]


def test_somebody_elses_table_is_left_alone(ground):
    """GIVEN a table of that name that came after ours had been removed WHEN restored THEN it is refused."""
    ground.run()
    ground.target.tables[TARGET]["TableId"] = "another"
    result = ground.run()
    assert result["failed"] and "exists in cn-northwest-1 and is not of this restore" in result["msg"]


def test_check_mode_changes_nothing(ground):
    before = dict(ground.s3.objects)
    result = ground.run(check=True)
    assert result["changed"] and "would import table user-back" in " ".join(result["text"])
    assert ground.s3.objects == before and ground.target.log == []


def test_a_merged_set_of_another_plan_is_refused(ground):
    """GIVEN a set that was merged for another plan, then one that is not finished WHEN restored THEN one sentence each."""
    folder = f"restore/{TARGET}-{ground.plan['id']}/"
    ground.s3.objects[f"{folder}merged.json"] = json.dumps({"plan": "other", "files": [], "items": 0}).encode()
    assert "is of plan other, not of" in ground.run(source="merged")["msg"]
    ground.s3.objects[f"{folder}merged.json"] = b"{}"
    assert "the merge has not been done, or not to its end" in ground.run(source="merged")["msg"]


def test_a_file_that_is_not_in_the_manifest_is_refused(ground):
    """GIVEN a foreign object beside the data files WHEN restored THEN it is named: an import would take it too."""
    ground.s3.objects[f"{ground.folder}data/other.json.gz"] = b"x"
    result = ground.run()
    assert "other.json.gz, which its manifest does not name" in result["msg"] and ground.target.log == []


def test_retrieve_has_nothing_to_do_where_nothing_is_archived(ground):
    result = ground.run(dynamodb_retrieve)
    assert (result["changed"], result["asked"], result["resumable"]) == (False, 0, False)
    assert ground.regions == [("s3", "cn-north-9")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"local_secondary_indexes": [{"IndexName": "by-x", "KeySchema": []}]},
            "local indexes, which an import cannot make",
        ),
        ({"version": 2}, "its version is 2, known is 1"),
    ],
)
def test_hazard_22_a_schema_that_an_import_cannot_make_is_refused(ground, changes, words):
    """GIVEN a schema with local indexes, then one of another version WHEN an import is asked for THEN one sentence, no call."""
    schema = schema_with() | changes
    ground.s3.objects[f"{ground.folder}table_schema.json"] = json.dumps(schema).encode()
    assert words in ground.run(fill="import")["msg"] and ground.target.log == []
