# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure decisions about one invocation of a batch: how far it came, what is too old, how long to wait.

AWS Lambda Developer Guide, "Configuring partial batch response with Kinesis/DynamoDB": the lowest reported
sequence number is the checkpoint; an empty list, a missing list or no response at all mean success; an item
identifier that is empty, missing or not in the batch means that the whole batch failed.
"""

from dataclasses import dataclass

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 3.0


@dataclass(frozen=True)
class Outcome:
    """`done` records from the batch's beginning are settled; the rest failed, if there is a rest."""

    done: int
    function_error: str | None = None
    throttled: bool = False


def judge(result: dict, sequence_numbers: list[str], reports_items: bool) -> Outcome:
    if result.get("throttle"):
        return Outcome(0, throttled=True)
    if result.get("error"):
        return Outcome(0, function_error="Unhandled")
    if not reports_items:
        return Outcome(len(sequence_numbers))
    return Outcome(_checkpoint(result.get("body"), sequence_numbers))


def _checkpoint(response, sequence_numbers: list[str]) -> int:
    if response is None:
        return len(sequence_numbers)
    if not isinstance(response, dict):
        return 0  # no response of the agreed form
    failures = response.get("batchItemFailures")
    if not failures:
        return len(sequence_numbers)
    positions = {number: index for index, number in enumerate(sequence_numbers)}
    reported = [failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures]
    if any(number not in positions for number in reported):
        return 0
    return min(positions[number] for number in reported)


def expired_count(arrivals: list[float], maximum_age: int, now: float) -> int:
    """How many records from the beginning are older than MaximumRecordAgeInSeconds (-1: no limit)."""
    if maximum_age < 0:
        return 0
    young = (index for index, arrival in enumerate(arrivals) if now - arrival <= maximum_age)
    return next(young, len(arrivals))


def pause(failures: int) -> float:
    """Seconds before the next attempt; AWS backs off exponentially but does not publish its figures."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** max(0, min(failures, 10) - 1))
