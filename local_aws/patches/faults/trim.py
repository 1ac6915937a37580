# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of a stream that are gone before their time.

DynamoDB Developer Guide, "Change data capture": records live 24 hours and "are susceptible to trimming at any moment" then; an
iterator at a trimmed record gets TrimmedDataAccessException. Kinesis Data Streams API reference, GetShardIterator: a shard is
read on from its oldest record. A mapping goes on with the next record that there is, and a batch that is being retried
ends (`mappings.delivery` asks the shard for its oldest record).
"""

from ...sides import Side


def trim(side: Side, name: str) -> int | None:
    """Remove what the stream of a table, or a Kinesis stream, holds; how many records, None where there is no stream."""
    from ministack.services import dynamodb, kinesis

    stream = kinesis._streams.get_scoped(side.account_id, side.region, name)
    if stream is not None:
        return sum(_trim_shard(kinesis, name, shard_id, shard) for shard_id, shard in stream["shards"].items())
    records = dynamodb._stream_records.get_scoped(side.account_id, side.region, name)
    if dynamodb._tables.get_scoped(side.account_id, side.region, name) is None:
        return None
    return _trim_table(dynamodb, side, name, records or [])


def _trim_table(dynamodb, side: Side, table: str, records: list) -> int:
    count = len(records)
    before = dynamodb._stream_trimmed.get_scoped(side.account_id, side.region, table, 0)
    dynamodb._stream_trimmed.set_scoped(side.account_id, side.region, table, before + count)
    del records[:count]
    return count


def _trim_shard(kinesis, stream: str, shard_id: str, shard: dict) -> int:
    """The emulator's iterators count from the oldest record, so they move along."""
    count = len(shard["records"])
    del shard["records"][:count]
    for iterator in list(kinesis._shard_iterators.values()):
        if iterator["stream"] == stream and iterator["shard_id"] == shard_id:
            iterator["position"] = max(0, iterator["position"] - count)
    return count
