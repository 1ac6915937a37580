# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that several modules have: ``dynabridge.bucket`` is BUCKET below.

The argument specs are in module_utils/dynabridge/arguments.py, by the same names. A module that says an option again adds to
what is said here, or says it otherwise. The place of a bucket stands three times: ansible-test reads plain strings only.
"""

from __future__ import annotations


class ModuleDocFragment:
    """A fragment for each attribute."""

    PLACE = r"""
options:
  bucket_region:
    description: Region of the bucket. The module's own when empty.
    type: str
    default: ''
  bucket_owner:
    description: Account that the bucket must belong to. Any when empty.
    type: str
    default: ''
  role_arn:
    description: Role to work under. The caller's own rights when empty.
    type: str
    default: ''
"""

    BUCKET = r"""
options:
  bucket_region:
    description: Region of the bucket. The module's own when empty.
    type: str
    default: ''
  bucket_owner:
    description: Account that the bucket must belong to. Any when empty.
    type: str
    default: ''
  role_arn:
    description: Role to work under. The caller's own rights when empty.
    type: str
    default: ''
  bucket:
    description: The bucket of the backups.
    type: str
    required: true
"""

    PLAN_BUCKET = r"""
options:
  bucket_region:
    description: Region of the bucket. The module's own when empty.
    type: str
    default: ''
  bucket_owner:
    description: Account that the bucket must belong to. Any when empty.
    type: str
    default: ''
  role_arn:
    description: Role to work under. The caller's own rights when empty.
    type: str
    default: ''
  bucket:
    description: The bucket of the backups. The plan's when empty.
    type: str
    default: ''
"""

    PREFIX = r"""
options:
  prefix:
    description: Backups lie under C(<prefix>/YYYY/MM/DD/<table>/).
    type: str
    default: daily
"""

    PLAN = r"""
options:
  plan:
    description: The plan to follow, one of RV(dynamodb_restore_info#module:plans).
    type: dict
    required: true
"""

    RETRIEVAL = r"""
options:
  tier:
    description:
      - How fast archived objects are retrieved. V(Expedited) takes 1 to 5 minutes, V(Standard) 3 to 5 hours, V(Bulk) 5 to 12
        hours; of Deep Archive V(Standard) takes up to 12 hours, V(Bulk) up to 48, and there is no V(Expedited). The faster the
        dearer.
    type: str
    choices: [Expedited, Standard, Bulk]
    default: Standard
  retrieved_days:
    description: Days that the copies of archived objects stay.
    type: int
    default: 3
"""

    WAITING = r"""
options:
  wait_timeout:
    description:
      - Seconds to wait at most, for everything together. The module fails then and says so. What AWS is at work on goes on by
        itself, and nothing is lost.
    type: int
    default: 14400
  poll:
    description: Seconds between two looks.
    type: float
    default: 15
"""

    SPILL = r"""
options:
  budget_mb:
    description: Memory for the changes, in MB.
    type: int
    default: 256
  directory:
    description:
      - Where changes are put that do not fit into memory. The system's temporary directory when empty. It holds items as plain
        text while the module works, readable for its user only.
    type: path
"""

    STAMPS = r"""
options:
  timestamp_attribute:
    description: Attribute that says when an item was written.
    type: str
    default: last_update_timestamp
  region_attribute:
    description: Attribute that says in which region an item was written.
    type: str
    default: last_updater_region
  tombstone_days:
    description: Days that a delete is remembered.
    type: int
    default: 30
"""

    PROGRESS = r"""
options:
  progress_file:
    description: File to append the lines of progress to. The action plugin gives it.
    type: path
"""

    READS_ONLY = r"""
attributes:
  check_mode:
    support: full
    description: Reads only.
"""
