# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain way, to measure against: one Kinesis record a change, one conditional PutItem a record, one at a time."""
