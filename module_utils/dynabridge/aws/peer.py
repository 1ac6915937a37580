# SPDX-License-Identifier: MIT
"""The way to the peer's stream: its key pair from Parameter Store, and PutRecords that keeps each item's order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..errors import PeerKeyMissing, PeerRefused, PeerUnreachable
from ..proxy import explain
from ..wire import WireRecord
from .answers import error_code
from .botocore_errors import BotoCoreError, ClientError
from .proxies import target_of

# PutRecords: 500 records and 5 MB a call (Kinesis Data Streams API reference).
CALL_RECORDS = 500
CALL_BYTES = 5_000_000
# What AWS answers to a key pair that is unknown, disabled, expired or does not match.
REFUSED_KEY = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "ExpiredTokenException",
        "IncompleteSignature",
        "MissingAuthenticationTokenException",
    }
)
# Longer than the two halves of a pair take to be stored.
HALF_STORED_SECONDS = 1.0
KEY_READINGS = 4


def read_key_pair(ssm: Any, path: str) -> tuple[str, str]:
    """(access key id, secret key) under ``path``. Raises PeerKeyMissing naming what is not there."""
    names = [path + "AccessKey", path + "SecretKey"]
    answer = ssm.get_parameters(Names=names, WithDecryption=True)
    found = {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
    missing = [name for name in names if not found.get(name)]
    if missing:
        raise PeerKeyMissing(
            f"parameter {' and '.join(missing)} not found in Parameter Store of this side: "
            "run deploy.yml for both sides, or with the peer's key pair given"
        )
    return found[names[0]], found[names[1]]


class PeerStream:
    """PutRecords into the peer's stream, with the key pair read again when the peer refuses it.

    read_key: gives the key pair. connect: makes a Kinesis client of a key pair. proxy: that the client goes through, if any.
    """

    def __init__(
        self,
        stream: str,
        read_key: Callable[[], tuple[str, str]],
        connect: Callable[[str, str], Any],
        pause: Callable[[float], None] = time.sleep,
        proxy: str = "",
    ):
        self._stream, self._read_key, self._connect, self._pause = stream, read_key, connect, pause
        self._proxy = proxy
        self._client: Any = None

    def put(self, records: list[WireRecord], attempts: int = 6) -> list[WireRecord]:
        """Send the records, those of one lane one after the other; give back what could not be sent.

        PutRecords keeps no order and can fail in part, so a call holds at most one record of each lane, and a lane's
        next record waits until the one before it has arrived.
        """
        lanes: dict[str, deque[WireRecord]] = {}
        for record in records:
            lanes.setdefault(record.lane, deque()).append(record)
        failures = 0
        while lanes and failures < attempts:
            call = _one_of_each_lane(lanes)
            sent = self._put_call(call)
            for record in sent:
                lanes[record.lane].popleft()
                if not lanes[record.lane]:
                    del lanes[record.lane]
            if len(sent) < len(call):
                failures += 1
                self._pause(min(0.1 * 2**failures, 3))
        return [record for queue in lanes.values() for record in queue]

    def _put_call(self, call: list[WireRecord]) -> list[WireRecord]:
        """One PutRecords; the records that arrived."""
        entries = [{"Data": record.data, "PartitionKey": record.lane} for record in call]
        answer = self._with_fresh_key(lambda client: self._put_entries(client, entries))
        return [record for record, result in zip(call, answer["Records"], strict=True) if "ErrorCode" not in result]

    def _put_entries(self, client: Any, entries: list[dict[str, Any]]) -> dict[str, Any]:
        try:
            return client.put_records(StreamName=self._stream, Records=entries)
        except BotoCoreError as error:
            said = explain(error, self._proxy, target_of(client)) if self._proxy else None
            if said is None:
                raise
            raise PeerUnreachable(f"nothing was sent to the peer: {said}") from error

    def _with_fresh_key(self, use: Callable[[Any], Any]) -> Any:
        """Run ``use`` with the cached client; when its key is refused, with the key that is stored now."""
        if self._client is not None:
            try:
                return use(self._client)
            except ClientError as error:
                if error_code(error) not in REFUSED_KEY:
                    raise self._refusal(error) from error
        return self._with_stored_key(use)

    def _with_stored_key(self, use: Callable[[Any], Any]) -> Any:
        """Run ``use`` with the stored pair. Refused, it is read again as long as it changes.

        A rotation stores the two halves one after the other: who reads between them has a pair that is none.
        """
        pair, before = self._read_key(), None
        for _reading in range(KEY_READINGS):
            self._client = self._connect(*pair)
            try:
                return use(self._client)
            except ClientError as error:
                refused = self._refusal(error)
                if error_code(error) not in REFUSED_KEY:
                    raise refused from error
            self._client = None
            self._pause(HALF_STORED_SECONDS)
            pair, before = self._read_key(), pair
            if pair == before:
                break
        raise refused

    def _refusal(self, error: ClientError) -> Exception:
        code = error_code(error)
        if code in REFUSED_KEY:
            return PeerRefused(
                f"the peer refused the key pair ({code}): run rotate_credentials.yml, or deploy.yml with a valid key pair given"
            )
        if code in ("AccessDeniedException", "AccessDenied", "ResourceNotFoundException"):
            return PeerRefused(
                f"the peer's stream {self._stream} cannot be written ({code}): "
                f"{error.response['Error'].get('Message', '')}; run deploy.yml for the peer"
            )
        return error


def _one_of_each_lane(lanes: dict[str, deque[WireRecord]]) -> list[WireRecord]:
    call: list[WireRecord] = []
    size = 0
    for queue in lanes.values():
        size += len(queue[0].data) + len(queue[0].lane)
        if len(call) == CALL_RECORDS or (call and size > CALL_BYTES):
            break
        call.append(queue[0])
    return call
