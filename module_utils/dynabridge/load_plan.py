# SPDX-License-Identifier: MIT
"""What a load test does, decided before it begins: which items, under which keys, at which pace.

A run is known by its id. The same id, processes and items give the same keys again, so a later run updates or deletes what
an earlier one put.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any

PUT, UPDATE, DELETE = "put", "update", "delete"
KeySchema = Sequence[tuple[str, str]]
"""Name and type (S, N or B) of the hash key and, where there is one, of the range key."""
Profile = Mapping[str, str]
PERSON = ("first_name", "last_name", "sex")
ADDRESS = ("street_address", "city", "state", "zipcode", "country")


@dataclass(frozen=True)
class LoadPlan:
    """run_id: first part of every key. items: for each process. rate: items a second over all processes, 0 = no limit.
    share: of the items an update or delete takes, 0..1. seed: another seed, another choice and other profiles."""

    run_id: str
    items: int
    processes: int
    rate: float = 0
    share: float = 1.0
    seed: int = 0

    @property
    def changes_of_a_process(self) -> int:
        return round(self.items * self.share)

    @property
    def changes(self) -> int:
        return self.changes_of_a_process * self.processes

    @property
    def rate_of_a_process(self) -> float:
        return self.rate / self.processes

    def indexes(self, process: int) -> Sequence[int]:
        """The items this process changes: all of them, or a choice that is the same each time it is asked for."""
        if self.changes_of_a_process == self.items:
            return range(self.items)
        choice = self.random(process, "choice")
        return sorted(choice.sample(range(self.items), self.changes_of_a_process))

    def random(self, process: int, purpose: str) -> Random:
        # A string seeds Random the same way in every process; hash() would not (PYTHONHASHSEED).
        return Random(f"{self.run_id}/{process}/{self.seed}/{purpose}")


def key_of(run_id: str, process: int, index: int, schema: KeySchema) -> dict[str, dict[str, Any]]:
    """The key ``<run_id>-<process>-<index>`` in the table's own key attributes and types.

    As a number: 17 digits from the run's id, 5 for the process, 12 for the index: within DynamoDB's 38.
    """
    text = f"{run_id}-{process}-{index}"
    run = int.from_bytes(blake2b(run_id.encode(), digest_size=7).digest(), "big")
    forms = {"S": text, "N": str((run * 10**5 + process) * 10**12 + index), "B": text.encode()}
    return {name: {kind: forms[kind]} for name, kind in schema}


def profile_item(profiles: Sequence[Profile], random: Random) -> dict[str, dict[str, Any]]:
    """A user profile: a person of the pool, the address of another, and numbers of its own."""
    person, home = random.choice(profiles), random.choice(profiles)
    number = random.randrange(10**9)
    values = {name: person[name] for name in PERSON} | {name: home[name] for name in ADDRESS}
    values["email"] = f"{person['first_name']}.{person['last_name']}.{number}@example.org".lower()
    values["govid"] = f"{number:09d}"
    return {name: {"S": value} for name, value in values.items()}


def pause(done: int, rate: float, elapsed: float) -> float:
    """Seconds to wait before the next batch, so that ``done`` items do not exceed the rate."""
    return max(0.0, done / rate - elapsed) if rate else 0.0


def backoff(attempt: int, chance: float) -> float:
    """Seconds before the next attempt (0, 1, ...): doubling from 50 ms to 5 s; ``chance`` (0..1) spreads the processes."""
    return min(5.0, 0.05 * 2 ** min(attempt, 10)) * (0.5 + chance / 2)


def batches(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of at most ``size`` values."""
    batch: list[Any] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
