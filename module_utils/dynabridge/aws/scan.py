# SPDX-License-Identifier: MIT
"""Reading a whole table through a boto3 DynamoDB client: its key schema, its items by parallel segments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from ..errors import TableUnavailable
from .answers import error_code
from .botocore_errors import ClientError


class Reducer(Protocol):
    """Takes in the items of a segment and then the result of another segment."""

    def add(self, items: list[dict[str, Any]]) -> None: ...

    def merge(self, other: Any) -> None: ...


R = TypeVar("R", bound=Reducer)


def describe_keys(client: Any, table: str) -> tuple[tuple[str, str], ...]:
    """Name and type of the table's hash key and, where there is one, of its range key."""
    try:
        description = client.describe_table(TableName=table)["Table"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise TableUnavailable(
            f"There is no table {table} in {client.meta.region_name} of this account (endpoint {client.meta.endpoint_url}):"
            " check the name, the region and the profile, or deploy the side first."
        ) from error
    types = {
        attribute["AttributeName"]: attribute["AttributeType"] for attribute in description["AttributeDefinitions"]
    }
    ordered = sorted(description["KeySchema"], key=lambda element: element["KeyType"] != "HASH")
    return tuple((element["AttributeName"], types[element["AttributeName"]]) for element in ordered)


def read_pages(
    client: Any,
    table: str,
    segment: int,
    segments: int,
    consistent: bool,
    start: dict[str, Any] | None = None,
    limit: int | None = None,
) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any] | None]]:
    """The items of one segment, page by page, to its very end, each page with the key to go on from (None: the end).

    limit: items of a page; without it a page is 1 MB.
    """
    request = {"TableName": table, "Segment": segment, "TotalSegments": segments, "ConsistentRead": consistent}
    request |= {"Limit": limit} if limit else {}
    while True:
        page = client.scan(**request | ({"ExclusiveStartKey": start} if start else {}))
        start = page.get("LastEvaluatedKey") or None
        yield page["Items"], start
        if start is None:
            return


def read_segment(
    client: Any, table: str, segment: int, segments: int, consistent: bool
) -> Iterator[list[dict[str, Any]]]:
    """The items of one segment, page by page, to its very end."""
    for items, _next in read_pages(client, table, segment, segments, consistent):
        yield items


def reduce_table(client: Any, table: str, segments: int, make: Callable[[], R], consistent: bool = True) -> R:
    """Scan the table in parallel segments, each into a reducer of its own, and merge them."""
    return reduce_parts(segments, make, lambda segment: read_segment(client, table, segment, segments, consistent))


def reduce_parts(count: int, make: Callable[[], R], read: Callable[[int], Iterator[list[dict[str, Any]]]]) -> R:
    """``read`` each part by its number in a thread, into a reducer of its own; they are merged in the end."""
    failed = threading.Event()

    def reduce_part(number: int) -> R:
        reducer = make()
        try:
            for items in read(number):
                if failed.is_set():  # another part failed: the result is lost, do not read on for hours
                    break
                reducer.add(items)
        except BaseException:
            failed.set()
            raise
        return reducer

    with ThreadPoolExecutor(count) as pool:
        first, *others = pool.map(reduce_part, range(count))
    for other in others:
        first.merge(other)
    return first
