# SPDX-License-Identifier: GPL-3.0-or-later
"""lambda_event_source_mapping against mappings like Lambda's: slow, and refusing two of one stream."""

from __future__ import annotations

import json

import pytest
from ansible.modules import lambda_event_source_mapping

from tests.modules.aws_fakes import aws_error, calls_of, fake_client

ACCOUNT = "cn-north-1:100000000001"
FUNCTION_ARN = f"arn:aws-cn:lambda:{ACCOUNT}:function:"
KINESIS = f"arn:aws-cn:kinesis:{ACCOUNT}:stream/changes"
TABLE = f"arn:aws-cn:dynamodb:{ACCOUNT}:table/user-cn"
OLD_STREAM, NEW_STREAM = f"{TABLE}/stream/2025-01-01T00:00:00.000", f"{TABLE}/stream/2025-02-01T00:00:00.000"
QUEUE = f"arn:aws-cn:sqs:{ACCOUNT}:ddbstreamcn"
ALL = {
    "batch_size": 400,
    "maximum_batching_window_in_seconds": 1,
    "parallelization_factor": 4,
    "maximum_retry_attempts": 300,
    "maximum_record_age_in_seconds": 86400,
    "bisect_batch_on_function_error": True,
    "on_failure_destination_arn": QUEUE,
    "report_batch_item_failures": True,
}
OTHER = {
    "batch_size": 100,
    "maximum_batching_window_in_seconds": 0,
    "parallelization_factor": 10,
    "maximum_retry_attempts": -1,
    "maximum_record_age_in_seconds": -1,
    "bisect_batch_on_function_error": False,
    "on_failure_destination_arn": "",
    "report_batch_item_failures": False,
    "filter_patterns": [],
    "enabled": False,
}


class FakeLambda:
    """The mappings of an account; each change is going on for a number of looks at the mapping."""

    def __init__(self, slow=0):
        self.mappings, self.slow, self.looks = {}, slow, {}
        self.errors = {}
        self.page = 100

    def have(self, source, function="f", **more):
        """A mapping as if it were made before, by somebody else."""
        uuid = f"{len(self.mappings):036d}"
        self.mappings[uuid] = {
            "UUID": uuid,
            "EventSourceArn": source,
            "FunctionArn": FUNCTION_ARN + function,
            "State": "Enabled",
            "StateTransitionReason": "User action",
            "BatchSize": 100,
            "MaximumBatchingWindowInSeconds": 0,
            "ParallelizationFactor": 1,
            "StartingPosition": "LATEST",
            "DestinationConfig": {"OnFailure": {}},
            "MaximumRecordAgeInSeconds": -1,
            "MaximumRetryAttempts": -1,
            "BisectBatchOnFunctionError": False,
            "FunctionResponseTypes": [],
            **more,
        }
        return self.mappings[uuid]

    def _may_fail(self, operation):
        if self.errors.get(operation):
            raise self.errors[operation].pop(0)

    def _busy(self, mapping, state, then):
        self.looks[mapping["UUID"]] = (self.slow, then)
        mapping["State"] = state
        return dict(mapping)

    def list_event_source_mappings(self, FunctionName, Marker="0"):
        self._may_fail("list")
        name = FunctionName.rsplit("function:", 1)[-1].split(":")[0]
        known = [one for one in self.mappings.values() if one["FunctionArn"].split(":")[6] == name]
        start, end = int(Marker), int(Marker) + self.page
        more = {"NextMarker": str(end)} if known[end:] else {}
        return {"EventSourceMappings": [dict(one) for one in known[start:end]], **more}

    def get_event_source_mapping(self, UUID):
        left, then = self.looks.get(UUID, (0, None))
        if then and not left:
            self.looks.pop(UUID)
            self.mappings[UUID]["State"] = then
            if then == "gone":
                del self.mappings[UUID]
        elif then:
            self.looks[UUID] = (left - 1, then)
        if UUID not in self.mappings:
            raise aws_error("ResourceNotFoundException")
        return dict(self.mappings[UUID])

    def create_event_source_mapping(self, FunctionName, EventSourceArn, Enabled=True, **settings):
        self._may_fail("create")
        ends = (EventSourceArn, FUNCTION_ARN + FunctionName)
        if ends in [(one["EventSourceArn"], one["FunctionArn"]) for one in self.mappings.values()]:
            raise aws_error("ResourceConflictException", "mapping already exists")
        mapping = self.have(EventSourceArn, FunctionName, **settings)
        return self._busy(mapping, "Creating", "Enabled" if Enabled else "Disabled")

    def update_event_source_mapping(self, UUID, Enabled=None, **settings):
        self._may_fail("update")
        assert settings.get("DestinationConfig") != {"OnFailure": {}}, "The Destination field is required"
        mapping = self.mappings[UUID]
        if UUID in self.looks:
            raise aws_error("ResourceInUseException")
        enabled = mapping["State"] == "Enabled" if Enabled is None else Enabled
        mapping.update(settings)
        return self._busy(mapping, "Updating", "Enabled" if enabled else "Disabled")

    def delete_event_source_mapping(self, UUID):
        self._may_fail("delete")
        return self._busy(self.mappings[UUID], "Deleting", "gone")


@pytest.fixture
def run(run_module, clock):
    """run(fake, **params) gives the module's result and the names of its writing calls."""

    def run_on(fake, check=False, **params):
        client = fake_client("lambda", fake)
        params.setdefault("function_name", "f")
        result = run_module(lambda_event_source_mapping, client, check=check, **params)
        return result, calls_of(client, "create", "update", "delete")

    return run_on


def test_creates_with_everything_and_the_next_run_changes_nothing(run):
    # GIVEN no mapping WHEN one with all settings is asked for twice THEN it is made once, and told as it is
    fake = FakeLambda(slow=3)
    patterns = [{"eventName": ["INSERT", "MODIFY"]}, '{"eventName" : ["REMOVE"]}']
    params = {**ALL, "event_source_arn": NEW_STREAM, "filter_patterns": patterns}
    first, writes = run(fake, **params)
    assert writes == ["create_event_source_mapping"] and first["changed"]
    (uuid,) = fake.mappings
    assert first["mapping"] == {
        **ALL,
        "uuid": uuid,
        "event_source_arn": NEW_STREAM,
        "function_arn": FUNCTION_ARN + "f",
        "state": "Enabled",
        "starting_position": "TRIM_HORIZON",
        "enabled": True,
        "filter_patterns": ['{"eventName":["INSERT","MODIFY"]}', '{"eventName":["REMOVE"]}'],
    }
    assert first["diff"]["before"] == {"mappings": []}
    assert first["diff"]["after"] == {"mappings": [first["mapping"]]}
    second, writes = run(fake, **params)
    assert not second["changed"] and writes == []
    assert second["mapping"] == first["mapping"]
    assert second["diff"]["before"] == second["diff"]["after"]


def test_what_goes_over_the_wire_at_creation(run_module, clock):
    # GIVEN the defaults WHEN a mapping is made THEN AWS is sent those of the source documents, and nothing
    # empty
    client = fake_client("lambda", FakeLambda())
    run_module(
        lambda_event_source_mapping,
        client,
        function_name="f",
        event_source_arn=KINESIS,
        on_failure_destination_arn="",
        filter_patterns=[],
    )
    client.create_event_source_mapping.assert_called_once_with(
        FunctionName="f",
        EventSourceArn=KINESIS,
        Enabled=True,
        BatchSize=500,
        MaximumBatchingWindowInSeconds=0,
        ParallelizationFactor=10,
        StartingPosition="TRIM_HORIZON",
    )


@pytest.mark.parametrize("name", [*ALL, "enabled", "filter_patterns"])
@pytest.mark.parametrize("back", [False, True], ids=["to", "from"])
def test_each_setting_is_compared_and_updated_alone(run, run_module, clock, name, back):
    # GIVEN a mapping that differs in one setting WHEN it is mended THEN one update holds that setting alone
    wanted = {**ALL, "enabled": True, "filter_patterns": [{"a": ["b"]}], "event_source_arn": KINESIS}
    changed = {**wanted, name: OTHER[name]}
    have, want = (changed, wanted) if back else (wanted, changed)
    fake = FakeLambda()
    run(fake, **have)
    would, check_writes = run(fake, check=True, **want)
    client = fake_client("lambda", fake)
    did = run_module(lambda_event_source_mapping, client, function_name="f", **want)
    assert check_writes == [] and would["changed"] and did["changed"]
    assert f"set {name}" in did["msg"]
    assert did["mapping"][name] == (wanted_form(want[name]))
    (update,) = client.update_event_source_mapping.call_args_list
    assert len(update.kwargs) == 2, "the identifier and the one setting"
    assert not client.create_event_source_mapping.called and not client.delete_event_source_mapping.called
    again, writes = run(fake, **want)
    assert not again["changed"] and writes == []


def wanted_form(value):
    return [json.dumps(one, separators=(",", ":")) for one in value] if isinstance(value, list) else value


def test_what_is_left_out_stays(run):
    # GIVEN a mapping with retries, a queue and a filter WHEN they are not mentioned THEN they stay
    fake = FakeLambda()
    run(fake, event_source_arn=KINESIS, filter_patterns=[{"a": ["b"]}], **ALL)
    with_default = ("batch_size", "maximum_batching_window_in_seconds", "parallelization_factor")
    kept = {name: ALL[name] for name in with_default}
    result, writes = run(fake, event_source_arn=KINESIS, **kept)
    assert not result["changed"] and writes == []
    assert result["mapping"]["on_failure_destination_arn"] == QUEUE
    assert result["mapping"]["filter_patterns"] == ['{"a":["b"]}']


def test_where_an_existing_mapping_started_does_not_count(run):
    # GIVEN a mapping that started at LATEST WHEN TRIM_HORIZON is asked for THEN it is neither changed nor
    # made anew
    fake = FakeLambda()
    fake.have(KINESIS)
    result, writes = run(
        fake,
        event_source_arn=KINESIS,
        starting_position="TRIM_HORIZON",
        batch_size=100,
        parallelization_factor=1,
    )
    assert not result["changed"] and writes == []
    assert result["mapping"]["starting_position"] == "LATEST"


@pytest.mark.parametrize("check", [False, True])
def test_nothing_is_made_when_only_what_is_there_is_meant(run, check):
    # GIVEN a mapping to an older stream of the table, and no function of another name WHEN only a mapping that is there
    # is to be set THEN none is made, and the older one stays
    fake = FakeLambda()
    fake.have(OLD_STREAM)
    for function in ("f", "missing"):
        result, writes = run(
            fake, check=check, function_name=function, event_source_arn=NEW_STREAM, create=False, **ALL
        )
        assert not result["changed"] and writes == [] and result["mapping"] == {} and result["removed"] == []


def test_what_is_there_is_set_without_making_it(run):
    # GIVEN a mapping made by hand, which takes no partial responses WHEN only what is there is set THEN it is, in place
    fake = FakeLambda()
    by_hand = fake.have(KINESIS)
    result, writes = run(fake, event_source_arn=KINESIS, create=False, report_batch_item_failures=True)
    assert writes == ["update_event_source_mapping"] and result["mapping"]["uuid"] == by_hand["UUID"]
    assert fake.mappings[by_hand["UUID"]]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_filters_that_say_the_same_are_equal(run):
    # GIVEN filters WHEN they come in another order, spelling and number THEN there is nothing to change
    fake = FakeLambda()
    run(fake, event_source_arn=KINESIS, filter_patterns=[{"a": ["b"], "c": [1]}, {"d": ["ä"]}])
    spelled = ['{"d": ["\\u00e4"]}', '{"c":[1],\n "a":["b"]}', {"d": ["ä"]}]
    result, writes = run(fake, event_source_arn=KINESIS, filter_patterns=spelled)
    assert not result["changed"] and writes == []


def test_mappings_are_told_apart_by_stream_function_and_alias(run):
    # GIVEN mappings of other streams, functions and aliases, on several pages WHEN one is made THEN they stay
    fake = FakeLambda()
    fake.page = 1
    others = [
        fake.have(KINESIS),
        fake.have(f"{TABLE}-2/stream/1"),
        fake.have(NEW_STREAM, "f:live"),
        fake.have(KINESIS, "g"),
    ]
    kept = [dict(other) for other in others]
    result, writes = run(fake, event_source_arn=NEW_STREAM)
    assert writes == ["create_event_source_mapping"] and result["removed"] == []
    assert [fake.mappings[other["UUID"]] for other in kept] == kept
    found, writes = run(fake, event_source_arn=NEW_STREAM)
    assert not found["changed"] and writes == [] and found["mapping"]["uuid"] == result["mapping"]["uuid"]


@pytest.mark.parametrize("function", ["f:live", FUNCTION_ARN + "f:live", "100000000001:function:f:live"])
def test_a_function_may_be_given_by_alias_and_arn(run, function):
    # GIVEN mappings of a function and its alias WHEN the alias is named THEN its mapping alone is meant
    fake = FakeLambda()
    fake.have(KINESIS)
    of_alias = fake.have(KINESIS, "f:live")
    result, _writes = run(fake, function_name=function, event_source_arn=KINESIS)
    assert result["mapping"]["uuid"] == of_alias["UUID"]


def test_latest_is_the_function_itself(run):
    # GIVEN a mapping of a function WHEN it is asked for with $LATEST THEN it is that mapping
    fake = FakeLambda()
    mapping = fake.have(KINESIS)
    result, _writes = run(fake, function_name="f:$LATEST", event_source_arn=KINESIS)
    assert result["mapping"]["uuid"] == mapping["UUID"]


def test_a_mapping_to_an_older_stream_of_the_table_is_replaced(run, monkeypatch):
    # GIVEN a mapping to the stream that the table had before WHEN the new one is mapped THEN it is made
    # first, the old one removed, and diff and warning say so
    warnings = []  # where they go depends on whether the process has loaded Ansible's controller
    monkeypatch.setattr(lambda_event_source_mapping, "warn", warnings.append)
    fake = FakeLambda(slow=2)
    old = fake.have(OLD_STREAM)
    would, check_writes = run(fake, check=True, event_source_arn=NEW_STREAM)
    result, writes = run(fake, event_source_arn=NEW_STREAM)
    assert check_writes == []
    assert writes == ["create_event_source_mapping", "delete_event_source_mapping"]
    assert [one["EventSourceArn"] for one in fake.mappings.values()] == [NEW_STREAM]
    for told in (would, result):
        assert told["changed"]
        assert told["removed"] == [{"uuid": old["UUID"], "event_source_arn": OLD_STREAM}]
        assert [one["event_source_arn"] for one in told["diff"]["before"]["mappings"]] == [OLD_STREAM]
        assert [one["event_source_arn"] for one in told["diff"]["after"]["mappings"]] == [NEW_STREAM]
        assert f"remove the mapping to {OLD_STREAM}" in told["msg"]
    assert OLD_STREAM in str(warnings) and "resync" in str(warnings)


def test_an_older_stream_stays_when_that_is_asked_for_or_the_new_one_fails(run):
    # GIVEN a mapping to an older stream WHEN it shall stay, or the new mapping is refused THEN it stays
    fake = FakeLambda()
    fake.have(OLD_STREAM)
    fake.errors["create"] = [aws_error("InvalidParameterValueException", "Unsupported")]
    failed, _writes = run(fake, event_source_arn=NEW_STREAM)
    kept, writes = run(fake, event_source_arn=NEW_STREAM, replace_stale=False)
    assert failed["failed"] and writes == ["create_event_source_mapping"]
    assert kept["removed"] == [] and len(fake.mappings) == 2


def test_a_leftover_of_a_broken_run_is_removed(run):
    # GIVEN both mappings, as a run leaves them that broke in between WHEN the module runs again THEN the
    # old one goes
    fake = FakeLambda()
    fake.have(OLD_STREAM)
    run(fake, event_source_arn=NEW_STREAM, replace_stale=False)
    result, writes = run(fake, event_source_arn=NEW_STREAM)
    assert result["changed"] and writes == ["delete_event_source_mapping"]


@pytest.mark.parametrize("source", ["", NEW_STREAM])
def test_check_mode_before_function_or_stream_exist(run, source):
    # GIVEN neither function nor stream WHEN check mode asks for a mapping THEN it says that it would make it
    fake = FakeLambda()
    fake.errors["list"] = [aws_error("ResourceNotFoundException", "Function not found")]
    result, writes = run(fake, check=True, event_source_arn=source, **ALL)
    assert result["changed"] and writes == []
    assert result["msg"] == "f: create the mapping"
    assert result["mapping"] == {
        **ALL,
        "uuid": "",
        "event_source_arn": source,
        "function_arn": "",
        "state": "",
        "enabled": True,
        "starting_position": "TRIM_HORIZON",
        "filter_patterns": [],
    }


def test_a_missing_function_is_named(run):
    # GIVEN no function WHEN a mapping is asked for THEN the message names function and region, and what to do
    fake = FakeLambda()
    fake.errors["create"] = [aws_error("ResourceNotFoundException", f"Function not found: {FUNCTION_ARN}f")]
    result, _writes = run(fake, event_source_arn=KINESIS)
    assert result["failed"]
    assert result["msg"] == "function f is not there in region cn-north-1: deploy it first"


@pytest.mark.parametrize("params", [{}, {"event_source_arn": ""}])
def test_outside_check_mode_a_stream_must_be_named(run, params):
    # GIVEN no ARN WHEN a mapping is asked for THEN the message says what must be there first
    result, writes = run(FakeLambda(), **params)
    assert result["failed"] and writes == []
    assert "event_source_arn for f is missing or empty" in result["msg"]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"batch_size": 0}, "batch_size is 0, allowed is 1 to 10000"),
        ({"batch_size": 10001}, "batch_size is 10001"),
        ({"maximum_batching_window_in_seconds": 301}, "in_seconds is 301, allowed is 0 to 300"),
        ({"parallelization_factor": 11}, "parallelization_factor is 11, allowed is 1 to 10"),
        ({"maximum_retry_attempts": -2}, "maximum_retry_attempts is -2, allowed is -1 to 10000"),
        ({"maximum_record_age_in_seconds": 604801}, "maximum_record_age_in_seconds is 604801"),
        ({"maximum_record_age_in_seconds": 59}, "allowed is -1 or 60 to 604800"),
        ({"event_source_arn": TABLE}, "is no stream"),
        ({"event_source_arn": QUEUE}, "is no stream"),
        ({"event_source_arn": "changes"}, "is no stream"),
        ({"starting_position": "AT_TIMESTAMP"}, "go together"),
        ({"starting_position_timestamp": "2025-01-01T00:00:00"}, "go together"),
        ({"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": "noon"}, "is no ISO 8601 time"),
        (
            {
                "starting_position": "AT_TIMESTAMP",
                "starting_position_timestamp": "2025-01-01T00:00:00",
                "event_source_arn": NEW_STREAM,
            },
            "for Kinesis only",
        ),
        ({"filter_patterns": ["{eventName"]}, "is no JSON"),
        ({"filter_patterns": ["[1]"]}, "is no JSON object"),
    ],
)
def test_what_aws_would_refuse_makes_no_call(run_module, params, text):
    # GIVEN a setting that AWS does not know WHEN it is asked for THEN no call is made, and the message says
    # the range
    client = fake_client("lambda", FakeLambda())
    result = run_module(
        lambda_event_source_mapping, client, **{"function_name": "f", "event_source_arn": KINESIS, **params}
    )
    assert result["failed"] and text in result["msg"]
    assert client.method_calls == []


@pytest.mark.parametrize(
    "value", [{"batch_size": 10000}, {"maximum_record_age_in_seconds": 60}, {"maximum_retry_attempts": 0}]
)
def test_the_ends_of_the_ranges_pass(run, value):
    # GIVEN the last value that AWS takes WHEN it is asked for THEN it is set
    fake = FakeLambda()
    result, _writes = run(fake, event_source_arn=KINESIS, **value)
    assert result["mapping"].items() >= value.items()


def test_a_time_to_start_at_is_utc(run_module, clock):
    # GIVEN a time without an offset WHEN a mapping of a Kinesis stream starts there THEN AWS is sent it as
    # UTC
    client = fake_client("lambda", FakeLambda())
    run_module(
        lambda_event_source_mapping,
        client,
        function_name="f",
        event_source_arn=KINESIS,
        starting_position="AT_TIMESTAMP",
        starting_position_timestamp="2025-01-31T02:00:00",
    )
    sent = client.create_event_source_mapping.call_args.kwargs["StartingPositionTimestamp"]
    assert sent.isoformat() == "2025-01-31T02:00:00+00:00"


@pytest.mark.parametrize(
    "error",
    [
        ("InvalidParameterValueException", "Cannot access stream x. Please ensure the role can"),
        ("InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."),
        ("InvalidParameterValueException", "The role does not have permissions to call SendMessage"),
        ("ResourceInUseException", "busy"),
        ("TooManyRequestsException", "Rate exceeded"),
    ],
)
def test_what_passes_is_tried_again(run, clock, error):
    # GIVEN a role that AWS does not know everywhere yet WHEN a mapping is made THEN it is tried until it
    # works
    fake = FakeLambda()
    fake.errors["create"] = [aws_error(*error) for _attempt in range(4)]
    result, writes = run(fake, event_source_arn=KINESIS)
    assert result["changed"] and len(writes) == 5 and clock.now > 0


def test_trying_again_has_an_end(run, clock):
    # GIVEN a role that really has no right WHEN a mapping is made THEN after wait_timeout AWS's words are
    # told
    fake = FakeLambda()
    refusal = aws_error("InvalidParameterValueException", "Cannot access stream x: GetRecords")
    fake.errors["create"] = [refusal] * 1000
    result, _writes = run(fake, event_source_arn=KINESIS, wait_timeout=30)
    assert result["failed"] and clock.now <= 30
    assert f"cannot map {KINESIS} to function f in region cn-north-1" in result["msg"]
    assert "Cannot access stream x: GetRecords" in result["msg"]


def test_what_does_not_pass_is_not_tried_again(run, clock):
    # GIVEN a refusal for good WHEN a mapping is made THEN there is one call
    fake = FakeLambda()
    fake.errors["create"] = [aws_error("InvalidParameterValueException", "Unsupported starting position")]
    result, writes = run(fake, event_source_arn=KINESIS)
    assert result["failed"] and len(writes) == 1 and clock.now == 0


def test_waits_for_a_change_that_is_going_on(run):
    # GIVEN a mapping that is being disabled WHEN it shall be enabled THEN the module waits, and enables it
    fake = FakeLambda(slow=2)
    mapping = fake.have(KINESIS, BatchSize=500, ParallelizationFactor=10)
    fake._busy(mapping, "Disabling", "Disabled")
    result, writes = run(fake, event_source_arn=KINESIS)
    assert writes == ["update_event_source_mapping"] and result["mapping"]["state"] == "Enabled"


def test_waits_until_a_mapping_that_goes_is_gone(run):
    # GIVEN a mapping of the same stream that is being deleted WHEN one is asked for THEN a new one is made
    # after it
    fake = FakeLambda(slow=3)
    going = fake.have(KINESIS)
    fake.delete_event_source_mapping(going["UUID"])
    result, writes = run(fake, event_source_arn=KINESIS)
    assert writes == ["create_event_source_mapping"]
    assert [one["State"] for one in fake.mappings.values()] == ["Enabled"] and result["changed"]


def test_a_mapping_that_never_settles_is_told(run, clock):
    # GIVEN a mapping that stays Creating WHEN the time is up THEN the message tells its state and AWS's
    # reason
    fake = FakeLambda(slow=10**6)
    result, _writes = run(fake, event_source_arn=KINESIS, wait_timeout=15)
    assert result["failed"] and clock.now <= 15
    assert "waited 15 s for mapping" in result["msg"] and "it is Creating (User action)" in result["msg"]


def test_a_mapping_that_aws_disables_is_told(run):
    # GIVEN AWS that disables a new mapping WHEN it shall be enabled THEN that is an error with AWS's reason
    fake = FakeLambda()
    make = fake.create_event_source_mapping

    def make_disabled(**arguments):
        made = make(**arguments)
        fake.looks[made["UUID"]] = (0, "Disabled")
        fake.mappings[made["UUID"]]["StateTransitionReason"] = "PROBLEM: no access"
        return made

    fake.create_event_source_mapping = make_disabled
    result, _writes = run(fake, event_source_arn=KINESIS)
    assert result["failed"]
    assert "is Disabled (PROBLEM: no access), wanted is Enabled" in result["msg"]


def test_without_waiting_the_first_state_is_told(run):
    # GIVEN slow mappings WHEN the module shall not wait THEN it tells the mapping as it is by then
    result, _writes = run(FakeLambda(slow=9), event_source_arn=KINESIS, wait=False)
    assert result["mapping"]["state"] == "Creating" and result["mapping"]["batch_size"] == 500


@pytest.mark.parametrize("check", [False, True])
def test_removes_one_mapping(run, check):
    # GIVEN two mappings WHEN one shall be absent THEN that one goes, once
    fake = FakeLambda(slow=2)
    fake.have(NEW_STREAM)
    unwanted = fake.have(KINESIS)
    result, writes = run(fake, check=check, state="absent", event_source_arn=KINESIS)
    assert result["changed"] and result["mapping"] == {}
    assert result["removed"] == [{"uuid": unwanted["UUID"], "event_source_arn": KINESIS}]
    assert result["diff"]["after"] == {"mappings": []}
    assert not result.get("warnings"), "what was asked for needs no warning"
    assert writes == ([] if check else ["delete_event_source_mapping"])
    assert len(fake.mappings) == (2 if check else 1)


def test_removes_all_mappings_of_the_function_and_no_other(run):
    # GIVEN mappings of two functions WHEN one function shall have none THEN the other's stays; again: no
    # change
    fake = FakeLambda()
    fake.have(NEW_STREAM)
    fake.have(KINESIS)
    other = fake.have(KINESIS, "g")
    result, writes = run(fake, state="absent")
    assert result["changed"] and len(writes) == 2
    assert list(fake.mappings) == [other["UUID"]]
    again, writes = run(fake, state="absent")
    assert not again["changed"] and writes == [] and again["removed"] == []


def test_absent_with_an_empty_arn_removes_nothing(run):
    # GIVEN an ARN that came out empty WHEN the mapping shall be absent THEN it is not taken for all mappings
    fake = FakeLambda()
    fake.have(KINESIS)
    result, writes = run(fake, state="absent", event_source_arn="")
    assert result["failed"] and writes == []
    assert "event_source_arn is empty" in result["msg"]


def test_absent_of_a_missing_function_is_no_change(run):
    # GIVEN no function WHEN its mappings shall be absent THEN they are
    fake = FakeLambda()
    fake.errors["list"] = [aws_error("ResourceNotFoundException", "Function not found")]
    result, _writes = run(fake, state="absent")
    assert result["changed"] is False


def test_a_mapping_that_went_meanwhile_is_absent(run):
    # GIVEN a mapping that somebody else deletes first WHEN it shall be absent THEN that is no error
    fake = FakeLambda()
    fake.have(KINESIS)
    fake.errors["delete"] = [aws_error("ResourceNotFoundException")]
    fake.get_event_source_mapping = lambda UUID: (_ for _ in ()).throw(aws_error("ResourceNotFoundException"))
    result, _writes = run(fake, state="absent")
    assert result["changed"] and not result.get("failed")
