# SPDX-License-Identifier: GPL-3.0-or-later
"""Two local AWS partitions (one process each) on this machine: `python -m local_aws up`."""
