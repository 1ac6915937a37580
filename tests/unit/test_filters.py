# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter plugins: sides, tables, problems, caller, keys, drift. All are functions of values."""

import json

import pytest
from ansible.errors import AnsibleFilterError

from plugins.filter import (
    dynabridge_caller,
    dynabridge_drift,
    dynabridge_keys,
    dynabridge_problems,
    dynabridge_sides,
    dynabridge_tables,
)
from tests.variations import changed

SIDES = {
    "cn": {"region": "cn-north-1", "partition": "aws-cn", "profile": "cn", "account_id": "", "peer": "sg"},
    "sg": {"region": "ap-southeast-1", "partition": "aws", "profile": "sg", "account_id": "", "peer": "cn"},
}
TABLE = {
    "name": "user",
    "names": {"cn": "user-cn", "sg": "user-sg"},
    "key_schema": {"hash": {"name": "PK", "type": "S"}},
}
ORDERS = {
    "name": "orders",
    "names": {"cn": "orders-cn", "sg": "orders-sg"},
    "key_schema": {"hash": {"name": "customer", "type": "B"}, "range": {"name": "number", "type": "N"}},
    "deletion_protection": True,
}
SUBJECT = {
    "side": "cn",
    "sides": SIDES,
    "tables": [TABLE, ORDERS],
    "counters": ["loader_stats", "replicator_stats"],
    "names": [{"kind": "queue", "variable": "dynabridge_sender_queue", "value": "ddbstreamcn"}],
    "numbers": [{"kind": "batch_size", "variable": "dynabridge_sender_batch_size", "value": 500}],
    "alarm_topic_arn": "",
    "use_proxy": "FALSE",
    "proxy_server": "",
}


class TestEnvironment:
    def test_it_leads_to_the_profile_and_region_of_the_side(self):
        """GIVEN both sides WHEN the environment of sg is asked THEN profile and region are sg's, strays are blank."""
        variables = dynabridge_sides.environment(SIDES, "sg")
        assert variables["AWS_PROFILE"] == "sg"
        assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "ap-southeast-1"
        assert variables["AWS_ACCESS_KEY_ID"] == variables["AWS_SESSION_TOKEN"] == ""
        assert "AWS_CONFIG_FILE" not in variables

    def test_locally_it_cannot_reach_the_users_own_credentials(self):
        """GIVEN local sides WHEN the environment is asked THEN both AWS files are the local AWS's."""
        sides = dynabridge_sides.local_sides(SIDES, "", "/state")
        variables = dynabridge_sides.environment(sides, "cn")
        assert variables["AWS_CONFIG_FILE"] == variables["AWS_SHARED_CREDENTIALS_FILE"] == "/state/aws/config"

    def test_a_proxy_serves_its_side_and_leaves_the_other_alone(self):
        """GIVEN a proxy for sg WHEN both environments are asked THEN sg's has it, and excepts cn's endpoints and the metadata."""
        sides = changed(SIDES, ("sg", "proxy"), "203.0.113.7:80")
        variables = dynabridge_sides.environment(sides, "sg")
        assert variables["HTTPS_PROXY"] == variables["https_proxy"] == "http://203.0.113.7:80"
        assert {"169.254.169.254", ".cn-north-1.amazonaws.com.cn"} <= set(variables["NO_PROXY"].split(","))
        assert not {"HTTPS_PROXY", "https_proxy"} & set(dynabridge_sides.environment(sides, "cn"))

    def test_a_proxy_with_a_password_gets_into_no_environment(self):
        """GIVEN a proxy with a password WHEN the environment is asked THEN there is none, and the password is not shown."""
        with pytest.raises(AnsibleFilterError, match=r"side sg.*a name or a password before the @") as caught:
            dynabridge_sides.environment(changed(SIDES, ("sg", "proxy"), "bob:hunter2@proxy:80"), "sg")
        assert "hunter2" not in str(caught.value)

    def test_an_unknown_side_is_named_with_the_known_ones(self):
        """GIVEN both sides WHEN the environment of another is asked THEN the error names it and the known."""
        with pytest.raises(AnsibleFilterError, match="unknown side 'eu': dynabridge_sides knows cn, sg"):
            dynabridge_sides.environment(SIDES, "eu")


class TestLocalSides:
    def test_a_running_side_has_endpoint_and_account(self):
        """GIVEN the state of a running cn WHEN put over the sides THEN cn has its endpoint, sg has none."""
        state = json.dumps({"cn": {"endpoint_url": "http://127.0.0.1:4601", "account_id": "100000000001"}})
        sides = dynabridge_sides.local_sides(SIDES, state, "/state")
        assert sides["cn"]["endpoint_url"] == "http://127.0.0.1:4601"
        assert sides["cn"]["account_id"] == "100000000001"
        assert sides["cn"]["region"] == "cn-north-1"
        assert sides["sg"]["endpoint_url"] == ""
        assert "peer_endpoint_url" not in sides["cn"]

    @pytest.mark.parametrize(("port", "spelled"), [(443, ""), (8443, ":8443")])
    def test_a_side_with_a_door_is_called_by_its_peer_as_aws_calls_it(self, port, spelled):
        """GIVEN a side that answers by TLS too WHEN put over the sides THEN its peer asks for botocore's name, by https."""
        entry = {
            "endpoint_url": "http://127.0.0.1:1",
            "account_id": "100000000001",
            "tls_address": f"198.18.0.4:{port}",
        }
        sides = dynabridge_sides.local_sides(SIDES, json.dumps({"cn": entry}), "/state")
        assert sides["cn"]["peer_endpoint_url"] == f"https://kinesis.cn-north-1.amazonaws.com.cn{spelled}"
        assert sides["cn"]["endpoint_url"] == "http://127.0.0.1:1"


class TestPartition:
    @pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("ap-southeast-1", "aws")])
    def test_botocore_says_it(self, region, partition, monkeypatch):
        """GIVEN a profile of the shell that does not exist WHEN a partition is asked THEN it is botocore's."""
        monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
        assert dynabridge_sides.partition(region) == partition

    def test_an_unknown_region_is_an_error_that_names_it(self):
        """GIVEN a name that is no region WHEN its partition is asked THEN the error names it."""
        with pytest.raises(AnsibleFilterError, match="botocore knows no region 'nowhere'"):
            dynabridge_sides.partition("nowhere")


class TestTables:
    def test_own_tables_have_the_sides_names_and_every_default(self):
        """GIVEN two tables WHEN sg's own are asked THEN names, key types and defaults are filled in."""
        user, orders, counter = dynabridge_tables.own_tables([TABLE, ORDERS], "sg", ["loader_stats"])
        assert (user["name"], user["hash_key_type"], user["range_key_name"]) == ("user-sg", "STRING", None)
        assert user["replicate"] is True
        assert user["billing_mode"] == "PAY_PER_REQUEST"
        assert (orders["hash_key_type"], orders["range_key_name"], orders["range_key_type"]) == (
            "BINARY",
            "number",
            "NUMBER",
        )
        assert orders["deletion_protection"] is True
        assert (counter["name"], counter["hash_key_name"], counter["replicate"]) == ("loader_stats", "PK", False)

    def test_tombstones_stay_home_and_expire(self):
        """GIVEN a tombstones table WHEN a side's own tables are asked THEN it is the last, not replicated, and expires."""
        *_others, tombstones = dynabridge_tables.own_tables([TABLE], "cn", ["loader_stats"], "tombstones")
        assert (tombstones["name"], tombstones["hash_key_name"], tombstones["replicate"]) == ("tombstones", "PK", False)
        assert tombstones["ttl_attribute"] == "expires"

    def test_managed_tables_are_named_per_side(self):
        """GIVEN tables of every stamping WHEN the managed are asked THEN only the replicated managed one is named."""
        managed = {**ORDERS, "stamping": "managed"}
        tables = [TABLE, {**TABLE, "stamping": "application"}, managed, {**managed, "replicate": False}]
        assert dynabridge_tables.managed_names(tables, "sg") == ["orders-sg"]
        assert dynabridge_tables.managed_names([TABLE], "sg") == []

    def test_one_target_is_plain_several_are_pairs(self):
        """GIVEN one or two replicated tables WHEN TARGET_TABLE is asked THEN it is the name alone or pairs."""
        local = {**ORDERS, "name": "local", "replicate": False}
        assert dynabridge_tables.target_table([TABLE, local], "cn", "sg") == "user-sg"
        assert dynabridge_tables.target_table([TABLE, ORDERS], "cn", "sg") == "user-cn=user-sg,orders-cn=orders-sg"

    def test_only_replicated_tables_are_named(self):
        """GIVEN a table with replicate: false WHEN the replicated names are asked THEN it is not among them."""
        tables = [TABLE, {**ORDERS, "replicate": False}]
        assert dynabridge_tables.replicated_names(tables, "cn") == ["user-cn"]


class TestProblems:
    def test_the_defaults_have_none(self):
        """GIVEN a subject in order WHEN judged THEN there is no problem."""
        assert dynabridge_problems.problems(SUBJECT) == []

    @pytest.mark.parametrize(
        ("path", "value", "sentence"),
        [
            (("tables", 0, "backup"), "yes", "backup is 'yes', but must be true or false"),
            (
                ("tables", 0, "backup_max_age_hours"),
                0,
                "table 'user': backup_max_age_hours is 0, but must be a number from 1",
            ),
            (("side",), "eu", "Unknown side 'eu': dynabridge_sides knows cn, sg"),
            (("sides", "cn", "region"), "cn-nowhere-1", "botocore does not know"),
            (("sides", "cn", "region"), "eu-west-1", "eu-west-1 of the partition aws, but must be in aws-cn"),
            (("sides", "cn", "profile"), "", "Side cn lacks profile"),
            (("sides", "cn", "peer"), "cn", "Side cn names 'cn' as its peer"),
            (("sides", "sg", "peer"), "eu", "Side cn has the peer sg, but sg has 'eu'"),
            (("sides", "sg", "account_id"), "12", "an AWS account id is 12 digits"),
            (("tables",), [], "no table with replicate: true"),
            (("tables", 0, "replicat"), True, "table 'user': unknown field replicat"),
            (("tables", 0, "name"), "", "it has no name"),
            (("tables", 1, "name"), "user", "dynabridge_tables has 'user' twice"),
            (("tables", 0, "names"), {"cn": "user-cn"}, "names has no entry for side sg"),
            (("tables", 0, "names", "cn"), "a b", "table 'user', side cn is 'a b', but a table takes"),
            (("tables", 0, "names", "cn"), "loader_stats", "Side cn would have two tables called 'loader_stats'"),
            (("tables", 0, "key_schema"), {}, "key_schema has no hash key"),
            (("tables", 0, "key_schema", "hash", "type"), "STRING", "a type S, N or B"),
            (("tables", 0, "key_schema", "sort"), {}, "takes hash and range, not sort"),
            (("tables", 1, "key_schema", "range", "name"), "customer", "hash and range key are both 'customer'"),
            (("tables", 0, "stamping"), "bridge", "table 'user': stamping is 'bridge', but must be application"),
            (("tables", 0, "ttl_attribute"), "PK", "ttl_attribute is 'PK', a key"),
            (("names", 0, "value"), "a.b", "dynabridge_sender_queue is 'a.b', but a queue takes"),
            (("numbers", 0, "value"), 0, "dynabridge_sender_batch_size is 0, but must be a number from 1 to 10000"),
            (("numbers", 0, "value"), "many", "is 'many', but must be a number"),
            (("numbers", 0, "value"), True, "is True, but must be a number"),
            (("alarm_topic_arn",), "arn:aws:sns:eu-west-1:200000000002:ops", "Side cn: dynabridge_alarm_topic_arn is"),
            (("alarm_topic_arn",), "ops", "arn:aws-cn:sns:cn-north-1:<account>:<name>"),
            (("use_proxy",), "maybe", "dynabridge_use_proxy is 'maybe'"),
            (("use_proxy",), "TRUE", "dynabridge_proxy_server is empty"),
            (("proxy_server",), "bob:secret@proxy:80", "dynabridge_proxy_server has a name or a password before the @"),
            (("proxy_server",), "proxy:http", "dynabridge_proxy_server is 'proxy:http': it must be host:port"),
            (("sides", "cn", "proxy"), "proxy:http", "proxy of side cn in dynabridge_sides is 'proxy:http'"),
        ],
    )
    def test_each_is_told_by_a_sentence(self, path, value, sentence):
        """GIVEN a subject with one thing wrong WHEN judged THEN one sentence says what."""
        found = dynabridge_problems.problems(changed(SUBJECT, path, value))
        assert [text for text in found if sentence in text], found

    def test_all_are_told_at_once(self):
        """GIVEN two things wrong in different places WHEN judged THEN both are told."""
        subject = changed(changed(SUBJECT, ("numbers", 0, "value"), 0), ("use_proxy",), "maybe")
        assert len(dynabridge_problems.problems(subject)) == 2

    def test_a_topic_of_the_sides_region_is_taken(self):
        """GIVEN a topic in the side's region, of any account WHEN judged THEN there is no problem."""
        for name in ("ops", "ops-calls.fifo"):
            arn = f"arn:aws-cn:sns:cn-north-1:300000000003:{name}"
            assert dynabridge_problems.problems({**SUBJECT, "alarm_topic_arn": arn}) == []

    def test_one_account_for_both_sides(self):
        """GIVEN the same account on both sides WHEN judged THEN it is told."""
        sides = {name: {**side, "account_id": "100000000001"} for name, side in SIDES.items()}
        assert "one account 100000000001" in dynabridge_problems.problems({**SUBJECT, "sides": sides})[0]

    def test_the_local_aws_is_not_up(self):
        """GIVEN local sides without a state WHEN judged THEN the sentence says how to start it."""
        sides = dynabridge_sides.local_sides(SIDES, "", "/state")
        assert "run make local-up" in dynabridge_problems.problems({**SUBJECT, "sides": sides})[0]

    @pytest.mark.parametrize(("age", "good"), [(-1, True), (60, True), (604800, True), (0, False), (59, False)])
    def test_the_record_age_is_no_limit_or_a_minute_to_a_week(self, age, good):
        """GIVEN a record age WHEN judged THEN -1 and 60..604800 pass."""
        rule = {"kind": "record_age", "variable": "age", "value": age}
        assert (dynabridge_problems.problems({**SUBJECT, "numbers": [rule]}) == []) is good

    @pytest.mark.parametrize(
        ("days", "hours", "sender", "receiver", "enough"),
        [
            (30, 24, 86400, -1, None),
            (2, 24, 86400, -1, None),
            (1, 24, 86400, -1, 2),
            (1, 24, 43200, 43200, None),
            (2, 24, -1, -1, None),  # a table's stream keeps 24 hours
            (2, 48, 604800, -1, 3),
            (7, 8760, 86400, 604800, 8),
        ],
    )
    def test_deletes_are_remembered_longer_than_a_change_can_be_under_way(self, days, hours, sender, receiver, enough):
        """GIVEN days of memory and longest ways WHEN judged THEN too few days are told once, with how many do."""
        values = {
            "tombstone_days": ("tombstone_days", days),
            "stream_retention_hours": ("stream_retention_hours", hours),
            "sender_record_age_seconds": ("record_age", sender),
            "receiver_record_age_seconds": ("record_age", receiver),
        }
        numbers = [{"kind": kind, "variable": f"dynabridge_{name}", "value": v} for name, (kind, v) in values.items()]
        found = dynabridge_problems.problems({**SUBJECT, "numbers": numbers})
        assert len(found) == (enough is not None)
        assert all(f"Set dynabridge_tombstone_days to {enough} or more." in sentence for sentence in found)


CALLER = {"account": "100000000001", "arn": "arn:aws-cn:iam::100000000001:root"}


class TestCaller:
    def problems(self, sides=SIDES, side="cn", peer_caller=None):
        return dynabridge_caller.caller_problems(CALLER, sides, side, peer_caller)

    def test_the_right_account_in_the_right_partition(self):
        """GIVEN the side's account WHEN judged THEN there is no problem, whether the id is given or not."""
        assert self.problems() == []
        assert self.problems(changed(SIDES, ("cn", "account_id"), "100000000001")) == []

    def test_another_account(self):
        """GIVEN another account than the side's WHEN judged THEN both are named."""
        (problem,) = self.problems(changed(SIDES, ("cn", "account_id"), "999999999999"))
        assert "Side cn is the account 999999999999, but the profile 'cn' leads to 100000000001" in problem

    def test_another_partition(self):
        """GIVEN credentials of China for the global side WHEN judged THEN partition and caller are named."""
        (problem,) = self.problems(side="sg")
        assert "is in the partition aws, but the profile 'sg' leads to arn:aws-cn:iam::100000000001:root" in problem

    def test_both_sides_lead_to_one_account(self):
        """GIVEN the peer's caller is the same account WHEN judged THEN it is told."""
        (problem,) = self.problems(peer_caller=CALLER)
        assert "Both sides lead to the account 100000000001" in problem

    def test_versions_too_old_or_missing(self):
        """GIVEN an old core and no boto3 WHEN judged THEN each has its sentence, and 2.21 is not below 2.19."""
        found = {"ansible-core": "2.16.4", "boto3": "", "botocore": "1.43.1", "python": "3.13.0"}
        core, boto3 = dynabridge_caller.version_problems(found)
        assert "ansible-core 2.16.4 must be 2.19.0 or later" in core
        assert "boto3 is missing" in boto3
        assert dynabridge_caller.version_problems({**found, "ansible-core": "2.21.5", "boto3": "1.34.0"}) == []

    def test_the_versions_that_run_this_are_new_enough(self):
        """GIVEN this interpreter WHEN its versions are asked THEN none is too old."""
        assert dynabridge_caller.version_problems(dynabridge_caller.versions("2.19.0")) == []


STORED = [
    {"type": "String", "value": "AKIA1", "exists": True},
    {"type": "SecureString", "exists": True},
]


class TestKeyIsHeld:
    @pytest.mark.parametrize(
        ("keys", "held"),
        [
            ([{"access_key_id": "AKIA1", "status": "Active"}], True),
            ([{"access_key_id": "AKIA1", "status": "Inactive"}], False),
            ([{"access_key_id": "AKIA2", "status": "Active"}], False),
            ([], False),
        ],
    )
    def test_only_an_active_key_of_the_user_counts(self, keys, held):
        """GIVEN a stored key WHEN compared with the user's keys THEN only an active one of them counts."""
        assert dynabridge_keys.key_is_held(STORED, keys) is held

    def test_a_missing_or_open_secret_does_not_count(self):
        """GIVEN no secret, or one that is not a SecureString WHEN compared THEN the pair is not held."""
        keys = [{"access_key_id": "AKIA1", "status": "Active"}]
        for kind in ("", "String"):
            assert dynabridge_keys.key_is_held([STORED[0], {"type": kind}], keys) is False


POLICY = {"Version": "2012-10-17", "Statement": [{"Sid": "A", "Action": "s3:*", "Resource": ["b", "a"]}]}
ACCESS = {name: True for name in dynabridge_drift.PUBLIC_ACCESS}
BUCKET = {
    "name": "bucket",
    "bucket_versioning": {"Status": "Enabled"},
    "bucket_encryption": {
        "ServerSideEncryptionConfiguration": {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        }
    },
    "public_access_block": {
        "PublicAccessBlockConfiguration": {name: True for name in dynabridge_drift.PUBLIC_ACCESS.values()}
    },
    "bucket_policy": {
        "Policy": '{"Version": "2012-10-17", "Statement": {"Sid": "A", "Action": ["s3:*"], "Resource": ["a", "b"]}}'
    },
}


class TestBucketDrift:
    def drift(self, *buckets):
        info = {"bucket_name": "bucket", "buckets": list(buckets)}
        return dynabridge_drift.bucket_drift(info, True, "AES256", ACCESS, POLICY)

    def test_none_when_only_the_spelling_of_the_policy_differs(self):
        """GIVEN a bucket as wanted, its policy in another spelling WHEN compared THEN nothing differs."""
        assert self.drift(BUCKET) == []

    def test_none_when_the_facts_come_without_wrapping(self):
        """GIVEN a bucket as wanted, as amazon.aws 11 tells of it WHEN compared THEN nothing differs."""
        bare = {
            **BUCKET,
            "bucket_encryption": BUCKET["bucket_encryption"]["ServerSideEncryptionConfiguration"],
            "public_access_block": BUCKET["public_access_block"]["PublicAccessBlockConfiguration"],
            "bucket_policy": POLICY,
        }
        assert self.drift(bare) == []
        assert self.drift({**bare, "bucket_encryption": {"Rules": []}}) == ["set encryption of the bucket bucket"]

    def test_a_missing_bucket_would_be_created(self):
        """GIVEN no bucket WHEN compared THEN it would be created."""
        assert self.drift() == ["create the bucket bucket"]

    @pytest.mark.parametrize(
        ("field", "name"),
        [
            ("bucket_versioning", "versioning"),
            ("bucket_encryption", "encryption"),
            ("public_access_block", "public access"),
            ("bucket_policy", "policy"),
        ],
    )
    def test_what_is_not_set_would_be_set(self, field, name):
        """GIVEN a bucket without one setting WHEN compared THEN that one would be set."""
        assert self.drift({**BUCKET, field: {}}) == [f"set {name} of the bucket bucket"]
