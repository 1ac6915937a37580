# SPDX-License-Identifier: MIT
"""Errors that a person on call can act on: each names the thing that is wrong and says what to do."""


class DynabridgeError(Exception):
    """Base of all errors of the kit. ``str(error)`` is the sentence to show."""


class SettingsError(DynabridgeError):
    """A variable of a function or playbook is missing or makes no sense."""


class MalformedRecord(DynabridgeError):
    """A record that cannot be read: it goes to the quarantine whole, the rest of its batch goes on."""


class PeerKeyMissing(DynabridgeError):
    """The peer's key pair is not in Parameter Store."""


class PeerRefused(DynabridgeError):
    """The peer's AWS refused the key pair, or what it asked for."""


class PeerUnreachable(DynabridgeError):
    """The proxy on the way to the peer refused, or is down."""


class TableUnavailable(DynabridgeError):
    """The table is not there, or may not be read or written to."""


class BackupError(DynabridgeError):
    """A backup cannot be begun, looked at or marked."""


class ArchivedObject(BackupError):
    """An object lies in a storage class that it must be retrieved from before it can be read."""


class DamagedExport(BackupError):
    """The objects of an export do not hold what its manifests say."""


class RestoreError(DynabridgeError):
    """A table cannot be restored, or was not restored as it should be."""
