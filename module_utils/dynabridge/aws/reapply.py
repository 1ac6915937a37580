# SPDX-License-Identifier: MIT
"""Giving a restored table what an import leaves out: each setting that differs, one after the other.

A setting that AWS refuses keeps none of the others; it becomes a sentence. Run again, only what still differs is set.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from ..desired_state import NO_STREAM
from ..errors import DynabridgeError, RestoreError
from ..restored_schema import (
    MARK,
    SETTINGS,
    Schema,
    billing_change,
    differing,
    missing_tags,
    parts_that_differ,
    spelled,
)
from ..table_schema import same_schema
from .answers import error_code
from .botocore_errors import BotoCoreError, ClientError
from .table_schema import read_schema

PATIENCE = 900.0  # seconds for one change: a table with indexes takes minutes
SEEN_AFTER = 30.0  # seconds until what was set is told
PAUSE = 2.0
# AWS switches the backups of a new table on for a while; a table takes one change after the other.
BUSY = frozenset({"ResourceInUseException", "ContinuousBackupsUnavailableException", "ConcurrentUpdateException"})
# Tags of a table, and the service-linked role of autoscaling, are there some seconds after they were asked for.
_CAPACITY = ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "GlobalSecondaryIndexes")
NOT_YET = frozenset({"TagResourceNotYetAvailable", "FailedResourceAccessException"})


class Reapply:
    """``clients``: gives the boto3 client of a service. ``wanted``: the schema that the table is to have."""

    def __init__(
        self,
        clients: Callable[[str], Any],
        wanted: Schema,
        tell: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients, self.wanted, self._tell, self._pause, self._clock = clients, wanted, tell, pause, clock
        self._dynamodb, self._table = clients("dynamodb"), wanted["table_name"]
        self._failed: dict[str, str] = {}

    def run(self, names: Collection[str] = SETTINGS) -> tuple[bool, list[str]]:
        """Set what differs of these settings. Gives whether anything was, and sentences on what is not as it should be."""
        made = self.made()
        before = made
        self._attempt("billing", self._set_billing, made)
        for name in SETTINGS:
            if name in names and differing(self.wanted, made, [name]):
                self._tell(f"{self._table}: setting {name.replace('_', ' ')}")
                self._attempt(name, getattr(self, f"_set_{name}"), made)
        if MARK in made["tags"]:
            self._attempt("mark", self._take_mark_away, made)
        made = self._seen(names)
        return not same_schema(made, before), self._sentences(made, names)

    def made(self) -> Schema:
        """The table's schema as it is now."""
        return read_schema(self._clients, self._table)

    def would_set(self, names: Collection[str] = SETTINGS) -> list[str]:
        """Settings that a run would change."""
        return differing(self.wanted, self.made(), [name for name in SETTINGS if name in names])

    # -- settings --------------------------------------------------------------------------------

    def _set_billing(self, made: Schema) -> None:
        change = billing_change(self.wanted, made)
        if change:
            self._tell(f"{self._table}: setting its capacity")
            self._update(**change)

    def _set_table_class(self, _made: Schema) -> None:
        self._update(TableClass=self.wanted["table_class"])

    def _set_stream(self, made: Schema) -> None:
        if made["stream"] != NO_STREAM:
            self._update(StreamSpecification={"StreamEnabled": False})
        if self.wanted["stream"] != NO_STREAM:
            self._update(StreamSpecification={"StreamEnabled": True, "StreamViewType": self.wanted["stream"]})

    def _set_point_in_time_recovery(self, _made: Schema) -> None:
        specification: dict[str, Any] = {"PointInTimeRecoveryEnabled": self.wanted["point_in_time_recovery"]}
        if self.wanted["point_in_time_recovery"]:
            specification["RecoveryPeriodInDays"] = self.wanted["recovery_period_days"]
        self._patiently(
            self._dynamodb.update_continuous_backups,
            TableName=self._table,
            PointInTimeRecoverySpecification=specification,
        )

    def _set_ttl(self, made: Schema) -> None:
        specification = {"Enabled": bool(self.wanted["ttl"]), "AttributeName": self.wanted["ttl"] or made["ttl"]}
        self._patiently(
            self._dynamodb.update_time_to_live, TableName=self._table, TimeToLiveSpecification=specification
        )

    def _set_tags(self, made: Schema) -> None:
        tags = [{"Key": name, "Value": value} for name, value in missing_tags(self.wanted, made).items()]
        self._patiently(self._dynamodb.tag_resource, ResourceArn=made["table_arn"], Tags=tags)

    def _set_autoscaling(self, made: Schema) -> None:
        scaling = self._clients("application-autoscaling")
        there = made["autoscaling"]
        for target in self.wanted["autoscaling"]["targets"]:
            if target not in there["targets"]:
                self._patiently(scaling.register_scalable_target, **target)
        for policy in self.wanted["autoscaling"]["policies"]:
            if policy not in there["policies"]:
                self._patiently(scaling.put_scaling_policy, **policy)

    def _set_resource_policy(self, made: Schema) -> None:
        policy = self.wanted["resource_policy"]
        if policy is not None:
            self._patiently(self._dynamodb.put_resource_policy, ResourceArn=made["table_arn"], Policy=spelled(policy))

    def _set_deletion_protection(self, _made: Schema) -> None:
        self._update(DeletionProtectionEnabled=self.wanted["deletion_protection"])

    def _take_mark_away(self, made: Schema) -> None:
        self._patiently(self._dynamodb.untag_resource, ResourceArn=made["table_arn"], TagKeys=[MARK])

    # -- how ---------------------------------------------------------------------------------------

    def _attempt(self, name: str, call: Callable[[Schema], None], made: Schema) -> None:
        try:
            call(made)
        except (ClientError, BotoCoreError, DynabridgeError) as error:
            self._failed[name] = str(error)

    def _update(self, **change: Any) -> None:
        self.wait_until_active()
        self._patiently(self._dynamodb.update_table, TableName=self._table, **change)
        self.wait_until_active()

    def wait_until_active(self) -> None:
        """A table takes one change after the other. Its indexes are being changed with it."""
        until = self._clock() + PATIENCE
        while True:
            told = self._dynamodb.describe_table(TableName=self._table)["Table"]
            states = [told["TableStatus"]]
            states += [index.get("IndexStatus", "ACTIVE") for index in told.get("GlobalSecondaryIndexes") or []]
            if all(state == "ACTIVE" for state in states):
                return
            if self._clock() + PAUSE > until:
                raise RestoreError(f"table {self._table} is {', '.join(states)} after {PATIENCE:.0f} s")
            self._pause(PAUSE)

    def _patiently(self, call: Callable[..., Any], **arguments: Any) -> None:
        until = self._clock() + PATIENCE
        while True:
            try:
                call(**arguments)
                return
            except ClientError as error:
                if error_code(error) not in BUSY | NOT_YET or self._clock() + PAUSE > until:
                    raise
            self._pause(PAUSE)

    def _seen(self, names: Collection[str]) -> Schema:
        """The schema once it shows what was set: some of AWS's answers are some seconds late."""
        until = self._clock() + SEEN_AFTER
        while True:
            made = self.made()
            late = set(differing(self.wanted, made, names)) - self._failed.keys()
            if billing_change(self.wanted, made) and "billing" not in self._failed:
                late.add("billing")
            if not late or self._clock() + PAUSE > until:
                return made
            self._pause(PAUSE)

    def _sentences(self, made: Schema, names: Collection[str]) -> list[str]:
        words = {"mark": f"the tag {MARK} could not be taken away", "billing": "its capacity is not as it was"}
        found = [
            f"{words.get(name, name.replace('_', ' ') + ' is not as it was')}: AWS refuses it ({reason}); set it by hand"
            for name, reason in self._failed.items()
        ]
        late = [name for name in differing(self.wanted, made, names) if name not in self._failed]
        found += [f"{name.replace('_', ' ')} is not as it was, though AWS took it: look at it" for name in late]
        parts = [
            name
            for name in parts_that_differ(self.wanted, made)
            if not (name in _CAPACITY and "billing" in self._failed)
        ]
        return found + [f"{name} is not as it was saved: the table has to be made again to have it" for name in parts]
