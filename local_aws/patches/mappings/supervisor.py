# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps one set of lanes for every shard of every stream mapping, as mappings and shards come and go."""

import os
import threading

from ministack.core.concurrency import esm_wake
from ministack.services import lambda_svc

from . import access, lanes, sources

LANES_VARIABLE = "LOCAL_AWS_LANES"
STREAM_SERVICES = ("dynamodb", "kinesis")

_lock = threading.RLock()
_lanes: dict[tuple[str, str], list[lanes.Lane]] = {}


def install() -> None:
    """Take the place of the emulator's two stream pollers; its queue poller stays."""
    lambda_svc._poll_kinesis = _reconcile_quietly
    lambda_svc._poll_dynamodb_streams = lambda: False
    announce = esm_wake.set

    def announce_and_wake() -> None:
        announce()
        lanes.wake_lanes_with_news()

    esm_wake.set = announce_and_wake


def reset() -> None:
    """End all lanes. Their workers end with the emulator's own reset, so nobody waits for a slow function."""
    with _lock:
        ending = [lane for group in _lanes.values() for lane in group]
        _lanes.clear()
    for lane in ending:
        lane.end()
    access.forget()


def reconcile() -> None:
    """Start lanes that are missing, end those whose mapping is gone, wake all whose settings may have changed."""
    with _lock:
        mappings = {
            mapping["UUID"]: mapping
            for _account, _region, mapping in lambda_svc._iter_all_esms()
            if service_of(mapping) in STREAM_SERVICES
        }
        for key in [key for key in _lanes if key[0] not in mappings]:
            for lane in _lanes.pop(key):
                lane.end()
        for mapping in mappings.values():
            _reconcile_mapping(mapping)


def wake(mapping_id: str) -> None:
    with _lock:
        for (owner, _shard), group in _lanes.items():
            if owner == mapping_id:
                for lane in group:
                    lane.wake.set()


def wake_all() -> None:
    """Let every lane look whether it may go on."""
    with _lock:
        for group in _lanes.values():
            for lane in group:
                lane.wake.set()


def service_of(mapping: dict) -> str:
    parts = mapping.get("EventSourceArn", "").split(":")
    return parts[2] if len(parts) > 2 else ""


def _reconcile_quietly() -> bool:
    """Called by the emulator's poll loop, which takes True for "there is more to do at once"."""
    reconcile()
    return False


def _reconcile_mapping(mapping: dict) -> None:
    count = _lane_count(mapping)
    known = any(owner == mapping["UUID"] for owner, _shard in _lanes)
    for shard in sources.shards(mapping["EventSourceArn"]):
        key = (mapping["UUID"], shard.shard_id)
        present = _lanes.get(key, [])
        if len(present) == count:
            continue
        # Another ParallelizationFactor divides the keys anew, from where the slowest lane was.
        reached = [lane.position for lane in present]
        start = min(reached) if reached else _starting_place(mapping, shard, first_seen=not known)
        for lane in present:
            lane.end()
        _lanes[key] = [lanes.Lane(mapping, shard, index, count, start, present) for index in range(count)]
        for lane in _lanes[key]:
            lane.thread.start()


def _starting_place(mapping: dict, shard: sources.Shard, first_seen: bool) -> int:
    if not first_seen:
        return sources.BEGINNING  # a shard that came from a split or merge is read from its first record
    return shard.starting_place(mapping.get("StartingPosition", "LATEST"), mapping.get("StartingPositionTimestamp"))


def _lane_count(mapping: dict) -> int:
    cap = max(1, int(os.environ.get(LANES_VARIABLE) or 2))
    return max(1, min(cap, mapping.get("ParallelizationFactor") or 1))
