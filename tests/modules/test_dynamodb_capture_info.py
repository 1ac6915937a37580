# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb_capture_info tells up to when everything is captured, and waits for it."""

import json
from types import SimpleNamespace

import pytest
from ansible.modules import dynamodb_capture_info

from dynabridge.backup_layout import iso
from tests.export_files import BUCKET, MOMENT, TABLE
from tests.modules.aws_fakes import fake_client
from tests.restore_world import World


class FakeLambda:
    """Each time that it is asked the watermark goes on by ten seconds."""

    def __init__(self, world):
        self.world, self.until, self.asked = world, 0, []

    def invoke(self, FunctionName, Payload):
        self.asked.append((FunctionName, json.loads(Payload)))
        self.until += 10
        self.world.watermark(0, self.until)
        return {"StatusCode": 200}


@pytest.fixture
def world(monkeypatch):
    clock = SimpleNamespace(now=0.0)

    def sleep(seconds):
        clock.now += seconds

    monkeypatch.setattr(dynamodb_capture_info, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    world = World()
    world.function = FakeLambda(world)
    return world


@pytest.fixture
def look(run_module, world):
    def run(**params):
        clients = {"s3": fake_client("s3", world.s3), "lambda": fake_client("lambda", world.function)}
        return run_module(dynamodb_capture_info, clients, **({"tables": [TABLE], "bucket": BUCKET} | params))

    return run


def test_watermarks_are_told(look, world):
    world.watermark(0, 60)
    result = look(tables=[TABLE, "other"])
    assert result["watermarks"][TABLE]["until"] == iso(MOMENT + 60)[:19] + "Z" and result["watermarks"]["other"] is None
    assert not result["reached"] and not result["changed"] and "failed" not in result


def test_it_waits_until_everything_is_captured(look, world):
    """GIVEN a capture that is behind WHEN a moment is waited for THEN the function is asked until it is reached."""
    result = look(until=iso(MOMENT + 25), function="stream_to_s3")
    assert result["reached"] and world.function.asked == [("stream_to_s3", {"action": "tend"})] * 3


def test_it_does_not_wait_for_ever_and_says_who_is_behind(look, world):
    world.watermark(0, 60)
    result = look(until=iso(MOMENT + 61), wait_timeout=100, tables=[TABLE, "other"])
    assert result["failed"] and f"{TABLE} up to " in result["msg"] and "other not at all" in result["msg"]
    assert world.function.asked == []


def test_check_mode_looks_once(look, world):
    assert look(until=iso(MOMENT + 1), function="stream_to_s3", check=True)["reached"] is False
    assert world.function.asked == []


@pytest.mark.parametrize(
    ("params", "words"),
    [({"until": "yesterday"}, "until is 'yesterday'"), ({"poll": 0}, "poll is 0"), ({"wait_timeout": 0}, "at least 1")],
)
def test_what_makes_no_sense_is_refused(look, params, words):
    assert words in look(**params)["msg"]


def test_what_is_no_watermark_is_named(look, world):
    world.s3.objects[f"changes/{TABLE}/watermark.json"] = b"{}"
    assert f"changes/{TABLE}/watermark.json is no watermark" in look()["msg"]
