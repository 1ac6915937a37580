# SPDX-License-Identifier: MIT
"""What AWS tells of the capture: the stream of each table, the mapping that reads it, and how late it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..capture import begun_of, has_failed, problem_of
from ..watermark import Seen, Watermark
from .answers import error_code
from .botocore_errors import BotoCoreError, ClientError

PERIOD = 60
# Times ``back``: when nothing was handed over for so long, no batch is being tried again.
QUIET = 3


@dataclass
class Look:
    """``functions``: the Lambda client. ``function``: name of the one that captures."""

    dynamodb: Any
    functions: Any
    cloudwatch: Any
    function: str
    now: Callable[[], float]

    def at(self, tables: Iterable[str], back: float, known: Callable[[str], Watermark | None]) -> dict[str, Seen]:
        """Each table as it is now. ``back``: seconds for which the age of what was handed over counts. ``known``: a table's
        watermark so far: of a table that was deleted the stream lives on for a day, and is captured to its end.

        What cannot be found out is a problem of the table: of what is not known nothing is claimed.
        """
        now = self.now()
        mappings: dict[str, dict[str, Any]] = {}
        age, problem, is_quiet = 0.0, "", False
        try:
            mappings = self._mappings()
            age, throttled = self._metrics(now, back)
            is_quiet = any(map(has_failed, mappings.values())) and not self._values(now, QUIET * back)["age"]
            problem = f"its function was throttled {throttled:.0f} times" if throttled else ""
        except (ClientError, BotoCoreError) as error:
            problem = f"mapping and metrics cannot be read: {error}"
        problems = {stream: problem_of(mapping, is_quiet) for stream, mapping in mappings.items()}
        common = [Seen(table, "", "", now, age=age, problem=problem) for table in tables]
        return {one.table: self._seen(one, mappings, problems, known) for one in common}

    def _seen(
        self,
        common: Seen,
        mappings: dict[str, dict[str, Any]],
        problems: dict[str, str],
        known: Callable[[str], Watermark | None],
    ) -> Seen:
        try:
            found = self.dynamodb.describe_table(TableName=common.table)["Table"]
        except (ClientError, BotoCoreError) as error:
            code = error_code(error) if isinstance(error, ClientError) else str(error)
            mark = known(common.table) if code == "ResourceNotFoundException" else None
            if mark is None:
                return replace(common, problem=f"the table cannot be looked at ({code})")
            problem = common.problem or problems.get(mark.stream_arn, problem_of(None))
            return replace(common, table_id=mark.table_id, stream_arn=mark.stream_arn, problem=problem)
        has_stream = found.get("StreamSpecification", {}).get("StreamEnabled")
        stream = found["LatestStreamArn"] if has_stream else ""
        begun = begun_of(found["LatestStreamLabel"], mappings.get(stream)) if has_stream else 0
        problem = (
            problems.get(stream, problem_of(None)) if has_stream else "it has no stream: run deploy.yml --tags tables"
        )
        return replace(
            common, table_id=found["TableId"], stream_arn=stream, begun=begun, problem=common.problem or problem
        )

    def _mappings(self) -> dict[str, dict[str, Any]]:
        """By the stream that they read."""
        pages = self.functions.get_paginator("list_event_source_mappings").paginate(FunctionName=self.function)
        return {mapping["EventSourceArn"]: mapping for page in pages for mapping in page["EventSourceMappings"]}

    def _metrics(self, now: float, back: float) -> tuple[float, float]:
        """(seconds of the oldest that was handed over, how often the function was throttled); no news means nothing to do."""
        values = self._values(now, back)
        return max(values["age"], default=0) / 1000, sum(values["held"])

    def _values(self, now: float, back: float) -> dict[str, list[float]]:
        answer = self.cloudwatch.get_metric_data(
            MetricDataQueries=[self._query("age", "IteratorAge", "Maximum"), self._query("held", "Throttles", "Sum")],
            StartTime=datetime.fromtimestamp(now - back, UTC),
            EndTime=datetime.fromtimestamp(now + 1, UTC),
        )
        return {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}

    def _query(self, name: str, metric: str, statistic: str) -> dict[str, Any]:
        about = {
            "Namespace": "AWS/Lambda",
            "MetricName": metric,
            "Dimensions": [{"Name": "FunctionName", "Value": self.function}],
        }
        return {"Id": name, "MetricStat": {"Metric": about, "Period": PERIOD, "Stat": statistic}}
