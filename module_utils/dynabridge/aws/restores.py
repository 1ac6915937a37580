# SPDX-License-Identifier: MIT
"""A table restored from a verified backup or a merged set: retrieved, imported or loaded, counted, and set as it was.

Each step looks first at what has been done, by the state that is written to the bucket before and after it, and by AWS
itself. So whatever interrupts it, running again goes on. A table that is not this restore's own is never touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from ..errors import RestoreError
from ..restore_layout import folder_of, run_of
from ..restore_plan import Plan
from ..restore_state import IMPORT, WRITE, State, identity_of, state_from, state_name
from ..restored_schema import SETTINGS, check_key, encryption_of, to_create, to_import, wanted_schema
from ..table_schema import has_local_indexes
from . import retrieval
from .change_sources import Sources
from .data_sets import BASE, MERGED_SET, DataSet, base_set, check_verified, merged_set, with_files
from .imports import COMPLETED, Imports, Job
from .line_load import LineLoad
from .objects import Objects
from .ownership import is_own
from .reapply import Reapply

AUTO = "auto"
MOST_OBJECTS = 50_000  # of one import
RETRIEVE, FILL, SETTLE = "retrieve", "fill", "settle"
STORE_EVERY = 10.0  # seconds
GONE_AFTER = 300.0


@dataclass(frozen=True)
class Wish:
    """What is wanted. ``fill``: auto, import or write; ``kms_key``: '' = as saved, as far as that is possible here.
    ``settings``: what to set again; ``timeout``: seconds for all waiting together."""

    table: str
    source: str = MERGED_SET
    fill: str = AUTO
    kms_key: str = ""
    on_demand: bool = False
    settings: tuple[str, ...] = SETTINGS
    tier: str = retrieval.STANDARD
    days: int = 3
    wait: bool = True
    timeout: float = 14400
    poll: float = 15
    remove_failed: bool = False
    bucket_owner: str = ""


@dataclass
class Outcome:
    """``resumable``: AWS is at work, and running again goes on. ``left_out``: sentences on what the table lacks."""

    state: State
    changed: bool = False
    resumable: bool = False
    text: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class NotDone(Exception):
    """AWS is at work; the sentence says on what."""


class Restore:
    """One table. ``clients``: gives the boto3 client of a service in the target's region ``region``."""

    def __init__(
        self,
        objects: Objects,
        clients: Callable[[str], Any],
        region: str,
        plan: Plan,
        wish: Wish,
        tell: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects, self._clients, self._region = objects, clients, region
        self._plan, self._wish, self._tell, self._pause, self._clock = plan, wish, tell, pause, clock
        self._run = run_of(wish.table, plan.id)
        self.folder = folder_of(self._run)
        self._imports = Imports(clients("dynamodb"))
        self._until = clock() + wish.timeout
        self._changed = False
        self._sources = Sources(objects, plan, tell)
        self.state = State(self._run, region)

    def run(self) -> Outcome:
        """Restore, or go on restoring. Raises RestoreError and other DynabridgeErrors: a sentence on what is wrong."""
        data = self._prepared()
        done: list[str] = []
        try:
            with self._phase(RETRIEVE):
                data = self._retrieved(data)
            with self._phase(FILL):
                self._fill(data)
            with self._phase(SETTLE):
                lacking = self._settle()
        except NotDone as waiting:
            return Outcome(self.state, self._changed, True, [*done, f"{waiting}; run again to go on"])
        seconds = ", ".join(f"{name} {taken:.0f} s" for name, taken in self.state.phases.items())
        done = [f"table {self._wish.table} in {self._region} has its {self.state.items:,} items ({seconds})"]
        return Outcome(self.state, self._changed, False, done, lacking)

    def would(self) -> Outcome:
        """What ``run`` would do; it changes nothing."""
        data = self._prepared()
        table = self._imports.table(self._wish.table)
        text = []
        cold = retrieval.archived(data.listed)
        if cold and not self.state.filled:
            text.append(
                f"would look at {len(cold):,} objects that may be archived, and retrieve them ({self._wish.tier})"
            )
        if table is None or not self.state.filled:
            how = "import" if self._way() == IMPORT else "create and write"
            text.append(f"would {how} table {self._wish.table} in {self._region} with {data.items:,} items")
            text.append(f"would set again: {', '.join(self._wish.settings).replace('_', ' ')}")
        else:
            names = self._reapply(table)[0].would_set(self._wish.settings)
            text += [f"would set again: {', '.join(names).replace('_', ' ')}"] if names else []
        return Outcome(self.state, bool(text), False, text or [f"table {self._wish.table} is restored already"])

    # -- what has to be so before anything changes -----------------------------------------------

    def _prepared(self) -> DataSet:
        wish = self._wish
        check_key(wish.kms_key, self._region)
        retrieval.check_tier(wish.tier, wish.days)
        check_verified(self._objects, self._plan)
        schema = self._sources.schema()
        if wish.fill == IMPORT and has_local_indexes(schema):
            raise RestoreError(
                f"table {self._plan.table} has local indexes, which an import cannot make: take fill auto or write"
            )
        if wish.source == MERGED_SET:
            data = merged_set(self._objects, self._plan, self.folder)
        else:
            data = base_set(self._objects, self._plan)
        self.state = state_from(self._objects.get_json(self._state_key), self._run, self._region)
        self._check_target()
        if self._way() == IMPORT and len(data.listed) > MOST_OBJECTS:
            raise RestoreError(
                f"an import takes {MOST_OBJECTS:,} objects, there are {len(data.listed):,}: take fill write"
            )
        return data

    def _check_target(self) -> None:
        """Raises RestoreError where a table of that name is not this restore's own."""
        table = self._imports.table(self._wish.table)
        if table is None or is_own(self.state, table, self._imports):
            return
        raise RestoreError(
            f"table {self._wish.table} exists in {self._region} and is not of this restore ({self._run}): it is left alone. "
            "Choose another target_table, or remove it first. Nothing was changed"
        )

    def _way(self) -> str:
        """How the items get into the table; decided once for an attempt."""
        if self._wish.fill != AUTO:
            return self._wish.fill
        return WRITE if has_local_indexes(self._sources.schema()) else IMPORT

    # -- retrieval -------------------------------------------------------------------------------

    def _retrieved(self, data: DataSet) -> DataSet:
        """All objects can be read, and the manifest has been."""
        if self.state.filled:
            return data
        cold = retrieval.archived(data.listed)
        if self._wish.source == BASE:
            cold = retrieval.archived(self._objects.list(self._plan.base.folder))
        found = retrieval.retrieve(self._objects, cold, self._wish.tier, self._wish.days)
        if found.asked:
            self._changed = True
            self._tell(f"{self._wish.table}: {found.text(self._wish.tier)}")
        if found.pending and self._wish.wait:
            found = retrieval.wait(
                self._objects,
                found,
                self._wish.tier,
                self._until,
                self._wish.poll,
                self._tell,
                self._pause,
                self._clock,
            )
        if found.pending:
            raise NotDone(found.text(self._wish.tier))
        return data if data.files else with_files(self._objects, self._plan, data)

    # -- filling ---------------------------------------------------------------------------------

    def _fill(self, data: DataSet) -> None:
        table = self._imports.table(self._wish.table)
        if table is not None and self.state.filled:
            return
        if table is None and self.state.filled:
            self._tell(f"{self._wish.table}: it was restored, and is gone; restoring it again")
            self.state.filled = self.state.settled = False
            self.state.token = ""
            self._store()
            data = self._retrieved(data)
        way = self._way() if table is None else self.state.way
        if way == IMPORT:
            self._import(data, table)
        else:
            self._write(data, table)
        self.state.filled, self.state.items = True, data.items
        self._store()

    def _import(self, data: DataSet, table: Mapping[str, Any] | None) -> None:
        job = self._known_job(table)
        if job is not None and not job.is_running and table is not None and self._problem(job, data):
            # Left by an earlier run. Whoever looks at it has had the chance.
            self._give_up(job, data)
            job, table = None, None
        if job is None or (not job.is_running and table is None):
            job = self._start_import(data)
        job = self._ended(job, data)
        if self._problem(job, data):
            self._give_up(job, data, final=True)

    def _known_job(self, table: Mapping[str, Any] | None) -> Job | None:
        if self.state.way != IMPORT or not self.state.token:
            return None
        if self.state.import_arn:
            return self._imports.describe(self.state.import_arn)
        # The call's answer was lost; while the table is there, its imports tell.
        return self._imports.find(table["TableArn"], self.state.token) if table else None

    def _start_import(self, data: DataSet) -> Job:
        schema, wish = self._sources.schema(), self._wish
        parameters = to_import(schema, wish.table, self._encryption()[0], wish.on_demand)
        resumed = self.state.way == IMPORT and self.state.token and not self.state.import_arn
        if not resumed:
            self.state.begin_again(str(uuid4()), IMPORT)
            self._store()
        for attempt in range(2):
            job = self._imports.start(
                parameters, self._objects.bucket, data.prefix, self.state.token, self._wish.bucket_owner
            )
            if job.is_running or attempt or self._imports.table(wish.table) is not None:
                break
            # An old job under this token, whose table is gone: AWS would answer with it for eight hours.
            self.state.begin_again(str(uuid4()), IMPORT)
            self._store()
        self._changed = True
        self.state.import_arn, self.state.table_arn, self.state.table_id = job.arn, job.table_arn, job.table_id
        self._store()
        self._tell(f"{wish.table}: import of {data.items:,} items begun ({job.arn})")
        return job

    def _ended(self, job: Job, data: DataSet) -> Job:
        begun = self._clock()
        what = f"DynamoDB imports {data.items:,} items ({data.stored_bytes:,} bytes) into {self._wish.table}"
        while job.is_running:
            if not self._wish.wait or self._clock() + self._wish.poll > self._until:
                raise NotDone(what)
            self._tell(f"{what} since {self._clock() - begun:.0f} s")
            self._pause(self._wish.poll)
            seen = self._imports.describe(job.arn)
            if seen is None:
                raise RestoreError(f"table {self._wish.table}: DynamoDB does not know its import {job.arn} any more")
            job = seen
        # Told once the import knows its table.
        self.state.table_arn, self.state.table_id = job.table_arn, job.table_id or self.state.table_id
        return job

    @staticmethod
    def _problem(job: Job, data: DataSet) -> str:
        """Why an ended import is no restored table; ''. COMPLETED alone says little: an empty prefix ends so, too."""
        if job.status != COMPLETED:
            return f"its import ended {job.status}{f' ({job.reason})' if job.reason else ''}"
        if job.errors:
            return f"its import met {job.errors:,} errors"
        if job.items != data.items:
            return f"its import wrote {job.items:,} items, the manifest says {data.items:,}"
        return ""

    def _give_up(self, job: Job, data: DataSet, final: bool = False) -> None:
        """The half-made table is removed where that is wanted; otherwise, and at last, the restore fails and names it."""
        name, stands = self._wish.table, self._imports.table(self._wish.table) is not None
        if stands and self._wish.remove_failed:
            self._imports.remove(name)
            self._changed = True
            self._wait_until_gone(name)
            stands = False
        if stands:
            left = (
                f"The half-made table {name} in {self._region} is left as it is: run with remove_failed, or remove it"
            )
        else:
            left = "No table is left; run again for a new attempt"
        log = f" What could not be read stands in the log group {job.log_group}." if job.log_group else ""
        if stands or final:
            raise RestoreError(f"table {name} is not restored: {self._problem(job, data)}.{log} {left}")

    def _wait_until_gone(self, name: str) -> None:
        until = self._clock() + GONE_AFTER
        while self._imports.table(name) is not None:
            if self._clock() > until:
                raise RestoreError(f"table {name} is being deleted for {GONE_AFTER:.0f} s: run again when it is gone")
            self._pause(2)

    def _write(self, data: DataSet, table: Mapping[str, Any] | None) -> None:
        """For tables that an import cannot make: created on demand, loaded, and given their capacity afterwards."""
        state = self.state
        if table is None:
            state.begin_again(str(uuid4()), WRITE)
            self._store()
            table = self._imports.create(
                to_create(self._sources.schema(), self._wish.table, self._encryption()[0], state.token)
            )
            self._changed = True
            self._tell(f"{self._wish.table}: created; writing {data.items:,} items")
        state.table_arn, state.table_id = table["TableArn"], table.get("TableId", "")
        files = identity_of(data.files)
        if state.files != files:
            state.files, state.loaded = files, []
        self._store()
        self._reapply(table)[0].wait_until_active()
        self._load(data)

    def _load(self, data: DataSet) -> None:
        state, done = self.state, set(self.state.loaded)
        written = sum(file.items for number, file in enumerate(data.files) if number in done)
        stored_at = self._clock()

        def note(number: int, count: int) -> None:
            nonlocal written, stored_at
            done.add(number)
            written += count
            self._changed = True
            if self._clock() - stored_at > STORE_EVERY:
                state.loaded, stored_at = sorted(done), self._clock()
                self._store()
                self._tell(f"{self._wish.table}: {written:,} of {data.items:,} items written")

        load = LineLoad(self._clients("dynamodb"), self._objects, self._wish.table, self._sources.key_names(), note)
        try:
            load.load((number, file) for number, file in enumerate(data.files) if number not in done)
        finally:
            state.loaded = sorted(done)
            self._store()
        if written != data.items:
            raise RestoreError(f"table {self._wish.table}: {written:,} items were written, there are {data.items:,}")

    # -- what an import leaves out ---------------------------------------------------------------

    def _settle(self) -> list[str]:
        table = self._imports.table(self._wish.table)
        if table is None:
            raise RestoreError(f"table {self._wish.table} vanished while it was restored: run again")
        reapply, lacking = self._reapply(table)
        reapply.wait_until_active()
        changed, sentences = reapply.run(self._wish.settings)
        self._changed = self._changed or changed
        self.state.settled, self.state.left_out = True, lacking + sentences
        return self.state.left_out

    def _reapply(self, table: Mapping[str, Any]) -> tuple[Reapply, list[str]]:
        encryption, sentence = self._encryption()
        wanted, lacking = wanted_schema(self._sources.schema(), table["TableArn"], encryption, self._wish.on_demand)
        reapply = Reapply(self._clients, wanted, self._tell, self._pause, self._clock)
        return reapply, ([sentence] if sentence else []) + _meant(lacking, self._wish.settings)

    def _encryption(self) -> tuple[dict[str, Any] | None, str]:
        return encryption_of(self._sources.schema(), self._region, self._wish.kms_key)

    # -- the state -------------------------------------------------------------------------------

    @property
    def _state_key(self) -> str:
        return self.folder + state_name(self._region)

    def _store(self) -> None:
        self._objects.put_json(self._state_key, self.state.as_dict())

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        """Its seconds are added up over all runs, and the state is stored when it ends, however it does."""
        begun, before = self._clock(), self.state.as_dict()
        try:
            yield
        finally:
            if self.state.as_dict() != before or self._changed:
                taken = self.state.phases.get(name, 0.0) + self._clock() - begun
                self.state.phases[name] = round(taken, 3)
                self._store()


def _meant(sentences: list[str], settings: Collection[str]) -> list[str]:
    """Without those on settings that nobody asked for."""
    words = {"autoscaling": ("autoscaling", "scaling policy"), "resource_policy": ("resource policy",)}
    unmeant = [word for name, some in words.items() if name not in settings for word in some]
    return [sentence for sentence in sentences if not any(word in sentence for word in unmeant)]
