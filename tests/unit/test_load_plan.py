# SPDX-License-Identifier: GPL-3.0-or-later
"""The load's plan: every item once, the same choice each time, the pace that was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.load_plan import LoadPlan, backoff, batches, key_of, pause, profile_item

PROFILE = {
    "first_name": "Ann",
    "last_name": "Li",
    "sex": "F",
    "street_address": "1 Main St",
    "city": "X",
    "state": "Y",
    "zipcode": "00001",
    "country": "United States",
}
plans = st.builds(
    LoadPlan,
    run_id=st.text(min_size=1, max_size=5),
    items=st.integers(1, 200),
    processes=st.integers(1, 8),
    share=st.floats(0, 1),
    seed=st.integers(0, 3),
)


@given(plans)
def test_the_choice_has_the_planned_size_and_stays_the_same(plan):
    # GIVEN a plan WHEN its items are asked for twice THEN they are the same, each once, as many as planned
    chosen = [list(plan.indexes(process)) for process in range(plan.processes)]
    assert chosen == [list(plan.indexes(process)) for process in range(plan.processes)]
    assert sum(map(len, chosen)) == plan.changes
    for indexes in chosen:
        assert indexes == sorted(set(indexes))
        assert set(indexes) <= set(range(plan.items))


def test_another_seed_makes_another_choice():
    one, other = (LoadPlan("run", 1000, 1, share=0.5, seed=seed).indexes(0) for seed in (1, 2))
    assert one != other


def test_a_whole_share_takes_every_item():
    assert list(LoadPlan("run", 5, 2).indexes(1)) == [0, 1, 2, 3, 4]
    assert LoadPlan("run", 5, 2).changes == 10


@given(st.integers(1, 64), st.integers(0, 10**6))
def test_the_rate_is_shared_by_the_processes(processes, rate):
    assert LoadPlan("run", 1, processes, rate).rate_of_a_process * processes == pytest.approx(rate)


@pytest.mark.parametrize("kind", ["S", "N", "B"])
def test_keys_are_unique_and_the_same_again(kind):
    # GIVEN a key type WHEN keys of runs, processes and items are made THEN no two are the same, and all come again
    schema = [("PK", kind)]
    wanted = [(run, process, index) for run in ("a", "b", "a-1") for process in (0, 1, 11) for index in (0, 1, 111)]
    keys = [key_of(*parts, schema)["PK"][kind] for parts in wanted]
    assert len(set(keys)) == len(wanted)
    assert keys == [key_of(*parts, schema)["PK"][kind] for parts in wanted]


def test_a_number_key_fits_in_38_digits():
    assert len(key_of("run", 63, 10**9, [("PK", "N")])["PK"]["N"]) <= 38


def test_a_composite_key_is_filled_in_both_parts():
    assert key_of("run", 1, 2, [("id", "S"), ("at", "B")]) == {"id": {"S": "run-1-2"}, "at": {"B": b"run-1-2"}}


def test_a_profile_has_the_documents_attributes():
    # GIVEN a pool of one WHEN an item is drawn THEN it has every attribute of the source documents' profiles
    item = profile_item([PROFILE], LoadPlan("run", 1, 1).random(0, "profiles"))
    assert set(item) == set(PROFILE) | {"email", "govid"}
    assert all(value["S"] for value in item.values())
    assert len(item["govid"]["S"]) == 9


def test_profiles_of_one_pool_differ():
    random = LoadPlan("run", 1, 1).random(0, "profiles")
    assert len({profile_item([PROFILE], random)["govid"]["S"] for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("done", "rate", "elapsed", "seconds"), [(100, 0, 0, 0), (100, 50, 0.5, 1.5), (100, 50, 2, 0), (100, 50, 9, 0)]
)
def test_the_pause_keeps_the_rate(done, rate, elapsed, seconds):
    assert pause(done, rate, elapsed) == seconds


def test_backoff_doubles_to_five_seconds_and_spreads():
    assert [backoff(attempt, 1) for attempt in (0, 1, 2)] == [0.05, 0.1, 0.2]
    assert backoff(1000, 1) == 5
    assert backoff(1000, 0) == 2.5


@given(st.lists(st.integers(), max_size=60), st.integers(1, 25))
def test_batches_hold_everything_in_order(values, size):
    made = list(batches(values, size))
    assert [value for batch in made for value in batch] == values
    assert all(1 <= len(batch) <= size for batch in made)
    assert len(made) == -(-len(values) // size)
