# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that differ from a good one in one place."""

import copy


def changed(value, path, new):
    """A copy of value with new at path; path is a tuple of keys and indexes."""
    copied = copy.deepcopy(value)
    place = copied
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = new
    return copied
