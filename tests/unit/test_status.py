# SPDX-License-Identifier: GPL-3.0-or-later
"""How both sides stand: each fault is named with its side, its thing and what to do, and what is fine is no fault."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynabridge.backup_layout import iso
from dynabridge.compare_record import item_of, record_from
from dynabridge.status import status
from dynabridge.status_facts import Facts
from dynabridge.status_faults import PARTS, span
from dynabridge.status_screen import WIDTH, screen
from tests.local_pair import REPOSITORY

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC).timestamp()
HOUR, DAY = 3600, 86400
REGIONS = {"cn": "cn-north-1", "sg": "ap-southeast-1"}
PEERS = {"cn": "sg", "sg": "cn"}
SENDER, RECEIVER, CAPTURE = "ddb_send_to_kinesis", "replicator_kinesis", "stream_to_s3"
KEYS = {"cn": "AKIACNCNCNCNCNCNCNCN", "sg": "AKIASGSGSGSGSGSGSGSG"}  # by who holds them
CALM = {"invocations": 10.0, "errors": 0.0, "throttles": 0.0, "age_seconds": 0.4}
FAILED = "PROBLEM: Function call failed"


def ago(seconds):
    return iso(NOW - seconds)


def found(side, **parts):
    """What side_status_info gives of a side where all is well."""
    peer = PEERS[side]
    sources = {SENDER: f"user-{side}", RECEIVER: f"ddb_replication_stream_{side}", CAPTURE: f"user-{side}"}
    well = {
        "mappings": {
            name: [{"source": source, "state": "Enabled", "result": "OK"}] for name, source in sources.items()
        },
        "metrics": {"functions": {name: dict(CALM) for name in sources}, "lag_seconds": 1.2},
        "queues": dict.fromkeys(queues_of(side), 0),
        "quarantine": {"bucket": f"q-{side}", "entries": {}, "gaps": 0, "total": 0, "more": False},
        "counters": {"loaded": 5000, "replicated": 4000},
        "compares": {"user": record(equal=True)},
        "stored_key": KEYS[side],
        "user_keys": {
            "user": f"dynabridge-peer-{peer}",
            "keys": [{"id": KEYS[peer], "active": True, "created": ago(12 * DAY)}],
        },
        "alarms": [],
        "unknown": {},
    }
    return well | parts


def queues_of(side):
    return [f"ddbstream{side}", f"ddbreplicator{side}", f"dynamodbbackup{side}", f"ddbcapture{side}"]


def record(equal, differing=0, hours=3.0, capped=False):
    side = {"table": "user-x", "item_count": 5000}
    result = {"equal": equal, "differing": differing, "capped": capped, "left": side, "right": side}
    return record_from(item_of("user", result, [], NOW - hours * HOUR))


def backups(*problems, hours=12.0):
    last = {"moment": ago(hours * HOUR), "age_hours": hours}
    told = [{"kind": "stale", "text": text} for text in problems]
    return {"tables": [{"table": "user-cn", "last": last, "max_age_hours": 26.0, "problems": told}]}


def watermark(behind=60.0, holes=()):
    return {"until": ago(behind), "holes": list(holes)}


def facts(side, **fields):
    known = {
        "side": side,
        "peer": PEERS[side],
        "region": REGIONS[side],
        "account": "100000000001",
        "functions": [
            {"part": "sender", "name": SENDER, "sources": [f"user-{side}"]},
            {"part": "receiver", "name": RECEIVER, "sources": [f"ddb_replication_stream_{side}"]},
            {"part": "capture", "name": CAPTURE, "sources": [f"user-{side}"]},
        ],
        "queues": [
            {"part": part, "name": name}
            for part, name in zip(("sender", "receiver", "backup", "capture"), queues_of(side), strict=True)
        ],
        "found": found(side),
        "backups": backups(),
        "watermarks": {f"user-{side}": watermark()},
        "drills": [],
        "age_limit_seconds": 600,
    }
    return Facts(**(known | fields))


def with_mapping(side, function, **fields):
    parts = found(side)
    parts["mappings"][function][0] |= fields
    return parts


def faults(*sides):
    document = status(sides, NOW)
    json.dumps(document)
    assert all(len(line) <= WIDTH for line in screen(document)), screen(document)
    assert document["ok"] == (not document["faults"])
    return [fault["text"] for fault in document["faults"]]


def of_cn(peer=None, **fields):
    """The faults where cn is so, and sg well."""
    return faults(facts("cn", **fields), peer or facts("sg"))


def the_one(texts):
    (text,) = texts
    return text


class TestWhatIsFine:
    def test_both_sides(self):
        """GIVEN two sides where all is well THEN no fault, and the screen shows each thing that a person asks for."""
        document = status([facts("cn"), facts("sg")], NOW)
        assert document["ok"] and document["faults"] == []
        shown = "\n".join(screen(document))
        for words in (
            "side cn: cn-north-1, account 100000000001: ok",
            f"sender {SENDER}: user-cn Enabled (OK); 10 calls, 0 errors, 0 s behind in 15 m",
            "ddbstreamcn 0, ddbreplicatorcn 0",
            "quarantine empty",
            "5,000 loaded, 4,000 arrived",
            f"{KEYS['cn']} of dynabridge-peer-cn: active, 12 d old",
            "user-cn: last verified full 2026-11-22T02:00:00Z, 12 h ago, may be 26 h: ok",
            "user-cn: up to 2026-11-22T13:59:00Z, 60 s ago, may be 15 m",
            "drills     none so far",
            "alarms     none rings",
            "compared   user: equal, 2026-11-22T11:00:00Z, 3 h ago (5,000 items in user-x, 5,000 items in user-x)",
            "2026-11-22T14:00:00Z: no fault",
        ):
            assert words in shown, words

    def test_a_result_that_is_over(self):
        """GIVEN a mapping that says that a batch failed, and nothing handed over for long THEN it was given up, and is over."""
        parts = with_mapping("cn", RECEIVER, result=FAILED)
        parts["metrics"]["functions"][RECEIVER] |= {"age_seconds": None}
        assert of_cn(found=parts) == []

    @pytest.mark.parametrize("state", ["Enabled", "Enabling", "Creating", "Updating"])
    def test_a_mapping_that_works_or_soon_will(self, state):
        assert of_cn(found=with_mapping("cn", SENDER, state=state, result="No records processed")) == []

    def test_the_captures_queue_empties_itself(self):
        assert of_cn(found=found("cn", queues=dict.fromkeys(queues_of("cn"), 0) | {"ddbcapturecn": 2})) == []

    def test_a_hole_before_the_last_full_backup(self):
        hole = {"start": ago(20 * HOUR), "end": ago(19 * HOUR), "why": "x"}
        assert of_cn(watermarks={"user-cn": watermark(holes=[hole])}) == []

    def test_tables_that_were_never_compared(self):
        sides = [facts(side, found=found(side, compares={"user": None})) for side in PEERS]
        assert faults(*sides) == []
        assert "  compared   user: never" in screen(status(sides, NOW))

    def test_a_side_without_backups(self):
        functions = facts("cn").functions[:2]
        side = facts("cn", backups=None, watermarks=None, drills=None, functions=functions)
        assert faults(side, facts("sg")) == []

    def test_an_alarm_that_rings_is_shown(self):
        sides = [facts("cn", found=found("cn", alarms=[{"name": "dynabridge-cn-Late", "since": ago(60)}])), facts("sg")]
        assert faults(*sides) == []
        assert "RINGING: dynabridge-cn-Late since 2026-11-22T13:59:00Z" in "\n".join(screen(status(sides, NOW)))

    def test_a_side_by_itself(self):
        """GIVEN one side only THEN its key is shown without a verdict: the peer was not asked."""
        assert faults(facts("cn")) == []
        assert f"{KEYS['cn']}: the peer was not asked" in "\n".join(screen(status([facts("cn")], NOW)))


class TestFaultsOfReplication:
    def test_sender_disabled(self):
        text = the_one(of_cn(found=with_mapping("cn", SENDER, state="Disabled")))
        assert text.startswith(
            f"cn: sender {SENDER}: its mapping of user-cn is Disabled, so nothing of it is handed over"
        )
        assert text.endswith("deploy.yml --tags sender; docs/runbooks/alarms/replication.md")

    def test_no_mapping(self):
        parts = found("cn")
        parts["mappings"][RECEIVER] = []
        text = the_one(of_cn(found=parts))
        assert f"receiver {RECEIVER}: no mapping reads ddb_replication_stream_cn" in text and "--tags receiver" in text

    def test_receiver_failing(self):
        parts = with_mapping("cn", RECEIVER, result=FAILED)
        parts["metrics"]["functions"][RECEIVER]["errors"] = 12.0
        text = the_one(of_cn(found=parts))
        assert f"cn: receiver {RECEIVER}: it fails: its mapping of ddb_replication_stream_cn says '{FAILED}'" in text
        assert "12 errors in 15 minutes" in text and f"the log /aws/lambda/{RECEIVER} says why" in text

    def test_failing_while_no_metrics_can_be_read(self):
        parts = with_mapping("cn", RECEIVER, result=FAILED) | {"metrics": None, "unknown": {"metrics": "AccessDenied."}}
        texts = of_cn(found=parts)
        assert "cn: its metrics: nobody can tell: AccessDenied. What to do: give the profile the right" in texts[0]
        assert "it fails" in texts[1] and len(texts) == 2

    def test_behind(self):
        parts = found("cn")
        parts["metrics"]["functions"][SENDER]["age_seconds"] = 1200.0
        assert "it is behind: what it reads is 20 m old, and may be 10 m" in the_one(of_cn(found=parts))
        assert of_cn(found=parts, age_limit_seconds=0) == []

    @pytest.mark.parametrize(
        ("queue", "what", "do"),
        [
            ("ddbstreamcn", "what the sender was given and gave up", "replay.yml"),
            ("ddbreplicatorcn", "what the receiver was given and gave up", "replay.yml"),
            (
                "dynamodbbackupcn",
                "what the backup was given and gave up",
                "docs/runbooks/alarms/backups.md#backup_queue",
            ),
        ],
    )
    def test_queue_not_empty(self, queue, what, do):
        text = the_one(of_cn(found=found("cn", queues=dict.fromkeys(queues_of("cn"), 0) | {queue: 1})))
        assert text.startswith(f"cn: queue {queue}: it is not empty: 1 message tell") and what in text and do in text

    def test_quarantine_not_empty(self):
        kept = {"bucket": "q-cn", "entries": {RECEIVER: 3, SENDER: 1}, "gaps": 2, "total": 6, "more": False}
        text = the_one(of_cn(found=found("cn", quarantine=kept)))
        assert f"cn: quarantine q-cn: it is not empty: 1 of {SENDER}, 3 of {RECEIVER}, 2 gaps could not be sent" in text
        assert "replay.yml" in text
        more = {"bucket": "q-cn", "entries": {SENDER: 10_000}, "gaps": 0, "total": 10_000, "more": True}
        assert f"at least 10,000 of {SENDER} could not" in the_one(of_cn(found=found("cn", quarantine=more)))

    def test_tables_diverged(self):
        """GIVEN a comparison that only one side keeps, newer than the other's THEN it counts."""
        peer = facts("sg", found=found("sg", compares={"user": record(equal=False, differing=7, hours=1)}))
        text = the_one(of_cn(peer))
        assert text.startswith(
            "both: table user: both sides differed in 7 keys when they were last compared, 2026-11-22T13"
        )
        assert "compare.yml -e table=user" in text and "resync.yml" in text
        mended = facts("sg", found=found("sg", compares={"user": record(equal=True, hours=0.5)}))
        assert of_cn(mended, found=found("cn", compares={"user": record(equal=False, differing=7, hours=1)})) == []


class TestFaultsOfKeys:
    def owner(self, *keys):
        return facts("sg", found=found("sg", user_keys={"user": "dynabridge-peer-cn", "keys": list(keys)}))

    def test_revoked(self):
        text = the_one(of_cn(self.owner({"id": KEYS["cn"], "active": False, "created": ago(DAY)})))
        assert text.startswith(f"cn: key pair for sg: sg refuses it: {KEYS['cn']} of dynabridge-peer-cn is inactive")
        assert "rotate_credentials.yml -e holder=cn" in text

    def test_deleted(self):
        text = the_one(of_cn(self.owner({"id": "AKIAOTHER", "active": True, "created": ago(DAY)})))
        assert "is no key of the user any more" in text and "rotate_credentials.yml" in text

    def test_not_stored(self):
        assert "cn: key pair for sg: it is not stored" in the_one(of_cn(found=found("cn", stored_key="")))


class TestFaultsOfRecovery:
    def test_backup_stale(self):
        text = the_one(of_cn(backups=backups("the last verified full backup shows x, 30 h ago; it may be 26 h old")))
        assert text.startswith("cn: backups of user-cn: the last verified full backup shows x, 30 h ago")
        assert "docs/playbooks/backup_status.md#when-a-table-is-not-ok" in text

    def test_capture_lagging(self):
        text = the_one(of_cn(watermarks={"user-cn": watermark(behind=HOUR)}))
        assert (
            "cn: captured changes of user-cn: they lag: all are known up to 2026-11-22T13:00:00Z, 1 h ago; it may"
            in text
        )
        assert "docs/runbooks/alarms/capture.md#capture_age" in text

    def test_no_watermark(self):
        assert "there is no watermark" in the_one(of_cn(watermarks={"user-cn": None}))

    def test_a_hole_that_no_backup_makes_good(self):
        hole = {"start": ago(2 * HOUR), "end": ago(HOUR), "why": "a batch was given up"}
        text = the_one(of_cn(watermarks={"user-cn": watermark(holes=[hole])}))
        assert (
            "they lack some from 2026-11-22T12:00:00Z to 2026-11-22T13:00:00Z" in text
            and "backup.yml -e type=full" in text
        )

    def test_a_drill_that_failed(self):
        drill = {"table": "user-cn", "began": ago(DAY), "ok": False, "problems": ["it was not restored: no"]}
        times = {"rto_seconds": None, "rpo_seconds": None}
        text = the_one(of_cn(drills=[drill | times]))
        assert "cn: drill of user-cn: the last one, of 2026-11-21T14:00:00Z, failed: it was not restored: no" in text
        assert of_cn(drills=[drill | {"ok": True, "problems": [], "rto_seconds": 29.7, "rpo_seconds": 0.0}]) == []

    @pytest.mark.parametrize("part", ["backups", "captured", "drills"])
    def test_what_cannot_be_read(self, part):
        nothing = {"backups": None} if part == "backups" else {}
        text = the_one(of_cn(failed={part: "bucket b is not there"}, **nothing))
        assert PARTS[part] in text and "bucket b is not there. What to do" in text


class TestASideThatIsGone:
    def test_the_other_one_is_shown(self):
        """GIVEN a side whose account nobody can reach THEN that is one fault, and the other side is shown."""
        sides = facts("cn", found={}, backups=None, unreachable="AWS did not accept the profile 'cn'."), facts("sg")
        text = the_one(faults(*sides))
        assert text.startswith(
            "cn: region cn-north-1: it cannot be looked at: AWS did not accept the profile 'cn'. What to do"
        )
        assert "docs/runbooks/region_gone.md" in text
        shown = screen(status(sides, NOW))
        assert shown[:2] == [
            "side cn: cn-north-1, account 100000000001: NOT OK",
            "side sg: ap-southeast-1, account 100000000001: ok",
        ]

    def test_nothing_that_was_asked_was_answered(self):
        """GIVEN a region that answers nothing, its backups neither THEN one fault, and not one for each part."""
        silent = dict.fromkeys(found("cn")) | {"unknown": dict.fromkeys(found("cn"), "Could not connect")}
        text = the_one(of_cn(found=silent, backups=None, watermarks=None, failed={"backups": "Could not connect"}))
        assert "it cannot be looked at: Could not connect" in text

    def test_backups_are_shown_while_the_region_is_gone(self):
        names = [name for name in found("cn") if name != "unknown"]
        silent = dict.fromkeys(names) | {"unknown": dict.fromkeys(names, "Could not connect")}
        side = facts("cn", found=silent)
        assert len(faults(side, facts("sg"))) == len(names)
        assert "  backups    user-cn: last verified full 2026-11-22T02:00:00Z" in "\n".join(screen(status([side], NOW)))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([name for name in found("cn") if name != "unknown"]), st.text(min_size=1)))
def test_whatever_is_not_known_is_a_fault_and_hides_nothing_else(unknown):
    """GIVEN any parts that could not be asked THEN each is a fault, all of them or one, and everything else is well."""
    parts = found("cn") | dict.fromkeys(unknown) | {"unknown": unknown}
    document = status([facts("cn", found=parts), facts("sg")], NOW)
    assert len(document["faults"]) == len(unknown)
    screen(document)


@pytest.mark.parametrize(
    "item",
    [None, {}, {"result": {"S": "no JSON"}}, {"result": {"S": "{}"}}, {"result": {"S": '{"version": 2, "at": "x"}'}}],
)
def test_what_is_no_record_counts_as_never_compared(item):
    assert record_from(item) is None


def failing_and_behind():
    parts = found("cn")
    for name, (mapping,) in parts["mappings"].items():
        mapping["result"] = FAILED
        parts["metrics"]["functions"][name]["age_seconds"] = DAY
    parts["quarantine"] |= {"entries": {SENDER: 1}, "total": 1}
    return parts


def test_pages_that_faults_name_are_there():
    """GIVEN the sentences THEN the pages that they name are there, and so are the headings."""
    texts = [
        *of_cn(found=found("cn", queues=dict.fromkeys(queues_of("cn"), 1), stored_key="x"), backups=backups("old")),
        *of_cn(watermarks={"user-cn": watermark(HOUR, [{"start": ago(9), "end": ago(8), "why": "x"}])}, unreachable=""),
        *of_cn(unreachable="x"),
        *of_cn(found=failing_and_behind()),
        *of_cn(
            drills=[{"table": "t", "began": ago(1), "ok": False, "problems": [], "rto_seconds": 1, "rpo_seconds": 1}]
        ),
    ]
    named = {word for text in texts for word in text.replace(";", " ").split() if word.startswith("docs/")}
    assert len(named) >= 14
    for name in named:
        page, _, anchor = name.partition("#")
        headings = (REPOSITORY / page).read_text(encoding="utf-8").lower().replace(" ", "-").splitlines()
        assert not anchor or any(line.endswith(f"#-{anchor}") for line in headings), name


def test_spans():
    assert [span(seconds) for seconds in (-1, 45, 119, 7200, 10**6)] == ["0 s", "45 s", "2 m", "2 h", "12 d"]
