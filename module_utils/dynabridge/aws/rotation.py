# SPDX-License-Identifier: MIT
"""A new key for the peer's user: made, proven, stored, proven again; then the old one is disabled and deleted.

Replication goes on meanwhile. Until the new pair is stored the sender has the old one, which stays valid; when the old one
is disabled the sender is refused and reads the new one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..errors import SettingsError
from ..rotation import MOST_KEYS, Key, Pair, Plan, RotationFailed, Undo
from ..wire import encode
from .answers import error_code
from .botocore_errors import BotoCoreError, ClientError
from .peer import read_key_pair

PAUSE = 1.0
# A new key is known to one of IAM's servers before it is known to all.
TIMES_BEFORE_STORED = 3
READS = 5


@dataclass
class UserKeys:
    """The keys of an IAM user."""

    iam: Any
    user: str

    def list(self) -> list[Key]:
        """Raises SettingsError where there is no such user."""
        try:
            answer = self.iam.list_access_keys(UserName=self.user)  # two at most: one page
        except ClientError as error:
            if error_code(error) != "NoSuchEntity":
                raise
            raise SettingsError(f"there is no user {self.user}: run deploy.yml for both sides first") from error
        keys = [
            Key(key["AccessKeyId"], key["Status"] == "Active", key["CreateDate"]) for key in answer["AccessKeyMetadata"]
        ]
        if len(keys) < MOST_KEYS:
            return keys
        return [replace(key, last_used=self._last_used(key.id)) for key in keys]

    def _last_used(self, key_id: str) -> str:
        with suppress(ClientError):  # a right that only a clearer message needs
            used = self.iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
            if "LastUsedDate" not in used:
                return "use not recorded"
            return f"last used {used['LastUsedDate']:%Y-%m-%d %H:%M} UTC for {used['ServiceName']}"
        return ""

    def make(self) -> Pair:
        made = self.iam.create_access_key(UserName=self.user)["AccessKey"]
        return Pair(made["AccessKeyId"], made["SecretAccessKey"])

    def set_active(self, key_id: str, active: bool) -> None:
        status = "Active" if active else "Inactive"
        self.iam.update_access_key(UserName=self.user, AccessKeyId=key_id, Status=status)

    def delete(self, key_id: str) -> None:
        self.iam.delete_access_key(UserName=self.user, AccessKeyId=key_id)


@dataclass
class StoredPair:
    """The pair in the other side's Parameter Store. hide: told every secret, before anything can show it."""

    ssm: Any
    path: str
    hide: Callable[[str], None] = lambda secret: None

    def read(self) -> Pair:
        """Raises PeerKeyMissing where a part of it is not there."""
        pair = Pair(*read_key_pair(self.ssm, self.path))
        self.hide(pair.secret_key)
        return pair

    def write(self, pair: Pair) -> None:
        """The secret first: a sender that reads between the two is refused either way, and reads again."""
        key = self._encryption_key()
        self.ssm.put_parameter(
            Name=self.path + "SecretKey", Value=pair.secret_key, Type="SecureString", Overwrite=True, **key
        )
        self.ssm.put_parameter(Name=self.path + "AccessKey", Value=pair.access_key, Type="String", Overwrite=True)

    def _encryption_key(self) -> dict[str, str]:
        """The KMS key that the secret has now: written without it, it would fall back to the account's default."""
        name = {"Key": "Name", "Option": "Equals", "Values": [self.path + "SecretKey"]}
        found = self.ssm.describe_parameters(ParameterFilters=[name])["Parameters"]
        return {"KeyId": found[0]["KeyId"]} if found and found[0].get("KeyId") else {}


@dataclass
class Proof:
    """A record without changes, really put into the stream with a key pair.

    connect: makes a Kinesis client of a pair. wait: seconds in which IAM has to have spread what it was told.
    """

    connect: Callable[[Pair], Any]
    stream: str
    side: str
    wait: float
    clock: Any = time

    def accept(self, pair: Pair, times: int = 1) -> None:
        """Raises RotationFailed where the pair is not accepted, so many times in a row, in time."""
        client, accepted, deadline = self.connect(pair), 0, self.clock.monotonic() + self.wait
        while True:
            refusal = self._refusal(client)
            accepted = 0 if refusal else accepted + 1
            if accepted == times:
                return
            if self.clock.monotonic() >= deadline:
                raise RotationFailed(
                    f"the peer did not accept key {pair.access_key} within {self.wait:.0f} s: PutRecords into "
                    f"{self.stream} was refused ({refusal or 'now and then'})"
                )
            self.clock.sleep(PAUSE)

    def _refusal(self, client: Any) -> str:
        entry = {"Data": encode([], self.side), "PartitionKey": "lane-000"}
        try:
            (result,) = client.put_records(StreamName=self.stream, Records=[entry])["Records"]
        except ClientError as error:
            return error_code(error)
        except BotoCoreError as error:
            return str(error)
        return result.get("ErrorCode") or ""


def rotate(plan: Plan, user: UserKeys, store: StoredPair, proof: Proof) -> Pair:
    """Give the user a new key; the pair that is stored then.

    Raises RotationFailed with what was wrong and what was taken back.
    """
    before, undo = store.read(), Undo()
    try:
        new = _replace(plan.old, before, undo, user, store, proof)
    except BaseException as error:  # also an interrupt: the pair must not be left half replaced
        raise RotationFailed(f"{_told(error)}. {undo.run()}") from None
    if plan.old:
        _delete_old(plan.old, new, user)
    return new


def _replace(old: Key | None, before: Pair, undo: Undo, user: UserKeys, store: StoredPair, proof: Proof) -> Pair:
    """Everything that can be taken back; each step that does so is noted before or with what it takes back."""
    new = user.make()
    store.hide(new.secret_key)
    undo.add(f"new key {new.access_key} deleted", lambda: user.delete(new.access_key))
    proof.accept(new, TIMES_BEFORE_STORED)
    undo.add(f"the pair of key {before.access_key} stored", lambda: store.write(before))
    store.write(new)
    _prove_stored(new, store, proof)
    if old and old.active:
        undo.add(f"key {old.id} active", lambda: user.set_active(old.id, True))
        user.set_active(old.id, False)
        _prove_stored(new, store, proof)
    return new


def _prove_stored(new: Pair, store: StoredPair, proof: Proof) -> None:
    """Read as the sender reads, and put with what was read. What was written a moment ago may not be read at once."""
    for _attempt in range(READS):
        stored = store.read()
        if stored == new:
            break
        proof.clock.sleep(PAUSE)
    else:
        raise RotationFailed(f"{store.path} holds key {stored.access_key} instead of the new pair of {new.access_key}")
    proof.accept(stored)


def _delete_old(old: Key, new: Pair, user: UserKeys) -> None:
    """The new pair is in use and proven: a failure here takes nothing back."""
    try:
        user.delete(old.id)
    except (ClientError, BotoCoreError) as error:
        raise RotationFailed(
            f"key {new.access_key} is in use, and the old key {old.id} is inactive, but it could not be deleted "
            f"({_told(error)}): delete it by hand, because the next rotation needs its room"
        ) from error


def _told(error: BaseException) -> str:
    """Code and message of AWS's answer, or what else there is to say."""
    return str(error) or type(error).__name__
