# SPDX-License-Identifier: MIT
"""What AWS tells of the capture: the stream of each table, the mapping that reads it, and how late it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..capture import begun_of, problem_of
from ..watermark import Seen
from .answers import error_code

PERIOD = 60


@dataclass
class Look:
    """``functions``: the Lambda client. ``function``: name of the one that captures."""

    dynamodb: Any
    functions: Any
    cloudwatch: Any
    function: str
    now: Callable[[], float]

    def at(self, tables: Iterable[str], back: float) -> dict[str, Seen]:
        """Each table as it is now. ``back``: seconds for which the age of what was handed over counts.

        What cannot be found out is a problem of the table: of what is not known nothing is claimed.
        """
        now = self.now()
        try:
            mappings = self._mappings()
            age, throttled = self._metrics(now, back)
        except (ClientError, BotoCoreError) as error:
            return {
                table: self._seen(table, now, {}, 0, f"mapping and metrics cannot be read: {error}") for table in tables
            }
        problem = f"its function was throttled {throttled:.0f} times" if throttled else ""
        return {table: self._seen(table, now, mappings, age, problem) for table in tables}

    def _seen(self, table: str, now: float, mappings: dict[str, Any], age: float, problem: str) -> Seen:
        try:
            found = self.dynamodb.describe_table(TableName=table)["Table"]
        except ClientError as error:
            return Seen(table, "", "", now, problem=f"the table cannot be looked at ({error_code(error)})")
        except BotoCoreError as error:
            return Seen(table, "", "", now, problem=f"the table cannot be looked at: {error}")
        stream = found.get("LatestStreamArn", "") if found.get("StreamSpecification", {}).get("StreamEnabled") else ""
        mapping = mappings.get(stream)
        begun = begun_of(found.get("LatestStreamLabel", ""), mapping)
        problem = problem or ("" if stream else "it has no stream: run deploy.yml --tags tables") or problem_of(mapping)
        return Seen(table, found["TableId"], stream, now, begun, age, problem)

    def _mappings(self) -> dict[str, dict[str, Any]]:
        """By the stream that they read."""
        pages = self.functions.get_paginator("list_event_source_mappings").paginate(FunctionName=self.function)
        return {mapping["EventSourceArn"]: mapping for page in pages for mapping in page["EventSourceMappings"]}

    def _metrics(self, now: float, back: float) -> tuple[float, float]:
        """(seconds of the oldest that was handed over, how often the function was throttled); no news means nothing to do."""
        answer = self.cloudwatch.get_metric_data(
            MetricDataQueries=[self._query("age", "IteratorAge", "Maximum"), self._query("held", "Throttles", "Sum")],
            StartTime=datetime.fromtimestamp(now - back, UTC),
            EndTime=datetime.fromtimestamp(now + 1, UTC),
        )
        values = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
        return max(values["age"], default=0) / 1000, sum(values["held"])

    def _query(self, name: str, metric: str, statistic: str) -> dict[str, Any]:
        about = {
            "Namespace": "AWS/Lambda",
            "MetricName": metric,
            "Dimensions": [{"Name": "FunctionName", "Value": self.function}],
        }
        return {"Id": name, "MetricStat": {"Metric": about, "Period": PERIOD, "Stat": statistic}}
