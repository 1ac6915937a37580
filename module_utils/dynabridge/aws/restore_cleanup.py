# SPDX-License-Identifier: MIT
"""Removing a table that a restore has made: only when the state of a restore says so, and with all that hangs on it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import RestoreError
from ..restore_layout import RESTORES
from ..restore_state import State, state_from, state_name
from .answers import error_code
from .botocore_errors import ClientError
from .imports import Imports, refused
from .objects import Objects
from .ownership import is_own

PAUSE = 2.0
# A table that is being imported, or changed, cannot be deleted yet.
BUSY = frozenset({"ResourceInUseException", "LimitExceededException"})
RUN = re.compile(r"[0-9a-f]{8}/")


class Cleanup:
    """``clients``: gives the boto3 client of a service in the table's region. ``patience``: seconds for all waiting."""

    def __init__(
        self,
        objects: Objects,
        clients: Callable[[str], Any],
        region: str,
        patience: float,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects, self._clients, self._region, self._pause, self._clock = objects, clients, region, pause, clock
        self._dynamodb = clients("dynamodb")
        self._imports = Imports(self._dynamodb)
        self._until = clock() + patience

    def would(self, name: str) -> str:
        """What ``remove`` would do; '' when there is nothing to remove. Raises RestoreError where it would refuse."""
        table = self._imports.table(name)
        if table is None:
            return ""
        return f"would remove table {name} in {self._region}, which the restore {self._owner(name, table).run} has made"

    def remove(self, name: str) -> str:
        """What was removed; '' when there was nothing. Raises RestoreError for a table that no restore has made."""
        table = self._imports.table(name)
        if table is None:
            return ""
        owner = self._owner(name, table)
        if table["TableStatus"] != "DELETING":
            self._stop_scaling(name, table)
            self._let_go(name, table)
            self._delete(name)
        self._wait_until_gone(name, table)
        return f"table {name} in {self._region}, which the restore {owner.run} had made, is removed"

    def _owner(self, name: str, table: Mapping[str, Any]) -> State:
        """The state of the restore that has made the table."""
        ending = f"/{state_name(self._region)}"
        start = f"{RESTORES}/{name}-"
        for listed in self._objects.list(start):
            if not listed.key.endswith(ending) or not RUN.match(listed.key.removeprefix(start)):
                continue
            run = listed.key.removeprefix(f"{RESTORES}/").removesuffix(ending)
            state = state_from(self._objects.get_json(listed.key), run, self._region)
            if is_own(state, table, self._imports):
                return state
        raise RestoreError(
            f"table {name} in {self._region} is left alone: no restore in s3://{self._objects.bucket}/{RESTORES}/ says that it "
            "has made it. Remove it yourself, if you mean it"
        )

    def _stop_scaling(self, name: str, table: Mapping[str, Any]) -> None:
        """Targets outlive their table, and would take hold of the next one of its name. Their policies go with them."""
        if table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST":
            return
        indexes = [index["IndexName"] for index in table.get("GlobalSecondaryIndexes") or []]
        resources = [f"table/{name}", *(f"table/{name}/index/{index}" for index in indexes)]
        scaling = self._clients("application-autoscaling")
        try:
            pages = scaling.get_paginator("describe_scalable_targets").paginate(
                ServiceNamespace="dynamodb", ResourceIds=resources
            )
            for target in [target for page in pages for target in page["ScalableTargets"]]:
                scaling.deregister_scalable_target(
                    ServiceNamespace="dynamodb",
                    ResourceId=target["ResourceId"],
                    ScalableDimension=target["ScalableDimension"],
                )
        except ClientError as error:
            raise refused(name, "cannot be freed of its autoscaling", error) from error

    def _let_go(self, name: str, table: Mapping[str, Any]) -> None:
        if table.get("DeletionProtectionEnabled"):
            self._patiently(
                name,
                "cannot be freed of its protection against deletion",
                lambda: self._dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False),
            )

    def _delete(self, name: str) -> None:
        self._patiently(name, "cannot be removed", lambda: self._dynamodb.delete_table(TableName=name))

    def _patiently(self, name: str, what: str, call: Callable[[], Any]) -> None:
        while True:
            try:
                call()
                return
            except ClientError as error:
                if error_code(error) not in BUSY or self._clock() + PAUSE > self._until:
                    raise refused(name, what, error) from error
            self._pause(PAUSE)

    def _wait_until_gone(self, name: str, removed: Mapping[str, Any]) -> None:
        while True:
            table = self._imports.table(name)
            if table is None or table.get("TableId") != removed.get("TableId"):
                return
            if self._clock() + PAUSE > self._until:
                raise RestoreError(f"table {name} in {self._region} is being deleted, and not gone yet")
            self._pause(PAUSE)
